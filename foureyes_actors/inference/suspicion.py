"""When an inference actor's failed requests are news for those who keep the server."""

from __future__ import annotations

from foureyes_actors.inference.server_faults import reason_of, suspected_class
from foureyes_actors.messages import ServerSuspect


class Suspicion:
    """One actor's; used in its thread alone. ``attempts``: so many failures in a row of what may pass count as more."""

    def __init__(self, model: str, *, attempts: int) -> None:
        self._model, self._attempts = model, attempts
        self._failures = 0  # in a row
        self._told: BaseException | None = None

    def about(self, error: BaseException) -> tuple[ServerSuspect, ...]:
        """Once for each failed request: a call that is given up early ends with an error that was told before. Empty:
        there is nothing to tell."""
        if error is self._told:
            return ()
        self._told = error
        self._failures += 1
        suspected = suspected_class(error, self._failures, self._attempts)
        return () if suspected is None else (ServerSuspect(reason_of(error), self._model, suspected),)

    def forget_error(self) -> None:
        """Its call is over; its traceback holds the picture."""
        self._told = None

    def end_row(self) -> None:
        """An answer came, or another server is asked now."""
        self._failures = 0
