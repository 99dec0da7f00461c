"""Fault: what is kept of an exception."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from foureyes_actors.bug import faults
from foureyes_actors.bug.faults import fault_from_exception, fault_from_exit
from foureyes_actors.capture.cabinet import money_format
from foureyes_actors.errors import ConnectFailed, LMStudioTimeoutError, ReplyTooLarge, ServerFault, SettingsError
from foureyes_actors.lm_studio.dialect import server_at
from foureyes_actors.lm_studio.dialects import DIALECTS
from foureyes_actors.lm_studio.server_calls import check_alive
from foureyes_actors.messages import Fault
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.http import HttpReply, HttpRequest
from foureyes_actors.replay.replaying import Outcome
from foureyes_actors.text import bounded, bounded_middle, clean
from supervisors.actor import taken_off
from tests.replay.make import failure, record_of, verdict_of


def caught(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught_error:
        return caught_error


def fault(error: BaseException, **context: str) -> Fault:
    return fault_from_exception(error, source="capture", clock=ManualClock(), context=context)


def a_real_failure() -> BaseException:
    """A TypeError that is raised two frames deep in our own code."""
    try:
        bounded_middle(None, 10)  # type: ignore[arg-type]
    except TypeError as error:
        return error
    raise AssertionError("not reached")


def test_who_where_what_and_when() -> None:
    got = fault(a_real_failure(), frame="12")
    assert got.source == "capture"
    assert got.component == "foureyes_actors.text:bounded_middle"
    assert got.frames == (got.component,)
    assert got.exception_type == "TypeError" and got.exception_chain == ("TypeError",)
    assert "len()" in got.message and "bounded_middle" in got.stack_trace
    assert got.at == datetime(2026, 1, 1, tzinfo=UTC)
    assert got.context == {"frame": "12"} and len(got.id) == 32
    assert got.id != fault(a_real_failure()).id


def test_without_a_frame_of_ours_the_component_is_the_source() -> None:
    assert fault(caught(ValueError("x"))).component == "capture"
    assert fault(ValueError("never raised")).component == "capture"


def test_a_port_is_where_it_happened_but_not_part_of_the_group(tmp_path: object) -> None:
    try:
        LocalFiles().listing(None, [".png"])  # type: ignore[arg-type]
    except AttributeError as error:
        got = fault(error)
    assert got.component == "foureyes_actors.ports.files:LocalFiles.listing"
    assert got.frames == ()


def test_an_exit_notice_gives_the_same_fault_as_the_exception_itself() -> None:
    error = a_real_failure()
    live = fault(error)
    text, frames = taken_off(error)
    got = fault_from_exit(error, text, frames, source="capture", clock=ManualClock())
    assert error.__traceback__ is None
    assert (got.component, got.frames, got.stack_trace) == (live.component, live.frames, live.stack_trace)


def test_the_chain_is_told_and_a_cycle_ends_it() -> None:
    def chained() -> BaseException:
        try:
            try:
                raise KeyError("inner")
            except KeyError as inner:
                raise ConnectFailed("outer") from inner
        except ConnectFailed as outer:
            return outer

    error = chained()
    assert fault(error).exception_chain == ("foureyes_actors.errors.ConnectFailed", "KeyError")
    assert error.__cause__ is not None
    error.__cause__.__context__ = error
    assert len(fault(error).exception_chain) == 2


class Refusing:
    """An HTTP port that nobody answers."""

    def exchange(self, request: HttpRequest) -> HttpReply:
        raise ConnectFailed("nobody") from ConnectionRefusedError(111, "refused")

    def close(self) -> None: ...


def test_what_is_concluded_from_a_failure_in_a_replay_point_can_be_run_again() -> None:
    server = server_at("http://127.0.0.1:9", DIALECTS["openai"])
    silent = LMStudioTimeoutError("no answer to 3 checks in a row")
    silent.__cause__ = failure(lambda: check_alive(Refusing(), server))
    got = fault(silent)
    kinds = [kind.rpartition(".")[2] for kind in got.exception_chain]
    assert kinds == ["LMStudioTimeoutError", "ConnectFailed"], "what lies inside a port is no part of the group"
    assert got.capture is not None and got.capture.entry == "foureyes_actors.lm_studio.server_calls:check_alive"
    assert verdict_of(record_of(silent)).outcome is Outcome.SAME


def test_a_suppressed_context_is_no_part_of_the_chain() -> None:
    try:
        try:
            raise KeyError("secret")
        except KeyError:
            raise ValueError("told") from None
    except ValueError as error:
        assert fault(error).exception_chain == ("ValueError",)


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (ConnectFailed("x"), True),
        (ReplyTooLarge("x"), False),
        (ServerFault("x", status=503, retryable=True), True),
        (ServerFault("x", status=400), False),
        (SettingsError(["x"]), False),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (ValueError(), False),
    ],
)
def test_retryable_comes_from_the_error(error: BaseException, retryable: bool) -> None:
    assert fault(error).retryable is retryable


def test_long_texts_are_bounded_and_the_end_of_a_trace_is_kept() -> None:
    got = fault(caught(ValueError("ä" * 1_000_000 + "end")), note="n" * 5000)
    assert len(got.message.encode()) <= faults.MAX_MESSAGE
    assert len(got.stack_trace.encode()) <= faults.MAX_TRACE
    assert got.stack_trace.startswith("Traceback") and got.stack_trace.rstrip().endswith("end")
    assert len(got.context["note"].encode()) <= faults.MAX_CONTEXT_VALUE
    many = fault(ValueError("x"), **{f"k{i}": "v" for i in range(100)})
    assert len(many.context) == faults.MAX_CONTEXT_KEYS


def test_recursion_collapses() -> None:
    def deeper(value: object) -> str:
        return clean(value)  # type: ignore[arg-type]

    class Loop(str):
        def encode(self, *_: object) -> bytes:
            return clean(Loop()).encode()

    try:
        deeper(Loop())
    except RecursionError as error:
        got = fault(error)
    assert got.frames == ("foureyes_actors.text:clean",)
    assert len(got.stack_trace.encode()) <= faults.MAX_TRACE


def test_nul_surrogates_and_terminal_escapes_become_visible() -> None:
    got = fault(caught(ValueError("a\x00b\ud800c\x1b[31md\u202ee\r\nf")))
    assert got.message == "a\\x00b\\ud800c\\x1b[31md\\u202ee\nf"
    got.stack_trace.encode()
    assert "\x00" not in got.stack_trace


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_an_exception_without_words() -> None:
    got = fault(caught(Unspeakable()))
    assert got.message == "<the text of Unspeakable cannot be had>"
    assert fault(TimeoutError()).message == "TimeoutError"


def test_a_base_exception_is_a_fault_too() -> None:
    assert fault(caught(SystemExit(3))).exception_type == "SystemExit"


@pytest.mark.parametrize("limit", [50, 100, 101])
@pytest.mark.parametrize("text", ["", "short", "é" * 99, "\x00" * 99, "x" * 1000])
def test_bounds_hold_for_any_text(text: str, limit: int) -> None:
    assert len(bounded(text, limit).encode()) <= limit
    assert len(bounded_middle(text, limit).encode()) <= limit


def test_our_own_modules_are_recognised() -> None:
    assert faults._ours(money_format.__name__) and not faults._ours("foureyes_actorsx.y")
