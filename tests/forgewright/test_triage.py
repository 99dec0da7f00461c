"""Triage: real exceptions of each kind, and that what no rule knows stays unknown."""

from __future__ import annotations

import errno
import math
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pymongo.errors
import pytest
import websocket

from foureyes_actors import errors
from foureyes_actors.bug.faults import fault_from_exception
from foureyes_actors.forgewright.triage import BugClass, Cause, Triage
from foureyes_actors.forgewright.triage import triage as triage_by
from foureyes_actors.forgewright.triage_table import load_rules
from foureyes_actors.messages import Fault
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.files import LocalFiles
from supervisors.inbox import InboxFull
from tests.bug.make import a_fault

RULES = load_rules(LocalFiles())


def triage(fault: Fault, occurrences: int) -> Triage:
    return triage_by(fault, occurrences, RULES)


DATES: dict[str, Callable[[], Any]] = {
    "the forecast that overflowed": lambda: datetime.now(UTC) + timedelta(minutes=52.56e12),
    "date out of range": lambda: datetime.now(UTC) + timedelta(days=999_999_999),
    "a rate of nearly zero": lambda: timedelta(minutes=1e300),
    "a rate that is no number": lambda: timedelta(minutes=math.nan),
    "infinite": lambda: timedelta(minutes=math.inf),
    "timestamp out of range": lambda: datetime.fromtimestamp(1e20, UTC),
    "timestamp far out of range": lambda: datetime.fromtimestamp(1e300, UTC),
    "timestamp that is no number": lambda: datetime.fromtimestamp(math.nan, UTC),
    "year out of range": lambda: datetime(10_000, 1, 1, tzinfo=UTC),
}


@pytest.mark.parametrize("name", DATES)
def test_dates_that_really_overflow(name: str) -> None:
    with pytest.raises((OverflowError, ValueError)) as caught:
        DATES[name]()
    got = triage(fault_from_exception(caught.value, source="readings", clock=ManualClock()), 1)
    assert (got.bug_class, got.cause, got.retryable) == (BugClass.DATETIME_OVERFLOW, Cause.OURS, False)


def test_a_number_that_is_none_outside_of_dates_is_not_called_one() -> None:
    with pytest.raises(ValueError, match="NaN") as caught:
        round(math.nan)
    assert triage(fault_from_exception(caught.value, source="x", clock=ManualClock()), 1).bug_class is BugClass.UNKNOWN


def nothing_in_vision() -> Fault:
    made = a_fault(AttributeError("'NoneType' object has no attribute 'strip'"))
    return a_fault(
        AttributeError(made.message), component="foureyes_actors.inference.answers:checked", source="inference:a/b"
    )


