"""From what a recogniser wrote to amounts and labels: which part of a text is which, and what may be repaired.

A repair is made only where one amount can be meant, and before the text is given out as an answer:

* blanks that letter-spacing or a wide mark produced (``1 2 . 5 0``, ``12 ,345.67``), a lost blank between groups;
* characters that cannot be in an amount are replaced by what the network held likeliest among those that can
  (``S0.00`` -> ``$0.00``, ``1O.50`` -> ``10.50``, ``12;345.67``): see ``Text.money``;
* a point read for the comma or the reverse, where the groups leave one reading (``12.345.67``).

Lost or doubled digits cannot be repaired; such texts stay ``damaged`` and are read again or given up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from foureyes_actors.model_server.engine.detect import Box
from foureyes_actors.model_server.engine.lexicon import label_of
from foureyes_actors.model_server.engine.recognise import Line, Text
from foureyes_actors.readings.money import Money, MoneyError, currency_name, parse_money

DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2212"
_BLANKS = re.compile(r"\s+")
_AROUND_MARK = re.compile(r"\s*([.,])\s*")
_NUMERIC = re.compile(r"[0-9]")
# Letters and signs that a recogniser writes for digits, marks and currency signs of heavy game lettering.
_LOOK_ALIKES = frozenset('OoQDSsIlBZzbgGqT|!;:`’‘"^*·•-_~()[]{}/\\')
_PLAUSIBLE = frozenset("0123456789.,' $€£¥₹₩₺₽₱₪")
_SIGNS = "$€£¥₹₩₺₽₱₪"
_COUNTING = frozenset("0123456789.,'" + _SIGNS)  # characters whose doubt is a doubt about the amount
_STARTING = "0123456789" + _SIGNS
_START = re.compile(f"[{_STARTING}]")
_WORD = r"[A-Za-zÀ-žА-я]"
_HEAD = re.compile(rf"({_WORD}{{1,7}}(?:\.|[{_SIGNS}])?)[.,·•'°]?\s*(?=[0-9OQSIlTB|])")
_TAIL = re.compile(rf"(?<=[0-9OQSIl|.,])\s*({_WORD}{{2,7}}\.?)$")
_SIGNED_START = re.compile(rf"[{DASHES}]\s*{_WORD}{{0,3}}\.?\s*$")  # a dash before a currency, or the digits
_STRANGE_WORD = re.compile(rf"{_WORD}{{2,4}}[^A-Za-z0-9]?\s*(?=[0-9])")  # perhaps a currency with a letter wrong
# What the recogniser writes for currencies in letters that it does not know, or that look like others.
SPECKS = ".,°·•*'\"~^-"  # what a particle beside an amount is read as
_READ_AS = "zt:zł zi:zł z1:zł ki:kr kt:kr k1:kr kc:Kč kr,:kr. kr;:kr."
READ_AS = dict(pair.split(":") for pair in _READ_AS.split())


@dataclass(frozen=True, slots=True)
class Label:
    """``name``: as in ``lexicon.label_of``. ``words``: how many it is written in."""

    name: str
    box: Box
    confidence: float
    words: int = 1


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount, or a damaged text that should be one (``money`` None). ``text``: as shown, repaired."""

    box: Box
    text: str
    money: Money | None
    confidence: float
    weakest: float
    source: Box  # the whole box that was read
    alone: bool = False  # looked at with its surroundings: nothing more of it stands there
    metered: bool = False  # read by the segments of a display

    @property
    def plain(self) -> bool:
        """Bare digits, without a currency or a mark: any number on the screen looks like that."""
        return self.money is not None and self.money.currency is None and self.text.isdigit()

    @property
    def decimals(self) -> int:
        return 0 if self.money is None else -int(self.money.amount.as_tuple().exponent)


@dataclass(frozen=True, slots=True)
class Piece:
    """A label, an amount, or both when one box holds them together."""

    label: Label | None
    amount: Amount | None


def pieces_of(text: Text) -> list[Piece]:
    """The labels and amounts of one text, from left to right."""
    return list(_pieces(text, 0, len(text.text)))


