"""Triage: which class of bug a fault is, whose fault it is, how urgent, and what is to be done. Pure.

One ordered table (``triage.yaml``, read by ``triage_table``); the first rule that fits wins, and what no rule knows
stays unknown. A rule looks at the exception's type (its bases too), its message, its place, our own frames, and the
port and operation through which it came: real exceptions carry the word that matters in different ones of these.
Messages are untrusted: they choose a class here and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from foureyes_actors.bug.severity import Severity, known_type, severity_of
from foureyes_actors.forgewright.patterns import LONGEST
from foureyes_actors.messages import Fault

OFTEN_CRITICAL, OFTEN_HIGH = 5, 10  # occurrences from which a group is more urgent
LINES, LINE, FRAMES = 200, 160, 50  # the last lines of a trace, characters of each; the innermost frames


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


class RemedyKind(StrEnum):
    """The cheapest one that may help."""

    NONE = "none"  # nothing that FourEyes could do: the user's matter, or nobody's
    OPERATIONAL = "operational"  # one of Cerberus's heads, proven by its probe
    CONFIGURATION = "configuration"  # a setting within its bounds, proven by a replay on the wire
    CODE = "code"  # a patch that passes the gate


class Action(StrEnum):
    LOG = "log"
    MONITOR = "monitor"
    MITIGATE = "mitigate"  # seek a remedy, and apply it where that is allowed
    REVIEW = "review"  # seek a remedy; a person decides
    ESCALATE = "escalate"  # a person is told now


@dataclass(frozen=True, slots=True)
class Rule:
    """All that is given must fit. ``message``, ``place`` (component and source), ``trace`` (the stack trace, each of
    its lines) and ``frame`` (one of our own, ``module:qualname``) are searched; ``type_name`` matches the
    module-qualified name of exceptions that are not ours or Python's; ``port`` matches ``port.operation``.
    ``retryable`` None: as the exception says."""

    name: str
    bug_class: BugClass
    cause: Cause
    types: tuple[type[BaseException], ...] = ()
    type_name: str = ""
    message: str = ""
    place: str = ""
    trace: str = ""
    frame: str = ""
    port: str = ""
    retryable: bool | None = None
    remedy: RemedyKind = RemedyKind.NONE

    def fits(self, fault: Fault, port: str = "") -> bool:
        return (
            (not self.types or issubclass(known_type(fault.exception_type), self.types))
            and (not self.type_name or re.fullmatch(self.type_name, fault.exception_type[:LONGEST]) is not None)
            and (not self.message or re.search(self.message, fault.message[:LONGEST], re.IGNORECASE) is not None)
            and (not self.place or re.search(self.place, f"{fault.component} {fault.source}"[:LONGEST]) is not None)
            and (not self.trace or _in_lines(self.trace, fault.stack_trace))
            and (not self.frame or any(re.search(self.frame, frame[:LONGEST]) for frame in fault.frames[-FRAMES:]))
            and (not self.port or re.fullmatch(self.port, port[:LONGEST]) is not None)
        )


def _in_lines(pattern: str, trace: str) -> bool:
    return any(re.search(pattern, line[:LINE]) for line in trace.splitlines()[-LINES:])


@dataclass(frozen=True, slots=True)
class Triage:
    """``priority``: 1 (now) to 6 (when there is time). ``rule``: which one decided."""

    bug_class: BugClass
    cause: Cause
    retryable: bool
    priority: int
    rule: str
    severity: Severity = Severity.MEDIUM
    remedy: RemedyKind = RemedyKind.NONE
    action: Action = Action.MONITOR


def triage(fault: Fault, occurrences: int, rules: Sequence[Rule], *, port: str = "", recurrence: str = "") -> Triage:
    """``occurrences``: of its group so far. ``port``: the ``port.operation`` that failed, if one did. An unknown class
    is an answer too, never replaced by a guess; a defect that no rule knows can still be mended by a patch."""
    rule = next((rule for rule in rules if rule.fits(fault, port)), None)
    severity = severity_of(fault)
    priority = _priority(severity, occurrences)
    remedy = RemedyKind.CODE if rule is None else rule.remedy
    action = action_of(severity, occurrences, remedy, recurs=bool(recurrence))
    if rule is None:
        return Triage(BugClass.UNKNOWN, Cause.UNKNOWN, fault.retryable, priority, "no rule", severity, remedy, action)
    retryable = fault.retryable if rule.retryable is None else rule.retryable
    return Triage(rule.bug_class, rule.cause, retryable, priority, rule.name, severity, remedy, action)


def action_of(severity: Severity, occurrences: int, remedy: RemedyKind, *, recurs: bool) -> Action:
    """Critical from 5 times on is a person's matter now; what is rare and mild is only watched, until it recurs."""
    if severity is Severity.CRITICAL and occurrences >= OFTEN_CRITICAL:
        return Action.ESCALATE
    if severity in (Severity.CRITICAL, Severity.HIGH) or recurs:
        return Action.REVIEW if remedy in (RemedyKind.CODE, RemedyKind.NONE) else Action.MITIGATE
    return Action.MONITOR if severity is Severity.MEDIUM else Action.LOG


def _priority(severity: Severity, occurrences: int) -> int:
    """Critical from 5 times on 1, else 2; High from 10 times on 3, else 4; Medium 5; Low 6."""
    often = (severity is Severity.CRITICAL and occurrences >= OFTEN_CRITICAL) or (
        severity is Severity.HIGH and occurrences >= OFTEN_HIGH
    )
    return _PRIORITY[severity] - often


_PRIORITY = {Severity.CRITICAL: 2, Severity.HIGH: 4, Severity.MEDIUM: 5, Severity.LOW: 6}
