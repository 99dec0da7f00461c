"""Which amount belongs to which label, by geometry alone.

A screen writes all amounts of one panel the same way: below their labels, above them, or to their right. So one
direction is chosen for the jackpots and one for the row of meters, the one that pairs most labels at least cost; a
label of the other kind (bet, win) competes for amounts as well, so that they do not become a balance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from foureyes_actors.messages import Field
from foureyes_actors.model_server.engine.amounts import Amount, Label, Piece
from foureyes_actors.model_server.engine.detect import Box
from foureyes_actors.model_server.engine.lexicon import BET, COUNT, WIN

JACKPOTS = (Field.GRAND, Field.MAJOR, Field.MINOR, Field.MINI)
METERS = (Field.BALANCE, BET, WIN, COUNT)
HEIGHT_RATIO = (0.25, 2.0)  # label's height / amount's height
FARTHEST = 0.9  # a pair of a higher cost is none
LONE_COST = 0.6  # a label whose group stands in another direction must be this close to its amount
FEW = 3  # jackpots: with so many labels found, one that is like no other is a celebration's
ALONE_COST = 0.25  # and a jackpot label that no other one confirms this close

Cost = Callable[[Box, Box], float]


@dataclass(frozen=True, slots=True)
class Pair:
    label: Label
    amount: Amount
    direction: str
    cost: float


def pairs_of(pieces: Sequence[Piece], boxes: Sequence[Box]) -> dict[str, Pair]:
    """The best pair of each label's name (fields, bet, win, count). ``boxes``: all text of the screen."""
    found = [Pair(p.label, p.amount, "same", 0.0) for p in pieces if p.label and p.amount]
    labels = [p.label for p in pieces if p.label and not p.amount]
    amounts = [p.amount for p in pieces if p.amount and not p.label]
    lists = _Lists([x.box for x in labels], [a.box for a in amounts])
    best: dict[str, Pair] = {}
    for group in (JACKPOTS, METERS):
        own = [p for p in found if p.label.name in group]
        named = [x for x in labels if x.name in group]
        options = {d: _matched(named, amounts, d, cost, boxes, lists) for d, cost in DIRECTIONS.items()}
        best.update(_of_group(own, options, group is JACKPOTS))
        taken = {id(p.amount) for p in best.values()}
        amounts = [a for a in amounts if id(a) not in taken]
    return best


def _of_group(own: Sequence[Pair], options: Mapping[str, list[Pair]], jackpots: bool) -> dict[str, Pair]:
    """The pairs of the group's direction; then, for labels left over, close ones of the other directions."""
    pairs = [*own, *_grouped(options, bool(own) or not jackpots)]
    panel = jackpots and len({p.label.name for p in pairs}) >= FEW
    best: dict[str, Pair] = {}
    for pair in sorted(pairs, key=lambda p: (-_alike(p, pairs), p.cost)):
        if not panel or _alike(pair, pairs):
            best.setdefault(pair.label.name, pair)
    taken = {id(p.amount) for p in best.values()}
    limit = ALONE_COST if jackpots and not best else LONE_COST
    for pair in sorted((p for direction in options.values() for p in direction), key=lambda p: p.cost):
        known = id(pair.amount) in taken or pair.label.name in best
        if not known and pair.cost <= limit and (not panel or _alike(pair, pairs)):
            best[pair.label.name] = pair
            taken.add(id(pair.amount))
    return best


def _alike(pair: Pair, pairs: Sequence[Pair]) -> int:
    """How many labels of other names are as high as this one, of as many words, and in line with it: a panel's are,
    a celebration's are not."""
    if pair.direction == "same":
        return 1  # one box around both: its label's own height is not known
    box = pair.label.box
    points: dict[str, int] = {}
    for other in pairs:
        height = other.label.box.height
        dx, dy = (abs(a - b) for a, b in zip(box.centre, other.label.box.centre, strict=True))
        left = abs(box.left - other.label.box.left)
        if other.label.name == pair.label.name or (other.label.words == 1) != (pair.label.words == 1):
            continue
        if 0.7 <= box.height / max(1, height) <= 1.43:
            score = 2 if min(dx, dy, left) < 0.4 * box.height else 1
            points[other.label.name] = max(score, points.get(other.label.name, 0))
    return sum(points.values())


def _grouped(options: Mapping[str, list[Pair]], confirmed: bool) -> list[Pair]:
    """The pairs of the direction that suits the group best."""
    best = max(options.values(), key=_worth)
    if confirmed or len({p.label.name for p in best}) >= 2:
        return best
    return [p for p in best if p.cost <= ALONE_COST]