def _pieces(text: Text, start: int, end: int) -> Iterator[Piece]:
    part = text.text[start:end]
    if not part.strip():
        return
    name = label_of(part)
    if name is not None:
        yield Piece(Label(name, _sub_box(text, start, end), text.confidence, _words(part)), None)
        return
    amount = amount_of(text, start, end)
    if amount is not None and amount.money is not None:
        yield Piece(None, amount)
        return
    split = _label_first(part)
    if split is None:
        if amount is not None:
            yield Piece(None, amount)
        return
    name, cut = split
    label = Label(name, _sub_box(text, start, start + cut), text.confidence, _words(part[:cut]))
    stop = _next_word(text.text, start + cut, end)
    first = amount_of(text, start + cut, stop)
    yield Piece(label, first)
    yield from _pieces(text, stop, end)


def _words(label: str) -> int:
    return sum(len(word) > 2 for word in label.split())


def _label_first(part: str) -> tuple[str, int] | None:
    """The label that ``part`` starts with and where the rest starts, when the rest is like an amount."""
    blanks = [m.start() for m in re.finditer(r"\s", part)]
    start = _START.search(part)
    signed = _SIGNED_START.search(part[: start.start()]) if start else None
    begin = signed or start
    for cut in [*([begin.start()] if begin else []), *reversed(blanks)]:
        name = label_of(part[:cut])
        if name is not None and (part[cut] in _STARTING or _like_an_amount(part[cut:].strip())):
            return name, cut
    return None


def _next_word(text: str, start: int, end: int) -> int:
    """Where the next label begins after ``start``: a word of at least three letters that is one."""
    for match in re.finditer(r"[A-Za-zÀ-ÿ][A-Za-zÀ-ÿ ]{2,}", text[start:end]):
        if match.start() and currency_name(match.group().strip()) is None and label_of(match.group().strip()):
            return start + match.start()
    return end


def amount_of(text: Text, start: int = 0, end: int | None = None) -> Amount | None:
    """The amount in ``text[start:end]``: None when it is not like one, damaged when it is but no repair is safe."""
    end = len(text.text) if end is None else end
    part = text.text[start:end].strip()
    whole = start == 0 and end == len(text.text)
    box = text.box if whole else _sub_box(text, start, end)
    if is_negative(part):
        return Amount(box, part, None, 0.0, 0.0, text.box)
    if not _like_an_amount(part):
        strange = _STRANGE_WORD.match(part)
        damaged = strange is not None and any(c in ".," for c in part) and _parsed(part[strange.end() :])
        return Amount(box, part, None, 0.0, 0.0, text.box) if damaged else None
    for shown, line in _candidates(text, start, end):
        money = _parsed(shown)
        if money is not None:
            sure = [p for c, p in zip(line.text, line.sure, strict=True) if c in _COUNTING] or [0.0]
            return Amount(box, shown, money, sum(sure) / len(sure), min(sure), text.box)
    return Amount(box, part, None, 0.0, 0.0, text.box)


def is_negative(part: str) -> bool:
    """A dash before the digits: it may be a particle, but an amount that is owed must not be taken for one that is
    had."""
    digit = _NUMERIC.search(part)
    before = part[: digit.start()] if digit else ""
    return any(c in DASHES for c in before) and _like_an_amount(part)


def _like_an_amount(part: str) -> bool:
    """Mostly characters of amounts; the rest look-alikes, or a currency's word at an end."""
    core = _without_currency(part)[1]
    body = [c for c in core if not c.isspace()]
    digits = sum(c.isdigit() for c in body)
    if sum(c not in _PLAUSIBLE and c not in _LOOK_ALIKES for c in body) > (1 if digits >= 3 else 0):
        return False
    strange = sum(c not in _PLAUSIBLE for c in body)
    return (digits >= 1 and digits >= strange) or (len(body) >= 4 and any(c in _SIGNS for c in body))


def _without_currency(part: str) -> tuple[str, str, str]:
    """``part`` as currency, core, currency; the core is in the recogniser's own characters of amounts."""
    before = after = ""
    if part[:1] in SPECKS and re.match(rf"(?:{_WORD}{{0,3}}[{_SIGNS}]|{_WORD}{{2,3}}\s?[0-9])", part[1:].lstrip()):
        part = part[1:].lstrip()  # a particle before the currency
    head = _HEAD.match(part)
    name = _currency_of(head.group(1)) if head else None
    if head and name:
        before, part = name, part[head.end() :]
    tail = _TAIL.search(part)
    name = _currency_of(tail.group(1)) if tail else None
    if tail and name:
        after, part = name, part[: tail.start()]
    return before, part, after


