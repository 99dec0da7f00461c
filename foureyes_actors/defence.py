"""The last line of defence of a run: what is left when Cerberus himself cannot act any more.

A C call that holds the GIL is written down and named; one that never lets go, a Cerberus that is stuck, and too many
threads that hang end the process with all stacks in ``stacks.log``, so that a service manager starts it afresh.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from foureyes_actors.errors import FourEyesError
from supervisors.cerberus import Root
from supervisors.last_resort import LastResort, StuckRoot
from supervisors.leaks import Leaks
from supervisors.lifeline import Held, Lifeline

NOTICE_AFTER = 10.0  # seconds without a beat; a watch of its own looks ten times as often
STACKS = "stacks.log"

logger = logging.getLogger("foureyes")


class GilHeld(FourEyesError):
    """No Python code could run for a while: a C call held the interpreter's lock. Recorded, never raised."""


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
