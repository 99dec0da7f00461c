"""A record's inputs, changed a little in every place. Pure, and the same each time: what raised must be mended for its
neighbours too, and what worked must go on working.

A variant is a list of edits: a path into the document, and what is put there. A value that the product's types refuse
is refused in the base as well, and says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from t00l5et.gate.leaves import MAX_CHANGED, Blobs, Leaf, Path, Written, leaves, same

Edit = tuple[Path, Any]
MOST = 700  # variants
MAX_AMOUNTS = 4
_INT = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Variant:
    """``what``: where, and what was done; nothing of the data."""

    what: str
    edits: tuple[Edit, ...] = field(repr=False)


def mutations(document: Mapping[str, Any], blobs: Blobs, most: int = MOST) -> list[Variant]:
    """The first change of each leaf, then the second of each, and so on: each place has its turn. Settings are last."""
    found = leaves(document, blobs)
    amounts = _amounts(found)
    return [
        variant
        for late in (False, True)
        for variant in _in_turn([_variants(leaf, amounts) for leaf in found if leaf.late is late])
    ][:most]


def _variants(leaf: Leaf, amounts: Sequence[Decimal]) -> list[Variant]:
    changed = _changed(leaf, amounts)
    return [Variant(f"{leaf.where}: {words}", ((leaf.path, leaf.put(value)),)) for words, value in changed]


def _in_turn(changes: Sequence[Sequence[Variant]]) -> Iterator[Variant]:
    for number in range(max(map(len, changes), default=0)):
        yield from (each[number] for each in changes if number < len(each))


# --- changes ---


def _changed(leaf: Leaf, amounts: Sequence[Decimal]) -> list[tuple[str, Any]]:
    value = leaf.value
    plain = leaf.put is same
    found = [*_near(value, amounts), *_of(value, plain)]
    seen: list[Any] = [value]
    kept = []
    for words, new in found:
        if not any(type(new) is type(old) and new == old for old in seen):
            seen.append(new)
            kept.append((words, new))
    return kept


def _amounts(found: Sequence[Leaf]) -> list[Decimal]:
    """Those that the record's texts show, roughly read: some code only differs where two values are close."""
    read = []
    for leaf in found:
        if isinstance(leaf.value, str) and not leaf.late and 0 < len(leaf.value) <= 48:
            digits = re.sub("[^0-9.]", "", leaf.value)
            if re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,4})?", digits):
                read.append(Decimal(digits))
    return list(dict.fromkeys(read))[:MAX_AMOUNTS]


def _near(value: Any, amounts: Sequence[Decimal]) -> Iterator[tuple[str, Any]]:
    """A number that is one of the texts', or a little beside it."""
    for amount in amounts:
        for words, part in (("as", "1"), ("a little less than", "0.996"), ("a little more than", "1.004")):
            near = amount * Decimal(part)
            if isinstance(value, Mapping) and value.get("$") == "decimal":
                yield f"{words} another amount", {"$": "decimal", "text": str(near)}
            elif isinstance(value, float):
                yield f"{words} another amount", float(near)


def _of(value: Any, plain: bool) -> Sequence[tuple[str, Any]]:
    """``plain``: in the record's own form, where some numbers need a tag."""
    match value:
        case bool():
            return [("the other one", not value)]
        case int():
            return [(words, _tagged_int(n) if plain else n) for words, n in _numbers(value)]
        case float():
            special = [({"$": "float", "text": t} if plain else float(t)) for t in ("nan", "inf", "-inf")]
            return [*_numbers(value), *zip(("no number", "endless", "minus endless"), special, strict=True)]
        case Written():
            return _written(value)
        case str():
            return list(texts(value))
        case bytes():
            return list(_bytes(value))
        case list():
            return _lists(value)
        case {"$": str(tag)}:
            return _TAGGED[tag](value) if tag in _TAGGED else []
        case dict():
            return [(f"without {key[:30]}", {k: v for k, v in value.items() if k != key}) for key in list(value)[:30]]
    return [("a text in place of nothing", "1"), ("a number in place of nothing", 1)] if value is None else []


def _numbers(value: Any) -> list[tuple[str, Any]]:
    one = type(value)(1)
    named = [("one more", value + one), ("one less", value - one), ("negated", -value), ("nothing", value - value)]
    huge = [("a thousand times", value * 1000), ("huge", type(value)(10) ** 18), ("half", type(value)(value / 2))]
    return [*named, *huge]


def _written(value: Written) -> list[tuple[str, Any]]:
    named = [("huge", "1e400"), ("hugely negative", "-1e400"), ("endless", "1e999"), ("tiny", "1e-400")]
    more = [("negated", value[1:] if value.startswith("-") else f"-{value}"), ("nothing", "0"), ("one", "1")]
    return [*named, *more, ("long", "9" * 40), ("with decimals", "0.5"), ("no number", "NaN")]


def _tagged_int(value: int) -> Any:
    return value if value in _INT else {"$": "int", "hex": hex(value)}


