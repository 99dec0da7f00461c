"""The values that an InferenceActor and its worker share about one call."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from foureyes_actors.inference.cache import CacheKey, Finds
from foureyes_actors.inference.request import RequestTemplate
from foureyes_actors.inference.routing import Asked
from foureyes_actors.messages import Analysis, Frame


@dataclass(frozen=True, slots=True)
class Call:
    """One call in flight. The actor sets the events, the worker looks at them."""

    frame: Frame
    key: CacheKey
    tasks: Asked = ()
    cancelled: threading.Event = field(default_factory=threading.Event)
    superseded: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Target:
    """A server that is ready and has the model, and the request as it wants it."""

    base_url: str
    shape: RequestTemplate
    tasks: Asked = ()  # what the request asks


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """From the worker: an attempt failed in a way that may pass."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class Retrying:
    """From the worker: the same frame is asked about once more."""


@dataclass(frozen=True, slots=True)
class Finished:
    """From the worker: how the call in flight ended."""

    call: Call
    outcome: Analysis | Exception


@dataclass(frozen=True, slots=True)
class Resume:
    """To self: the pause with this number is over."""

    number: int


@dataclass
class Counts:
    """What an InferenceActor counts in the whole run: one for all its incarnations, of which the living one writes."""

    frames: int = 0
    requests: int = 0
    answered: int = 0
    retries: int = 0
    replaced: int = 0
    waited: int = 0  # frames that came while the server was not ready
    read_alone: int = 0  # frames read in the polling fallback
    failed_tasks: int = 0
    latency: float = 0.0  # seconds, the sum over what the server answered
    failures: Counter[str] = field(default_factory=Counter)  # by type
    finds: Finds = field(default_factory=Finds)  # in the cache

    def shown(self) -> dict[str, Any]:
        """For people."""
        return {
            "frames": self.frames,
            "requests": self.requests,
            "answered": self.answered,
            "read_alone": self.read_alone,
            "retries": self.retries,
            "waiting_for_server": self.waited,
            "failed": sum(self.failures.values()),
            "failures": dict(self.failures),
            "failed_tasks": self.failed_tasks,
            "mean_latency": self.latency / self.answered if self.answered else None,
        }
