"""The warm-up: a picture whose text is known goes through the real chat route. Only its right answer counts.

A server may know the model and still be unable to use it: a wedged engine, a missing vision part, a picture that is
dropped in silence. A model that shall read amounts must read the one on the canary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from types import MappingProxyType

from PIL import Image, ImageDraw, ImageFont

from foureyes_actors.errors import ModelLoadFailed, ServerRefused, TransportError, VisionInferenceError
from foureyes_actors.inference.reply import check_reply
from foureyes_actors.inference.request import chat_request, template, without_reasoning
from foureyes_actors.inference.tasks import merge
from foureyes_actors.lm_studio.dialect import Dialect, Server
from foureyes_actors.messages import Frame, FrameRef, Task
from foureyes_actors.ports.http import HttpPort
from foureyes_actors.readings.money import MoneyError, parse_money
from foureyes_actors.replay.point import replay_point
from foureyes_actors.settings import InferenceSettings, ModelEntry

SIZE = (640, 360)
SHOWN = (("GRAND", "$1,234.56"), ("MAJOR", "$789.10"), ("MINOR", "$45.67"), ("MINI", "$8.90"), ("BALANCE", "$321.09"))
FIELD, AMOUNT, AMOUNT_TEXT = "grand", Decimal("1234.56"), SHOWN[0][1]
PROMPTS = MappingProxyType(
    {
        Task.OCR: "Read the amounts in this picture.",
        Task.STATE: "Detect game state.",
        Task.ANIMATION: "Detect whether reels are spinning or stopped.",
        Task.ERROR: "Detect popups.",
    }
)


def canary() -> Frame:
    """Large, plain, light on dark: five labels, each with its amount beside it."""
    image = Image.new("RGB", SIZE, (16, 18, 32))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(36)
    for row, (label, amount) in enumerate(SHOWN):
        y = 24 + row * 66
        draw.text((60, y), label, font=font, fill=(240, 240, 240))
        draw.text((330, y), amount, font=font, fill=(255, 230, 120))
    buffer = BytesIO()
    image.save(buffer, "PNG")
    data = buffer.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    ref = FrameRef("canary", 0, datetime(2026, 1, 1, tzinfo=UTC), 0.0, digest, "image/png", *SIZE)
    return Frame(ref, data)


def warm_up_task(tasks: Sequence[Task]) -> Task:
    """What a model that has ``tasks`` is asked: amounts, whose truth is known, or else what it is there for."""
    return Task.OCR if Task.OCR in tasks else tasks[0]


@replay_point(ports={"http": "http"}, raises=(ModelLoadFailed, ServerRefused, TransportError))
def warm_up(
    http: HttpPort,
    server: Server,
    model: str,
    *,
    task: Task,
    settings: InferenceSettings,
    seconds: float,
    reasons: bool = False,
) -> None:
    """``model``: the id that requests use. ``task``: one that it shall do; with OCR the amount must be right.
    ``reasons``: it thinks aloud, and is told not to.

    Raises ModelLoadFailed when the answer is wrong or none, ServerRefused, the TransportError branch.
    """
    settings = without_reasoning(settings) if reasons and server.dialect.no_reasoning else settings
    settings = settings.model_copy(update={"deadline": seconds})
    shape = template(model, merge([(task, ModelEntry(model_id=model, prompt=PROMPTS[task]))]), settings)
    reply = http.exchange(chat_request(shape, canary(), base_url=server.url, token=server.token, settings=settings))
    try:
        checked = check_reply(reply, model=model, tasks=[task], secret=server.token)
    except VisionInferenceError as error:
        raise _failed(model, str(error), server.dialect) from error
    if checked.failures:
        raise _failed(model, checked.failures[0].reason, server.dialect)
    if task is Task.OCR:
        _check_amount(model, checked.answers[0].values.get(FIELD), server.dialect)


def _failed(model: str, reason: str, dialect: Dialect) -> ModelLoadFailed:
    return ModelLoadFailed(f"{model} did not pass the warm-up: {reason}{_hint(dialect)}")


def _hint(dialect: Dialect) -> str:
    return f"; {dialect.name}: {dialect.hint}" if dialect.hint else ""


def _check_amount(model: str, read: object, dialect: Dialect) -> None:
    try:
        right = isinstance(read, str) and parse_money(read).amount == AMOUNT
    except MoneyError:
        right = False
    if not right:
        raise ModelLoadFailed(
            f"{model} does not read: the warm-up's picture shows {AMOUNT_TEXT} as {FIELD}, it answered "
            f"{str(read)[:60]!a}; is it a vision model, with its vision part installed?{_hint(dialect)}"
        )
