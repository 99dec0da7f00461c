"""One call: which faults are tried again, how long it waits, what ends it early."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from foureyes_actors.errors import (
    AnswerContractError,
    BadPicture,
    ConnectFailed,
    ConnectionBroken,
    EmptyAnswer,
    EngineGone,
    FourEyesError,
    ReplyTooLarge,
    RequestCancelled,
    RequestRefused,
    RequestTimeout,
    ServerBusy,
    ServerError,
    ServerFault,
    ServerRefused,
    WrongModel,
)
from foureyes_actors.inference.client import analyse, backoff
from foureyes_actors.messages import Analysis, Task
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.http import HttpReply
from foureyes_actors.settings import InferenceSettings
from tests.inference.support import ENTRIES, MODEL, ScriptedHttp, Step, completion, frame, good, reply

SETTINGS = InferenceSettings(jitter=0.5)


class RecordingClock(ManualClock):
    """Remembers how long was waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, event: threading.Event, timeout: float) -> bool:
        self.waits.append(timeout)
        return super().wait(event, timeout)


def run(http: ScriptedHttp, clock: ManualClock | None = None, **more: Any) -> Analysis:
    arguments: dict[str, Any] = {
        "model": MODEL,
        "tasks": ENTRIES,
        "http": http,
        "clock": clock or ManualClock(),
        "random": lambda: 0.0,
        "settings": SETTINGS,
        "base_url": "http://127.0.0.1:1234",
        "cancelled": threading.Event(),
        **more,
    }
    return analyse(arguments.pop("frame", frame()), **arguments)


def test_a_whole_answer() -> None:
    clock = ManualClock()

    def slow(request: Any) -> HttpReply:
        clock.advance(0.4)
        return good()

    http = ScriptedHttp(slow)
    analysis = run(http, clock, token="sk-1")
    assert analysis.frame == frame().ref
    assert [a.task for a in analysis.answers] == list(Task)
    assert analysis.latency == pytest.approx(0.4)
    assert (analysis.model, analysis.cached, analysis.failures) == (MODEL, False, ())
    assert http.requests[0].url == "http://127.0.0.1:1234/v1/chat/completions"
    assert http.requests[0].headers["Authorization"] == "Bearer sk-1"


ATTEMPTS: list[tuple[Step, type[FourEyesError], int]] = [
    (ConnectFailed("refused"), ConnectFailed, 3),
    (RequestTimeout("30 s"), RequestTimeout, 3),
    (ConnectionBroken("reset"), ConnectionBroken, 3),
    (ReplyTooLarge("9 MB"), ReplyTooLarge, 1),
    (reply(b"", 500), ServerError, 3),
    (reply(b"", 503), ServerBusy, 3),
    (reply(b"", 429), ServerBusy, 3),
    (reply(b"", 408), ServerBusy, 3),
    (reply({"error": "The model has crashed"}, 400), EngineGone, 1),
    (reply({"error": "exceeds the available context size"}, 500), RequestRefused, 1),
    (reply(b"", 400), ServerFault, 1),
    (reply(b"", 404), ServerFault, 1),
    (reply(b"", 401), ServerRefused, 1),
    (reply({"error": "Unexpected endpoint or method. (POST /v1)"}), RequestRefused, 1),
    (reply({"model": MODEL, "choices": None}), ServerFault, 1),
    (good("another"), WrongModel, 1),
    (completion(""), EmptyAnswer, 1),
    (completion("not JSON"), AnswerContractError, 1),
]


@pytest.mark.parametrize(("step", "kind", "attempts"), ATTEMPTS, ids=lambda v: str(v)[:40])
def test_attempts_by_kind_of_fault(step: Step, kind: type[FourEyesError], attempts: int) -> None:
    http, clock = ScriptedHttp(step), RecordingClock()
    with pytest.raises(FourEyesError) as caught:
        run(http, clock)
    assert type(caught.value) is kind
    assert len(http.requests) == attempts
    assert clock.waits == [2.0, 4.0][: attempts - 1]


