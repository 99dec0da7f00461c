"""How ``run.py`` ends; the numbers are those of sysexits.h where it has one."""

from __future__ import annotations

OK, UNAVAILABLE, INTERNAL, NOT_PRINTED, BAD_CONFIGURATION = 0, 69, 70, 74, 78
NOT_KEPT = NOT_PRINTED  # nothing could be written: of a run, neither to the store nor to the journal
INTERRUPTED = 130  # as a shell has it for Ctrl-C
