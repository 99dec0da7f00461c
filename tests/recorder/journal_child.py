"""A process that fills the journal, or replays it, and says how far it is, until it is killed.

python -m tests.recorder.journal_child append FOLDER RUN
python -m tests.recorder.journal_child replay FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from foureyes_actors.errors import StoreUnavailable
from foureyes_actors.messages import Collection, CountError, StoreDocuments
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.store import StorePort
from foureyes_actors.ports.store_sqlite import SqliteStore
from foureyes_actors.recorder.journal import Journal
from foureyes_actors.recorder.journal_records import Entry
from foureyes_actors.recorder.writer import Writer
from foureyes_actors.settings import RetentionSettings
from tests.recorder.writing_child import step


def entry(run: str, number: int) -> Entry:
    documents = step(run, number)
    if "fingerprint" in documents[0]:
        return CountError(documents[0])
    return StoreDocuments(Collection.READINGS, tuple(documents))


def writer_at(folder: Path) -> Writer:
    return Writer(Journal(folder / "journal", segment=4000), SystemClock(), RetentionSettings())


def store_at(folder: Path) -> StorePort:
    return SqliteStore(folder / "store.sqlite3")


def nobody() -> StorePort:
    raise StoreUnavailable("away")


def append(folder: Path, run: str) -> None:
    writer = writer_at(folder)
    writer.start(nobody)
    number = 0
    while True:
        writer.accept(entry(run, number))
        print(number, flush=True)
        number += 1


def replay(folder: Path) -> None:
    writer = writer_at(folder)
    writer.start(lambda: store_at(folder))
    while writer.replaying:
        print(writer.status()["pending"], flush=True)
        writer.replay(0.0)
    writer.close()


def main() -> None:
    if sys.argv[1] == "append":
        append(Path(sys.argv[2]), sys.argv[3])
    else:
        replay(Path(sys.argv[2]))


if __name__ == "__main__":
    main()
