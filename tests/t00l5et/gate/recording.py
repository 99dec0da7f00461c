"""Run in a process of its own, ``python recording.py TREE DEFECT FOLDER``: makes the defect of this tree happen, and
writes it down as platforms, the first one for the fixer, the others withheld. Prints their folders."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any


def money() -> list[Callable[[], object]]:
    """A character that has no name, in front of an amount."""
    from tests.replay.scenarios import OCR_TEXT, joined

    def shown(**amounts: str) -> Callable[[], object]:
        return joined(MappingProxyType({**OCR_TEXT, **amounts}))

    return [
        shown(balance="\uf8ff12.75"),
        shown(grand="$ 8,421.50", balance="\ue000 7,310.20"),
        shown(mini="9.31\u0090"),
    ]


def answer(**changes: Any) -> dict[str, Any]:
    from foureyes_actors.inference.tasks import AMOUNTS

    whole: dict[str, Any] = {
        "vision_ocr": {**dict.fromkeys(AMOUNTS, "7.25"), "confidence": 0.9},
        "vision_state": {"state": "idle", "confidence": 0.8},
        "animation_detection": {"motion": "stopped", "confidence": 0.7},
        "error_detection": {"popup": "none", "text": None, "confidence": 0.6},
    }
    return {task: {**part, **changes.get(task, {})} for task, part in whole.items()}


def checked(text: str) -> Callable[[], object]:
    from tests.replay.scenarios import content

    return content(text)


def lists() -> list[Callable[[], object]]:
    """An empty list where a text is right."""
    values: dict[str, Any] = {"grand": [], "minor": [[]], "mini": [[], "x"]}
    return [checked(json.dumps(answer(vision_ocr={name: value}))) for name, value in values.items()]


def confidences() -> list[Callable[[], object]]:
    """A number beyond a float's range."""
    text = json.dumps(answer(vision_state={"confidence": 0.125}))
    return [checked(text.replace("0.125", number)) for number in ("1e977", "-1e866", "-" + "8" * 400 + "e5")]


def asked() -> list[Callable[[], object]]:
    """An empty text where a number is right, in what a model answered."""
    from tests.inference.support import completion
    from tests.replay.scenarios import asked as exchange

    return [exchange(completion(json.dumps(answer(**{task: {"confidence": ""}})))) for task in answer()][:3]


def growth() -> list[Callable[[], object]]:
    """A jackpot after it was won, where the next one begins with nothing."""
    from foureyes_actors.messages import Field, Task, TaskAnswer
    from foureyes_actors.readings.fields import FieldState
    from foureyes_actors.readings.fusion import Joined, Part
    from foureyes_actors.readings.screen import Screen, read
    from foureyes_actors.settings import ReadingsSettings
    from tests.replay.scenarios import OCR_TEXT, ref

    def after_nothing(field: Field, text: str) -> Callable[[], object]:
        held = {**Screen().fields, field: FieldState(field, True, Decimal("0.00"))}
        values = MappingProxyType({**OCR_TEXT, field.value: text})
        frame = Joined(ref(), (Part("m", (TaskAnswer(Task.OCR, values, None),)),))
        return lambda: read(replace(Screen(), fields=MappingProxyType(held)), frame, ReadingsSettings())

    return [after_nothing(Field.GRAND, "4,137.50"), after_nothing(Field.MINI, "6.45")]


DEFECTS = {"money": money, "lists": lists, "confidences": confidences, "growth": growth, "asked": asked, "twice": money}


def main() -> None:
    tree, name, folder = sys.argv[1:4]
    sys.path.insert(0, tree)
    from tests.replay.make import failure, record_of, written

    for act in DEFECTS[name]():
        print(written(record_of(failure(act)), Path(folder)))


if __name__ == "__main__":
    main()