def texts(value: str) -> Iterator[tuple[str, str]]:
    """The neighbours of a text: other digits first, so that a value, a prefix or a length is not what was mended."""
    value = value[:MAX_CHANGED]
    if re.search("[0-9]", value):
        yield "other digits", re.sub("[0-9]", lambda d: str((int(d[0]) + 3) % 9 + 1), value)
        yield "one digit more", re.sub("([0-9])(?=[^0-9]*$)", r"\g<1>7", value)
        yield "one digit less", re.sub("[0-9](?=[^0-9]*$)", "", value)
        yield "a digit more in front", re.sub("[0-9]", lambda d: f"8{d[0]}", value, count=1)
        yield "other separators", value.translate(str.maketrans(",.", ".,"))
        yield "without separators", re.sub("[,.' ]", "", value)
        yield "only its digits", re.sub("[^0-9]", "", value)
    letters = re.search("[^\\W\\d_]", value)
    if letters:
        yield "the other case", value.swapcase()
        yield "other letters", re.sub("[a-zA-Z]", lambda c: chr((ord(c[0]) - 96) % 26 + 97), value)
    others = [n for n, c in enumerate(value) if not c.isascii() or not c.isprintable()]
    if others:
        yield "the odd character first", value[others[0]] + value[: others[0]] + value[others[0] + 1 :]
        yield (
            "another odd character",
            "".join(chr(min(ord(c) + 1, 0xFFFD)) if n in others else c for n, c in enumerate(value)),
        )
        yield "the odd character alone", value[others[0]]
    yield "longer by a blank", f"{value} "
    yield "longer in front", f" {value}"
    yield "twice", value + value
    yield "without its end", value[:-1]
    yield "without its beginning", value[1:]
    yield "half", value[: len(value) // 2]
    yield "empty", ""
    yield "something before", f"x{value}"
    yield "something behind", f"{value}%"
    yield "turned round", value[::-1]


def _bytes(value: bytes) -> Iterator[tuple[str, bytes]]:
    size = len(value)
    for cut in (1, 2, 4, 16):
        yield f"{cut} bytes cut off", value[:-cut]
    yield "half", value[: size // 2]
    yield "empty", b""
    yield "without its first byte", value[1:]
    if size <= MAX_CHANGED:
        yield "longer", value + b"\0"
        for at in [*range(min(size, 24)), *range(24, size, max(1, size // 24))][:48]:
            yield f"byte {at} changed", value[:at] + bytes([value[at] ^ 0x55]) + value[at + 1 :]


def _lists(value: list[Any]) -> list[tuple[str, Any]]:
    if not value:
        return [("one item", ["1"])]
    named = [("without its last", value[:-1]), ("without its first", value[1:]), ("empty", [])]
    return [*named, ("its last twice", [*value, value[-1]]), ("turned round", value[::-1])]


def _decimals(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    text = str(value["text"])
    negated = text[1:] if text.startswith("-") else f"-{text}"
    words = [("other digits", re.sub("[1-9]", lambda d: str(int(d[0]) % 9 + 1), text)), ("negated", negated)]
    named = [*words, ("nothing", "0"), ("one", "1"), ("huge", "1E+30"), ("tiny", "1E-30"), ("endless", "Infinity")]
    return [(name, {"$": "decimal", "text": new}) for name, new in [*named, ("no number", "NaN")]]


def _datetimes(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    times = [("the last day", "9999-12-31T23:59:59"), ("the first day", "0001-01-01T00:00:00")]
    found = [(name, {**value, "text": text}) for name, text in [*times, ("a leap day", "2024-02-29T12:00:00")]]
    return [*found, ("another zone", {**value, "offset": [-1, 54_000, 0]}), ("no zone", {**value, "offset": None})]


def _timedeltas(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    parts = [("nothing", [0, 0, 0]), ("negative", [-1, 0, 0]), ("huge", [999_999_999, 0, 0]), ("a day", [1, 0, 0])]
    return [(name, {**value, "parts": new}) for name, new in parts]


def _enums(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Of FourEyes's own types; one that this tree does not have has no others."""
    from foureyes_actors.replay.registry import registry

    kind = registry().types.get(str(value.get("type")))
    names = [str(name) for name in getattr(kind, "__members__", {})][:40]
    return [(f"another word ({n + 1})", {**value, "name": name}) for n, name in enumerate(names)]


_TAGGED: Mapping[str, Callable[[Mapping[str, Any]], list[tuple[str, Any]]]] = MappingProxyType(
    {
        "int": lambda v: [("one", 1), ("negated", {**v, "hex": hex(-int(v["hex"], 16))})],
        "float": lambda _v: [("nothing", 0.0), ("one", 1.0), ("huge", 1e300)],
        "decimal": _decimals,
        "datetime": _datetimes,
        "date": lambda v: [
            ("the last day", {**v, "text": "9999-12-31"}),
            ("the first day", {**v, "text": "0001-01-01"}),
        ],
        "timedelta": _timedeltas,
        "enum": _enums,
    }
)
