"""From a model's answers about one frame to one observation per field. Pure; nothing is carried over from the frame
before.

All amounts of one screen use the same decimal mark. So when an amount of the frame proves the mark ("1.234,56"), the
amounts that leave it open ("1.234") are read with it. Groups alone ("1.234.567") are a weaker proof, because a reader
takes small points for commas and the other way round: they decide about an amount that the grammar refuses by itself,
and take back no amount that it accepts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from types import MappingProxyType

from foureyes_actors.messages import MONEY_FIELDS, Field, FieldValue, Task, TaskAnswer
from foureyes_actors.readings.money import DecimalMark, Money, MoneyError, parse_money
from foureyes_actors.text import one_line

MAX_RAW = 100  # characters of an amount's raw text that are kept
MAX_POPUP = 300

TASK_OF: Mapping[Field, Task] = MappingProxyType(
    {
        **dict.fromkeys(MONEY_FIELDS, Task.OCR),
        Field.STATE: Task.STATE,
        Field.MOTION: Task.ANIMATION,
        Field.POPUP: Task.ERROR,
    }
)


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


@dataclass(frozen=True, slots=True)
class _Parsed:
    """An amount's text by the grammar alone. ``mark``: the decimal mark that it proves; ``decimals``: it shows some."""

    text: str
    money: Money | None = None
    problem: str = ""
    mark: DecimalMark | None = None
    decimals: bool = False


def observe(answers: Iterable[TaskAnswer], failures: Mapping[Task, str], at: float) -> tuple[Observation, ...]:
    """One observation per field, in the order of Field. ``failures``: why a task has no answer."""
    by_task = {answer.task: answer for answer in answers}
    amounts = _amounts(by_task[Task.OCR]) if Task.OCR in by_task else {}
    found = []
    for field, task in TASK_OF.items():
        answer = by_task.get(task)
        if answer is None:
            reason = failures.get(task) or f"no answer about {task.value}"
            found.append(Observation(field, at, Seen.NO_ANSWER, reason=reason))
        elif task is Task.OCR:
            found.append(_amount(field, amounts.get(field), answer.confidence, at))
        else:
            found.append(_word(field, answer, at))
    return tuple(found)


def _word(field: Field, answer: TaskAnswer, at: float) -> Observation:
    raw = word = str(answer.values[field.value])
    if field is Field.POPUP and answer.values["text"]:
        raw = f"{word}: {one_line(answer.values['text'], MAX_POPUP)}"
    return Observation(field, at, Seen.VALUE, raw, word, confidence=answer.confidence)


def _amount(field: Field, parsed: _Parsed | None, confidence: float | None, at: float) -> Observation:
    if parsed is None:
        return Observation(field, at, Seen.NOTHING, confidence=confidence, reason="not visible")
    raw = one_line(parsed.text, MAX_RAW)
    if parsed.money is None:
        return Observation(field, at, Seen.ILLEGAL, raw, confidence=confidence, reason=parsed.problem)
    return Observation(field, at, Seen.VALUE, raw, parsed.money.amount, parsed.money.currency, confidence)


def _amounts(answer: TaskAnswer) -> dict[Field, _Parsed]:
    """The visible amounts of a frame, the open ones read with the mark that the others prove; marks that contradict
    each other prove nothing."""
    texts = {field: answer.values[field.value] for field in MONEY_FIELDS}
    parsed = {field: parse_amount(text) for field, text in texts.items() if text is not None}
    marks = {each.mark for each in parsed.values()} - {None}
    if len(marks) != 1:
        return parsed
    shown = any(each.decimals for each in parsed.values() if each.mark)
    return {
        field: each if each.mark or (each.money and not shown) else parse_amount(each.text, *marks)
        for field, each in parsed.items()
    }


@lru_cache(maxsize=256)  # most amounts of a screen are those of the frame before
def parse_amount(text: str, mark: DecimalMark | None = None) -> _Parsed:
    """``mark``: the decimal mark that other amounts of the frame prove."""
    try:
        money = parse_money(text, decimal_mark=mark)
    except MoneyError as error:
        return _Parsed(text, problem=str(error))
    return _Parsed(text, money, mark=_mark_of(text, money), decimals=_decimals(money) > 0)


def _mark_of(text: str, money: Money) -> DecimalMark | None:
    """The decimal mark that a legal amount shows by itself: in front of its decimals, or as the other one of the mark
    that groups its digits twice. None: it proves nothing."""
    if "," not in text and "." not in text:
        return None
    digits = [at for at, character in enumerate(text) if "0" <= character <= "9"]
    number = text[digits[0] : digits[-1] + 1]
    decimals = _decimals(money)
    if decimals > 0:
        return "," if number[-decimals - 1] == "," else "."
    if number.count(",") > 1:
        return "."
    return "," if number.count(".") > 1 else None


def _decimals(money: Money) -> int:
    return -int(money.amount.as_tuple().exponent)
