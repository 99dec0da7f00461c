"""A process that writes to a store and says after each call what was acknowledged, until it is killed.

    python -m tests.recorder.writing_child sqlite PATH RUN
    python -m tests.recorder.writing_child mongodb URI DATABASE RUN

Each line: the number of the step, whose documents ``step`` tells.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from foureyes_actors.messages import Collection
from foureyes_actors.ports.store import StorePort

T0 = datetime(2026, 3, 1, tzinfo=UTC)


def step(run: str, number: int) -> list[dict[str, Any]]:
    """The documents of one step: one to three readings, or, each third step, one occurrence of an error."""
    at = T0 + timedelta(milliseconds=number)
    if number % 3 == 2:
        return [{"_id": f"{run}-{number}", "at": at, "fingerprint": f"f{number % 2}", "message": "x" * 500}]
    return [{"_id": f"{run}-{number}-{part}", "at": at, "text": "x" * 500} for part in range(1 + number % 3)]


def write(store: StorePort, run: str, number: int) -> None:
    documents = step(run, number)
    if "fingerprint" in documents[0]:
        store.count_occurrence(documents[0])
    else:
        store.append(Collection.READINGS, documents)


def opened(kind: str, *where: str) -> StorePort:
    from tests.recorder.places import MongoPlace, SqlitePlace

    if kind == "sqlite":
        return SqlitePlace(Path(where[0]).parent).open()
    place = MongoPlace(where[0])
    place.database = where[1]
    return place.open()


def main() -> None:
    *place, run = sys.argv[1:]
    store = opened(*place)
    number = 0
    while True:
        write(store, run, number)
        print(number, flush=True)
        number += 1


if __name__ == "__main__":
    main()
