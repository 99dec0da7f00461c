"""What the readings tests share: frames and answers."""

from __future__ import annotations

from typing import Any

from foureyes_actors.messages import Analysis, FrameRef, Task, TaskAnswer, TaskFailure
from foureyes_actors.ports.clock import ManualClock

MODEL = "vl"
AMOUNTS = ("grand", "major", "minor", "mini", "balance")


def frame(number: int, *, source: str = "cabinet:plain", at: float | None = None) -> FrameRef:
    """Three frames a second, the first at 1000 s."""
    captured = 1000.0 + (number - 1) / 3 if at is None else at
    return FrameRef(source, number, ManualClock().utc_now(), captured, f"{number:064x}", "image/jpeg", 1280, 720)


def ocr(confidence: float | None = 0.9, **amounts: str | None) -> TaskAnswer:
    return TaskAnswer(Task.OCR, {name: amounts.get(name) for name in AMOUNTS}, confidence)


def state(word: str, confidence: float | None = 0.8) -> TaskAnswer:
    return TaskAnswer(Task.STATE, {"state": word}, confidence)


def motion(word: str) -> TaskAnswer:
    return TaskAnswer(Task.ANIMATION, {"motion": word})


def popup(word: str, text: str | None = None) -> TaskAnswer:
    return TaskAnswer(Task.ERROR, {"popup": word, "text": text})


def analysis(number: int, *answers: TaskAnswer, model: str = MODEL, **more: Any) -> Analysis:
    source = more.pop("source", "cabinet:plain")
    return Analysis(frame(number, source=source), model, answers, 0.1, **more)


def failure(task: Task = Task.OCR, reason: str = "vision_ocr is missing") -> TaskFailure:
    return TaskFailure(task, "AnswerContractError", reason)
