"""What becomes of Cerberus's news: faults for the bug actor, events for the store and the console, the fallback's word
to those who must go on without the model server. All of it runs in Cerberus's thread."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence

from foureyes_actors.bite_words import outcome
from foureyes_actors.bug.faults import TOLD, fault_from_exception, fault_from_exit
from foureyes_actors.bug.redact import Redactor
from foureyes_actors.defence import GilHeld
from foureyes_actors.errors import ConfigurationError, StoreInUse
from foureyes_actors.messages import Collection, Event, EventKind, FallbackChanged, Fault, StoreDocuments
from foureyes_actors.ports.clock import Clock
from foureyes_actors.readings.documents import event_document
from foureyes_actors.settings.file import secrets_of
from foureyes_actors.wiring import LM_STUDIO, Config
from supervisors.cerberus import CERBERUS
from supervisors.directory import Directory
from supervisors.heads_decider import Bite, Listeners
from supervisors.inbox import InboxFull
from supervisors.lifeline import Held
from supervisors.messages import ExitNotice, Stage

logger = logging.getLogger("foureyes")

REFUSALS = (ConfigurationError, StoreInUse)  # 78 and 69, when they keep a run from beginning
HEARERS = ("console", "forgewright")  # for people, and as evidence that a failure was answered


class Upkeep:
    """``fatal``: told the error that no restart can mend. ``fallback_audience``: who reads on without the server.
    ``deliver``: a way for faults that knows what to do when no bug actor is there; None: then they are lost."""

    def __init__(
        self,
        run_id: str,
        *,
        config: Config,
        directory: Directory,
        clock: Clock,
        fatal: Callable[[BaseException], None],
        fallback_audience: Sequence[str],
        deliver: Callable[[Fault], None] | None = None,
    ) -> None:
        self._run_id, self._config, self._directory, self._clock = run_id, config, directory, clock
        self._fatal, self._fallback_audience = fatal, fallback_audience
        self._deliver = deliver or (lambda fault: self._tell("bug", fault))
        self._began: dict[str, float] = {}  # child -> when its fallback began, monotonic seconds
        self.listeners = Listeners(
            bite=self.on_bite, fallback=self.on_fallback, reload=self.on_reload, fatal=self.on_fatal
        )

    def on_exit(self, notice: ExitNotice) -> None:
        """The user hears of it by the event of what was done about it, or by the run's end. A run that refused to
        begin, with its reason and an exit code of its own, has not failed: there is nothing to record."""
        assert notice.error is not None
        if _refused(notice):
            return
        told = {TOLD: "as the reason of the end" if isinstance(notice.error, ConfigurationError) else "as an event"}
        context = {"stage": notice.stage, "handling": notice.handling, "message": notice.message_id}
        fault = fault_from_exit(
            notice.error,
            notice.stack_trace,
            notice.frames,
            source=notice.child,
            clock=self._clock,
            context={**context, "incarnation": str(notice.incarnation), **told},
        )
        self._deliver(fault)

    def on_bite(self, bite: Bite) -> None:
        """Once for each, when it is known how it went."""
        self.event(
            EventKind.HEAD_BITTEN,
            bite.child,
            "failed",
            outcome(bite.head, recovered=bite.recovered, took=bite.took),
            bite.reason,
            shown=True,
            seconds=bite.took,
        )

    def on_fallback(self, child: str, active: bool, reason: str) -> None:
        """The whole system changes its mode when it is the model server that is gone."""
        before, after = ("normal", "polling fallback") if active else ("polling fallback", "normal")
        now = self._clock.monotonic()
        began = self._began.setdefault(child, now) if active else self._began.pop(child, now)
        seconds = None if active else now - began
        self.event(EventKind.MODE_CHANGED, child, before, after, reason, shown=True, seconds=seconds)
        if child == LM_STUDIO:
            self._config.degraded = active
            for name in self._fallback_audience:
                self._tell(name, FallbackChanged(active, reason))

    def on_reload(self, names: tuple[str, ...]) -> None:
        """They come back with what the configuration says now; one that is broken changes nothing."""
        subject = ", ".join(names)
        try:
            changed = self._config.reread(names)
        except ConfigurationError as error:
            reason = f"the configuration cannot be read again, what was in force stays: {error}"
            self.event(EventKind.CONFIGURATION_KEPT, subject, None, None, reason, shown=True)
            return
        if changed:
            reason = f"the configuration has changed; {changed}"
            self.event(EventKind.CONFIGURATION_READ, subject, None, None, reason, shown=True)

    def on_held(self, held: Held) -> None:
        """No Python code could run for a while."""
        self._deliver(fault_from_exception(GilHeld(str(held)), source=CERBERUS, clock=self._clock))

    def on_fatal(self, child: str, error: BaseException) -> None:
        self.event(EventKind.HEAD_BITTEN, child, "failed", "stays down", f"{type(error).__name__}: {error}")
        self._fatal(error)

    def event(
        self,
        kind: EventKind,
        subject: str,
        before: str | None,
        after: str | None,
        reason: str,
        *,
        shown: bool = False,
        seconds: float | None = None,
    ) -> None:
        """Any thread."""
        reason = Redactor(secrets_of(self._config.settings)).text(reason)  # an exception's words, most often
        event = Event(uuid.uuid4().hex, kind, self._clock.utc_now(), subject, before, after, reason, seconds=seconds)
        self._tell("recorder", StoreDocuments(Collection.EVENTS, (event_document(event, self._run_id),)))
        if shown:
            for name in HEARERS:
                self._tell(name, event)

    def _tell(self, name: str, message: object) -> None:
        """A receiver that is full must end neither Cerberus nor the run."""
        try:
            self._directory.tell(name, message)
        except InboxFull as full:
            logger.warning("%s is lost: %s", type(message).__name__, full)


def _refused(notice: ExitNotice) -> bool:
    """The first start of a part: its failure ends the start of the whole."""
    return notice.stage in (Stage.INIT, Stage.START) and notice.incarnation == 1 and isinstance(notice.error, REFUSALS)
