"""How long a model's answers took, and whether that founds a longer deadline. Pure, but for ``observed``.

A record of a timeout holds no late answer: that one would have come is an assumption. It is founded by one of two
things that were seen: an answer that took longer than the deadline (it was another one then), or so many that come
close to it that some must be cut off.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from foureyes_actors.messages import Collection
from foureyes_actors.ports.store import StoreReader

ENOUGH = 20  # answers, for a part of them to say anything
NEAR = 0.8  # of the deadline: where the slowest twentieth begins, when answers are cut off
BEYOND = 1.02  # of the deadline: later than that, it was not by chance
NEXT = 1.1  # of the deadline: when an answer is assumed that nobody waited for
PREFIX = "inference:"  # of the actors that ask a model
READ = 2000  # readings that are looked at
WITHIN = 86_400.0  # seconds before a failure that its readings are from


@dataclass(frozen=True, slots=True)
class Observed:
    """``latencies``: seconds that a model's answers took, in any order. Those that failed are not among them."""

    latencies: tuple[float, ...] = ()

    @property
    def slowest_twentieth(self) -> float | None:
        """The 95th percentile (nearest rank); None: there are too few to tell."""
        if len(self.latencies) < ENOUGH:
            return None
        return sorted(self.latencies)[math.ceil(0.95 * len(self.latencies)) - 1]

    def words(self, deadline: float) -> str:
        """Why they found nothing."""
        if any(each > BEYOND * deadline for each in self.latencies):
            return "what took longer took longer than any allowed deadline has room for"
        if len(self.latencies) < ENOUGH:
            return f"{len(self.latencies)} answers of this model were seen, fewer than {ENOUGH}"
        return f"95 of 100 of this model's answers took at most {self.slowest_twentieth:.1f} s, far from {deadline:g} s"


@dataclass(frozen=True, slots=True)
class Evidence:
    """``late``: seconds after which an answer is to be assumed."""

    late: float
    words: str


def weigh(observed: Observed, deadline: float, longest: float) -> Evidence | None:
    """``deadline``: the one in force. ``longest``: later answers no allowed deadline has room for. None: nothing that
    was seen says that a longer one would help."""
    beyond = [each for each in observed.latencies if each > BEYOND * deadline]
    in_reach = [each for each in beyond if each <= longest]
    if in_reach:
        late = max(in_reach)
        many = "an answer" if len(beyond) == 1 else f"{len(beyond)} answers"
        words = f"{many} of this model took longer than {deadline:g} s, as long as {late:.1f} s"
        return Evidence(late, words)
    slow = observed.slowest_twentieth
    if slow is None or beyond or slow < NEAR * deadline or NEXT * deadline > longest:
        return None
    words = f"5 of 100 of this model's answers took {slow:.1f} s or more, close to {deadline:g} s"
    return Evidence(NEXT * deadline, f"{words}: one after {NEXT * deadline:g} s is assumed")


def model_of(document: Mapping[str, Any]) -> str:
    """The model that a record is about, by its name in the table of models; empty: none."""
    actor = document.get("actor")
    return actor.removeprefix(PREFIX) if isinstance(actor, str) and actor.startswith(PREFIX) else ""


def observed(store: StoreReader, model: str, failed_at: datetime) -> Observed:
    """From a day before the failure on; the newest alone where there are many. Raises StoreUnavailable."""
    since = failed_at - timedelta(seconds=WITHIN)
    return observed_in(store.latest(Collection.READINGS, READ, since=since), model)


def observed_in(readings: Iterable[Mapping[str, Any]], model: str) -> Observed:
    """``readings``: documents of the store. Those of earlier versions do not tell how long an answer took."""
    return Observed(tuple(seconds for each in readings for seconds in _latencies(each, model)))


def _latencies(document: Mapping[str, Any], model: str) -> Iterable[float]:
    models, latencies = document.get("models"), document.get("latencies_ms")
    if isinstance(models, list) and isinstance(latencies, list) and len(models) == len(latencies):
        for name, each in zip(models, latencies, strict=True):
            if name == model and type(each) in (int, float) and 0 < each < 1e9:
                yield each / 1000
