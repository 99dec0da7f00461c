"""Failures of FourEyes's own code: what the world and the models do to it, and what a defect of ours would do.

Each is made to happen for real in the function that meets it; what a defect would do is a value that the types forbid.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from foureyes_actors.capture.obs_source import screenshot
from foureyes_actors.capture.picture import examine, is_black
from foureyes_actors.errors import (
    ConnectFailed,
    RequestTimeout,
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
from tests.replay import live_http, live_obs, live_store, world
from tests.replay.scenario import PORT, WIRE, Scenario

CLOCK = ManualClock()
SETTINGS = InferenceSettings()
LIMITS = PictureLimits()
RULES = ReadingsSettings()
AT = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = "c4n4ry-of-the-token"


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
    """As a record has them that says nothing of the wire, as those of earlier versions."""
    errors: list[TransportError] = [
        RequestTimeout("no complete answer within 30 s"),
        ConnectFailed("nobody listens at 127.0.0.1:1234"),
    ]
    return [Scenario("HTTP, older record", str(error), asked(error)) for error in errors]


def statuses() -> list[Scenario]:
    def fault(name: str, answer: HttpReply, token: str = "") -> Scenario:
        return Scenario("HTTP status", name, asked(answer, token=token), (token,) if token else (), WIRE)

    def said(status: int, words: str) -> HttpReply:
        return reply({"error": {"message": words}}, status)

    return [
        fault("500", said(500, "internal")),
        fault("503 html", reply(b"<html>503 Service Unavailable</html>", 503)),
        fault("429", said(429, "slow down")),
        fault("400, context too small", said(400, "exceed_context_size_error")),
        fault("404, model unknown", said(404, "model_not_found")),
        fault("200 with an error", reply({"error": "Model crashed"})),
        fault("500, with a token", said(500, "x"), TOKEN),
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
    def one(name: str, act: Callable[[], object], *secrets: str, level: str = WIRE) -> Scenario:
        return Scenario("model server", name, act, secrets, level)

    return [
        one("somebody else listens", server(check_alive, reply({"hello": 1}))),
        one("no such route", server(list_models, reply(b"nope", 404), kind=EMBEDDED)),
        one("rows are no list", server(list_models, reply({"models": 3}))),
        one("deeply nested JSON", server(list_models, reply(b"[" * 100_000))),
        one("unauthorised", server(list_models, reply({}, 401)), TOKEN),
        one("not loaded", server(load_model, LOADED, V1_LOAD, "vl", 5.0)),
        one("not unloaded", server(unload_model, reply({"instance_id": 7}), V1_UNLOAD, "vl")),
        one("refused, older record", server(check_alive, ConnectFailed("nobody"), kind=OPENAI), level=PORT),
        one(
            "does not read",
            lambda: warm_up(ScriptedHttp(good()), server_at("http://127.0.0.1:1234", LM_STUDIO), MODEL, **WARM),
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


class Silent:
    """A session with OBS that nobody uses."""

    def program_scene(self) -> str:
        raise AssertionError

    def screenshot(self, request: ScreenshotRequest) -> bytes:
        raise AssertionError

    def version(self) -> str:
        return "silent"

    def close(self) -> None: ...


def defects() -> list[Scenario]:
    """What no type allows and a defect elsewhere would hand on."""
    none: Any = None
    no_fields: Any = MappingProxyType({})
    wrong: dict[str, Any] = {"newest": ("a", 1)}
    strange: dict[str, Any] = {"waiting": (3,)}
    text: Any = "text"
    return [
        Scenario("defect", "AttributeError: a request of nothing", lambda: screenshot(Silent(), none)),
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
    own = [*transport(), *statuses(), *answers(), *servers(), *pictures(), *documents(), *defects()]
    return [*own, *world.failures(), *live_http.failures(), *live_obs.failures(), *live_store.failures()]
