"""How many faults a second the BugActor takes, and how long making and redacting one takes.

python -m tests.bench.bug_storm
"""

from __future__ import annotations

import time
from collections.abc import Callable

from foureyes_actors.bug.actor import BugActor
from foureyes_actors.bug.faults import fault_from_exception
from foureyes_actors.bug.fingerprint import fingerprint
from foureyes_actors.bug.redact import Redactor
from foureyes_actors.messages import Fault
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.text import bounded_middle
from tests.bench.tables import table
from tests.support import FakeContext

SECRETS = ("a password of some length", "sk-lm-abcdefgh:0123456789abcdefghij")


def a_fault() -> Fault:
    try:
        bounded_middle(None, 10)  # type: ignore[arg-type]
    except TypeError as error:
        return fault_from_exception(error, source="bench", clock=SystemClock())
    raise AssertionError("not reached")


def per_call(job: Callable[[], object], seconds: float = 1.0) -> float:
    """Microseconds."""
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        job()
        count += 1
    return (time.perf_counter() - began) / count * 1e6


def main() -> None:
    fault, redactor = a_fault(), Redactor(SECRETS)
    actor = BugActor(FakeContext("bug"), clock=SystemClock(), secrets=SECRETS)
    long = "  File /x/foureyes_actors/somewhere.py, line 3, in something\n" * 260
    rows = [
        ("make a fault from an exception", per_call(a_fault)),
        ("fingerprint", per_call(lambda: fingerprint(fault))),
        ("redact a trace of 16 kB", per_call(lambda: redactor.text(long))),
        ("BugActor takes a fault, in a storm", per_call(lambda: actor.on_receive(fault))),
    ]
    print(table("faults", ("step", "us", "a second"), [(name, us, f"{1e6 / us:.0f}") for name, us in rows]))


if __name__ == "__main__":
    main()
