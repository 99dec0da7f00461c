"""Settings that may have another value for a while: which ones, within which bounds, for which failures. Pure.

A limit that protects (sizes of pictures and of replies, memory, processes) is never among them: what is refused by one
is not mended by a higher one. Nor is what no recorded failure points at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from foureyes_actors.bug.severity import known_type
from foureyes_actors.errors import (
    AnswerContractError,
    ConnectFailed,
    ConnectionBroken,
    EmptyAnswer,
    RequestTimeout,
    ServerBusy,
    ServerError,
    SourceUnavailable,
    StoreUnavailable,
)
from foureyes_actors.forgewright.latencies import NEXT, Observed, weigh
from foureyes_actors.settings import Settings

ROOM = 0.9  # a reply is in time with certainty when it takes at most this part of a deadline
NO_PROOF = "cannot be proven by replay: no record says what would have come of another value"
SILENCE = "cannot be proven by replay: nothing came until the deadline, and nothing tells that it would have later"


@dataclass(frozen=True, slots=True)
class Knob:
    """``steps``: the values that are tried, ascending, within the bounds. ``whole``: whole numbers only. ``replayed``:
    a recorded exchange can be played again with another value (``python -m t00l5et mitigate``). ``why``: what it is
    for, and why no more than ``highest``."""

    key: str
    lowest: float
    highest: float
    steps: tuple[float, ...]
    why: str
    whole: bool = False
    replayed: bool = False

    def admits(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        return self.lowest <= value <= self.highest

    def above(self, was: float, late: float = 0.0) -> float | None:
        """The lowest step above ``was`` that leaves room for a reply after ``late`` seconds; None: there is none."""
        return next((step for step in self.steps if step > was and late <= ROOM * step), None)

    @property
    def bounds(self) -> str:
        return f"{self.lowest:g} to {self.highest:g}"


_ALL = (
    Knob(
        "inference.deadline",
        1,
        60,
        (2.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0),
        "a model that is slower than expected; a server that says nothing for a minute hangs",
        replayed=True,
    ),
    Knob("inference.attempts", 1, 5, (2, 3, 4, 5), "trouble that passes; more would ask a dead server", whole=True),
    Knob(
        "inference.max_tokens",
        16,
        2000,
        (1000, 2000),
        "answers that are cut off; a longer one is none",
        whole=True,
    ),
    Knob(
        "source.obs.deadline",
        0.5,
        8,
        (4.0, 8.0),
        "an OBS that is busy; a grab has three exchanges, and is given up as stuck after 30 s",
        replayed=True,
    ),
    Knob("store.timeout", 0.5, 10, (6.0, 10.0), "a slow MongoDB; the journal keeps what waits", replayed=True),
)
KNOBS: Mapping[str, Knob] = MappingProxyType({knob.key: knob for knob in _ALL})


@dataclass(frozen=True, slots=True)
class Change:
    """``late``: seconds after which a reply is to be assumed in the proof; None: nothing can be assumed.
    ``by_itself``: the assumption is founded, so it may be put in force without anybody asking, once it is proven; else
    it is for a person to decide. ``reason``: the evidence, or what is missing."""

    key: str
    was: float
    value: float
    reason: str
    late: float | None = None
    by_itself: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """Which failures a knob is for. ``entry``: of the replay point, a pattern. ``silent``: nothing came until the
    deadline."""

    key: str
    types: tuple[type[BaseException], ...]
    entry: str
    text: str = ""
    silent: bool = False

    def fits(self, document: Mapping[str, Any], kind: type[BaseException], text: str) -> bool:
        return (
            issubclass(kind, self.types)
            and re.match(self.entry, str(document.get("entry"))) is not None
            and (not self.text or self.text in text)
            and (not self.silent or _was_silent(document))
        )


_ASK = r"foureyes_actors\.inference\.client:ask$"
_ANSWER = r"foureyes_actors\.inference\.(client:ask|reply:check_reply)$"
_MAY_PASS = (RequestTimeout, ConnectFailed, ConnectionBroken, ServerBusy, ServerError)
CASES = (  # the cheapest first: patience, then more work for the server
    Case("inference.deadline", (RequestTimeout,), _ASK),
    Case("source.obs.deadline", (SourceUnavailable,), r"foureyes_actors\.capture\.obs_source:", silent=True),
    Case("store.timeout", (StoreUnavailable,), r"foureyes_actors\.recorder\.store_calls:", silent=True),
    Case("inference.attempts", _MAY_PASS, _ASK),
    Case("inference.max_tokens", (AnswerContractError, EmptyAnswer), _ANSWER, text="inference.max_tokens"),
)


def candidates(document: Mapping[str, Any], settings: Settings, observed: Observed | None = None) -> tuple[Change, ...]:
    """Which changes could help the failure of this record, the cheapest first. ``settings``: those in force.
    ``observed``: how long the answers of the same model took (``latencies.model_of``). A record that makes no sense
    has none."""
    kind, text = _failure(document)
    found = (_change(case, settings, observed or Observed()) for case in CASES if case.fits(document, kind, text))
    return tuple(change for change in found if change is not None)


def value_of(settings: Any, key: str) -> Any:
    """Of the setting with this full name. Raises AttributeError when there is none."""
    for name in key.split("."):
        settings = getattr(settings, name)
    return settings


def _change(case: Case, settings: Settings, observed: Observed) -> Change | None:
    knob, was = KNOBS[case.key], value_of(settings, case.key)
    if case.key == "inference.deadline":
        return _patience(knob, was, observed)
    value = knob.above(was)
    if value is None:
        return None
    return Change(case.key, was, _as(knob, value), SILENCE if case.silent else NO_PROOF)


def _patience(knob: Knob, was: float, observed: Observed) -> Change | None:
    """A longer deadline for a model: by itself only where its answers are known to come so late, or nearly."""
    evidence = weigh(observed, was, ROOM * knob.highest)
    late = evidence.late if evidence else NEXT * was
    value = knob.above(was, late)
    if value is None:
        return None
    if evidence is not None:
        return Change(knob.key, was, value, evidence.words, late, by_itself=True)
    reason = f"that an answer would come after {late:g} s is an assumption: {observed.words(was)}"
    return Change(knob.key, was, value, reason, late)


def _as(knob: Knob, value: float) -> float:
    return int(value) if knob.whole else value


def _failure(document: Mapping[str, Any]) -> tuple[type[BaseException], str]:
    """A record may come from anywhere."""
    try:
        caught = document["exceptions"][0]
        return known_type(str(caught["type"])), str(caught["text"])
    except (KeyError, TypeError, IndexError):
        return BaseException, ""


def _was_silent(document: Mapping[str, Any]) -> bool:
    """What the record's last port call raised says that nothing more came until its deadline."""
    try:
        attributes = document["tape"][-1]["raised"]["attributes"]
        ends = [value["fields"]["end"]["name"] for name, value in attributes if name == "wire"]
    except (KeyError, TypeError, IndexError, ValueError):
        return False
    return ends == ["SILENT"]
