"""From a model's answers about one frame to one observation per field. Pure; nothing is carried over from the frame
before.

All amounts of one screen use the same decimal mark. So when an amount of the frame proves the mark ("1.234,56"), the
amounts that leave it open ("1.234") are read with it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from foureyes_actors.messages import MONEY_FIELDS, Field, FieldValue, Task, TaskAnswer
from foureyes_actors.readings.money import DecimalMark, Money, MoneyError, parse_money

MAX_RAW = 100  # characters of an amount's raw text that are kept
MAX_POPUP = 300

TASK_OF: dict[Field, Task] = {
    **dict.fromkeys(MONEY_FIELDS, Task.OCR),
    Field.STATE: Task.STATE,
    Field.MOTION: Task.ANIMATION,
    Field.POPUP: Task.ERROR,
}


class Seen(Enum):
    VALUE = auto()
    NOTHING = auto()  # the model says that the screen shows no value
    ILLEGAL = auto()  # the text is not a value of this field
    NO_ANSWER = auto()


@dataclass(frozen=True, slots=True)
class Observation:
    """What one frame says about one field. ``at``: its capture, monotonic seconds. ``reason``: why no value."""

    field: Field
    at: float
    seen: Seen
    raw: str | None = None
    value: FieldValue = None
    currency: str | None = None
    confidence: float | None = None
    reason: str = ""


def observe(answers: Iterable[TaskAnswer], failures: Mapping[Task, str], at: float) -> tuple[Observation, ...]:
    """One observation per field, in the order of Field. ``failures``: why a task has no answer."""
    by_task = {answer.task: answer for answer in answers}
    mark = _frame_mark(by_task.get(Task.OCR))
    return tuple(_observe(field, by_task.get(TASK_OF[field]), failures, at, mark) for field in Field)


def _observe(
    field: Field, answer: TaskAnswer | None, failures: Mapping[Task, str], at: float, mark: DecimalMark | None
) -> Observation:
    task = TASK_OF[field]
    if answer is None:
        return Observation(field, at, Seen.NO_ANSWER, reason=failures.get(task) or f"no answer about {task.value}")
    if field in MONEY_FIELDS:
        return _amount(field, answer, at, mark)
    word = str(answer.values[field.value])
    raw = word
    if field is Field.POPUP and answer.values["text"]:
        raw = f"{word}: {clean_text(answer.values['text'], MAX_POPUP)}"
    return Observation(field, at, Seen.VALUE, raw, word, confidence=answer.confidence)


def _amount(field: Field, answer: TaskAnswer, at: float, mark: DecimalMark | None) -> Observation:
    text = answer.values[field.value]
    if text is None:
        return Observation(field, at, Seen.NOTHING, confidence=answer.confidence, reason="not visible")
    raw = clean_text(text, MAX_RAW)
    try:
        money = parse_money(text, decimal_mark=None if mark is None or proven_mark(text) else mark)
    except MoneyError as error:
        return Observation(field, at, Seen.ILLEGAL, raw, confidence=answer.confidence, reason=str(error))
    return Observation(field, at, Seen.VALUE, raw, money.amount, money.currency, answer.confidence)


def _frame_mark(answer: TaskAnswer | None) -> DecimalMark | None:
    """The mark that the frame's amounts prove; None when they prove none, or contradict each other."""
    if answer is None:
        return None
    texts = (answer.values[field.value] for field in MONEY_FIELDS)
    marks = {proven_mark(text) for text in texts if text is not None} - {None}
    return marks.pop() if len(marks) == 1 else None


def proven_mark(text: str) -> DecimalMark | None:
    """The decimal mark that a legal amount shows by itself: in front of its decimals, or as the other one of the mark
    that groups its digits twice. None: it proves nothing."""
    points = {c for c in text if c in ".,"}
    if not points:
        return None
    try:
        amount = parse_money(text)
    except MoneyError:
        return None
    return _mark_of(text, amount)


def _mark_of(text: str, money: Money) -> DecimalMark | None:
    digits = [at for at, character in enumerate(text) if "0" <= character <= "9"]
    number = text[digits[0] : digits[-1] + 1]
    decimals = -int(money.amount.as_tuple().exponent)
    if decimals > 0:
        return "," if number[-decimals - 1] == "," else "."
    if number.count(",") > 1:
        return "."
    return "," if number.count(".") > 1 else None


def clean_text(text: str, limit: int) -> str:
    """Untrusted text on one line: what cannot be shown (control characters, direction overrides, half characters)
    becomes a space, runs of blanks become one, and at most ``limit`` characters stay."""
    if not text.isprintable():
        text = "".join(" " if unicodedata.category(c)[0] == "C" or c in "\u2028\u2029" else c for c in text)
    line = " ".join(filter(None, text.split(" ")))
    return line if len(line) <= limit else line[: limit - 1] + "…"
