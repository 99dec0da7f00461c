"""How soon a hang is seen, and how soon its replacement answers: six kinds, the median over five rounds.

    python -m tests.bench.hangs

Limits, with ``stuck_after`` 0.5 s: seen within 0.75 s, answering within 50 ms of that. Exits with 1 when a median is
over.
"""

from __future__ import annotations

import logging
import statistics
import sys
import time

from supervisors.messages import ExitNotice
from tests.bench.tables import table
from tests.supervisors.hangs import KINDS
from tests.supervisors.live import Busy, Live
from tests.support import eventually

ROUNDS = 5
STUCK_AFTER, SEEN_WITHIN, ANSWERS_WITHIN = 0.5, 750.0, 50.0  # s, ms, ms


class _Seen(list[ExitNotice]):
    at = 0.0

    def append(self, notice: ExitNotice) -> None:
        self.at = self.at or time.monotonic()
        super().append(notice)


def measure(kind: str) -> tuple[float, float]:
    """Milliseconds from the message's begin until the hang is seen, and from then until its replacement answers."""
    hang, seen, live = KINDS[kind](), _Seen(), Live()
    live.exits = seen
    live.start(live.spec("subject", Busy, stuck_after=STUCK_AFTER))
    live.tell("subject", lambda actor: hang())
    live.ask("subject", 7)  # queued behind the hang: answered by the replacement
    answered = time.monotonic()
    hang.end()
    eventually(lambda: live.leaks.total == 0, 20, "the hung thread has ended")
    live.end()
    return 1000 * (seen.at - hang.began), 1000 * (answered - seen.at)


def main() -> int:
    logging.disable(logging.WARNING)
    rows, good = [], True
    for kind in KINDS:
        found = [measure(kind) for _ in range(ROUNDS)]
        seen, answers = zip(*found, strict=True)
        middle = statistics.median(seen), statistics.median(answers)
        good = good and middle[0] <= SEEN_WITHIN and middle[1] <= ANSWERS_WITHIN
        rows.append((kind, middle[0], max(seen), middle[1], max(answers)))
    heads = ("kind", "seen after, ms (median)", "(worst)", "answering then, ms (median)", "(worst)")
    print(table(f"hangs, stuck_after {STUCK_AFTER:g} s, {ROUNDS} rounds", heads, rows))
    print(f"limits: {SEEN_WITHIN:g} ms and {ANSWERS_WITHIN:g} ms: {'kept' if good else 'NOT KEPT'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
