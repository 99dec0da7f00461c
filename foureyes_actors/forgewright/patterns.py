"""How long a regular expression may take. Pure.

Python's engine tries one way after the other and cannot be stopped: ``(a+)+$`` takes years for forty letters. A
triage rule of the user's would hold the actor that long, so its pattern is looked at before it is used: an upper bound
for the number of ways in which it can match ``LONGEST`` characters. Texts are cut to that length.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Iterable
from typing import Any

LONGEST = 500  # characters of a text that a pattern is searched in
MOST_WAYS = 4.0 * (LONGEST + 1) ** 2  # two repetitions without an end, and two alternatives twice
MANY = 1e30
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
_parser: Any = importlib.import_module("re._parser")  # the standard library's own; without types


def ways(pattern: str) -> float:
    """From one place in the text, at most. Raises re.error."""
    re.compile(pattern)
    return _of_all(_parser.parse(pattern))


def too_slow(pattern: str) -> bool:
    return ways(pattern) > MOST_WAYS


def _of_all(items: Iterable[tuple[Any, Any]]) -> float:
    product = 1.0
    for operation, value in items:
        product = min(product * _of(str(operation), value), MANY)
    return product


def _of(operation: str, value: Any) -> float:
    if operation in _REPEATS:
        least, most, body = value
        return _repeated(int(least), min(int(most), LONGEST), _of_all(body))
    match operation:
        case "BRANCH":
            return float(sum(_of_all(branch) for branch in value[1]))
        case "SUBPATTERN":
            return _of_all(value[3])
        case "ASSERT" | "ASSERT_NOT":
            return _of_all(value[1])
        case "ATOMIC_GROUP":
            return _of_all(value)
        case "GROUPREF_EXISTS":
            return _of_all(value[1]) + _of_all(value[2] or ())
    return 1.0


def _repeated(least: int, most: int, body: float) -> float:
    """The sum of body^n for n from least to most."""
    if body == 1.0:
        return float(most - least + 1)
    if most * math.log10(body) > 30:
        return MANY
    return sum(body**count for count in range(least, most + 1))
