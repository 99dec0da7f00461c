"""What storing costs: one frame's readings, looking back, the journal, the place on disk.

python -m tests.bench.store [FOLDER]      FOLDER: on the disk to measure; default: a temporary one
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from foureyes_actors.messages import (
    MONEY_FIELDS,
    Collection,
    Field,
    FrameRef,
    Reading,
    ReadingSet,
    ReadingStatus,
    StoreDocuments,
)
from foureyes_actors.ports import documents as form
from foureyes_actors.ports.store import StorePort
from foureyes_actors.ports.store_sqlite import SqliteStore
from foureyes_actors.readings.documents import reading_document, reading_set_id
from foureyes_actors.recorder.journal import Journal
from tests.recorder.places import MongoPlace, Secantus

T0 = datetime(2026, 3, 1, tzinfo=UTC)
MANY = 100_000
READINGS, ERRORS = Collection.READINGS, Collection.ERRORS


def frame_document(number: int) -> dict[str, Any]:
    """The readings of one frame: eight fields with their evidence."""
    at = T0 + timedelta(seconds=number / 3)
    frame = FrameRef("cabinet", number, at, number / 3, f"{number:064x}", "image/jpeg", 1280, 720)
    readings = tuple(reading(name, number) for name in Field)
    name = reading_set_id("20260301T120000Z-7f3a", frame)
    found = ReadingSet(name, frame, ("microsoft/trocr-base-handwritten",), readings, at, 0.31)
    return reading_document(found, "20260301T120000Z-7f3a")


def reading(name: Field, number: int) -> Reading:
    if name not in MONEY_FIELDS:
        return Reading(name, "idle", "idle", 0.97, ReadingStatus.ACCEPTED, "")
    raw = f"{number % 9000}.{number % 100:02}"
    return Reading(name, f"${raw}", Decimal(raw), 0.97, ReadingStatus.ACCEPTED, "", "USD")


def error_document(number: int) -> dict[str, Any]:
    at = T0 + timedelta(seconds=number)
    return {"_id": f"e{number}", "at": at, "fingerprint": f"f{number % 20}", "message": "m" * 200, "trace": "t" * 3000}


def timed(call: Callable[[int], object], times: int, first: int = 0) -> list[float]:
    """Milliseconds of each call."""
    found = []
    for number in range(first, first + times):
        start = time.perf_counter()
        call(number)
        found.append((time.perf_counter() - start) * 1000)
    return sorted(found)


def row(name: str, found: list[float]) -> None:
    p50, p99 = found[len(found) // 2], found[min(len(found) - 1, len(found) * 99 // 100)]
    print(f"  {name:<52} {p50:9.3f} {p99:9.3f} {found[-1]:9.3f}   n={len(found)}")


def heading(text: str) -> None:
    print(f"\n{text}\n  {'':<52} {'p50 ms':>9} {'p99 ms':>9} {'max ms':>9}")


def common(store: StorePort, times: int) -> None:
    row("append of one frame's document", timed(lambda n: store.append(READINGS, [frame_document(n)]), times))
    row("count_occurrence, 20 groups", timed(lambda n: store.count_occurrence(error_document(n)), times))
    row("latest(50)", timed(lambda _: store.latest(READINGS), 50))


def sqlite(folder: Path) -> None:
    path = folder / "bench.sqlite3"
    with closing(SqliteStore(path)) as store:
        heading(f"{store.describe()}, synchronous=FULL")
        common(store, 3000)
    path.unlink()
    with closing(SqliteStore(path)) as store:
        start = time.perf_counter()
        for batch in batches(MANY, 1000):
            store.append(READINGS, batch)
        print(f"  {MANY} documents in batches of 1000: {time.perf_counter() - start:.1f} s")
        row(f"append behind {MANY}", timed(lambda n: store.append(READINGS, [frame_document(n)]), 1000, MANY))
        row(f"latest(50) of {MANY}", timed(lambda _: store.latest(READINGS), 100))
        row("latest(50, where source)", timed(lambda _: store.latest(READINGS, where={"source": "cabinet"}), 100))
        row(
            "latest(50, where source that nobody has)",
            timed(lambda _: store.latest(READINGS, where={"source": "x"}), 100),
        )
        row("get by id, building the id included", timed(lambda n: store.get(READINGS, frame_document(n)["_id"]), 1000))
        row("count()", timed(lambda _: store.count(READINGS), 20))
        size = path.stat().st_size / (MANY + 1000)
        body = len(form.body(form.encoded(frame_document(MANY))))
        print(
            f"  on disk: {size:.0f} bytes a document, {body} of them BSON; a day of 3 a second: "
            f"{size * 3 * 86400 / 1e6:.0f} MB"
        )
        half = T0 + timedelta(seconds=MANY / 6)
        row(f"purge of {MANY // 2}, one call after another", timed(lambda _: emptied(store, half), 1))
        hour = T0 + timedelta(seconds=MANY / 6 + 3600)
        row("purge of an hour (10 800)", timed(lambda _: emptied(store, hour), 1))


def batches(number: int, size: int) -> Iterator[list[dict[str, Any]]]:
    for first in range(0, number, size):
        yield [frame_document(n) for n in range(first, first + size)]


def emptied(store: StorePort, before: datetime) -> None:
    while store.purge(READINGS, before):
        pass


def journal(folder: Path) -> None:
    kept = Journal(folder / "journal")
    kept.open()
    heading("journal, every entry synced")
    row(
        "append of one frame's document",
        timed(lambda n: kept.append(StoreDocuments(READINGS, (frame_document(n),))), 3000),
    )
    print(
        f"  on disk: {kept.size / 3000:.0f} bytes an entry; a budget of 256 MiB holds "
        f"{256 * 2**20 / (kept.size / 3000) / 3 / 3600:.0f} h of 3 a second"
    )
    kept.close()


def mongodb(folder: Path) -> None:
    server = Secantus(folder / "server")
    (folder / "server").mkdir()
    server.start()
    try:
        with closing(MongoPlace(server.uri).open()) as store:
            heading("MongoDB adapter, journaled, against secantusdb's server (no measure for a real mongod)")
            common(store, 1000)
    finally:
        server.kill()


def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as name:
        folder = Path(name)
        documents = [frame_document(n) for n in range(3000)]
        heading("checking and encoding, no store")
        row("one frame's document", timed(lambda n: form.body(form.encoded(documents[n])), 3000))
        sqlite(folder)
        journal(folder)
        mongodb(folder)


if __name__ == "__main__":
    main()
