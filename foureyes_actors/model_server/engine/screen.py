"""One whole screen: all its text, the amounts by their labels, and a second look where the first one is in doubt.

The order of work: detect at a small size, read every box, pair labels with amounts; then, for labels without a fitting
amount, detect again around them at full size; then read doubtful amounts with the larger recogniser.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from foureyes_actors.messages import MONEY_FIELDS
from foureyes_actors.model_server.engine.amounts import Amount, Label, Piece, amount_of, extent, pieces_of
from foureyes_actors.model_server.engine.associate import JACKPOTS, Pair, pairs_of
from foureyes_actors.model_server.engine.detect import Box, Image, around, detect, detect_in
from foureyes_actors.model_server.engine.habits import Habit, habit_of, misfit, unsure
from foureyes_actors.model_server.engine.lexicon import WIN, almost_label
from foureyes_actors.model_server.engine.meters import metered
from foureyes_actors.model_server.engine.models import Session
from foureyes_actors.model_server.engine.patches import Patch, patch, unchanged
from foureyes_actors.model_server.engine.recognise import Recogniser, Text

SIDE = 640  # the longest side that the detector sees
MOST_BOXES = 72
MOST_SEARCHES = 5
SEARCH_ASIDE, SEARCH_UP = 7.0, 3.0  # label heights around a label
CELL_HEIGHTS = 0.9  # label's height / amount's height
BOARD_HEIGHTS = 0.75  # the same, of a cell whose box a comma below the line has made taller
HEADLINE = 0.05  # of the picture's height: words of a row that are joined when they are at least so large
HEADLINE_GAP = 2.0  # heights
MOST_BOXES_NEAR = 12
TALLEST = 0.15  # of the picture's height
SEARCH_HEIGHT = 30  # a label is enlarged to this height before the search

LEAST_SURE = 0.5  # a reading that the other recogniser does not share must have no character below this
ASIDE = 1.1  # heights to either side: what a sign takes
FEWEST_METERS = 2  # segment displays, where several amounts are shown
AGREED = 0.9  # what two equal readings are held for

FIELD_NAMES = frozenset(f.value for f in MONEY_FIELDS)
WANTED = FIELD_NAMES | {WIN}  # a win's meter tells the state


@dataclass(frozen=True, slots=True)
class Known:
    """A text that was read before, and how its box looked then."""

    text: Text
    patch: Patch


@dataclass(frozen=True, slots=True)
class Screen:
    """What one full look found. ``pairs``: by label name; a pair's amount may be damaged."""

    texts: tuple[Text, ...]
    labels: tuple[Label, ...]
    pairs: dict[str, Pair]
    habit: Habit
    known: tuple[Known, ...] = field(default=(), repr=False)
    confirmed: dict[Box, Amount] = field(default_factory=dict, repr=False)  # second opinions, by the box read
    boxes_read: int = 0


EMPTY_SCREEN = Screen((), (), {}, Habit())