def _currency_of(word: str) -> str | None:
    """The currency that a word at the end of an amount is, by its exact or its read form; no lone look-alikes."""
    if len(word) == 1 and (word in _LOOK_ALIKES or word in _SIGNS):
        return None
    return currency_name(word) or currency_name(word.rstrip(".")) or currency_name(READ_AS.get(word.lower(), "-"))


def _candidates(text: Text, start: int, end: int) -> Iterator[tuple[str, Line]]:
    """Texts that this part may show, the most literal first, and the characters that each is made of."""
    part = text.text[start:end].strip()
    before, core, after = _without_currency(part)
    at = text.text.find(core.strip(), start)
    box = _sub_box(text, at, at + len(core.strip()))
    free, money = _between(text.line, box), _between(text.money, box)
    yield part, free
    core = core.rstrip(" .,") if after else core  # a speck before the currency; elsewhere decimals may be cut off
    yield from ((_joined(before, repaired, after), free) for repaired in _blank_repairs(core))
    marked = {c for c in (core.replace(mark, by) for mark in ";:" for by in ".," if mark in core) if _parsed(c)}
    if len({_parsed(c) for c in marked}) == 1:
        yield _joined(before, min(marked), after), free
    if _length(money.text) == _length(core):  # one character for each: none was dropped
        yield _joined(before, money.text, after), money
        yield from ((_joined(before, repaired, after), money) for repaired in _blank_repairs(money.text))
    mark = _mark_repair(core)
    if mark:
        yield _joined(before, mark, after), free


def _length(text: str) -> int:
    return sum(not c.isspace() for c in text)


def _joined(before: str, core: str, after: str) -> str:
    return " ".join(p for p in (before, core.strip(), after) if p)


def _between(line: Line, box: Box) -> Line:
    """The characters that stand between the sides of ``box``."""
    kept = [i for i, x in enumerate(line.places) if box.left <= x <= box.right]
    return Line("".join(line.text[i] for i in kept), tuple(line.sure[i] for i in kept))


def _blank_repairs(core: str) -> Iterator[str]:
    core = core.strip().replace("’", "'").replace("`", "'")
    tight = _AROUND_MARK.sub(r"\1", core)
    yield tight
    cut = next((i for i, c in enumerate(tight) if c.isdigit()), 0)
    sign, number = tight[:cut], tight[cut:]
    if sign[-1:] in tuple(SPECKS) and re.search(r"[.,]", number):
        sign = sign[:-1]  # a speck between the sign and the digits
        yield sign + number
    closed = _BLANKS.sub("", number)
    groups = re.split(r"\s+", number)
    letter_spaced = len(groups) >= 3 and sum(len(g) <= 2 for g in groups) >= len(groups) - 1
    if letter_spaced or re.search(r"\d[.,]\d{3}", closed):
        yield sign + closed  # the marks still check the groups
    integer = re.split(r"[.,]", number)[0]
    if " " in integer and all(len(g) % 3 == 0 for g in integer.split()[1:]):
        yield sign + closed  # a blank between two groups was lost


def _mark_repair(core: str) -> str | None:
    """``12.345.67`` and ``12,345,67``: the last mark can only be the decimal mark."""
    match = re.fullmatch(r"([^0-9]*)(\d{1,3}(?:([.,])\d{3})(?:\3\d{3})*)\3(\d\d)(\D*)", core.strip())
    if match is None:
        return None
    sign, integer, mark, decimals, rest = match.groups()
    return f"{sign}{integer}{',' if mark == '.' else '.'}{decimals}{rest}"


def _parsed(shown: str) -> Money | None:
    try:
        return parse_money(shown)
    except MoneyError:
        return None


def extent(text: Text) -> Box:
    """The part of its box that the text takes."""
    return _sub_box(text, 0, len(text.text))


def _sub_box(text: Text, start: int, end: int) -> Box:
    """The part of the box that holds the characters ``start`` to ``end``."""
    shown = [text.line.places[i] for i in range(start, end) if not text.text[i].isspace()]
    if not shown:
        return text.box
    half = text.box.width / max(1, len(text.text)) / 2
    left = max(text.box.left, int(min(shown) - half))
    return Box(left, text.box.top, max(left + 1, min(text.box.right, int(max(shown) + half))), text.box.bottom)
