"""A failure's whole way with live actors: raised in an actor, told by Cerberus, redacted, counted in a real store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.bug.actor import BugActor
from foureyes_actors.bug.faults import fault_from_exit
from foureyes_actors.forgewright.actor import ForgewrightActor
from foureyes_actors.messages import Collection, Fault, Flush, GetStatus
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.store_sqlite import SqliteStore
from foureyes_actors.recorder.actor import RecorderActor
from foureyes_actors.recorder.journal import Journal
from foureyes_actors.settings import RetentionSettings
from supervisors.actor import SupervisedActor
from supervisors.context import Tree
from supervisors.inbox import InboxFull
from supervisors.messages import ExitNotice
from supervisors.policy import Backoff
from supervisors.specs import ChildSpec
from tests.bug.make import a_fault
from tests.support import eventually, start_tree

CANARY = "c4n4ry-7f3a"
CLOCK = SystemClock()


class Victim(SupervisedActor):
    def on_receive(self, message: Any) -> Any:
        raise ValueError(f"cannot read {message} with password={CANARY}")


class Live:
    """recorder (SQLite), bug, forgewright and a victim under Cerberus."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.tree = folder, Tree()
        recorder = ChildSpec(
            "recorder",
            lambda context: RecorderActor(
                context,
                open_store=lambda: SqliteStore(folder / "foureyes.sqlite3"),
                journal=Journal(folder / "journal"),
                clock=CLOCK,
                retention=RetentionSettings(),
            ),
            start_timeout=30.0,
        )
        bug = ChildSpec("bug", lambda context: BugActor(context, clock=CLOCK, secrets=(CANARY,)))
        forgewright = ChildSpec("forgewright", ForgewrightActor)
        victim = ChildSpec("victim", Victim, backoff=Backoff(first=0.01, longest=0.05))
        self.children = (recorder, bug, forgewright, victim)
        self.root = start_tree(self.tree, self.children, on_exit=self._on_exit)

    def _on_exit(self, notice: ExitNotice) -> None:
        assert notice.error is not None
        fault = fault_from_exit(
            notice.error,
            notice.stack_trace,
            notice.frames,
            source=notice.child,
            clock=CLOCK,
            context={"stage": notice.stage},
        )
        self.tree.directory.tell("bug", fault)

    def ask(self, name: str, message: object) -> Any:
        return self.tree.directory.ask(name, message, 60)

    def recorded(self) -> int:
        return int(self.ask("bug", GetStatus())["recorded"])

    def stop(self) -> None:
        self.root.stop(20.0)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    made = Live(tmp_path)
    try:
        yield made
    finally:
        made.stop()


def stored(folder: Path) -> list[dict[str, Any]]:
    store = SqliteStore(folder / "foureyes.sqlite3")
    try:
        return store.latest(Collection.ERRORS)
    finally:
        store.close()


def test_an_actors_death_is_one_group_with_its_occurrences_and_no_secret_on_disk(tmp_path: Path) -> None:
    live = Live(tmp_path)
    try:
        for number in (1, 2, 3):
            live.tree.directory.tell("victim", f"frame {number}")
            eventually(lambda n=number: live.recorded() == n, 30, f"death {number} is recorded")  # type: ignore[misc]
        assert live.ask("recorder", Flush()) is True
        triaged = live.ask("forgewright", GetStatus())
    finally:
        live.stop()
    (group,) = stored(tmp_path)
    assert group["occurrences"] == 3 and group["fingerprint"].startswith("v2-")
    assert (group["source"], group["exception_type"], group["severity"]) == ("victim", "ValueError", "High")
    assert group["message"] == "cannot read frame 3 with password=[redacted]"
    assert "Victim" not in group["component"] and "on_receive" in group["stack_trace"]
    assert triaged["by_class"] == {"unknown": 3}
    on_disk = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"victim" in on_disk and CANARY.encode() not in on_disk


def test_a_storm_from_a_thread_leaves_the_tree_alive(live: Live) -> None:
    """As fast as one thread can tell: full inboxes are the sender's to count, all that came in is accounted for."""
    refused = 0
    for _ in range(20_000):
        try:
            live.tree.directory.tell("bug", a_fault(at=CLOCK.utc_now()))
        except InboxFull:
            refused += 1
    eventually(lambda: settled(live), 60, "the last one goes out")
    status = live.ask("bug", GetStatus())
    assert status["received"] + refused == 20_000 and status["own_failures"] == 0
    assert status["recorded"] + status["suppressed"] == status["received"]
    live.tree.directory.tell("bug", another := a_fault(KeyError("another"), at=CLOCK.utc_now()))
    eventually(lambda: last(live) == another.message, 30, "another group is heard")
    assert live.ask("recorder", Flush()) is True


def settled(live: Live) -> bool:
    """Everything is handled and nothing waits for its second. A full inbox takes no question either."""
    try:
        return bool(live.ask("bug", GetStatus())["waiting"] == 0)
    except InboxFull:
        return False


def last(live: Live) -> str:
    return str(live.ask("bug", GetStatus())["last"]["message"])


def test_the_store_counts_what_was_not_suppressed(tmp_path: Path) -> None:
    live = Live(tmp_path)
    fault: Fault = a_fault()
    try:
        for _ in range(50):
            live.tree.directory.tell("bug", a_fault(at=CLOCK.utc_now()))
        eventually(lambda: settled(live), 60, "the last one goes out")
        status = live.ask("bug", GetStatus())
        assert live.ask("recorder", Flush()) is True
    finally:
        live.stop()
    (group,) = stored(tmp_path)
    assert group["occurrences"] == status["recorded"] and group["exception_type"] == fault.exception_type
    assert group["occurrences"] + int(group["context"]["suppressed"]) == 50
