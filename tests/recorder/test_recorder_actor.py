"""The recorder as an actor: by hand with a fake context, and for real under Cerberus with a server that is killed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.bug.document import error_document
from foureyes_actors.bug.faults import TOLD, fault_from_exception
from foureyes_actors.bug.fingerprint import fingerprint
from foureyes_actors.commands.error_commands import Wanted, list_lines
from foureyes_actors.errors import ConfigurationError, StoreInUse, StoreUnavailable
from foureyes_actors.messages import (
    Collection,
    CountError,
    Event,
    EventKind,
    Fault,
    Flush,
    GetStatus,
    StoreDocuments,
    Tick,
)
from foureyes_actors.ports.clock import ManualClock, SystemClock
from foureyes_actors.ports.store import StorePort
from foureyes_actors.ports.store_mongo import MongoStore
from foureyes_actors.ports.store_sqlite import SqliteStore
from foureyes_actors.ports.stores import StoreOpener
from foureyes_actors.recorder.actor import RecorderActor, ReplayOn, StoreOpened
from foureyes_actors.recorder.journal import BUDGET, Journal
from foureyes_actors.recorder.losses import QUIET
from foureyes_actors.recorder.outages import OVER
from foureyes_actors.settings import RetentionSettings, StoreSettings
from foureyes_actors.settings.bug import BugSettings
from supervisors.actor import ActorContext, SupervisedActor
from supervisors.context import Tree
from supervisors.inbox import InboxFull
from supervisors.policy import Backoff
from supervisors.specs import ChildSpec
from tests.recorder.places import FOR_EVER, MongoPlace, Secantus
from tests.recorder.switched import Switch
from tests.support import FakeContext, eventually, start_tree

T0 = datetime(2026, 3, 1, tzinfo=UTC)
READINGS = Collection.READINGS


def readings(*names: str) -> StoreDocuments:
    return StoreDocuments(READINGS, tuple({"_id": name, "at": T0} for name in names))


class Bench:
    def __init__(self, folder: Path, budget: int = BUDGET) -> None:
        self.clock, self.context = ManualClock(), FakeContext("recorder")
        self.switch = Switch(folder / "store.sqlite3")
        self.journal = Journal(folder / "journal", budget=budget)
        self.actor = self.make(self.context)

    def make(self, context: ActorContext, open_store: Callable[[], StorePort] | None = None) -> RecorderActor:
        return RecorderActor(
            context,
            open_store=open_store or self.switch.open,
            journal=self.journal,
            clock=self.clock,
            retention=RetentionSettings(),
            audience=("console",),
        )

    def status(self) -> dict[str, Any]:
        found = self.actor.on_receive(GetStatus())
        assert isinstance(found, dict)
        return found

    def faults(self) -> list[Fault]:
        return [message for message in self.context.sent_to("bug") if isinstance(message, Fault)]

    def events(self) -> list[Event]:
        return [message for message in self.context.sent_to("console") if isinstance(message, Event)]

    def opened(self) -> StoreOpened:
        """What the worker told the actor; handed on by the test."""
        eventually(lambda: any(isinstance(m, StoreOpened) for m in self.context.to_self), 30, "the worker tells")
        found = next(m for m in self.context.to_self if isinstance(m, StoreOpened))
        self.context.to_self.clear()
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.actor.on_stop()


def test_documents_are_in_the_store_when_the_next_message_is_handled(bench: Bench) -> None:
    bench.actor.on_start()
    assert bench.actor.on_receive(readings("a", "b")) is None
    assert bench.actor.on_receive(CountError({"_id": "e", "at": T0, "fingerprint": "f"})) is None
    assert bench.actor.on_receive(Flush()) is True
    assert bench.status()["stored"] == 3
    bench.actor.on_stop()
    with closing(SqliteStore(bench.switch.path)) as store:
        assert (store.count(READINGS), store.count(Collection.ERRORS)) == (2, 1)


def test_its_rhythms(bench: Bench) -> None:
    bench.actor.on_start()
    assert bench.context.ticks == [(3600.0, "purge")]
    assert bench.context.later == [(1.0, Tick("purge", 0))]


def test_it_looks_after_a_store_that_is_away_and_no_longer(bench: Bench) -> None:
    probe = (1.0, Tick("probe", 0))
    bench.actor.on_start()
    bench.switch.away = True
    for number in range(3):
        bench.actor.on_receive(readings(f"r{number}"))
    assert bench.context.later.count(probe) == 1  # one at a time
    bench.switch.away = False
    bench.clock.advance(60)
    bench.actor.on_receive(Tick("probe", 0))
    assert bench.context.later.count(probe) == 2
    bench.actor.on_receive(bench.opened())
    bench.actor.on_receive(ReplayOn())
    bench.actor.on_receive(Tick("probe", 0))
    assert (bench.context.later.count(probe), bench.status()["condition"]) == (2, "stored")


def test_a_bug_actor_that_is_full_does_not_end_the_recorder(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(name: str, _message: object) -> bool:
        raise InboxFull(f"{name} has 1000 messages waiting")

    monkeypatch.setattr(bench.context, "tell", full)
    bench.actor.on_start()
    bench.switch.away = True
    bench.actor.on_receive(readings("a"))
    assert bench.status()["pending"] == 1
    assert bench.status()["undelivered"] == {"console": 1, "bug": 2}, "the event, the fault about it, the edge"


def test_away_and_back(bench: Bench) -> None:
    bench.actor.on_start()
    bench.switch.away = True
    for number in range(10):
        bench.actor.on_receive(readings(f"r{number}"))
    assert bench.status()["condition"] == "away"
    assert bench.status()["pending"] == 10
    assert bench.actor.on_receive(Flush()) is True  # durable, in the journal
    (event,) = bench.events()
    assert (event.kind, event.before, event.after) == (EventKind.STORE_CHANGED, "stored", "away")
    (fault,) = bench.faults()
    assert TOLD in fault.context, "the log need not say it again"
    assert (fault.source, fault.exception_type) == ("recorder", "foureyes_actors.errors.StoreUnavailable")
    assert fault.context["condition"] == "away"

    bench.clock.advance(2)
    bench.actor.on_receive(Tick("probe", 1))
    bench.actor.on_receive(bench.opened())  # still away
    assert bench.status()["condition"] == "away"

    bench.switch.away = False
    bench.clock.advance(60)
    bench.actor.on_receive(Tick("probe", 2))
    bench.actor.on_receive(bench.opened())
    assert ReplayOn() in bench.context.to_self
    bench.actor.on_receive(ReplayOn())
    status = bench.status()
    assert (status["condition"], status["pending"], status["replayed"]) == ("stored", 0, 10)
    assert [event.after for event in bench.events()] == ["away", "stored"]
    assert "is back after 62.0 s: 10 documents were replayed" in bench.events()[1].reason
    assert bench.faults() == [fault], "that it is back is no failure"


@pytest.mark.parametrize("told_in_time", [True, False], ids=["told while it was away", "told when it was back"])
def test_an_outage_is_in_the_store_with_its_end(bench: Bench, told_in_time: bool) -> None:
    """Also one that an earlier run has left in the journal: the store that takes it is there."""

    def count(fault: Fault) -> None:
        bench.actor.on_receive(CountError(error_document(fault, fingerprint(fault), {})))

    bench.actor.on_start()
    bench.switch.away = True
    bench.actor.on_receive(readings("a"))
    (outage,) = bench.faults()
    other = fault_from_exception(StoreUnavailable("somebody else's"), source="capture", clock=bench.clock)
    count(other)
    if told_in_time:
        count(outage)
    bench.clock.advance(60)
    bench.switch.away = False
    bench.actor.on_receive(Tick("probe", 0))
    bench.actor.on_receive(bench.opened())
    bench.actor.on_receive(ReplayOn())
    if not told_in_time:
        count(outage)
    back = bench.clock.utc_now()
    bench.actor.on_stop()
    with closing(SqliteStore(bench.switch.path)) as store:
        groups = {group["source"]: group for group in store.latest(Collection.ERRORS, 9)}
        assert set(groups) == {"recorder", "capture"}, "and no group that says that the store is back"
        assert OVER not in groups["capture"]["context"]
        assert groups["recorder"]["context"][OVER] == f"since {back:%Y-%m-%d %H:%M:%S} UTC, after 60.0 s"
        listed = list(list_lines(store, Wanted(9), back, BugSettings()))
    assert [line.endswith("the plug is out  (over)") for line in listed[2:]].count(True) == 1, listed
    assert not any("is back" in line for line in listed)


def test_an_outage_that_comes_again_is_not_over(bench: Bench) -> None:
    """A group has the context of its newest occurrence."""
    bench.actor.on_start()
    at = bench.clock.utc_now()
    fault = fault_from_exception(StoreUnavailable("gone"), source="recorder", clock=bench.clock)
    bench.actor.on_receive(CountError(error_document(fault, "v2-f", {})))
    bench.actor.on_stop()
    with closing(SqliteStore(bench.switch.path)) as store:
        again = {**error_document(fault, "v2-f", {}), "_id": "0" * 32, "at": at + timedelta(seconds=9)}
        store.count_occurrence({**again, "last_at": again["at"]})
        (group,) = store.latest(Collection.ERRORS, 9)
    assert (group["occurrences"], OVER in group["context"]) == (2, False)


def test_a_store_that_is_away_at_the_start_is_told_as_soon_as_somebody_is_there(bench: Bench) -> None:
    """The recorder starts before those it tells."""
    bench.context.absent = ("console", "bug")
    bench.switch.away = True
    bench.actor.on_start()
    assert (1.0, Tick("probe", 0)) in bench.context.later
    bench.context.absent = ()
    bench.actor.on_receive(Tick("probe", 0))
    bench.actor.on_receive(Tick("probe", 0))
    (event,) = bench.events()
    assert (event.kind, event.before, event.after) == (EventKind.STORE_CHANGED, None, "away")
    assert event.reason == bench.status()["away_reason"] == "the plug is out"
    (fault,) = bench.faults()
    assert (fault.message, TOLD in fault.context) == ("the plug is out", True)
    assert bench.status()["undelivered"] == {}


def test_losses_are_an_event_when_they_begin_and_when_they_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path, budget=2000)
    bench.actor.on_start()
    bench.switch.away = True
    large = StoreDocuments(READINGS, ({"_id": "large", "at": T0, "text": "x" * 2000},))
    bench.actor.on_receive(large)  # the store is away and the journal is full, at once
    (losing,) = bench.events()
    assert (losing.before, losing.after) == ("stored", "losing")
    assert losing.reason.startswith("the plug is out; the journal ")
    assert all(TOLD in fault.context for fault in bench.faults())
    bench.actor.on_receive(large)
    bench.clock.advance(QUIET)
    bench.actor.on_receive(readings("small"))
    bench.actor.on_receive(bench.opened())  # still away
    bench.actor.on_receive(large)
    bench.switch.away = False
    bench.clock.advance(60)
    bench.actor.on_receive(Tick("probe", 0))
    bench.actor.on_receive(bench.opened())
    bench.actor.on_receive(ReplayOn())
    assert [event.after for event in bench.events()] == ["losing", "away", "losing", "stored"]
    assert "documents are kept again: 2 were lost" in bench.events()[1].reason
    assert "1 documents were replayed, 3 were lost" in bench.events()[3].reason
    assert len(bench.faults()) == 5, "each once"
    bench.actor.on_stop()


def test_what_was_lost_is_in_the_store_as_the_critical_failure_that_it_is(tmp_path: Path) -> None:
    """Nothing that was told while neither took anything is there."""
    bench = Bench(tmp_path, budget=20)
    bench.actor.on_start()
    bench.switch.away = True
    bench.actor.on_receive(readings("lost"))
    told = bench.faults()
    for fault in told:
        bench.actor.on_receive(CountError(error_document(fault, fingerprint(fault), {})))
    assert bench.status()["journaled"] == 0
    bench.switch.away = False
    bench.clock.advance(60)
    bench.actor.on_receive(Tick("probe", 0))
    bench.actor.on_receive(bench.opened())
    bench.actor.on_receive(readings("kept"))
    (back,) = bench.faults()[len(told) :]
    bench.actor.on_receive(CountError(error_document(back, fingerprint(back), {})))
    assert "0 documents were replayed, 3 were lost" in back.message
    assert back.message == bench.events()[-1].reason and TOLD in back.context
    bench.actor.on_stop()
    with closing(SqliteStore(bench.switch.path)) as store:
        assert [each["severity"] for each in store.latest(Collection.ERRORS, 9)] == ["Critical"]


def test_only_one_opening_at_a_time(bench: Bench) -> None:
    bench.switch.away = True
    bench.actor.on_start()
    calls = bench.switch.calls
    bench.clock.advance(60)
    for number in range(5):
        bench.actor.on_receive(Tick("probe", number))
    bench.actor.on_receive(bench.opened())
    for number in range(5):
        bench.actor.on_receive(Tick("probe", number))
    assert bench.switch.calls == calls + 1  # the pause is not over
    assert bench.status()["condition"] == "away"


def test_a_store_that_an_earlier_incarnation_has_opened_is_closed(bench: Bench) -> None:
    bench.actor.on_start()
    stale = SqliteStore(bench.switch.path.with_name("other"))
    bench.actor.on_receive(StoreOpened(stale, incarnation=0))
    bench.actor.on_receive(readings("a"))
    assert bench.status()["stored"] == 1
    SqliteStore(bench.switch.path.with_name("other")).close()  # it is free


@pytest.mark.parametrize("error", [StoreInUse("in use by process 7"), ConfigurationError("newer schema")])
def test_what_the_user_must_change_ends_on_start_and_frees_the_journal(bench: Bench, error: Exception) -> None:
    def refuse() -> StorePort:
        raise error

    with pytest.raises(type(error)):
        bench.make(FakeContext("recorder"), refuse).on_start()
    bench.actor.on_start()


def test_a_defect_frees_store_and_journal_for_the_next_incarnation(bench: Bench) -> None:
    bench.actor.on_start()
    bench.switch.defect = ZeroDivisionError("oh")
    with pytest.raises(ZeroDivisionError):
        bench.actor.on_receive(readings("a"))
    bench.actor = bench.make(FakeContext("recorder", incarnation=2))
    bench.actor.on_start()
    bench.actor.on_receive(readings("b"))
    assert bench.status()["stored"] == 1


def test_the_purge_tick(bench: Bench) -> None:
    bench.actor.on_start()
    old = {"_id": "old", "at": datetime(2000, 1, 1, tzinfo=UTC)}
    bench.actor.on_receive(StoreDocuments(READINGS, (old, {"_id": "new", "at": bench.clock.utc_now()})))
    bench.actor.on_receive(Tick("purge", 1))
    assert bench.status()["purged"] == 1
    assert bench.context.later == [(1.0, Tick("purge", 0)), (1.0, Tick("purge", 0))]  # perhaps there is more
    bench.actor.on_receive(Tick("purge", 0))
    assert len(bench.context.later) == 2  # no, there was not


def test_the_end_finishes_a_replay_that_has_begun(bench: Bench) -> None:
    bench.switch.away = True
    bench.actor.on_start()
    bench.actor.on_receive(readings("a"))
    bench.switch.away = False
    bench.clock.advance(60)
    bench.actor.on_receive(Tick("probe", 1))
    bench.actor.on_receive(bench.opened())
    bench.actor.on_stop()
    with closing(SqliteStore(bench.switch.path)) as store:
        assert store.count(READINGS) == 1


def test_no_thread_is_left(bench: Bench) -> None:
    before = set(threading.enumerate())
    bench.actor.on_start()
    bench.actor.on_stop()
    eventually(lambda: not set(threading.enumerate()) - before, 30, "the worker ends")


# --- for real


class Listener(SupervisedActor):
    """Takes the faults."""

    def __init__(self, context: ActorContext, faults: list[Fault]) -> None:
        super().__init__(context)
        self.faults = faults

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Fault):
            self.faults.append(message)


class Live:
    """A tree of two: the recorder and somebody called bug."""

    def __init__(self, folder: Path, open_store: Callable[[], StorePort]) -> None:
        self.tree, self.faults = Tree(), list[Fault]()
        self.journal, self.open_store = Journal(folder / "journal"), open_store
        quick = Backoff(first=0.01, longest=0.05)
        children = (
            ChildSpec("bug", lambda context: Listener(context, self.faults)),
            ChildSpec("recorder", self.recorder, start_timeout=30, stop_timeout=10, backoff=quick),
        )
        self.root = start_tree(self.tree, children)

    def recorder(self, context: ActorContext) -> RecorderActor:
        return RecorderActor(
            context,
            open_store=self.open_store,
            journal=self.journal,
            clock=SystemClock(),
            retention=FOR_EVER,
            probe_every=0.1,
        )

    def tell(self, message: object) -> None:
        assert self.tree.directory.tell("recorder", message)

    def ask(self, message: object) -> Any:
        return self.tree.directory.ask("recorder", message, 60)

    def stop(self) -> None:
        self.root.stop(20)


def test_a_server_that_is_killed_and_comes_back_costs_nothing(tmp_path: Path) -> None:
    server = Secantus(tmp_path)
    server.start()
    place = MongoPlace(server.uri)
    live = Live(tmp_path, lambda: MongoStore(place.uri, place.database, timeout=5.0, retention=FOR_EVER))
    try:
        for number in range(10):
            live.tell(readings(f"before{number}"))
        assert live.ask(Flush()) is True
        server.kill()
        for number in range(10):
            live.tell(readings(f"away{number}"))
            live.tell(CountError({"_id": f"e{number}", "at": T0, "fingerprint": "f"}))
        assert live.ask(Flush()) is True
        assert live.ask(GetStatus())["condition"] == "away"
        server.start()
        eventually(lambda: live.ask(GetStatus())["condition"] == "stored", 60, "the journal is replayed")
        live.tell(readings("after"))
        assert live.ask(Flush()) is True
        with closing(place.open()) as store:
            assert store.count(READINGS) == 21
            (group,) = store.latest(Collection.ERRORS)
            assert group["occurrences"] == 10
        live.tree.directory.ask("bug", "is that all?", 60)  # after all that it was told
        assert len(live.faults) == 1, "that it is back is no failure"
    finally:
        live.stop()
        server.kill()


def test_a_replaced_recorder_goes_on_with_the_same_inbox(tmp_path: Path) -> None:
    switch = Switch(tmp_path / "store.sqlite3")
    live = Live(tmp_path, switch.open)
    live.tell(readings("a"))
    assert live.ask(Flush()) is True
    switch.defect = ZeroDivisionError("oh")
    for name in ("lost-to-refused", "b", "c"):
        live.tell(readings(name))
    eventually(lambda: switch.opened == 2, 30, "the recorder is replaced")
    assert live.ask(Flush()) is True
    live.stop()
    with closing(SqliteStore(switch.path)) as store:
        assert [found["_id"] for found in reversed(store.latest(READINGS))] == ["a", "b", "c"]
    assert "lost-to-refused" in (tmp_path / "journal" / "refused.jsonl").read_text()


def test_a_fenced_one_that_comes_back_takes_nothing_from_its_replacement(tmp_path: Path) -> None:
    """Neither the journal, which both share, nor what waits in it; and its own thread ends with it."""
    before, old = set(threading.enumerate()), Bench(tmp_path)
    old.actor.on_start()
    old.switch.away = True
    for name in ("a", "b"):
        old.actor.on_receive(readings(name))
    new = old.make(FakeContext("recorder", incarnation=2), StoreOpener(StoreSettings(), tmp_path / "other"))
    new.on_start()
    old.actor._writer._journal.acknowledge(1, old.actor._writer)  # what it was at when it was fenced
    old.actor.on_failure(TimeoutError, TimeoutError("fenced"), None)
    new.on_receive(readings("c"))
    new.on_receive(ReplayOn())
    new.on_stop()
    with closing(SqliteStore(tmp_path / "other" / "foureyes.sqlite3")) as store:
        assert [found["_id"] for found in reversed(store.latest(READINGS))] == ["a", "b", "c"]
    eventually(lambda: not set(threading.enumerate()) - before, 30, "every thread has ended")


def test_the_whole_inbox_is_durable_after_a_flush(tmp_path: Path) -> None:
    live = Live(tmp_path, StoreOpener(StoreSettings(), tmp_path))
    for number in range(500):
        live.tell(readings(f"r{number}"))
    assert live.ask(Flush()) is True
    live.stop()
    with closing(SqliteStore(tmp_path / "foureyes.sqlite3")) as store:
        assert store.count(READINGS) == 500