def test_jitter_is_added_and_the_last_backoff_repeats() -> None:
    http, clock = ScriptedHttp(ConnectFailed("x")), RecordingClock()
    with pytest.raises(ConnectFailed):
        run(http, clock, random=lambda: 0.5, settings=InferenceSettings(attempts=4, jitter=0.5))
    assert clock.waits == [2.25, 4.25, 4.25]


def test_it_succeeds_after_a_fault_and_tells_of_it() -> None:
    http, told, again = ScriptedHttp(ConnectFailed("x"), reply(b"", 500), good()), list[tuple[int, str]](), list[int]()
    analysis = run(
        http, failed=lambda n, e: told.append((n, type(e).__name__)), retrying=lambda: again.append(len(told))
    )
    assert len(analysis.answers) == 4
    assert (told, again) == ([(1, "ConnectFailed"), (2, "ServerError")], [1, 2])


def test_the_same_bytes_are_sent_again() -> None:
    http = ScriptedHttp(ConnectFailed("x"), good())
    run(http)
    assert http.requests[0].body == http.requests[1].body


def test_cancelling_ends_the_wait_and_keeps_the_error() -> None:
    http, cancelled = ScriptedHttp(ConnectFailed("refused")), threading.Event()
    with pytest.raises(ConnectFailed, match="refused") as caught:
        run(http, cancelled=cancelled, failed=lambda n, e: cancelled.set())
    assert caught.value.__notes__ == ["given up after attempt 1 of 3: the call was cancelled"]
    assert len(http.requests) == 1


def test_a_call_that_was_cancelled_before_it_began_sends_nothing() -> None:
    http, cancelled = ScriptedHttp(good()), threading.Event()
    cancelled.set()
    with pytest.raises(ConnectionBroken, match="before anything was sent"):
        run(http, cancelled=cancelled)
    assert http.requests == []


def test_cancelling_interrupts_a_real_wait() -> None:
    """With the machine's clock: the wait of an hour ends when the event is set from another thread."""
    from foureyes_actors.ports.clock import SystemClock

    http, cancelled = ScriptedHttp(ConnectFailed("refused")), threading.Event()
    timer = threading.Timer(0.05, cancelled.set)
    timer.start()
    with pytest.raises(ConnectFailed) as caught:
        run(http, SystemClock(), cancelled=cancelled, settings=InferenceSettings(backoff=(3600.0,)))  # type: ignore[arg-type]
    timer.join(30)
    assert "cancelled" in caught.value.__notes__[0]


def test_an_old_frame_is_given_up_when_a_newer_one_waits_but_not_without_the_pause() -> None:
    http, clock = ScriptedHttp(ConnectFailed("x"), reply(b"", 500), good()), RecordingClock()
    answers = iter([False, True])
    with pytest.raises(ServerFault) as caught:
        run(http, clock, superseded=lambda: next(answers))
    assert caught.value.__notes__ == ["given up after attempt 2 of 3: a newer frame is waiting"]
    assert (len(http.requests), clock.waits) == (2, [2.0, 4.0])


def test_a_picture_that_cannot_be_sent_is_not_sent() -> None:
    from dataclasses import replace

    http, picture = ScriptedHttp(good()), frame()
    with pytest.raises(BadPicture):
        run(http, frame=replace(picture, ref=replace(picture.ref, media_type="image/webp")))
    assert http.requests == []


def test_a_reply_with_one_bad_task_is_an_analysis_that_says_so() -> None:
    http = ScriptedHttp(good(vision_state={"state": "paused"}))
    analysis = run(http)
    assert [f.task for f in analysis.failures] == [Task.STATE]
    assert len(analysis.answers) == 3
    assert len(http.requests) == 1


def test_backoff_by_failures_in_a_row() -> None:
    assert [backoff(n, SETTINGS) for n in (1, 2, 3, 9)] == [2.0, 4.0, 4.0, 4.0]


def test_a_request_that_is_cancelled_already_is_not_sent() -> None:
    http, cancelled = ScriptedHttp(good()), threading.Event()
    cancelled.set()
    with pytest.raises(RequestCancelled):
        run(http, cancelled=cancelled)
    assert http.requests == []