class Look:
    """One look at one picture; ``before``: the last full look, whose unchanged boxes are not read again."""

    def __init__(self, eyes: Eyes, image: Image, before: Screen) -> None:
        self._eyes, self._image, self._before = eyes, image, before
        self._patches: dict[Box, Patch] = {}
        self._reused: set[Box] = set()
        self._read = 0

    def screen(self) -> Screen:
        boxes = [b for b in detect(self._eyes.detector, self._image, SIDE, MOST_BOXES) if self._is_text(b)]
        texts = self._labels_again(self._texts(boxes))
        texts += self._texts(_headlines(texts, self._image.shape[0]))
        texts, arranged = self._search(texts, _arranged(texts))
        arranged = self._metered(arranged)
        pairs, confirmed = self._confirmed(arranged)
        known = tuple(Known(t, self._patch(t.box)) for t in texts)
        return replace(arranged, pairs=pairs, confirmed=confirmed, known=known, boxes_read=self._read)

    def _is_text(self, box: Box) -> bool:
        """Not a symbol of the reels: those are as high as lines of text never are, unless these are long."""
        return box.height <= TALLEST * self._image.shape[0] or box.width > 3 * box.height

    def _patch(self, box: Box) -> Patch:
        if box not in self._patches:
            self._patches[box] = patch(self._image, box)
        return self._patches[box]

    def _texts(self, boxes: Sequence[Box]) -> list[Text]:
        found = {box: self._same_as_before(box) for box in boxes}
        fresh = [box for box, text in found.items() if text is None]
        self._read += len(fresh)
        found.update(zip(fresh, self._eyes.recogniser.read(self._image, fresh), strict=True))
        return [t for t in found.values() if t is not None]

    def _same_as_before(self, box: Box) -> Text | None:
        """The text read before in this place, when nothing changed there."""
        for known in self._before.known:
            old = known.text.box
            if _nearly(old, box) and unchanged(known.patch, self._patch(old)):
                self._reused.add(old)
                return known.text
        return None

    def _labels_again(self, texts: Sequence[Text]) -> list[Text]:
        """Texts that are nearly a label, read by the second recogniser."""
        doubtful = [t for t in texts if almost_label(t.text) and t.box not in self._reused]
        if self._eyes.second is None or not doubtful:
            return list(texts)
        again = dict(zip(doubtful, self._eyes.second.read(self._image, [t.box for t in doubtful]), strict=True))
        return [again.get(t, t) for t in texts]

    def _search(self, texts: list[Text], found: Screen) -> tuple[list[Text], Screen]:
        """Look again, at full size, around labels of fields whose amount is missing or does not fit."""
        labels = list(_without_amount(found))[:MOST_SEARCHES]
        for region, zoom in (_around(label, self._image) for label in labels):
            boxes = detect_in(self._eyes.detector, self._image, region, zoom, MOST_BOXES_NEAR)
            read = self._texts([b for b in boxes if self._is_text(b)])
            more = [t for t in read if any(p.amount and not misfit(p.amount, found.habit) for p in pieces_of(t))]
            texts = [t for t in texts if not any(_covers(t.box, m.box) for m in more)] + more
        return (texts, _arranged(texts)) if labels else (texts, found)

    def _metered(self, found: Screen) -> Screen:
        """``found`` with the amounts that segment displays show, where most amounts of the screen stand on such
        displays: a single one may be printed digits that happen to look like it. What was no display in the look before
        is none while it stands; what was one is read again, for its box may hide a digit that changed."""
        names = WANTED & found.pairs.keys()
        shown = {n: metered(found.pairs[n].amount, self._image) for n in names if self._may_be_lit(n, found)}
        lit = {n: a for n, a in shown.items() if a is not None}
        if not lit or len(lit) < min(len(names), max(FEWEST_METERS, len(names) / 2)):
            return found
        pairs = {n: replace(p, amount=lit.get(n, p.amount)) for n, p in found.pairs.items()}
        # What the recogniser made of lit segments says nothing about how this screen writes its amounts.
        return replace(found, pairs=pairs, habit=habit_of(lit.values()))

    def _may_be_lit(self, name: str, found: Screen) -> bool:
        before = self._before.pairs.get(name)
        return found.pairs[name].amount.source not in self._reused or (before is not None and before.amount.metered)

    def _confirmed(self, found: Screen) -> tuple[dict[str, Pair], dict[Box, Amount]]:
        """The pairs with doubtful amounts read a second time, and those amounts by the box that was read."""
        doubtful = {n: p for n, p in found.pairs.items() if n in WANTED and in_doubt(p.amount, found.habit)}
        old = {n: self._before.confirmed.get(p.amount.source) for n, p in doubtful.items()}
        kept = {n: a for n, a in old.items() if a is not None and doubtful[n].amount.source in self._reused}
        fresh = [n for n in doubtful if n not in kept]
        amounts = self._eyes.second_opinions(self._image, [doubtful[n].amount for n in fresh], found.habit)
        self._read += len(fresh)
        settled = {**kept, **dict(zip(fresh, amounts, strict=True))}
        pairs = {n: replace(p, amount=settled.get(n, p.amount)) for n, p in found.pairs.items()}
        return pairs, {doubtful[n].amount.source: a for n, a in settled.items()}


