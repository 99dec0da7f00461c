"""What a headless run prints: one line per change, hostile text made harmless, and when the run has enough."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from foureyes_actors.console import lines
from foureyes_actors.console.actor import ConsoleActor
from foureyes_actors.console.told import AGAIN_AFTER
from foureyes_actors.messages import (
    Event,
    EventKind,
    Field,
    FieldValue,
    FrameRef,
    GetStatus,
    Reading,
    ReadingSet,
    ReadingStatus,
    ServerPhase,
    ServerState,
    SourceExhausted,
)
from foureyes_actors.ports.clock import ManualClock
from tests.support import FakeContext

FALLBACK = "reading on by itself, a frame each 3 s, marked [degraded]"
ENDED = "ServerStartFailed: it ended with code 3"
AT = datetime(2026, 3, 4, 5, 6, 7, 800_000, UTC)


def readings(
    number: int, *values: tuple[Field, FieldValue], status: ReadingStatus = ReadingStatus.ACCEPTED
) -> ReadingSet:
    frame = FrameRef("cabinet:test", number, AT, 0.0, "d", "image/jpeg", 8, 8)
    some = tuple(Reading(name, None, value, None, status, "") for name, value in values)
    return ReadingSet(f"r-{number}", frame, ("m",), some, AT, 0.25)


class Desk:
    def __init__(self, frames: int | None = None, *, degraded: bool = False) -> None:
        self.written: list[str] = []
        self.finished: list[str] = []
        self.exhausted: list[bool] = []
        self.clock = ManualClock(AT)
        self.actor = ConsoleActor(
            FakeContext("console"),
            clock=self.clock,
            write=self.written.append,
            finish=self.finished.append,
            exhausted=lambda: self.exhausted.append(True),
            frames=frames,
            fallback=FALLBACK,
            degraded=degraded,
        )


def test_a_line_per_change_names_what_changed_and_by_how_much() -> None:
    desk = Desk()
    desk.actor.on_receive(readings(1, (Field.GRAND, Decimal("1234.50")), (Field.STATE, "idle")))
    desk.actor.on_receive(readings(2, (Field.GRAND, Decimal("1234.50")), (Field.STATE, "idle")))
    desk.actor.on_receive(readings(3, (Field.GRAND, Decimal("1234.75")), (Field.STATE, "idle")))
    assert [line.split("  ", 1)[1] for line in desk.written] == [
        "reading cabinet:test, 8 x 8",
        "#1     grand 1,234.50  state idle  (0.25 s old)",
        "#3     grand 1,234.75 (+0.25)  (0.25 s old)",
    ]


@pytest.mark.parametrize("status", [s for s in ReadingStatus if s is not ReadingStatus.ACCEPTED])
def test_what_is_not_accepted_is_no_change(status: ReadingStatus) -> None:
    desk = Desk()
    desk.actor.on_receive(readings(1, (Field.MINI, Decimal(5)), status=status))
    assert not any("#1" in line for line in desk.written)
    assert desk.actor.on_receive(GetStatus())["read"] == (0 if status is ReadingStatus.STALE else 1)


def test_the_run_ends_after_the_wanted_number_of_frames_and_once() -> None:
    desk = Desk(frames=2)
    for number in (1, 2, 3):
        desk.actor.on_receive(readings(number, (Field.MINI, Decimal(number))))
    assert desk.finished == ["2 frames read"]


def test_events_and_the_servers_phases_are_told_once() -> None:
    desk = Desk()
    for detail in ("x (1 of 2)", "x (1 of 2), 1 s"):
        desk.actor.on_receive(ServerState(ServerPhase.LOADING, detail=detail))
    desk.clock.advance(2.0)
    desk.actor.on_receive(ServerState(ServerPhase.LOADING, detail="x (1 of 2), 2 s"))
    for detail in ("no such model", "out of memory"):
        desk.actor.on_receive(ServerState(ServerPhase.FAILED, detail=detail))
    desk.actor.on_receive(Event("e", EventKind.POPUP_SEEN, AT, "popup", "none", "error", "Reel tilt"))
    desk.actor.on_receive(SourceExhausted("video:x", 12))
    assert [line.split("  ", 1)[-1] for line in desk.written] == [
        "model server loading: x (1 of 2)",
        "model server loading: x (1 of 2), 2 s",
        "model server failed: no such model",
        "model server failed: out of memory",
        "* popup: error  (before: none)  (Reel tilt)",
        "the source video:x has no more frames (12 in all)",
    ]
    assert desk.exhausted == [True]


def test_a_store_that_is_away_is_told_with_what_becomes_of_the_readings() -> None:
    desk = Desk()
    gone = "the store mongodb://h/: nobody answers within 3 s"
    back = "the store is back after 62.0 s: 10 documents were replayed, 0 were lost (it had been away: gone)"
    for before, after, reason in (("stored", "away", gone), ("away", "stored", back)):
        desk.actor.on_receive(Event("e", EventKind.STORE_CHANGED, AT, "store", before, after, reason))
    assert [line.split("  ", 1)[1] for line in desk.written] == [
        f"* the store is away: {gone}; the journal keeps what is read",
        "* the store is back after 62.0 s: 10 documents were replayed, 0 were lost",
    ]


def test_the_journal_is_not_said_to_keep_what_is_lost() -> None:
    full, again = "the journal has used 9 of its 9 bytes", "documents are kept again: 3 were lost in 2.0 s"
    begins, ends = (
        lines.event_line(Event("e", EventKind.STORE_CHANGED, AT, "store", before, after, reason))
        for before, after, reason in (("away", "losing", full), ("losing", "away", again))
    )
    assert begins.split("  ", 1)[1] == f"* documents are being LOST since {lines.stamp(AT)}: {full}"
    assert ends.split("  ", 1)[1] == f"* {again}; the store is still away"


@pytest.mark.parametrize("hostile", ["\x1b[2Jgone", "a\r\nb", "x" * 500, "\u202egnp.exe", "tab\tand\x00nul"])
def test_text_from_a_screen_cannot_steer_the_terminal(hostile: str) -> None:
    shown = lines.show_value(hostile)
    assert shown.isprintable() and len(shown) <= lines.MAX_TEXT


def test_values_for_people() -> None:
    assert lines.show_value(None) == "-"
    assert lines.show_value(Decimal("1234567.8")) == "1,234,567.8"
    assert lines.show_value(Decimal("0.05"), "EUR") == "0.05 EUR"
    assert lines.show_value(True) == "yes"


def test_another_source_is_said_and_compared_with_nothing() -> None:
    desk = Desk()
    desk.actor.on_receive(readings(1, (Field.MINI, Decimal(50))))
    other = readings(2, (Field.MINI, Decimal(7)))
    desk.actor.on_receive(replace(other, frame=replace(other.frame, source="cabinet:other")))
    assert [line.split("  ", 1)[1] for line in desk.written[-2:]] == [
        "reading cabinet:other, 8 x 8",
        "#2     mini 7  (0.25 s old)",
    ]


def test_amounts_of_two_currencies_are_not_subtracted() -> None:
    dollars = Reading(Field.MINI, None, Decimal(5), None, ReadingStatus.ACCEPTED, "", "USD")
    assert lines.show_reading(replace(dollars, value=Decimal(7)), dollars) == "mini 7 USD (+2)"
    assert lines.show_reading(replace(dollars, currency="JPY"), dollars) == "mini 5 JPY"
    assert lines.show_reading(replace(dollars, value=Decimal(900), currency="JPY"), dollars) == "mini 900 JPY"


def mode(active: bool, who: str = "lm_studio", reason: str = "", seconds: float | None = None) -> Event:
    before, after = ("normal", "polling fallback") if active else ("polling fallback", "normal")
    return Event("e", EventKind.MODE_CHANGED, AT, who, before, after, reason, seconds=seconds)


def bitten(after: str, who: str = "lm_studio", reason: str = ENDED) -> Event:
    return Event("e", EventKind.HEAD_BITTEN, AT, who, "failed", after, reason, seconds=2.3)


def test_the_fallback_is_one_line_when_it_begins_and_one_when_it_ends() -> None:
    desk = Desk()
    desk.actor.on_receive(mode(True, reason=ENDED))
    desk.actor.on_receive(replace(readings(1, (Field.MINI, Decimal(5))), degraded=True))
    desk.actor.on_receive(bitten("fallback: recovered after 74.2 s"))
    desk.actor.on_receive(mode(False, reason="3 healthy probes", seconds=74.2))
    assert [line.split("  ", 1)[1] for line in desk.written] == [
        f"* the model server is gone: {FALLBACK}; probing it  ({ENDED})",
        "reading cabinet:test, 8 x 8",
        "#1     mini 5  (0.25 s old)  [degraded]",
        "* the model server is well again: back to normal after 74 s",
    ]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            bitten("restart: recovered after 2.3 s"),
            f"the model server restarted after {ENDED}; well again after 2.3 s",
        ),
        (
            bitten("reload: no recovery within 2.3 s"),
            f"the model server reloaded with all that depends on it after {ENDED}; no recovery within 2.3 s",
        ),
        (
            bitten("fallback: no recovery within 2.3 s", reason=""),
            "the model server in its polling fallback; no recovery within 2.3 s",
        ),
        (
            mode(True, "capture", "RuntimeError: x"),
            "capture is gone: going on without it; probing it  (RuntimeError: x)",
        ),
        (mode(False, "capture"), "capture is well again: back to normal"),
    ],
)
def test_what_the_heads_did_is_said_in_plain_words(event: Event, line: str) -> None:
    desk = Desk()
    desk.actor.on_receive(event)
    assert [written.split("  ", 1)[1] for written in desk.written] == [f"* {line}"]


def test_a_reason_cannot_steer_the_terminal() -> None:
    desk = Desk()
    for event in (mode(True, reason="\x1b[2Jgone\nx"), bitten("restart: recovered after 1 s", reason="a\r\nb\x1b")):
        desk.actor.on_receive(event)
    assert all(line.isprintable() for line in desk.written) and len(desk.written) == 2


def attempt(detail: str) -> tuple[ServerState, ...]:
    phases = (ServerPhase.STARTING, ServerPhase.LOADING, ServerPhase.WARMING_UP, ServerPhase.STOPPED)
    return (*(ServerState(phase) for phase in phases), ServerState(ServerPhase.FAILED, detail=detail))


@pytest.mark.parametrize("replaced", [False, True])
def test_in_the_fallback_attempts_to_start_are_told_by_what_is_new_about_their_failure(replaced: bool) -> None:
    desk = Desk(degraded=replaced)
    if not replaced:
        desk.actor.on_receive(mode(True))
    desk.written.clear()
    for detail in ("no such model", "no such model", "out of memory"):
        for state in attempt(detail):
            desk.actor.on_receive(state)
    desk.actor.on_receive(ServerState(ServerPhase.READY, detail="x"))
    desk.actor.on_receive(mode(False, seconds=60.0))
    desk.actor.on_receive(ServerState(ServerPhase.LOADING))
    assert [line.split("  ", 1)[1] for line in desk.written] == [
        "model server failed: no such model",
        "model server failed: out of memory",
        "model server ready: x",
        "* the model server is well again: back to normal after 60 s",
        "model server loading",
    ]


def test_a_server_is_not_told_to_be_ready_twice_for_what_no_line_shows() -> None:
    desk = Desk()
    for pid, concurrency in ((11, None), (11, 4), (None, 4)):
        desk.actor.on_receive(ServerState(ServerPhase.READY, detail="x", pid=pid, concurrency=concurrency))
        desk.clock.advance(60)
    desk.actor.on_receive(ServerState(ServerPhase.READY, detail="x; y is being healed"))
    assert [line.split("  ", 1)[1] for line in desk.written] == [
        "model server ready: x",
        "model server ready: x; y is being healed",
    ]


def pressure(before: str, after: str, reason: str) -> Event:
    return Event("e", EventKind.PRESSURE_CHANGED, datetime.now(UTC), "machine", before, after, reason)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (pressure("normal", "smaller models", "CPU 96 %"), "going over to smaller models: CPU 96 %"),
        (
            pressure("smaller models", "lower rhythm", "CPU 97 %"),
            "going over to lower rhythm (from smaller models): CPU 97 %",
        ),
        (pressure("lower rhythm", "normal", "CPU 20 %"), "this machine is well again: back to normal: CPU 20 %"),
    ],
)
def test_what_is_asked_of_the_machine_is_told_with_the_figures(event: Event, line: str) -> None:
    desk = Desk()
    desk.actor.on_receive(event)
    assert [told.partition("  * ")[2] for told in desk.written] == [line]


def told(desk: Desk) -> list[str]:
    return [line.split("  ", 1)[1] for line in desk.written]


GONE = "LM Studio is gone; FourEyes did not start it; trying again"


def test_a_server_that_is_away_is_one_line_then_one_a_minute_then_one_when_it_is_back() -> None:
    desk = Desk()
    desk.actor.on_receive(ServerState(ServerPhase.READY, detail="x", foreign=True))
    for second in range(130):
        suffix = "to be started again" if second % 30 == 29 else "trying again"
        desk.actor.on_receive(ServerState(ServerPhase.FAILED, detail=f"no answer to {second} checks; {suffix}"))
        for phase in (ServerPhase.STOPPED, ServerPhase.STARTING):
            desk.actor.on_receive(ServerState(phase, foreign=True))
        desk.clock.advance(1.0)
    for phase in (ServerPhase.LOADING, ServerPhase.WARMING_UP):
        desk.actor.on_receive(ServerState(phase, detail="x"))
    desk.actor.on_receive(ServerState(ServerPhase.READY, detail="x"))
    assert told(desk) == [
        "model server ready: x",
        "model server failed: no answer to 0 checks; trying again",
        "model server failed: no answer to 60 checks; trying again",
        "model server failed: no answer to 120 checks; trying again",
        "model server ready: x",
    ]


def test_a_load_that_lasts_is_told_when_the_server_is_back() -> None:
    desk = Desk()
    desk.actor.on_receive(ServerState(ServerPhase.FAILED, detail=GONE))
    for second in range(4):
        desk.actor.on_receive(ServerState(ServerPhase.LOADING, detail=f"x, {second} s"))
        desk.clock.advance(1.0)
    assert told(desk) == [f"model server failed: {GONE}", "model server loading: x, 2 s"]


def test_an_outage_has_so_many_reasons_at_most() -> None:
    desk = Desk()
    for letter in "abcdefghijklmnop":
        desk.actor.on_receive(ServerState(ServerPhase.FAILED, detail=f"{letter}; trying again"))
    assert len(desk.written) == 8


def test_a_server_that_goes_on_without_foureyes_is_not_said_to_stop() -> None:
    left = "left running: FourEyes had not started it"
    stopped = ServerState(ServerPhase.STOPPED, detail=left, foreign=True)
    assert lines.server_line(stopped, AT).split("  ", 1)[1] == f"model server {left}"
    assert lines.server_line(ServerState(ServerPhase.STOPPED), AT).endswith("  model server stopped")


def test_what_somebody_else_started_is_not_said_to_be_restarted() -> None:
    desk = Desk()
    desk.actor.on_receive(ServerState(ServerPhase.READY, foreign=True))
    desk.actor.on_receive(bitten("restart: recovered after 2.3 s"))
    assert told(desk)[-1] == f"* the model server looked for again after {ENDED}; well again after 2.3 s"


def seen(kind: EventKind, subject: str, before: str | None, after: str | None, **more: object) -> Event:
    return replace(Event("e", kind, AT, subject, before, after), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (seen(EventKind.POPUP_SEEN, "popup", None, "error: Tilt"), "popup: error: Tilt"),
        (seen(EventKind.POPUP_SEEN, "popup", "info: Hi", "error: No"), "popup: error: No  (before: info: Hi)"),
        (seen(EventKind.POPUP_SEEN, "popup", None, "info: x", degraded=True), "popup: info: x  [degraded]"),
        (seen(EventKind.POPUP_GONE, "popup", "error: Tilt", None), "popup gone: error: Tilt"),
        (seen(EventKind.JACKPOT_RESET, "grand", "900", "100"), "grand was reset: 900 -> 100"),
        (
            seen(EventKind.STREAM_CHANGED, "cabinet:x", "healthy", "down", reason="no picture for 5 s"),
            "the stream of cabinet:x is down  (no picture for 5 s)",
        ),
        (
            seen(EventKind.CONFIGURATION_KEPT, "lm_studio", None, None, reason="it cannot be read again"),
            "it cannot be read again  (reloaded: lm_studio)",
        ),
    ],
)
def test_events_are_told_in_words(event: Event, line: str) -> None:
    desk = Desk()
    desk.actor.on_receive(event)
    assert told(desk) == [f"* {line}"]


@pytest.mark.parametrize("kind", list(EventKind))
def test_no_line_has_a_programs_name_for_an_event(kind: EventKind) -> None:
    assert "_" not in lines.event_line(Event("e", kind, AT, "x", "a", "b", "r"))


@pytest.mark.parametrize(
    ("after", "reason", "line"),
    [
        (
            "port",
            "data/platforms/repro_1",
            "* KeyError in readings reproduced at level port after 14 s: data/platforms/repro_1",
        ),
        ("unconfirmed", "flaky \x1b[2J", "* KeyError in readings could not be reproduced after 14 s: flaky [2J"),
    ],
)
def test_a_failure_that_was_run_again_is_one_line(after: str, reason: str, line: str) -> None:
    event = Event("e", EventKind.FAILURE_REPRODUCED, AT, "readings", "KeyError", after, reason, seconds=13.6)
    assert lines.event_line(event).split("  ", 1)[1] == line


def test_the_reason_of_an_outage_is_not_told_with_each_attempt_to_mend_it() -> None:
    desk, reason = Desk(), "LM Studio does not answer; start it by hand"
    desk.actor.on_receive(ServerState(ServerPhase.FAILED, "u", detail=f"{reason}; to be started again"))
    for took in (0.0, 1.2, 2.3):
        after = f"restart: no recovery within {took} s"
        desk.actor.on_receive(seen(EventKind.HEAD_BITTEN, "lm_studio", "failed", after, reason=f"E: {reason}"))
    desk.actor.on_receive(seen(EventKind.MODE_CHANGED, "lm_studio", "normal", "degraded", reason=f"E: {reason}"))
    text = "\n".join(desk.written)
    assert len(desk.written) == 5 and text.count("start it by hand") == 1
    assert desk.written[2].endswith("* the model server restarted after the same failure; no recovery within 1.2 s")
    desk.clock.advance(AGAIN_AFTER)
    desk.actor.on_receive(seen(EventKind.HEAD_BITTEN, "lm_studio", "failed", "restart", reason=f"E: {reason}"))
    assert reason in desk.written[-1], "a minute later it is told in full again"
    desk.actor.on_receive(seen(EventKind.HEAD_BITTEN, "lm_studio", "failed", "restart", reason="E: another one"))
    assert "another one" in desk.written[-1]


def test_a_new_outage_has_its_reason_though_it_is_the_last_ones() -> None:
    desk = Desk()
    failed = seen(EventKind.HEAD_BITTEN, "lm_studio", "failed", "restart", reason="E: it is gone")
    for message in (failed, ServerState(ServerPhase.READY, "u", ("m",), "m"), failed):
        desk.actor.on_receive(message)
    assert "it is gone" in desk.written[0] and "it is gone" in desk.written[-1]


def test_answers_that_cannot_be_used_are_told_with_the_time_since_and_the_reason() -> None:
    kind, reason = EventKind.ANSWERS_CHANGED, "'gemma' answered; 'qwen' was asked"
    line = lines.event_line(Event("e", kind, AT, "qwen", "usable", "unusable", reason, seconds=2.0))
    since = lines.stamp(AT - timedelta(seconds=2))
    assert line == f"{lines.stamp(AT)}  * qwen: no answer can be used since {since}: {reason}"
    line = lines.event_line(Event("e", kind, AT, "qwen", "unusable", "usable", seconds=28.0))
    assert line == f"{lines.stamp(AT)}  * qwen: its answers can be used again after 28 s"
