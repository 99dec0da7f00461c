"""What becomes of a document: the store, the journal, set aside, dropped; and what is told about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.errors import ConfigurationError, DocumentRefused, JournalFull, StoreInUse, StoreUnavailable
from foureyes_actors.messages import Collection, CountError, StoreDocuments
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.store_sqlite import SqliteStore
from foureyes_actors.recorder.journal import Journal
from foureyes_actors.recorder.losses import QUIET
from foureyes_actors.recorder.writer import Writer, probe_pause
from foureyes_actors.settings import RetentionSettings
from tests.recorder.switched import Switch

READINGS, ERRORS = Collection.READINGS, Collection.ERRORS


class Bench:
    """A writer with everything around it."""

    def __init__(self, folder: Path, budget: int = 1_000_000) -> None:
        self.clock = ManualClock()
        self.folder = folder
        self.switch = Switch(folder / "store.sqlite3")
        self.journal = Journal(folder / "journal", budget=budget, segment=2000)
        self.writer = Writer(self.journal, self.clock, RetentionSettings())

    def readings(self, *names: str, **fields: Any) -> None:
        at = self.clock.utc_now()
        self.writer.accept(StoreDocuments(READINGS, tuple({"_id": name, "at": at, **fields} for name in names)))

    def error(self, name: str) -> None:
        self.writer.accept(CountError({"_id": name, "at": self.clock.utc_now(), "fingerprint": "f"}))

    def try_to_open(self) -> None:
        """What the actor's worker does."""
        try:
            self.writer.opened(self.switch.open())
        except StoreUnavailable as error:
            self.writer.open_failed(error)

    def come_back(self) -> None:
        self.switch.away = False
        self.clock.advance(60)
        assert self.writer.wants_store
        self.try_to_open()

    def stored(self) -> list[str]:
        self.writer.close()
        with closing(self.switch.look()) as store:
            return [document["_id"] for document in reversed(store.latest(READINGS, 10_000))]

    def told(self) -> list[str]:
        """Failures, then the good news, which is none."""
        found, self.writer.reports = self.writer.reports, []
        returns, self.writer.returns = self.writer.returns, []
        return [*(f"{type(error).__name__}: {error}" for error in found), *(f"no failure: {text}" for text in returns)]

    def __getitem__(self, key: str) -> Any:
        return self.writer.status()[key]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.writer.close()


def test_documents_go_into_the_store(bench: Bench) -> None:
    bench.writer.start(bench.switch.open)
    bench.readings("a", "b")
    bench.error("e")
    assert (bench["condition"], bench["stored"], bench["pending"], bench["journaled"]) == ("stored", 3, 0, 0)
    assert bench["store"].startswith("SQLite")
    assert bench.told() == []
    assert bench.stored() == ["a", "b"]


def test_a_store_that_is_away_from_the_start(bench: Bench) -> None:
    bench.switch.away = True
    bench.writer.start(bench.switch.open)
    assert bench.told() == ["StoreUnavailable: the plug is out"]
    bench.readings("a")
    bench.error("e")
    assert (bench["condition"], bench["pending"], bench["journaled"]) == ("away", 2, 2)
    assert bench["away_reason"] == "the plug is out"
    bench.come_back()
    bench.writer.replay(1.0)
    assert (bench["condition"], bench["pending"], bench["replayed"], bench["stored"]) == ("stored", 0, 2, 2)
    (told,) = bench.told()
    assert told.startswith("no failure: the store is back after 60.0 s: 2 documents were replayed, 0 were lost")
    assert "it had been away: the plug is out" in told
    assert bench["away_since"] is None


def test_one_report_away_and_one_back_however_much_came(bench: Bench) -> None:
    bench.writer.start(bench.switch.open)
    bench.readings("before")
    bench.switch.away = True
    for number in range(50):
        bench.readings(f"r{number:02}")
        bench.clock.advance(1)
        if bench.writer.wants_store:
            bench.try_to_open()
    assert len(bench.told()) == 1
    assert bench.switch.calls < 15  # it was not asked for every document
    bench.come_back()
    bench.writer.replay(10)
    assert len(bench.told()) == 1
    bench.readings("after")
    assert bench.stored() == ["before", *(f"r{number:02}" for number in range(50)), "after"]


