"""A failure that was run again, as a row; and rows counted by class, with their denominators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from foureyes_actors.replay.replaying import PORT, WIRE, Outcome
from t00l5et.confirm import Confirmation, Level, record_id
from t00l5et.reproduction import Reproduction
from tests.bench.tables import quantile, table

LEVELS = (WIRE, PORT, str(Level.STAND_IN), str(Level.UNCONFIRMED))


@dataclass(frozen=True)
class Row:
    """``group``: the class it is counted in. ``run_at``: the level of a run; ``level``: what the three of them confirm.
    ``seconds``: until the confirmation."""

    group: str
    name: str
    entry: str
    found: Confirmation
    run_at: str
    seconds: float
    record: str = ""

    @classmethod
    def of_record(cls, folder: Path, found: Confirmation, seconds: float) -> Row:
        """Of a platform whose failure happened by itself: its class is the actor, its name the exception's."""
        record = record_id(folder) or ""
        document = Reproduction(folder, record).document()
        actor, kind = str(document["actor"]).partition(":")[0], str(document["exceptions"][0]["type"])
        entry = str(document["entry"]).rpartition(".")[2]
        return cls(f"storm: {actor}", kind.rpartition(".")[2], entry, found, run_level(folder), seconds, record)

    @property
    def level(self) -> str:
        return self.run_at if self.found.level in (WIRE, PORT) else str(self.found.level)

    @property
    def confirmed(self) -> bool:
        return self.found.level is not Level.UNCONFIRMED

    def cells(self) -> Sequence[object]:
        same, reason = f"{self.found.same} of {self.found.runs}", self.found.reason.partition("; not on a wire")[0]
        return (self.group, self.name[:45], self.entry, self.level, same, reason[-60:], f"{self.seconds:.1f}")


def run_level(folder: Path) -> str:
    verdict = Reproduction(folder, record_id(folder) or "").verdict()
    return verdict.level if verdict.outcome is Outcome.SAME else PORT


def by(rows: Sequence[Row], key: Callable[[Row], str], head: str) -> str:
    """Counts with their denominators."""
    lines = []
    for name in [*dict.fromkeys(key(row) for row in sorted(rows, key=key)), "all"]:
        of = [row for row in rows if name in ("all", key(row))]
        counts = Counter(row.level for row in of)
        confirmed = f"{sum(row.confirmed for row in of)} of {len(of)}"
        times = [row.seconds for row in of]
        spent = (f"{quantile(times, 0.5):.1f}", f"{max(times):.1f}")
        lines.append((name, confirmed, *(counts[level] for level in LEVELS), *spent))
    return table("confirmed, three of three", (head, "confirmed", *LEVELS, "median s", "longest s"), lines)