V, L, S = BugClass.VISION_INFERENCE, BugClass.LM_STUDIO_CONNECTION, BugClass.STORE_LOSS
TABLE: list[tuple[Fault, BugClass, Cause, bool]] = [
    (a_fault(errors.AnswerContractError("x")), V, Cause.DATA, False),
    (a_fault(errors.EmptyAnswer("x")), V, Cause.DATA, False),
    (a_fault(errors.WrongModel("x")), V, Cause.EXTERNAL, False),
    (a_fault(errors.ServerFault("x", status=503, retryable=True)), V, Cause.EXTERNAL, True),
    (a_fault(errors.RequestTimeout("x")), L, Cause.EXTERNAL, True),
    (a_fault(errors.ConnectFailed("x")), L, Cause.EXTERNAL, True),
    (a_fault(errors.LMStudioTimeoutError("x")), BugClass.LM_STUDIO_PROCESS, Cause.EXTERNAL, True),
    (a_fault(errors.PortTaken("x")), BugClass.LM_STUDIO_PROCESS, Cause.EXTERNAL, False),
    (a_fault(errors.ProcessError("x"), source="lm_studio"), BugClass.LM_STUDIO_PROCESS, Cause.ENVIRONMENT, False),
    (nothing_in_vision(), BugClass.NULL_IN_VISION, Cause.OURS, False),
    (a_fault(errors.StoreUnavailable("x")), S, Cause.EXTERNAL, True),
    (a_fault(errors.StoreInUse("x")), S, Cause.ENVIRONMENT, False),
    (a_fault(errors.JournalFull("x")), S, Cause.ENVIRONMENT, True),
    (a_fault(errors.DocumentRefused("x")), S, Cause.OURS, False),
    (a_fault(pymongo.errors.ServerSelectionTimeoutError("x")), S, Cause.EXTERNAL, False),
    (a_fault(sqlite3.DatabaseError("file is not a database")), S, Cause.ENVIRONMENT, False),
    (
        a_fault(sqlite3.OperationalError("database or disk is full")),
        BugClass.OUT_OF_RESOURCES,
        Cause.ENVIRONMENT,
        False,
    ),
    (a_fault(MemoryError()), BugClass.OUT_OF_RESOURCES, Cause.ENVIRONMENT, False),
    (a_fault(OSError(errno.ENOSPC, "No space left on device")), BugClass.OUT_OF_RESOURCES, Cause.ENVIRONMENT, False),
    (a_fault(RuntimeError("can't start new thread")), BugClass.OUT_OF_RESOURCES, Cause.ENVIRONMENT, False),
    (a_fault(OSError(22, "Invalid argument")), BugClass.DATETIME_OVERFLOW, Cause.OURS, False),
    (a_fault(errors.SourceUnavailable("OBS at 127.0.0.1:4455: x")), BugClass.OBS_FAILURE, Cause.EXTERNAL, True),
    (a_fault(errors.SourceUnavailable("video.mp4: x")), BugClass.SOURCE_FAILURE, Cause.EXTERNAL, True),
    (a_fault(websocket.WebSocketException("x")), BugClass.OBS_FAILURE, Cause.EXTERNAL, False),
    (
        a_fault(ConnectionResetError("x"), component="foureyes_actors.capture.obs_source:grab"),
        BugClass.OBS_FAILURE,
        Cause.EXTERNAL,
        True,
    ),
    (a_fault(errors.BadPicture("x")), BugClass.BAD_PICTURE, Cause.DATA, False),
    (a_fault(errors.SourceRefused("OBS: wrong password")), BugClass.CONFIGURATION, Cause.ENVIRONMENT, False),
    (a_fault(InboxFull("x")), BugClass.OVERLOAD, Cause.OURS, True),
    (
        a_fault(TimeoutError("FrameCaptured has been in work for 31.2 s")),
        BugClass.HANG,
        Cause.UNKNOWN,
        False,
    ),
    (a_fault(KeyError("x")), BugClass.UNKNOWN, Cause.UNKNOWN, False),
    (a_fault(AttributeError("'NoneType' object has no attribute 'x'")), BugClass.UNKNOWN, Cause.UNKNOWN, False),
    (a_fault(TimeoutError("x")), BugClass.UNKNOWN, Cause.UNKNOWN, True),
]


@pytest.mark.parametrize(
    ("fault", "bug_class", "cause", "retryable"), TABLE, ids=lambda v: getattr(v, "exception_type", str(v))
)
def test_the_table(fault: Fault, bug_class: BugClass, cause: Cause, retryable: bool) -> None:
    got = triage(fault, 1)
    assert (got.bug_class, got.cause, got.retryable) == (bug_class, cause, retryable)


def test_every_rule_is_reached_by_the_table() -> None:
    """A rule that another one hides would never fit."""
    with pytest.raises(ValueError, match="NaN") as caught:
        DATES["a rate that is no number"]()
    nan = fault_from_exception(caught.value, source="x", clock=ManualClock())
    date = a_fault(OverflowError("date value out of range"))
    reached = {triage(fault, 1).rule for fault in [nan, date, *(row[0] for row in TABLE)]}
    assert {rule.name for rule in RULES} - reached == {"a connection of the source"}
    lost = a_fault(ConnectionResetError("x"), component="foureyes_actors.capture.actor:x")
    assert triage(lost, 1).rule == "a connection of the source"


def test_a_message_alone_makes_no_class() -> None:
    """The seed looked for words in type names; a message that merely tells of LM Studio is not a fault of it."""
    for text in ("VisionInference LMStudio DateTime", "OBS", "NoneType", "mongodb is away"):
        assert triage(a_fault(KeyError(text)), 1).bug_class is BugClass.UNKNOWN


@pytest.mark.parametrize(
    ("error", "occurrences", "priority"),
    [
        (MemoryError(), 4, 2),
        (MemoryError(), 5, 1),
        (KeyError("x"), 9, 4),
        (KeyError("x"), 10, 3),
        (errors.RequestTimeout("x"), 1000, 5),
        (errors.BadPicture("x"), 1000, 6),
    ],
)
def test_priority(error: BaseException, occurrences: int, priority: int) -> None:
    assert triage(a_fault(error), occurrences).priority == priority
