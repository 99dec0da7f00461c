"""Lets the three heads decide what a failure leads to, and keeps an account of every bite."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from supervisors.decider import Bring, Failure, LeaveDown, Verdict
from supervisors.heads import Head, Heads, Ladder, bite, ladder, passed
from supervisors.policy import middle
from supervisors.specs import ChildSpec, Flags

logger = logging.getLogger("supervisors")


@dataclass(frozen=True, slots=True)
class Bite:
    """One answer of a head, told when its outcome is known."""

    child: str
    head: Head
    reason: str
    began: float  # seconds, monotonic
    group: tuple[str, ...]  # who was taken along, the child included
    recovered: bool = False
    took: float = 0.0  # seconds from the failure to the passed probe, or to the next failure


@dataclass(frozen=True, slots=True)
class Listeners:
    """Told in the supervisor's thread; what they raise is logged.

    ``bite``: a head's answer has succeeded or failed. ``fallback``: a child's fallback begins (True) or ends.
    ``reload``: these are about to come back with fresh handles. ``fatal``: an error that no restart can mend.
    """

    bite: Callable[[Bite], None] = lambda bite: None
    fallback: Callable[[str, bool, str], None] = lambda child, active, reason: None
    reload: Callable[[tuple[str, ...]], None] = lambda names: None
    fatal: Callable[[str, BaseException], None] = lambda child, error: None


@dataclass
class _Account:
    """One child's: where it stands, and the bite whose outcome is open."""

    ladder: Ladder
    open: Bite | None = None
    up_at: float = 0.0
    bites: Counter[str] = field(default_factory=Counter)


class HeadsDecider:
    """``fatal``: an error of these types restarts nothing. ``spec_of`` may be replaced where children come and go."""

    def __init__(
        self,
        children: Sequence[ChildSpec],
        heads: Heads | None = None,
        listeners: Listeners | None = None,
        *,
        fatal: tuple[type[BaseException], ...] = (),
        random: Callable[[], float] = middle,
    ) -> None:
        self._heads, self._listeners = heads or Heads(), listeners or Listeners()
        self._fatal, self._random = fatal, random
        self._accounts: dict[str, _Account] = {}
        self.spec_of: Callable[[str], ChildSpec | None] = {spec.name: spec for spec in children}.get

    # --- Decider ---

    def failed(self, failure: Failure) -> Verdict:
        account = self._account(failure.name)
        if failure.error is not None and isinstance(failure.error, self._fatal):
            self._settle(account, failure.now, recovered=False)
            self._tell(self._listeners.fatal, failure.name, failure.error)
            return LeaveDown()
        was_in_fallback = account.ladder.in_fallback
        account.ladder, head = bite(account.ladder, self._heads, failure.now)
        names = self._group(failure) if head is Head.RELOAD else (failure.name,)
        if not was_in_fallback:
            self._settle(account, failure.now, recovered=False)
            self._open(account, Bite(failure.name, head, failure.why, failure.now, names))
        if head is Head.RELOAD:
            self._tell(self._listeners.reload, names)
        return Bring(names, self._delay(head, account.ladder, failure))

    def up(self, name: str, now: float) -> float | None:
        account, spec = self._account(name), self.spec_of(name)
        account.up_at = now
        if (spec is not None and spec.proves) or (account.open is None and not account.ladder.in_fallback):
            return None
        return self._heads.settled

    def still_up(self, name: str, now: float) -> float | None:
        account = self._account(name)
        self._passed(name, now, account.up_at)
        return self._heads.probing.first if account.ladder.in_fallback else None

    def well(self, name: str, now: float) -> None:
        self._passed(name, now, now)

    def change(self, flags: Flags) -> None:
        pass  # the heads have windows of their own

    def shown(self, name: str) -> tuple[str, Mapping[str, int]]:
        account = self._account(name)
        head = Head.FALLBACK if account.ladder.in_fallback else account.open.head if account.open else ""
        return str(head), dict(account.bites)

    def close(self, now: float) -> None:
        for account in self._accounts.values():
            self._settle(account, now, recovered=False)

    # --- the account ---

    def _account(self, name: str) -> _Account:
        return self._accounts.setdefault(name, _Account(ladder(self._heads)))

    def _open(self, account: _Account, opened: Bite) -> None:
        account.open = opened
        account.bites[opened.head] += 1
        logger.warning("%s: %s of %s: %s", opened.child, opened.head, ", ".join(opened.group), opened.reason)
        if opened.head is Head.FALLBACK:
            self._tell(self._listeners.fallback, opened.child, True, opened.reason)

    def _passed(self, name: str, now: float, recovered_at: float) -> None:
        """A healthy probe. A bite of the fallback ends with the fallback itself, the others with the first probe."""
        account = self._account(name)
        account.ladder, left = passed(account.ladder, self._heads, now)
        if left:
            self._settle(account, now, recovered=True)
            self._tell(self._listeners.fallback, name, False, f"{self._heads.probes} healthy probes")
        elif not account.ladder.in_fallback:
            self._settle(account, recovered_at, recovered=True)

    def _settle(self, account: _Account, now: float, *, recovered: bool) -> None:
        if account.open is not None:
            told = replace(account.open, recovered=recovered, took=now - account.open.began)
            account.open = None
            self._tell(self._listeners.bite, told)

    def _group(self, failure: Failure) -> tuple[str, ...]:
        """The child and all that depend on it, directly or not, in start order."""
        wanted = {failure.name}
        for name in failure.names:
            spec = self.spec_of(name)
            if spec is not None and not wanted.isdisjoint(spec.depends_on):
                wanted.add(name)
        return tuple(name for name in failure.names if name in wanted)

    def _delay(self, head: Head, state: Ladder, failure: Failure) -> float:
        if head is Head.FALLBACK:
            return self._heads.probing.delay(state.failed_probes + 1, self._random)
        return failure.backoff.delay(failure.failures_before, self._random)

    def _tell(self, listener: Callable[..., None], *news: object) -> None:
        """The root must not die of somebody who only listens."""
        try:
            listener(*news)
        except BaseException:  # its SystemExit would end this thread, not the process
            logger.exception("a bite could not be told")