def _worth(pairs: Iterable[Pair]) -> float:
    best: dict[str, float] = {}
    for pair in pairs:
        best[pair.label.name] = max(best.get(pair.label.name, 0.0), 1.0 - pair.cost / 2)
    return sum(best.values())


def _matched(
    labels: Sequence[Label],
    amounts: Sequence[Amount],
    direction: str,
    cost: Cost,
    boxes: Sequence[Box],
    lists: _Lists,
) -> list[Pair]:
    """Each label and each amount at most once, the cheapest pairs first."""
    options = [Pair(x, a, direction, cost(x.box, a.box)) for x in labels for a in amounts if _sizes_fit(x.box, a.box)]
    taken: set[int] = set()
    pairs = []
    for pair in sorted(options, key=lambda p: p.cost):
        if pair.cost > FARTHEST:
            break
        if {id(pair.label), id(pair.amount)} & taken or lists.one_list(pair):
            continue
        if direction == "right" and _between(pair.label.box, pair.amount.box, boxes):
            continue
        taken |= {id(pair.label), id(pair.amount)}
        pairs.append(pair)
    return pairs


def _between(label: Box, amount: Box, boxes: Sequence[Box]) -> bool:
    """Whether other text stands between a label and an amount of its row."""
    top, bottom = max(label.top, amount.top), min(label.bottom, amount.bottom)
    for box in boxes:
        x = box.centre[0]
        if label.right < x < amount.left and min(box.bottom, bottom) - max(box.top, top) > 0.4 * (bottom - top):
            return True
    return False


class _Lists:
    """Rows of a list (a prize ladder: MAJOR, MINOR, MINI, 5.00, 2.50) are not labels with amounts below them."""

    def __init__(self, labels: Sequence[Box], amounts: Sequence[Box]) -> None:
        self._labels, self._amounts = labels, amounts

    def one_list(self, pair: Pair) -> bool:
        if pair.direction == "right" and pair.label.name in JACKPOTS:
            return self._in_a_grid(pair.amount.box)
        if pair.direction == "right":
            return False
        step = 1 if pair.direction == "below" else -1
        pitch = abs(pair.amount.box.centre[1] - pair.label.box.centre[1])
        before = any(_follows(b, pair.label.box, step, pitch) for b in self._labels)
        after = any(_follows(pair.amount.box, b, step, pitch) for b in self._amounts)
        return before or after

    def _in_a_grid(self, amount: Box) -> bool:
        """Whether this row has amounts of one size side by side: cells of a board, not the amounts of labels."""
        alike = [b for b in self._amounts if _same_row(b, amount) and 0.7 <= b.height / max(1, amount.height) <= 1.4]
        alike.sort(key=lambda b: b.left)
        for first, second in pairwise(alike):
            near = second.left - first.right <= 8 * amount.height
            named = any(first.right < b.centre[0] < second.left and _same_row(b, amount) for b in self._labels)
            if near and not named:
                return True
        return False


def _same_row(a: Box, b: Box) -> bool:
    return min(a.bottom, b.bottom) - max(a.top, b.top) > 0.4 * min(a.height, b.height)


def _follows(first: Box, second: Box, step: int, pitch: float) -> bool:
    """Whether ``second`` is the next row after ``first`` in a list of this pitch."""
    if first == second or not 0.6 <= first.height / max(1, second.height) <= 1.7:
        return False
    down = (second.centre[1] - first.centre[1]) * step
    overlap = min(first.right, second.right) - max(first.left, second.left)
    return 0 < down <= 1.35 * pitch and overlap > 0


def _sizes_fit(label: Box, amount: Box) -> bool:
    return HEIGHT_RATIO[0] <= label.height / max(1, amount.height) <= HEIGHT_RATIO[1]


def _right(label: Box, amount: Box) -> float:
    overlap = min(label.bottom, amount.bottom) - max(label.top, amount.top)
    low, high = sorted((label.height, amount.height))
    gap = (amount.left - label.right) / high
    if overlap < 0.5 * low or gap < -0.6:
        return 9.0
    return max(0.0, gap) / 14 + abs(label.centre[1] - amount.centre[1]) / high


def _below(label: Box, amount: Box) -> float:
    high = max(label.height, amount.height)
    gap = (amount.top - label.bottom) / high
    if not -0.6 <= gap <= 1.6:
        return 9.0
    edges = (
        abs(label.centre[0] - amount.centre[0]),
        abs(label.left - amount.left),
        abs(label.right - amount.right),
    )
    aside = min(edges) / high
    return max(0.0, gap) / 2 + aside / 4


def _above(label: Box, amount: Box) -> float:
    return _below(amount, label)


DIRECTIONS: dict[str, Cost] = {"below": _below, "right": _right, "above": _above}
