"""Which of the model server's states are lines on the screen: each phase once and a long one every few seconds; while
it is away one line when it goes, each new reason once, the same one each minute, and one line when it is back."""

from __future__ import annotations

import re

from foureyes_actors.messages import ServerPhase, ServerState

PROGRESS_EVERY = 2.0  # seconds between two lines about the same phase
AWAY_EVERY = 60.0  # seconds between two lines about the same reason
MOST_REASONS = 8  # of one outage
_NUMBER = re.compile(r"\d+(\.\d+)?")


class ServerNews:
    """Used in one thread."""

    def __init__(self) -> None:
        self._state: ServerState | None = None
        self._at = 0.0  # when that was told, or would have been
        self._reasons: dict[str, float] = {}  # of the present outage, and when each was told; empty: it is not away

    def tells(self, state: ServerState, now: float, *, degraded: bool) -> bool:
        """``now``: monotonic seconds. ``degraded``: the polling fallback is active, and is told by itself."""
        match state.phase:
            case ServerPhase.FAILED:
                return self._failed(state, now)
            case ServerPhase.READY if self._reasons:
                self._reasons = {}
                return self._next(state, now)
            case ServerPhase.READY:
                return self._changed(state, now)
            case ServerPhase.LOADING | ServerPhase.WARMING_UP if self._reasons and not degraded:
                return self._lasts(state, now)
        away = bool(self._reasons) or degraded
        return self._changed(state, now) and not away

    def _failed(self, state: ServerState, now: float) -> bool:
        """A number makes no other reason."""
        reason = _NUMBER.sub("#", what_failed(state))
        told = self._reasons.get(reason)
        if told is None and len(self._reasons) >= MOST_REASONS:
            told = max(self._reasons.values())
        self._next(state, now)
        if told is not None and now - told < AWAY_EVERY:
            return False
        self._reasons[reason] = now
        return True

    def _changed(self, state: ServerState, now: float) -> bool:
        """A line has the phase and the detail: what else is new about the state, its process say, is not seen."""
        goes_on = self._state is not None and self._state.phase is state.phase
        same = goes_on and self._state is not None and self._state.detail == state.detail
        if same or (goes_on and now - self._at < PROGRESS_EVERY):
            return False
        return self._next(state, now)

    def _lasts(self, state: ServerState, now: float) -> bool:
        """A phase that is over soon is not told: the next line says that it is back."""
        if self._state is None or self._state.phase is not state.phase:
            self._next(state, now)
            return False
        return self._changed(state, now)

    def _next(self, state: ServerState, now: float) -> bool:
        self._state, self._at = state, now
        return True


def what_failed(state: ServerState) -> str:
    """The reason of a failed one: what is to be done comes after the last semicolon."""
    return state.detail.rpartition("; ")[0] or state.detail
