"""JSON without mercy: no duplicate keys, no NaN, no silent rounding, bounded size and depth."""

from __future__ import annotations

import json
from typing import Any, NoReturn

BYTE_ORDER_MARK = "\ufeff"
MAX_BRACKETS = 200  # opening brackets in one text, so at most this depth


class JsonError(ValueError):
    """The text is not JSON as we take it; the message says why and never repeats the text."""


class NumberText(str):
    """A number as the text wrote it. It never went through a binary float."""

    __slots__ = ()


def loads(text: str, *, max_length: int, max_brackets: int = MAX_BRACKETS) -> Any:
    """Objects, lists, text, True, False, None, and NumberText for every number. A byte order mark in front, as some
    servers on Windows send it, is no part of it. Raises JsonError."""
    if len(text) > max_length:
        raise JsonError(f"{len(text)} characters, at most {max_length} are read")
    if text.count("{") + text.count("[") > max_brackets:
        raise JsonError(f"more than {max_brackets} brackets")
    try:
        return _DECODER.decode(text.removeprefix(BYTE_ORDER_MARK))
    except json.JSONDecodeError as error:
        raise JsonError(f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise JsonError("nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise JsonError(f"the key {ascii(twice)[:60]} is there twice")
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise JsonError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(  # made once: what it is made of is the same each time
    object_pairs_hook=_object,
    parse_float=NumberText,
    parse_int=NumberText,
    parse_constant=_refuse_constant,
)
