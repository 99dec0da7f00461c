"""The text that a model wrote, checked against the contract of each task.

The contract, per task (all keys must be there, but for ``confidence``; unknown keys are ignored):

    vision_ocr           grand, major, minor, mini, balance: text as on the screen, or null
    vision_state         state: a word of GameState
    animation_detection  motion: a word of Motion
    error_detection      popup: a word of PopupKind; text: text or null
    each                 confidence: a number from 0 to 1, or null; None when it is not given

Nothing is guessed: a word that is not in its list, a missing key or a wrong type is that task's failure. One failed
task does not take the others of the same reply with it. An amount that came as a JSON number is taken by its literal
text, never through a binary float.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from foureyes_actors.errors import AnswerContractError, EmptyAnswer
from foureyes_actors.inference.strict_json import BYTE_ORDER_MARK, JsonError, NumberText, loads
from foureyes_actors.inference.tasks import AMOUNTS, CONFIDENCE
from foureyes_actors.messages import GameState, Motion, PopupKind, Task, TaskAnswer, TaskFailure

MAX_CONTENT = 64 * 1024  # characters; a real answer has some 500
MAX_AMOUNT = 200  # characters; the money grammar takes 48, and says so
MAX_POPUP_TEXT = 4000
_FENCE = re.compile(r"^[ \t]*```([^\n`]*)\n(.*?)^[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE)
_THINK_END = "</think>"


@dataclass(frozen=True, slots=True)
class Checked:
    """What one reply gave: at least one answer, and the tasks that failed."""

    answers: tuple[TaskAnswer, ...]
    failures: tuple[TaskFailure, ...] = ()


def check_content(content: str, tasks: Sequence[Task]) -> Checked:
    """Raises EmptyAnswer for white space or thinking alone, AnswerContractError when no task has a usable answer."""
    if len(content) > MAX_CONTENT:
        raise AnswerContractError(f"the answer has {len(content)} characters, at most {MAX_CONTENT} are read")
    text = json_text(without_thinking(content.removeprefix(BYTE_ORDER_MARK)))
    try:
        document = loads(text, max_length=MAX_CONTENT)
    except JsonError as error:
        raise AnswerContractError(f"the answer is {error}: {_shown(text)}") from None
    if not isinstance(document, dict):
        raise AnswerContractError(f"the answer is not an object: {_shown(text)}")
    answers, failures = [], []
    for task in tasks:
        try:
            answers.append(_answer(task, document))
        except AnswerContractError as error:
            failures.append(TaskFailure(task, type(error).__name__, str(error)))
    if not answers:
        raise AnswerContractError("; ".join(failure.reason for failure in failures))
    return Checked(tuple(answers), tuple(failures))


def without_thinking(content: str) -> str:
    """The answer behind a leading block of thinking. Raises EmptyAnswer when nothing is left."""
    text = content.strip()
    if not text.startswith(("{", "[", "`")):
        thinking, end, answer = text.partition(_THINK_END)
        if end:  # some templates write only the end of the block
            text = answer.strip()
        elif thinking.startswith("<think>"):
            text = ""
    if not text:
        raise EmptyAnswer("the answer is empty" if not content.strip() else "the answer holds nothing but thinking")
    return text


def json_text(text: str) -> str:
    """The whole text, or the inside of its one fenced block. Never a piece cut out of prose."""
    if text.startswith(("{", "[")):
        return text
    if text.count("```") > 2:
        raise AnswerContractError(f"the answer has more than one fenced block: {_shown(text)}")
    block = _FENCE.search(text)
    if block is None:
        raise AnswerContractError(f"the answer is not JSON: {_shown(text)}")
    if block[1].strip().lower() not in ("", "json"):
        raise AnswerContractError(f"the answer is {_shown(block[1].strip())}, not JSON")
    return block[2]


def _answer(task: Task, document: Mapping[str, Any]) -> TaskAnswer:
    if task.value not in document:
        raise AnswerContractError(f"{task.value} is missing")
    part = document[task.value]
    if not isinstance(part, dict):
        raise AnswerContractError(f"{task.value} is not an object but {_kind(part)}")
    values = _CHECKS[task](part, task.value)
    return TaskAnswer(task, MappingProxyType(values), _confidence(part, task.value))


def _ocr(part: Mapping[str, Any], where: str) -> dict[str, Any]:
    return {name: _text(part, name, where, MAX_AMOUNT, number=True) for name in AMOUNTS}


def _state(part: Mapping[str, Any], where: str) -> dict[str, Any]:
    return {"state": _word(part, "state", where, GameState)}


def _motion(part: Mapping[str, Any], where: str) -> dict[str, Any]:
    return {"motion": _word(part, "motion", where, Motion)}


def _popup(part: Mapping[str, Any], where: str) -> dict[str, Any]:
    return {"popup": _word(part, "popup", where, PopupKind), "text": _text(part, "text", where, MAX_POPUP_TEXT)}


_CHECKS = MappingProxyType({Task.OCR: _ocr, Task.STATE: _state, Task.ANIMATION: _motion, Task.ERROR: _popup})


def _required(part: Mapping[str, Any], key: str, where: str) -> Any:
    if key not in part:
        raise AnswerContractError(f"{where}.{key} is missing")
    return part[key]


def _text(part: Mapping[str, Any], key: str, where: str, limit: int, *, number: bool = False) -> str | None:
    value = _required(part, key, where)
    if value is None:
        return None
    if not isinstance(value, str) or (isinstance(value, NumberText) and not number):
        raise AnswerContractError(f"{where}.{key} is not text or null but {_kind(value)}")
    if len(value) > limit:
        raise AnswerContractError(f"{where}.{key} has {len(value)} characters, at most {limit} are taken")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise AnswerContractError(f"{where}.{key} is not Unicode text: {_shown(value)}") from None
    return str(value)


def _word(part: Mapping[str, Any], key: str, where: str, words: type[StrEnum]) -> str:
    value = _required(part, key, where)
    if not isinstance(value, str) or isinstance(value, NumberText):
        raise AnswerContractError(f"{where}.{key} is not text but {_kind(value)}")
    if value not in tuple(words):
        raise AnswerContractError(f"{where}.{key} is {_shown(value)}, not one of {', '.join(words)}")
    return value


def _confidence(part: Mapping[str, Any], where: str) -> float | None:
    value = part.get(CONFIDENCE)
    if value is None:
        return None
    if not isinstance(value, NumberText):
        raise AnswerContractError(f"{where}.confidence is not a number or null but {_kind(value)}")
    confidence = float(value)
    if not 0 <= confidence <= 1:
        raise AnswerContractError(f"{where}.confidence is {value[:30]}, not from 0 to 1")
    return confidence


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case NumberText():
            return f"the number {value[:30]}"
        case str():
            return f"the text {_shown(value)}"
        case list():
            return "a list"
    return "an object"


def _shown(text: str) -> str:
    """Untrusted text, for a message: short, ASCII, quoted."""
    return ascii(text if len(text) <= 80 else f"{text[:60]}...{text[-16:]}")
