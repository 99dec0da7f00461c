"""How one screen writes its amounts, and which of them do not fit: a check within one frame, never over time.

A screen shows one currency, and the same number of decimals within a panel. An amount that differs was probably cut,
or its sign was read as a digit: it is read again, and given up when that does not help.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from foureyes_actors.model_server.engine.amounts import Amount

T = TypeVar("T")
_BARE = re.compile(r"(?<![\d.,'])(?<!\d )\d{3,}(?![\d.,']| \d)")
SURE = 0.8  # an amount whose least sure character is below this gets a second opinion
FEWEST_PLAIN_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Habit:
    """What most amounts of the screen share; None where there is no majority."""

    currency: str | None = None
    decimals: int | None = None


def habit_of(amounts: Iterable[Amount]) -> Habit:
    good = [a for a in amounts if a.money is not None and not a.plain]
    currencies = Counter(a.money.currency for a in good if a.money and a.money.currency)
    decimals = Counter(a.decimals for a in good)
    # A sign is easily lost and never added: those without one do not vote.
    return Habit(_majority(currencies), _majority(decimals))


def _majority(votes: Counter[T]) -> T | None:
    for value, count in votes.most_common(1):
        if count >= 2 and count > votes.total() / 2:
            return value
    return None


def misfit(amount: Amount, habit: Habit) -> str | None:
    """Why ``amount`` cannot be given out as it is; None when it can."""
    if amount.money is None:
        return "not an amount"
    if amount.plain and (habit.decimals or len(amount.text) < FEWEST_PLAIN_DIGITS):
        return "a bare number"
    if habit.decimals and not amount.decimals and _BARE.search(amount.text):
        return "digits without the marks that the screen's amounts have"
    if amount.alone:
        return None
    if habit.currency is not None and amount.money.currency != habit.currency:
        return "another currency than the screen's"
    if habit.decimals is not None and amount.decimals != habit.decimals:
        return "other decimals than the screen's"
    return None


def unsure(amount: Amount) -> bool:
    """Whether a second opinion is worth its time."""
    return amount.weakest < SURE
