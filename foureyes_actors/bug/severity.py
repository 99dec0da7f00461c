"""How bad a fault is and of what kind: one ordered table over exception types, the first that fits wins."""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from enum import StrEnum

from foureyes_actors import errors
from foureyes_actors.messages import Fault
from supervisors.messages import Stage


class Severity(StrEnum):
    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"
    CRITICAL = "Critical"


class ErrorType(StrEnum):
    DATA_CORRUPTION = "DataCorruption"
    SANITY_CHECK = "SanityCheckFailure"
    SYSTEM = "SystemError"
    VALIDATION = "ValidationError"
    OTHER = "Other"


@dataclass(frozen=True, slots=True)
class Rule:
    exceptions: tuple[type[BaseException], ...]
    severity: Severity
    error_type: ErrorType


_CRITICAL, _HIGH, _MEDIUM, _LOW = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW

RULES: tuple[Rule, ...] = (
    Rule((MemoryError, errors.StoreInUse, errors.JournalFull), _CRITICAL, ErrorType.SYSTEM),
    Rule((errors.NativeCrash, errors.EndedItself), _CRITICAL, ErrorType.SYSTEM),
    Rule((errors.DocumentRefused,), _HIGH, ErrorType.DATA_CORRUPTION),  # a document that is never stored
    Rule((errors.StoreUnavailable,), _MEDIUM, ErrorType.SYSTEM),  # the journal keeps what was accepted
    Rule((errors.ConfigurationError,), _HIGH, ErrorType.VALIDATION),
    Rule((errors.WrongModel,), _HIGH, ErrorType.SANITY_CHECK),
    Rule((errors.AnswerContractError, errors.EmptyAnswer), _LOW, ErrorType.VALIDATION),  # one frame without an answer
    Rule((errors.VisionInferenceError,), _MEDIUM, ErrorType.SYSTEM),
    Rule((errors.BadPicture,), _LOW, ErrorType.DATA_CORRUPTION),
    Rule((errors.SourceEnded,), _LOW, ErrorType.SYSTEM),
    Rule((errors.FrameError, errors.TransportError), _MEDIUM, ErrorType.SYSTEM),
    Rule((errors.LMStudioError, errors.ProcessError, errors.StoreError), _HIGH, ErrorType.SYSTEM),
    Rule((ConnectionError, TimeoutError), _MEDIUM, ErrorType.SYSTEM),
    Rule((OSError,), _HIGH, ErrorType.SYSTEM),
    Rule((UnicodeError, ArithmeticError), _HIGH, ErrorType.DATA_CORRUPTION),
    Rule((AssertionError,), _HIGH, ErrorType.SANITY_CHECK),
    Rule((BaseException,), _HIGH, ErrorType.OTHER),  # not foreseen, so a defect of ours until it is looked at
)

_ENDED = {stage.value for stage in Stage}


def rule_of(fault: Fault) -> Rule:
    kind = known_type(fault.exception_type)
    return next(rule for rule in RULES if issubclass(kind, rule.exceptions))


def severity_of(fault: Fault) -> Severity:
    """An exception that ended an actor is at least High."""
    found = rule_of(fault).severity
    ended_an_actor = fault.context.get("stage", "") in _ENDED
    return _HIGH if ended_an_actor and found in (_LOW, _MEDIUM) else found


def known_type(exception_type: str) -> type[BaseException]:
    """Our own and Python's exceptions by their name; of all others only that they are one."""
    module, _, name = exception_type.rpartition(".")
    home = {errors.__name__: errors, "": builtins}.get(module)
    found = getattr(home, name, None)
    return found if isinstance(found, type) and issubclass(found, BaseException) else BaseException