@dataclass(frozen=True, slots=True)
class Eyes:
    """The networks of one reader. ``second``: a larger recogniser for doubtful texts, or None."""

    detector: Session
    recogniser: Recogniser
    second: Recogniser | None

    def look(self, image: Image, before: Screen = EMPTY_SCREEN) -> Screen:
        """Read the whole picture (height x width x 3, RGB)."""
        return Look(self, image, before).screen()

    def second_opinions(self, image: Image, amounts: Sequence[Amount], habit: Habit) -> list[Amount]:
        """Each amount as both recognisers hold it; damaged when they do not agree on anything safe."""
        if self.second is None or not amounts:
            return list(amounts)
        texts = self.second.read(image, [a.box for a in amounts])
        checked = [better(a, amount_of(t), habit) for a, t in zip(amounts, texts, strict=True)]
        poor = [i for i, a in enumerate(checked) if misfit(a, habit)]
        wide = self.second.read(image, [_widened(amounts[i].box, image) for i in poor])
        for i, text in zip(poor, wide, strict=True):
            checked[i] = in_its_place(amounts[i], text, habit)
        return checked


def _headlines(texts: Sequence[Text], height: int) -> list[Box]:
    """Rows of large words that the detector took for one box each: read again as one."""
    large = [t for t in texts if t.box.height >= HEADLINE * height]
    words = [t for t in large if len(t.text) >= 2 and t.text.replace(" ", "").isalpha()]
    rows: list[Box] = []
    for text in sorted(words, key=lambda t: t.box.left):
        box = text.box
        for index, row in enumerate(rows):
            low = min(row.height, box.height)
            level = min(row.bottom, box.bottom) - max(row.top, box.top) >= 0.7 * low
            if level and 0 < box.left - row.right <= HEADLINE_GAP * low and max(row.height, box.height) <= 1.5 * low:
                rows[index] = around([row, box])
                break
        else:
            rows.append(box)
    single = {t.box for t in texts}
    return [r for r in rows if r not in single]


def without_cells(screen: Screen) -> Screen:
    """``screen`` without jackpots that are cells of a bonus screen: there a name is one prize of many, set as large
    as the amounts, or nearly so where its amount lines up with others that have no label."""
    prizes, jackpots = _prizes(screen), [p for name, p in screen.pairs.items() if name in JACKPOTS]
    cells = [p for p in jackpots if _is_cell(p, jackpots, prizes)]
    return replace(screen, pairs={name: p for name, p in screen.pairs.items() if p not in cells})


def _is_cell(pair: Pair, jackpots: Sequence[Pair], prizes: Sequence[Box]) -> bool:
    if pair.direction == "same":
        return False
    size, amount = pair.label.box.height / max(1, pair.amount.box.height), pair.amount.box
    if size >= CELL_HEIGHTS:
        return True
    # Where several jackpots stand in line they are a panel's, and an amount without a label may have lost its own.
    panel = any(p is not pair and p.direction == pair.direction and _lines_up(p.amount.box, amount) for p in jackpots)
    return size >= BOARD_HEIGHTS and not panel and any(_lines_up(prize, amount) for prize in prizes)


def _prizes(screen: Screen) -> list[Box]:
    """The amounts that belong to no label. Bare numbers are none: they may be anything."""
    owned = {p.amount.source for p in screen.pairs.values()}
    pieces = [p for t in screen.texts if t.box not in owned for p in pieces_of(t)]
    return [p.amount.box for p in pieces if p.label is None and p.amount and p.amount.money and not p.amount.plain]


def _lines_up(a: Box, b: Box) -> bool:
    """Whether both are amounts of one size in one row or column."""
    dx, dy = (abs(x - y) for x, y in zip(a.centre, b.centre, strict=True))
    aside = min(dx, dy, abs(a.left - b.left), abs(a.right - b.right))
    return 0.7 <= a.height / max(1, b.height) <= 1.4 and aside < 0.4 * b.height


