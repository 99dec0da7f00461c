"""Failures of FourEyes's own code: what the world and the models do to it, and what a defect of ours would do.

Each is made to happen for real in the function that meets it; what a defect would do is a value that the types forbid.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from foureyes_actors.capture.obs_source import screenshot
from foureyes_actors.capture.picture import examine, is_black
from foureyes_actors.errors import (
    ConnectFailed,
    ConnectionBroken,
    ReplyTooLarge,
    RequestTimeout,
    SourceRefused,
    SourceUnavailable,
    TransportError,
)
from foureyes_actors.inference.client import ask
from foureyes_actors.inference.reply import check_reply
from foureyes_actors.inference.request import template
from foureyes_actors.inference.tasks import merge
from foureyes_actors.lm_studio.dialect import server_at
from foureyes_actors.lm_studio.dialects import EMBEDDED, LM_STUDIO, OPENAI, V1_LOAD, V1_UNLOAD
from foureyes_actors.lm_studio.server_calls import check_alive, list_models, load_model, unload_model
from foureyes_actors.lm_studio.warmup import warm_up
from foureyes_actors.messages import FrameRef, Task, TaskAnswer
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.documents import encoded
from foureyes_actors.ports.http import HttpReply
from foureyes_actors.ports.obs import ScreenshotRequest
from foureyes_actors.readings.fusion import Join, Joined, Part, add, expire
from foureyes_actors.readings.screen import Screen, read, stale
from foureyes_actors.settings import InferenceSettings, PictureLimits, ReadingsSettings
from tests.inference.support import ENTRIES, MODEL, ScriptedHttp, completion, frame, good, reply

CLOCK = ManualClock()
SETTINGS = InferenceSettings()
LIMITS = PictureLimits()
RULES = ReadingsSettings()
AT = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = "c4n4ry-of-the-token"


@dataclass(frozen=True)
class Scenario:
    """``act`` fails. ``group``: the class it stands for."""

    group: str
    name: str
    act: Callable[[], object]
    secrets: tuple[str, ...] = ()


def asked(answer: HttpReply | Exception, token: str = "", **change: Any) -> Callable[[], object]:
    def act() -> object:
        return ask(
            change.get("frame", frame()),
            model=MODEL,
            tasks=tuple(Task),
            http=ScriptedHttp(answer),
            clock=CLOCK,
            settings=SETTINGS,
            base_url="http://127.0.0.1:1234",
            token=token,
            shape=template(MODEL, merge(ENTRIES), SETTINGS),
        )

    return act


def server(step: Callable[..., object], answer: HttpReply | Exception, *args: Any, kind: Any = LM_STUDIO) -> Any:
    return lambda: step(ScriptedHttp(answer), server_at("http://127.0.0.1:1234", kind, TOKEN), *args)


def checked(answer: HttpReply) -> Callable[[], object]:
    return lambda: check_reply(answer, model=MODEL, tasks=tuple(Task))


def content(text: str) -> Callable[[], object]:
    return checked(completion(text))


def document(**fields: Any) -> Callable[[], object]:
    return lambda: encoded({"_id": "a", "at": AT, **fields})


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def joined(values: Any, task: Task = Task.OCR, **change: Any) -> Callable[[], object]:
    """A joined frame with one answer whose values are these."""
    part = Part(MODEL, (TaskAnswer(task, values, None),))
    one = Joined(replace(ref(), **change), (part,))
    return lambda: read(Screen(), one, RULES)


def ref(**change: Any) -> FrameRef:
    return replace(FrameRef("cabinet", 1, AT, 1.0, "0" * 64, "image/jpeg", 1280, 720), **change)


def png(width: int, height: int) -> bytes:
    import zlib

    head = b"IHDR" + width.to_bytes(4) + height.to_bytes(4) + b"\x08\x02\0\0\0"
    return b"\x89PNG\r\n\x1a\n\0\0\0\r" + head + zlib.crc32(head).to_bytes(4) + b"\0\0\0\0IEND\xaeB`\x82"


OCR_TEXT = MappingProxyType(dict.fromkeys(("grand", "major", "minor", "mini", "balance"), "1.00"))
LOADED = reply({"status": "loaded"})
WARM: dict[str, Any] = {"task": Task.OCR, "settings": SETTINGS, "seconds": 5.0}


def transport() -> list[Scenario]:
    errors: list[TransportError] = [
        RequestTimeout("no complete answer within 30 s"),
        ConnectFailed("nobody listens at 127.0.0.1:1234"),
        ConnectionBroken("the connection was reset"),
        ConnectionBroken("the reply broke off in a chunk"),
        ReplyTooLarge("more than 1048576 bytes"),
    ]
    return [Scenario("HTTP transport", str(error), asked(error)) for error in errors]


def statuses() -> list[Scenario]:
    def fault(status: int, words: str) -> HttpReply:
        return reply({"error": {"message": words}}, status)

    return [
        Scenario("HTTP status", "500", asked(fault(500, "internal"))),
        Scenario("HTTP status", "503 html", asked(reply(b"<html>503 Service Unavailable</html>", 503))),
        Scenario("HTTP status", "429", asked(fault(429, "slow down"))),
        Scenario("HTTP status", "400, context too small", asked(fault(400, "exceed_context_size_error"))),
        Scenario("HTTP status", "404, model unknown", asked(fault(404, "model_not_found"))),
        Scenario("HTTP status", "200 with an error", asked(reply({"error": "Model crashed"}))),
        Scenario("HTTP status", "500, with a token", asked(fault(500, "x"), token=TOKEN), (TOKEN,)),
    ]


def answers() -> list[Scenario]:
    return [
        Scenario("answer", "not JSON", checked(reply(b"{ half"))),
        Scenario("answer", "not UTF-8", checked(reply(b"\xff\xfe\x00{"))),
        Scenario("answer", "deeply nested JSON", checked(reply(b"[" * 100_000))),
        Scenario("answer", "choices null", checked(reply({"model": MODEL, "choices": None}))),
        Scenario("answer", "another model", checked(completion("{}", model="other"))),
        Scenario("answer", "empty", content("")),
        Scenario("answer", "thinking only", content("<think>hm</think>")),
        Scenario("answer", "prose", content("I see a slot machine.")),
        Scenario("answer", "wrong contract", content(json.dumps({"vision_ocr": []}))),
        Scenario("answer", "duplicate keys", content('{"a": 1, "a": 2}')),
        Scenario("answer", "cut off", checked(completion("{", finish="length"))),
        Scenario("answer", "hostile text", content('""" + __import__("os").system("x") # \x00 \ud800 `')),
    ]


