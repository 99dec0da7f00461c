"""Triage: which class of bug a fault is, whose fault it is, and how urgent. One ordered table; the first rule that
fits wins, and what no rule knows stays unknown. Pure.

A rule looks at the exception's type (its bases too), its message and its place: real exceptions carry the word that
matters in different ones of the three. Messages are untrusted: they choose a class here and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from foureyes_actors import errors
from foureyes_actors.bug.severity import Severity, known_type, severity_of
from foureyes_actors.messages import Fault


class BugClass(StrEnum):
    VISION_INFERENCE = "vision_inference"
    LM_STUDIO_CONNECTION = "lm_studio_connection"
    LM_STUDIO_PROCESS = "lm_studio_process"
    DATETIME_OVERFLOW = "datetime_overflow"
    NULL_IN_VISION = "null_in_vision"
    STORE_LOSS = "store_loss"
    OBS_FAILURE = "obs_failure"
    SOURCE_FAILURE = "source_failure"
    BAD_PICTURE = "bad_picture"
    CONFIGURATION = "configuration"
    OUT_OF_RESOURCES = "out_of_resources"
    OVERLOAD = "overload"
    HANG = "hang"
    UNKNOWN = "unknown"


class Cause(StrEnum):
    OURS = "ours"
    EXTERNAL = "external"  # another program: OBS, the model server, MongoDB
    ENVIRONMENT = "environment"  # the machine or its configuration
    DATA = "data"  # a picture or an answer
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Rule:
    """All that is given must fit. ``message`` and ``place`` (component and source) and ``trace`` (the stack trace) are
    searched, ``type_name`` matches the module-qualified name of exceptions that are not ours or Python's.
    ``retryable`` None: as the exception says."""

    name: str
    bug_class: BugClass
    cause: Cause
    types: tuple[type[BaseException], ...] = ()
    type_name: str = ""
    message: str = ""
    place: str = ""
    trace: str = ""
    retryable: bool | None = None

    def fits(self, fault: Fault) -> bool:
        return (
            (not self.types or issubclass(known_type(fault.exception_type), self.types))
            and (not self.type_name or re.fullmatch(self.type_name, fault.exception_type) is not None)
            and (not self.message or re.search(self.message, fault.message, re.IGNORECASE) is not None)
            and (not self.place or re.search(self.place, f"{fault.component} {fault.source}") is not None)
            and (not self.trace or re.search(self.trace, fault.stack_trace) is not None)
        )


@dataclass(frozen=True, slots=True)
class Triage:
    """``priority``: 1 (now) to 6 (when there is time). ``rule``: which one decided."""

    bug_class: BugClass
    cause: Cause
    retryable: bool
    priority: int
    rule: str


# What CPython 3.11-3.13 says when a date or a duration leaves its range (Modules/_datetimemodule.c).
_DATE_WORDS = (
    r"date value out of range|must have magnitude <= 999999999|year -?\d+ is out of range|timestamp out of range"
    r"|year is out of range|Invalid value NaN \(not a number\)"
)
_NUMBER_WORDS = r"cannot convert float (nan|infinity) to integer|too large to convert to C (int|long)"  # of any number
_CAPTURE = r"^foureyes_actors\.capture\b| capture$"
_OBS = r"\bobs(_|\b)"

RULES: tuple[Rule, ...] = (
    Rule(
        "a hang",
        BugClass.HANG,
        Cause.UNKNOWN,
        (TimeoutError,),
        message=r"^\S* ?has been in work for [0-9.]+ s$",  # Cerberus's words for an actor that it fenced
        retryable=False,
    ),
    Rule("a setting", BugClass.CONFIGURATION, Cause.ENVIRONMENT, (errors.ConfigurationError,)),
    Rule("memory", BugClass.OUT_OF_RESOURCES, Cause.ENVIRONMENT, (MemoryError,)),
    Rule(
        "disk, handles, threads",
        BugClass.OUT_OF_RESOURCES,
        Cause.ENVIRONMENT,
        (OSError, RuntimeError),
        message=r"no space left|too many open files|disk quota|can't start new thread|cannot allocate memory",
    ),
    Rule("disk full in SQLite", BugClass.OUT_OF_RESOURCES, Cause.ENVIRONMENT, message=r"database or disk is full"),
    Rule("date out of range", BugClass.DATETIME_OVERFLOW, Cause.OURS, (OverflowError, ValueError), message=_DATE_WORDS),
    Rule(
        "date from a number that is none",
        BugClass.DATETIME_OVERFLOW,
        Cause.OURS,
        (OverflowError, ValueError),
        message=_NUMBER_WORDS,
        trace=r"timedelta|datetime|timestamp",
    ),
    Rule(
        "date out of range on Windows",
        BugClass.DATETIME_OVERFLOW,
        Cause.OURS,
        (OSError,),
        message=r"\[Errno 22\] Invalid argument$",
        retryable=False,
    ),
    Rule(
        "an answer outside its contract",
        BugClass.VISION_INFERENCE,
        Cause.DATA,
        (errors.AnswerContractError, errors.EmptyAnswer),
    ),
    Rule("an error of the model server", BugClass.VISION_INFERENCE, Cause.EXTERNAL, (errors.VisionInferenceError,)),
    Rule(
        "nothing where the vision code expects something",
        BugClass.NULL_IN_VISION,
        Cause.OURS,
        (AttributeError, TypeError),
        message=r"NoneType",
        place=r"foureyes_actors\.(inference|readings)\b",
    ),
    Rule("the model server's process", BugClass.LM_STUDIO_PROCESS, Cause.EXTERNAL, (errors.LMStudioError,)),
    Rule("a process", BugClass.LM_STUDIO_PROCESS, Cause.ENVIRONMENT, (errors.ProcessError,), place=r"lm_studio"),
    Rule("the line to the model server", BugClass.LM_STUDIO_CONNECTION, Cause.EXTERNAL, (errors.TransportError,)),
    Rule("the store holds a lock", BugClass.STORE_LOSS, Cause.ENVIRONMENT, (errors.StoreInUse,)),
    Rule("a document", BugClass.STORE_LOSS, Cause.OURS, (errors.DocumentRefused,)),
    Rule("the journal", BugClass.STORE_LOSS, Cause.ENVIRONMENT, (errors.JournalFull,)),
    Rule("the store", BugClass.STORE_LOSS, Cause.EXTERNAL, (errors.StoreError,)),
    Rule("pymongo", BugClass.STORE_LOSS, Cause.EXTERNAL, type_name=r"pymongo\.errors\..*"),
    Rule("SQLite", BugClass.STORE_LOSS, Cause.ENVIRONMENT, type_name=r"sqlite3\..*"),
    Rule("a picture", BugClass.BAD_PICTURE, Cause.DATA, (errors.BadPicture,)),
    Rule("OBS", BugClass.OBS_FAILURE, Cause.EXTERNAL, (errors.FrameError,), message=r"\bOBS\b"),
    Rule("obs-websocket", BugClass.OBS_FAILURE, Cause.EXTERNAL, type_name=r"(obsws_python|websocket)\..*"),
    Rule("OBS's connection", BugClass.OBS_FAILURE, Cause.EXTERNAL, (ConnectionError, TimeoutError), place=_OBS),
    Rule("a source", BugClass.SOURCE_FAILURE, Cause.EXTERNAL, (errors.FrameError,)),
    Rule("a connection of the source", BugClass.SOURCE_FAILURE, Cause.EXTERNAL, (ConnectionError,), place=_CAPTURE),
    Rule("an inbox is full", BugClass.OVERLOAD, Cause.OURS, type_name=r"supervisors\.inbox\.InboxFull", retryable=True),
)

_PRIORITY = {Severity.CRITICAL: 2, Severity.HIGH: 4, Severity.MEDIUM: 5, Severity.LOW: 6}


def triage(fault: Fault, occurrences: int) -> Triage:
    """``occurrences``: of its group so far. An unknown class is an answer too, never replaced by a guess."""
    rule = next((rule for rule in RULES if rule.fits(fault)), None)
    priority = _priority(severity_of(fault), occurrences)
    if rule is None:
        return Triage(BugClass.UNKNOWN, Cause.UNKNOWN, fault.retryable, priority, "no rule")
    retryable = fault.retryable if rule.retryable is None else rule.retryable
    return Triage(rule.bug_class, rule.cause, retryable, priority, rule.name)


def _priority(severity: Severity, occurrences: int) -> int:
    """Critical from 5 times on 1, else 2; High from 10 times on 3, else 4; Medium 5; Low 6."""
    often = (severity is Severity.CRITICAL and occurrences >= 5) or (severity is Severity.HIGH and occurrences >= 10)
    return _PRIORITY[severity] - often