def test_the_pauses_between_probes_grow(bench: Bench) -> None:
    assert [probe_pause(failures) for failures in (0, 1, 2, 3, 4, 5, 50)] == [1, 2, 4, 8, 16, 30, 30]
    bench.switch.away = True
    bench.writer.start(bench.switch.open)
    for pause in (1, 2, 4, 8, 16, 30, 30):
        bench.clock.advance(pause - 0.01)
        assert not bench.writer.wants_store
        bench.clock.advance(0.02)
        assert bench.writer.wants_store
        bench.try_to_open()


def test_documents_that_come_during_the_replay_stay_behind_it(bench: Bench) -> None:
    bench.switch.away = True
    bench.writer.start(bench.switch.open)
    for number in range(10):
        bench.readings(f"old{number}", text="x" * 500)
    bench.come_back()
    assert (bench.writer.replaying, bench["condition"]) == (True, "replaying")
    bench.readings("new")
    assert bench["pending"] == 11
    bench.writer.replay(10)
    assert bench.stored() == [*(f"old{number}" for number in range(10)), "new"]


def test_a_replay_stops_when_its_time_is_over(bench: Bench) -> None:
    bench.switch.away = True
    bench.writer.start(bench.switch.open)
    for number in range(10):
        bench.error(f"e{number}")
    bench.come_back()
    bench.writer.replay(0.0)  # at least one step
    assert bench["pending"] == 9
    assert len(bench.told()) == 1  # not back yet
    bench.writer.replay(10.0)
    assert bench["pending"] == 0


@pytest.mark.parametrize("fail_in", range(1, 12))
def test_the_store_goes_away_again_at_any_moment_of_the_replay(bench: Bench, fail_in: int) -> None:
    bench.switch.away = True
    bench.writer.start(bench.switch.open)
    names = []
    for number in range(5):
        bench.readings(f"r{number}")
        bench.error(f"e{number}")
        names.append(f"r{number}")
    bench.come_back()
    bench.switch.fail_in = fail_in - 1
    bench.writer.replay(10)
    if bench.switch.away:
        assert bench["condition"] == "away"
        assert len(bench.told()) == 1  # the same absence
        bench.come_back()
        bench.writer.replay(10)
    assert bench["pending"] == 0
    assert bench.stored() == names
    with closing(bench.switch.look()) as store:
        (group,) = store.latest(ERRORS)
        assert group["occurrences"] == 5


def test_a_store_that_opens_but_takes_nothing_is_still_the_same_absence(bench: Bench) -> None:
    """A full disk: opening works, writing does not."""
    bench.writer.start(bench.switch.open)
    for number in range(5):
        bench.switch.fail_in = 0
        bench.readings(f"r{number}")
        bench.writer.replay(10)
        assert bench["condition"] == "away"
        bench.come_back()
    assert len(bench.told()) == 1
    bench.writer.replay(10)
    assert len(bench.told()) == 1
    assert bench.stored() == [f"r{number}" for number in range(5)]


def test_opened_again_with_an_empty_journal_it_is_back_with_the_first_write(bench: Bench) -> None:
    bench.switch.away = True
    bench.writer.start(bench.switch.open)
    bench.come_back()
    bench.writer.replay(1)
    assert bench["condition"] == "returning"
    bench.readings("a")
    assert (bench["condition"], bench["stored"], bench["journaled"]) == ("stored", 1, 0)
    assert len(bench.told()) == 2


# --- start


@pytest.mark.parametrize("error", [StoreInUse("by process 7"), ConfigurationError("newer schema")])
def test_what_the_user_must_change_ends_the_start(bench: Bench, error: Exception) -> None:
    def refuse() -> SqliteStore:
        raise error

    with pytest.raises(type(error)):
        bench.writer.start(refuse)