def servers() -> list[Scenario]:
    return [
        Scenario("model server", "somebody else listens", server(check_alive, reply({"hello": 1}))),
        Scenario("model server", "no such route", server(list_models, reply(b"nope", 404), kind=EMBEDDED)),
        Scenario("model server", "rows are no list", server(list_models, reply({"models": 3}))),
        Scenario("model server", "unauthorised", server(list_models, reply({}, 401)), (TOKEN,)),
        Scenario("model server", "not loaded", server(load_model, LOADED, V1_LOAD, "vl", 5.0)),
        Scenario("model server", "not unloaded", server(unload_model, reply({"instance_id": 7}), V1_UNLOAD, "vl")),
        Scenario("model server", "refused", server(check_alive, ConnectFailed("nobody"), kind=OPENAI)),
        Scenario(
            "model server",
            "does not read",
            lambda: warm_up(ScriptedHttp(good()), server_at("http://h", LM_STUDIO), MODEL, **WARM),
        ),
    ]


def pictures() -> list[Scenario]:
    return [
        Scenario("picture", "no picture", lambda: examine(b"GIF89a", LIMITS)),
        Scenario("picture", "empty", lambda: examine(b"", LIMITS)),
        Scenario("picture", "cut off JPEG", lambda: examine(b"\xff\xd8\xff\xe0\0\x10JF", LIMITS)),
        Scenario("picture", "a bomb", lambda: examine(png(60_000, 60_000), LIMITS)),
        Scenario("picture", "broken header", lambda: examine(png(10, 10).replace(b"IHDR", b"IHDX"), LIMITS)),
        Scenario("picture", "does not decode", lambda: is_black(png(10, 10), 8)),
        Scenario("picture", "unknown kind asked about", asked(good(), frame=replace(frame(), ref=ref(media_type="x")))),
    ]


