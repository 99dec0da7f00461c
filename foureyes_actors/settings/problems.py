"""What pydantic found wrong, told to people: which key, which value, what would be right. Pure.

The value of a secret key is never repeated, and passwords inside addresses are masked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from foureyes_actors.bug.redact import mask_patterns
from foureyes_actors.settings.schema import Key, Kind, Shape, closest, shape_at
from foureyes_actors.settings.yaml import Problem

_LONGEST_VALUE = 60

_NOT = {
    "float_parsing": "is not a number",
    "float_type": "is not a number",
    "finite_number": "is not a finite number",
    "int_parsing": "is not a whole number",
    "int_parsing_size": "is not a whole number that can be used",
    "int_type": "is not a whole number",
    "int_from_float": "is not a whole number",
    "bool_parsing": "is not true or false",
    "bool_type": "is not true or false",
    "string_type": "is not a text",
    "string_too_short": "is too short",
}
_BOUNDS = {
    "greater_than": ("gt", "is not greater than {}"),
    "greater_than_equal": ("ge", "is less than {}"),
    "less_than": ("lt", "is not less than {}"),
    "less_than_equal": ("le", "is more than {}"),
}


def problems_of(
    error: ValidationError, root: Shape, place: Callable[[Key], tuple[str, int]], defaults: BaseModel | None
) -> list[Problem]:
    """``place``: names the place of a key, and its line. ``defaults``: where examples of right values come from."""
    found = []
    for each in error.errors(include_url=False):
        key = tuple(str(part) for part in each["loc"])
        where, line = place(key)
        found.append(Problem(where, _text(each, key, root, defaults), key, line))
    return found


def with_origins(problem: Problem, root: Shape, given: Callable[[Key], tuple[str, int] | None]) -> Problem:
    """Of a section whose values were checked together, when one of those that the words name came from a variable: that
    is its place, for who has set the variable looks in vain into the file; the other values' places follow. ``given``:
    the place of exactly this key, and its line, 0 for a variable; None when the value is the default."""
    shape = shape_at(root, problem.key)
    if shape is None or shape.kind is not Kind.SECTION:
        return problem
    named = [(name, given((*problem.key, name))) for name in shape.keys if re.search(rf"\b{name}\b", problem.text)]
    places = sorted(((name, *place) for name, place in named if place is not None), key=lambda each: each[2])
    if not places or places[0][2]:
        return problem
    (_, where, _), *others = places
    rest = f" ({', '.join(f'{name}: {place}' for name, place, _ in others)})" if others else ""
    return Problem(where, problem.text + rest, problem.key)


def _text(error: Mapping[str, Any], key: Key, root: Shape, defaults: BaseModel | None) -> str:
    kind, details = error["type"], error.get("ctx", {})
    shape = shape_at(root, key)
    if kind == "missing":
        return "is missing"
    value = shown(error["input"], shape)
    if kind in ("too_short", "too_long"):
        return f"{value} has {details['actual_length']} values; {_wanted(details)}{_example(key, shape, defaults)}"
    if kind == "value_error":  # the words of a validator of ours, which repeats no value
        words = str(details["error"])
        return words if shape is None or shape.kind is Kind.SECTION else f"{value} {words}"
    example = _example(key, shape, defaults)
    if kind in _NOT:
        return f"{value} {_NOT[kind]}{example}"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"{value} {words.format(details[name])}{example}"
    if kind in ("literal_error", "enum"):
        return _choice(error["input"], value, str(details["expected"]))
    return f"{value}: {mask_patterns(str(error['msg']))}{example}"


def _wanted(details: Mapping[str, Any]) -> str:
    fewest, most = details.get("min_length"), details.get("max_length")
    return f"at least {fewest} is needed" if fewest is not None else f"at most {most} can be used"


def _choice(given: Any, value: str, expected: str) -> str:
    """pydantic writes the choices as "'a', 'b' or 'c'"."""
    choices = [word.strip("' ") for word in expected.replace(" or ", ", ").split(",")]
    if str(given) in choices:
        return f"{value} is a text; write it without quotes"
    likely = closest(str(given), choices)
    return f"{value} is not one of: {', '.join(choices)}" + (f"; did you mean {likely}?" if likely else "")


def shown(value: Any, shape: Shape | None) -> str:
    """A value for people: masked when it is a secret or cannot be told to be none, cut when it is long."""
    numbers = shape is not None and shape.item is not None and shape.item.kind is Kind.NUMBER
    if shape is None or not (numbers or shape.kind in (Kind.TEXT, Kind.FLAG, Kind.NUMBER)):
        return "the value"
    if numbers and isinstance(value, list | tuple):
        value = f"[{', '.join(map(str, value))}]"
    text = str(value)
    return mask_patterns(repr(text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"))


def _example(key: Key, shape: Shape | None, defaults: BaseModel | None) -> str:
    value = default_at(defaults, key)
    if value is None or isinstance(value, SecretStr | BaseModel) or (shape and shape.kind is Kind.SECRET):
        return ""
    return f"; right would be e.g. {json.dumps(_plain(value), ensure_ascii=False)}"


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    return [_plain(v) for v in value] if isinstance(value, Sequence) and not isinstance(value, str) else str(value)


def default_at(defaults: Any, key: Key) -> Any:
    """The default of a key; None when there is none."""
    for part in key:
        if isinstance(defaults, BaseModel):
            defaults = getattr(defaults, part, None)
        elif isinstance(defaults, Mapping):
            defaults = defaults.get(part)  # a StrEnum member is found by its text
        elif isinstance(defaults, tuple) and part.isdigit() and int(part) < len(defaults):
            defaults = defaults[int(part)]
        else:
            return None
    return defaults