def in_doubt(amount: Amount, habit: Habit) -> bool:
    return misfit(amount, habit) is not None or unsure(amount)


def better(first: Amount, second: Amount | None, habit: Habit) -> Amount:
    """One amount of two readings of a box: what both say, else what the surer one says, else none."""
    fitting = [a for a in (first, second) if a is not None and misfit(a, habit) is None]
    if len(fitting) == 2 and fitting[0].money == fitting[1].money:
        return replace(first, confidence=max(a.confidence for a in fitting), weakest=max(AGREED, first.weakest))
    best = max(fitting, key=lambda a: a.weakest, default=None)
    if best is None:
        return first
    if best.weakest < LEAST_SURE:
        return replace(first, money=None)
    return replace(best, source=first.source)


def in_its_place(first: Amount, text: Text, habit: Habit) -> Amount:
    """An amount that did not fit, by a look at its surroundings as well: what was cut off, or nothing, stands there."""
    wide = amount_of(text)
    if wide is not None and wide.weakest >= LEAST_SURE and misfit(wide, habit) is None:
        return replace(wide, box=extent(text), source=first.source)
    if wide is not None and first.money is not None and wide.money == first.money and wide.weakest >= AGREED:
        return replace(first, alone=True)
    return replace(first, money=None)


def _widened(box: Box, image: Image) -> Box:
    return box.grown(round(ASIDE * box.height), 0, image.shape[1], image.shape[0])


def _arranged(texts: Sequence[Text]) -> Screen:
    """The labels and amounts of ``texts``, paired."""
    pieces = [p for t in texts for p in pieces_of(t)]
    whole = habit_of(p.amount for p in pieces if p.amount is not None)
    pairs = pairs_of([p for p in pieces if not _noise(p, whole)], [t.box for t in texts])
    labels = tuple(p.label for p in pieces if p.label is not None)
    return Screen(tuple(texts), labels, pairs, habit_of(p.amount for p in pairs.values()))


def _nearly(a: Box, b: Box) -> bool:
    """The same box, but for a pixel or two of the detector's doubt."""
    slack = max(3, round(0.12 * a.height))
    return (
        abs(a.left - b.left) <= slack
        and abs(a.right - b.right) <= slack
        and abs(a.top - b.top) <= slack
        and abs(a.bottom - b.bottom) <= slack
    )


def _noise(piece: Piece, habit: Habit) -> bool:
    """Numbers of reels and tables: bare ones where amounts have decimals, and scraps without a mark or sign."""
    amount = piece.amount
    if piece.label is not None or amount is None:
        return False
    if amount.money is None:
        return not any(c in ".,$€£¥" for c in amount.text)
    return amount.plain and bool(habit.decimals or len(amount.text) < 3)


def _without_amount(screen: Screen) -> Iterable[Label]:
    """Labels of fields that have no fitting amount: the ones of the paired label, else every candidate."""
    for name in FIELD_NAMES:
        pair = screen.pairs.get(name)
        if pair is None:
            yield from (label for label in screen.labels if label.name == name)
        elif misfit(pair.amount, screen.habit):
            yield pair.label


def _around(label: Label, image: Image) -> tuple[Box, float]:
    height = label.box.height
    grown = label.box.grown(round(SEARCH_ASIDE * height), round(SEARCH_UP * height), image.shape[1], image.shape[0])
    return grown, min(2.0, max(0.75, SEARCH_HEIGHT / height))


def _covers(old: Box, new: Box) -> bool:
    """Whether both are the same text, or parts of it."""
    width = min(old.right, new.right) - max(old.left, new.left)
    height = min(old.bottom, new.bottom) - max(old.top, new.top)
    if width <= 0 or height <= 0:
        return False
    return width * height > 0.4 * min(old.width * old.height, new.width * new.height)