def test_what_an_earlier_run_left_is_replayed_first(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    first.switch.away = True
    first.writer.start(first.switch.open)
    first.readings("a")
    first.writer.close()
    second = Bench(tmp_path)
    second.writer.start(second.switch.open)
    assert second.writer.replaying
    second.readings("b")
    second.writer.replay(10)
    assert second.told() == []  # the store was never away in this run
    assert second["replayed"] == 2
    assert second.stored() == ["a", "b"]


def test_a_torn_tail_is_told(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    first.switch.away = True
    first.writer.start(first.switch.open)
    first.readings("a")
    first.writer.close()
    (file,) = (tmp_path / "journal").glob("*.journal")
    with file.open("ab") as journal:
        journal.write(b"\xffFEJ torn")
    second = Bench(tmp_path)
    second.writer.start(second.switch.open)
    (told,) = second.told()
    assert "9 bytes of an unfinished entry were cut off" in told
    assert "1 entries are whole" in told
    second.writer.close()


# --- refused, dropped, defects


def test_a_refused_document_does_not_take_the_others_with_it(bench: Bench) -> None:
    bench.writer.start(bench.switch.open)
    at = bench.clock.utc_now()
    documents = ({"_id": "a", "at": at}, {"_id": "bad", "at": at, "x": {1}}, {"_id": "b", "at": at})
    bench.writer.accept(StoreDocuments(READINGS, documents))
    assert (bench["stored"], bench["refused"], bench["condition"]) == (2, 1, "stored")
    (told,) = bench.told()
    assert told.startswith("DocumentRefused: document 'bad' x: set is not a type")
    assert "'bad'" in (bench.folder / "journal" / "refused.jsonl").read_text()
    assert bench.stored() == ["a", "b"]


def test_the_same_while_the_store_is_away(bench: Bench) -> None:
    bench.switch.away = True
    bench.writer.start(bench.switch.open)
    bench.told()
    at = bench.clock.utc_now()
    documents = ({"_id": "a", "at": at}, {"_id": "bad", "at": at, "x": 2**70}, {"_id": "b", "at": at})
    bench.writer.accept(StoreDocuments(READINGS, documents))
    bench.writer.accept(StoreDocuments(READINGS, documents[1:2]))
    bench.writer.accept(CountError({"_id": "e", "at": at}))
    assert (bench["journaled"], bench["refused"], bench["pending"]) == (2, 3, 1)
    assert len(bench.told()) == 1
    bench.come_back()
    bench.writer.replay(10)
    assert bench.stored() == ["a", "b"]


def test_reports_of_refused_documents_do_not_cause_each_other(bench: Bench) -> None:
    bench.writer.start(bench.switch.open)
    for _ in range(100):
        bench.writer.accept(CountError({"_id": "e", "at": bench.clock.utc_now()}))
        bench.clock.advance(1)
    told = bench.told()
    assert len(told) == 2
    assert "60 refused since the last report" in told[1]
    assert bench["refused"] == 100


def test_a_document_that_only_the_store_refuses_does_not_block_the_replay(bench: Bench) -> None:
    bench.switch.away = True
    bench.writer.start(bench.switch.open)
    for name in ("a", "b", "c"):
        bench.readings(name)
    bench.come_back()
    bench.switch.defect = DocumentRefused("the database's own rules")  # for the merged call, then each for itself
    bench.writer.replay(10)
    assert bench["pending"] == 0
    assert bench.stored() == ["a", "b", "c"]


def test_when_the_journal_is_full_it_is_counted_and_told_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, budget=2000)
    bench.switch.away = True
    bench.writer.start(bench.switch.open)
    for number in range(50):
        bench.readings(f"r{number}")
    dropped = bench["dropped"]
    assert 0 < dropped < 50
    assert bench["journaled"] == 50 - dropped
    _, full = bench.told()
    assert full.startswith("JournalFull: the journal")
    assert "what is read is lost until the store is back or the journal has room" in full
    bench.come_back()
    bench.writer.replay(10)
    (back,) = bench.told()
    assert back.startswith("JournalFull: the store is back"), "the report of the beginning was lost with the rest"
    assert f"{50 - dropped} documents were replayed, {dropped} were lost" in back
    assert len(bench.stored()) == 50 - dropped
    assert JournalFull.retryable


def test_a_journal_that_is_full_while_it_is_replayed_is_told_with_its_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path, budget=2000)
    bench.switch.away = True
    bench.writer.start(bench.switch.open)
    bench.readings("a", text="x" * 1500)
    bench.writer.close()
    bench.switch.away = False
    bench.told()
    bench.writer = Writer(bench.journal, bench.clock, RetentionSettings())  # it has no absence to tell it with
    bench.writer.start(bench.switch.open)
    bench.readings("b", text="x" * 1500)
    assert bench["losing_since"] is not None
    (full,) = bench.told()
    assert full.startswith("JournalFull: ")
    bench.writer.replay(10)
    bench.readings("c")
    (over,) = bench.told()
    assert over.startswith("JournalFull: documents are kept again: 1 were lost")
    assert (bench["losing_since"], bench["dropped"]) == (None, 1)
    assert bench.stored() == ["a", "c"]


