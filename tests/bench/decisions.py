"""How long Forgewright's look at its decisions keeps its actor from answering. ``python -m tests.bench.decisions``."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path

from foureyes_actors.forgewright.decision import Decision, to_json
from foureyes_actors.forgewright.forging import Forging
from foureyes_actors.forgewright.states import State
from foureyes_actors.forgewright.triage import Action
from foureyes_actors.ports.clock import ManualClock, SystemClock
from foureyes_actors.settings.forgewright import ForgewrightSettings
from tests.forgewright.bench import ToldWorkshop
from tests.forgewright.make import a_ledger, in_state
from tests.support import TimedContext, eventually

COUNTS = (20, 200, 2000)
LOOKS = 50
RESTING = (State.TRIAGED, State.AWAITING_APPROVAL, State.RESOLVED, State.REJECTED)  # in which nothing is written


def made(place: Path, count: int) -> None:
    for number in range(1, count + 1):
        name = f"FORGE-2026-{number:03d}"
        decision = in_state(RESTING[number % 4], decision_id=name, group=name, action=Action.MONITOR)
        (place / name).mkdir(parents=True)
        (place / name / "decision.json").write_bytes(to_json(decision))


def measured(count: int) -> tuple[list[float], float]:
    """Seconds of each look when nothing has changed; of the one after a person has said something."""
    with tempfile.TemporaryDirectory() as folder:
        place, clock = Path(folder) / "decisions", SystemClock()
        made(place, count)
        context, told = TimedContext("forgewright", ManualClock()), list[Decision]()
        ledger = a_ledger(place, clock)
        forging = Forging(
            context,
            ledger=ledger,
            workshop=ToldWorkshop(),
            clock=clock,
            settings=ForgewrightSettings(),
            changed=lambda decision, _: told.append(decision),
        )
        forging.start()
        try:
            eventually(lambda: bool(context.to_self), 60.0, "the decisions are read")
            forging.look(timer=True)
            looks = [seconds(forging) for _ in range(LOOKS)]
            other = a_ledger(place, clock)
            found = other.get("FORGE-2026-001")
            assert found is not None
            other.save(found.to(State.REJECTED, clock.utc_now().timestamp()))
            after = seconds(forging)
            assert told[-1].state is State.REJECTED
        finally:
            forging.stop()
        return looks, after


def seconds(forging: Forging) -> float:
    threading.Event().wait(0.01)
    began = time.perf_counter()
    forging.look(timer=True)
    return time.perf_counter() - began


def main() -> None:
    print("| Decisions | A look, middle | the longest | after a person's word |\n|---|---|---|---|")
    for count in COUNTS:
        looks, after = measured(count)
        middle, longest = sorted(looks)[len(looks) // 2], max(looks)
        print(f"| {count} | {1000 * middle:.1f} ms | {1000 * longest:.1f} ms | {1000 * after:.1f} ms |")


if __name__ == "__main__":
    main()