class ScriptedObs:
    """A session with OBS in which a scene is on program, and screenshots fail."""

    def __init__(self, scene: str | Exception, picture: bytes | Exception = b"") -> None:
        self._scene, self._picture = scene, picture

    def program_scene(self) -> str:
        if isinstance(self._scene, Exception):
            raise self._scene
        return self._scene

    def screenshot(self, request: ScreenshotRequest) -> bytes:
        if isinstance(self._picture, Exception):
            raise self._picture
        return self._picture

    def version(self) -> str:
        return "scripted"

    def close(self) -> None: ...


def obs() -> list[Scenario]:
    request = ScreenshotRequest("")
    lost = SourceUnavailable("OBS ended the session")
    none: Any = None
    return [
        Scenario("OBS", "dropped", lambda: screenshot(ScriptedObs(lost), request)),
        Scenario("OBS", "kicked", lambda: screenshot(ScriptedObs("Game", SourceUnavailable("kicked")), request)),
        Scenario("OBS", "silent", lambda: screenshot(ScriptedObs("Game", SourceUnavailable("2 s")), request)),
        Scenario("OBS", "no such source", lambda: screenshot(ScriptedObs("Game", SourceRefused("none")), request)),
        Scenario("OBS", "a request of nothing", lambda: screenshot(ScriptedObs("Game"), none)),
    ]


def documents() -> list[Scenario]:
    return [
        Scenario("document", "naive datetime", document(at=datetime(2026, 1, 1))),
        Scenario(
            "document",
            "a datetime beyond the year 9999",
            document(x=datetime.max.replace(tzinfo=timezone(-timedelta(hours=9)))),
        ),
        Scenario("document", "an integer of 65 bits", document(x=2**64)),
        Scenario("document", "a decimal of 40 digits", document(x=Decimal("1." + "3" * 39))),
        Scenario("document", "nested too deeply", document(x=deep(105))),
        Scenario("document", "no id", lambda: encoded({"at": AT})),
        Scenario("document", "a type of nobody's", document(x=object())),
    ]


def defects() -> list[Scenario]:
    """What no type allows and a defect elsewhere would hand on."""
    none: Any = None
    no_fields: Any = MappingProxyType({})
    wrong: dict[str, Any] = {"newest": ("a", 1)}
    strange: dict[str, Any] = {"waiting": (3,)}
    text: Any = "text"
    return [
        Scenario("defect", "KeyError: a field is missing", joined({"grand": "1.00"})),
        Scenario("defect", "TypeError: an amount is a number", joined(MappingProxyType({**OCR_TEXT, "mini": 3}))),
        Scenario("defect", "KeyError: no state", joined({}, Task.STATE)),
        Scenario("defect", "TypeError: no time", joined(OCR_TEXT, captured_monotonic=none)),
        Scenario("defect", "AttributeError: no answers", lambda: read(Screen(), none, RULES)),
        Scenario("defect", "KeyError: no field is held", lambda: read(Screen(no_fields), Joined(ref(), ()), RULES)),
        Scenario("defect", "AttributeError: fields are gone", lambda: stale(Screen(none), "x")),
        Scenario(
            "defect",
            "TypeError: time against text",
            lambda: add(Join((MODEL,), 1.0, **wrong), ref(), Part(MODEL), 0.0),
        ),
        Scenario("defect", "AttributeError: no frame waits", lambda: expire(Join((MODEL,), 1.0, **strange), 0.0)),
        Scenario("defect", "AttributeError: the body is text", checked(HttpReply(200, {}, text))),
        Scenario("defect", "TypeError: the status is text", checked(HttpReply(text, {}, b"{}"))),
        Scenario("defect", "an endless document", document(x=endless())),
    ]


def endless() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["x"] = value
    return value


def scenarios() -> list[Scenario]:
    return [*transport(), *statuses(), *answers(), *servers(), *pictures(), *obs(), *documents(), *defects()]
