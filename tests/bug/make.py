"""Faults for the tests of what happens to faults."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from foureyes_actors.bug.faults import fault_from_exception
from foureyes_actors.messages import Fault
from foureyes_actors.ports.clock import ManualClock

CLOCK = ManualClock()


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def a_fault(error: BaseException | None = None, **changes: Any) -> Fault:
    """A fault of a raised exception, with fields changed by name."""
    made = fault_from_exception(raised(error or ValueError("x")), source="capture", clock=CLOCK)
    return replace(made, **changes)