def test_what_was_lost_before_the_store_went_away_counts_at_its_return(tmp_path: Path) -> None:
    bench = Bench(tmp_path, budget=2000)
    bench.switch.away = True
    bench.writer.start(bench.switch.open)
    bench.readings("a", text="x" * 1500)
    bench.writer.close()
    bench.switch.away = False
    bench.writer = Writer(bench.journal, bench.clock, RetentionSettings())
    bench.writer.start(bench.switch.open)
    bench.readings("b", text="x" * 1500)
    bench.switch.away = True
    bench.writer.replay(10)
    bench.come_back()
    bench.told()
    bench.writer.replay(10)
    (back,) = bench.told()
    assert "1 documents were replayed, 1 were lost" in back and back.startswith("JournalFull: ")
    bench.writer.close()


def test_a_small_document_that_still_fits_is_no_end_of_the_losses(tmp_path: Path) -> None:
    bench = Bench(tmp_path, budget=2000)
    bench.switch.away = True
    bench.writer.start(bench.switch.open)
    for number in range(2):
        bench.readings(f"large{number}", text="x" * 1500)
        bench.readings(f"small{number}")
    assert (bench["dropped"], len(bench.told())) == (1, 2)
    bench.clock.advance(QUIET)
    bench.error("e")
    (over,) = bench.told()
    assert "documents are kept again: 1 were lost in 0.0 s" in over
    assert (bench["losing_since"], bench["condition"]) == (None, "away")
    bench.writer.close()


def test_a_defect_ends_the_incarnation_but_not_the_documents(bench: Bench) -> None:
    bench.writer.start(bench.switch.open)
    bench.switch.defect = ZeroDivisionError("oh")
    with pytest.raises(ZeroDivisionError):
        bench.readings("a")
    assert "unexpected ZeroDivisionError: oh" in (bench.folder / "journal" / "refused.jsonl").read_text()


def test_a_defect_in_the_replay_does_not_come_again(bench: Bench) -> None:
    bench.switch.away = True
    bench.writer.start(bench.switch.open)
    bench.error("e1")
    bench.error("e2")
    bench.come_back()
    bench.switch.defect = ZeroDivisionError("oh")
    with pytest.raises(ZeroDivisionError):
        bench.writer.replay(10)
    assert bench["pending"] == 1
    bench.writer.replay(10)
    assert bench["pending"] == 0


# --- purge


def test_purge_by_collection(bench: Bench) -> None:
    bench.writer.start(bench.switch.open)
    now = bench.clock.utc_now()
    for collection in Collection:
        documents = tuple(
            {"_id": f"{collection}{days}", "at": now - timedelta(days=days)} for days in (1, 8, 31, 91, 3651)
        )
        bench.writer.accept(StoreDocuments(collection, documents))
    bench.writer.purge()
    bench.writer.close()
    with closing(bench.switch.look()) as store:
        assert [store.count(collection) for collection in Collection] == [1, 3, 2, 4]
    assert bench.writer.counters.purged == 10


def test_purge_with_a_limit_beyond_all_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.writer = Writer(bench.journal, bench.clock, RetentionSettings(readings=1e9, events=1.0))
    bench.writer.start(bench.switch.open)
    old = ({"_id": "a", "at": datetime(1970, 1, 1, tzinfo=UTC)},)
    bench.writer.accept(StoreDocuments(READINGS, old))
    bench.writer.accept(StoreDocuments(Collection.EVENTS, old))
    bench.writer.purge()
    assert bench["purged"] == 1
    bench.writer.close()


def test_purge_while_it_is_away(bench: Bench) -> None:
    bench.writer.start(bench.switch.open)
    bench.switch.away = True
    bench.writer.purge()
    assert bench["condition"] == "away"
    bench.writer.purge()
    assert len(bench.told()) == 1
