"""The last line of defence of a run: what is left when Cerberus himself cannot act any more.

A C call that holds the GIL is written down and named; one that never lets go, a Cerberus that is stuck, and too many
threads that hang end the process with all stacks in ``stacks.log``, so that a service manager starts it afresh.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from foureyes_actors.bug.interception import Interception
from foureyes_actors.bug.leftovers import Leftovers
from foureyes_actors.bug.native_crash import crash_fault
from foureyes_actors.bug.own_end import own_end_fault
from foureyes_actors.bug.redact import Redactor
from foureyes_actors.errors import FourEyesError
from foureyes_actors.messages import Fault
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.crash_file import CrashFile, take_end
from foureyes_actors.ports.log_folder import LOCK
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.ports.process_lock import holder_of
from foureyes_actors.settings import Settings
from foureyes_actors.settings.file import secrets_of
from supervisors.cerberus import Root
from supervisors.last_resort import LastResort, StuckRoot
from supervisors.leaks import Leaks
from supervisors.lifeline import Held, Lifeline

NOTICE_AFTER = 10.0  # seconds without a beat; a watch of its own looks ten times as often
STACKS, CRASH = "stacks.log", "crash.log"

logger = logging.getLogger("foureyes")


class GilHeld(FourEyesError):
    """No Python code could run for a while: a C call held the interpreter's lock. Recorded, never raised."""


def interception(settings: Settings, clock: Clock, write: Callable[[str], object]) -> Interception:
    """For a process that belongs to the run alone, which dies in native code with all stacks in ``crash.log``: what an
    earlier run left there, or in ``stacks.log`` when it ended itself, is the first that is told. ``write``: for the
    text of what ends the main program."""
    crash, redactor = CrashFile(settings.data_dir / CRASH), Redactor(secrets_of(settings))
    earlier = _earlier(settings.data_dir, crash, clock)
    crash.arm()
    return Interception(
        clock,
        Leftovers(LocalPrivateFolder(settings.data_dir / "leftovers"), redactor),
        earlier=earlier,
        show=lambda text: write(redactor.text(text)),
        at_end=crash.disarm,
    )


def _earlier(folder: Path, crash: CrashFile, clock: Clock) -> tuple[Fault, ...]:
    """How the run before ended, when it did not end in order. While another run has the folder, whose stacks are there
    may be well: they are left to it."""
    if _in_use(folder):
        return ()
    now = clock.utc_now()
    own_end = own_end_fault(take_end(folder / STACKS, lambda dump: own_end_fault(dump, now) is not None), now)
    return tuple(found for found in (crash_fault(crash.take(), now), own_end) if found is not None)


def _in_use(folder: Path) -> bool:
    try:
        return holder_of(folder / "journal" / LOCK) is not None
    except OSError:
        return False


class Defence:
    """For a process that belongs to the run alone: it may end it at once, with exit code 70."""

    def __init__(self, folder: Path) -> None:
        self._stacks = _file_in(folder)
        self._last_resort = LastResort(self._stacks)
        self.leaks = Leaks(too_many=self._last_resort)

    def lifeline(self, held: Callable[[Held], None]) -> Lifeline:
        """``held`` is told in Cerberus's thread."""
        return Lifeline(notice_after=NOTICE_AFTER, stacks=self._stacks, held=held)

    def watch(self, root: Root) -> StuckRoot:
        """To be looked at about once a second by the thread that started the tree."""
        return StuckRoot(root, self._last_resort)


def _file_in(folder: Path) -> Path | None:
    """None, and only standard error gets the stacks, when nothing can be written there: who stores says so anyway."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / STACKS).open("ab").close()
    except OSError as error:
        logger.debug("no %s in %s: %s", STACKS, folder, error)
        return None
    return folder / STACKS
