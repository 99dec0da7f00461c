"""Operational remedies are Cerberus's own: he restarts, reloads and falls back by himself, whoever recorded what. Here
it is recognised that a failure was answered by one of his heads, and that it went well: the evidence for a decision.
Pure.

A head's success is a passed probe after the step, never the step itself: of the model server its health check and its
canary, of any other actor that it has stayed up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from foureyes_actors.bite_words import read_outcome
from foureyes_actors.bug.severity import known_type
from foureyes_actors.errors import ErrorClass
from foureyes_actors.inference.server_faults import ACTIONS, Remedy
from foureyes_actors.messages import Event, EventKind, Fault
from supervisors.heads import Head

AT_ONCE = 10.0  # seconds between an actor's end and its record, on a busy machine
SOON = 60.0  # seconds in which the model server is looked at, asked for its canary, and given up
ASKERS, SERVER = "inference:", "lm_studio"


@dataclass(frozen=True, slots=True)
class Answered:
    """``child``: whom the heads bit. ``heads``: one after the other. ``recovered``: the last one was a success.
    ``seconds``: from the failure to its end."""

    child: str
    heads: tuple[Head, ...]
    recovered: bool
    seconds: float

    def __str__(self) -> str:
        steps = ", ".join(self.heads)
        end = f"a probe passed after {self.seconds:.1f} s" if self.recovered else "no probe has passed since"
        return f"answered by Cerberus: {steps} of {self.child}; {end}"


def operational_evidence(events: Iterable[Event], fault: Fault) -> Answered | None:
    """``events``: those of one run, in any order. None: no head has answered this failure, or none has come to an end
    yet."""
    bites = sorted((event for event in events if event.kind is EventKind.HEAD_BITTEN), key=lambda event: event.at)
    for child in _bitten_for(fault):
        chain = _chain([event for event in bites if event.subject == child], fault)
        if chain:
            heads = tuple(head for _, head, _ in chain)
            last, _, recovered = chain[-1]
            return Answered(child, heads, recovered, (last.at - fault.at).total_seconds())
    return None


def _bitten_for(fault: Fault) -> tuple[str, ...]:
    """The actor itself; the model server where the failure is one for which something is done about it."""
    kind = known_type(fault.exception_type)
    error_class = getattr(kind, "error_class", ErrorClass.OTHER)
    if fault.source.startswith(ASKERS) and ACTIONS[error_class].server is not Remedy.NOTHING:
        return fault.source, SERVER
    return (fault.source,)


def _chain(bites: list[Event], fault: Fault) -> list[tuple[Event, Head, bool]]:
    """From the bite that answered the failure on, until one was a success."""
    chain: list[tuple[Event, Head, bool]] = []
    for event in bites:
        found = read_outcome(event.after)
        if found is None or not (chain or _answers(event, fault)):
            continue
        chain.append((event, *found))
        if found[1]:
            break
    return chain


def _answers(event: Event, fault: Fault) -> bool:
    """By when it began, and for the actor's own failure by what it is."""
    after = (event.at - fault.at).total_seconds() - (event.seconds or 0.0)
    if event.subject != fault.source:
        return -AT_ONCE <= after <= SOON
    return abs(after) <= AT_ONCE and event.reason.startswith(fault.exception_type.rpartition(".")[2])
