"""Whatever way a failure takes, it is one document in ERR0R: with live actors, real threads, hooks and SQLite."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pykka
import pytest

from foureyes_actors.bug.fingerprint import VERSION
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from supervisors.messages import AddChild, TerminateChild
from supervisors.worker import Worker
from tests.bug.matrix import Live, Victim
from tests.replay.scenarios import joined
from tests.support import eventually

WORDS = "it fails here"


class Failed(Exception):
    """Refuses attributes, as some exceptions of libraries do."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


def fails(_: object = None) -> Any:
    raise Failed(WORDS)


def in_a_replay_point(_: object = None) -> Any:
    """A defect of the product, made to happen in one of its own replay points."""
    return joined({"grand": "1.00"})()


def raises(kind: type[BaseException]) -> Callable[[object], Any]:
    def deed(_: object) -> Any:
        raise kind(WORDS)

    return deed


def told(deed: Callable[[Any], Any]) -> Callable[[Live], None]:
    return lambda live: live.tell(deed)


def asked(live: Live) -> None:
    with pytest.raises(Failed):
        live.ask(fails)


def by_proxy(live: Live) -> None:
    """Proxies are not supported: such a call is a message like any other, and here one that nobody knows."""
    with pytest.raises(LookupError):
        first_victim().proxy().unknown(WORDS).get(timeout=10)


def first_victim() -> pykka.ActorRef[Any]:
    return next(ref for ref in pykka.ActorRegistry.get_all() if ref.actor_class.__name__ == "Bound")


def a_dropped_future(live: Live) -> None:
    first_victim().ask(fails, block=False)


class FailsToStart(Victim):
    def on_start(self) -> None:
        fails()


class FailsToBeBuilt(Victim):
    def __init__(self, context: Any) -> None:
        super().__init__(context)
        fails()


def added(kind: type[Victim]) -> Callable[[Live], None]:
    def act(live: Live) -> None:
        with contextlib.suppress(Exception):
            live.ask(AddChild(live.victim("added", kind)), "cerberus")

    return act


def at_its_stop(live: Live) -> None:
    live.ask(lambda victim: setattr(victim, "at_stop", fails))
    live.ask(TerminateChild("victim"), "cerberus")


def at_its_failure(live: Live) -> None:
    live.ask(lambda victim: setattr(victim, "at_failure", raises_key_error))
    live.tell(fails)


def raises_key_error() -> None:
    raise KeyError("of on_failure")


def in_its_worker(deed: Callable[[object], Any]) -> Callable[[Live], None]:
    """The job's error comes back as a message, and the actor raises it."""

    def act(victim: Victim) -> None:
        worker = Worker("job of the victim")

        def done(outcome: object) -> None:
            victim.context.tell_self(raised(outcome))

        worker.submit(lambda: deed(None), done)
        threading.Thread(target=worker.stop, args=(10,), name="end of the worker").start()

    return lambda live: live.tell(act)


def raised(outcome: object) -> Callable[[object], Any]:
    def deed(_: object) -> Any:
        assert isinstance(outcome, Exception)
        raise outcome

    return deed


def in_what_its_worker_does_last(live: Live) -> None:
    """``done`` itself fails; the thread lives on."""

    def act(_: Victim) -> None:
        worker = Worker("careless worker")
        worker.submit(lambda: None, fails)
        results: queue.Queue[object] = queue.Queue()
        eventually(lambda: worker.submit(lambda: "again", results.put), 10, "it takes the next job")
        assert results.get(timeout=10) == "again"
        worker.stop(10)

    live.ask(act)


def in_its_thread(live: Live) -> None:
    def act(_: Victim) -> None:
        thread = threading.Thread(target=fails, name="bare thread")
        thread.start()
        thread.join(10)

    live.ask(act)


def in_a_task(live: Live) -> None:
    """A task whose error nobody asks for, in a loop of an actor's thread."""

    async def fail() -> None:
        fails()

    async def main() -> None:
        task = asyncio.get_running_loop().create_task(fail())
        await asyncio.sleep(0)
        del task
        gc.collect()

    def act(_: Victim) -> None:
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(live.hooks.on_task)
        loop.run_until_complete(main())
        loop.close()

    live.ask(act)


class FailsInTheEnd:
    def __del__(self) -> None:
        fails()


def in_del(live: Live) -> None:
    live.ask(lambda _: str(FailsInTheEnd()) and None)


def told_and_raised(victim: Victim) -> None:
    """The actor tells what it caught, and then dies of it."""
    try:
        fails()
    except Failed as error:
        victim.tell_fault(error)
        raise


def through_five_layers(live: Live) -> None:
    """A replay point in a worker's job of an actor, which another one asks, which a third one asks, which tells what it
    caught, and dies of it."""

    def job(_: Victim) -> Any:
        outcomes: queue.Queue[Any] = queue.Queue()
        worker = Worker("job in the chain")
        worker.submit(in_a_replay_point, outcomes.put)
        outcome = outcomes.get(timeout=30)
        worker.stop(10)
        raise outcome

    def between(victim: Victim) -> Any:
        try:
            victim.ask("second", job)
        except Exception as error:
            raise RuntimeError("the second one could not") from error

    def outermost(victim: Victim) -> Any:
        try:
            victim.ask("third", between)
        except Exception as error:
            victim.tell_fault(error)
            raise

    with pytest.raises(RuntimeError, match="the second one could not"):
        live.ask(outermost)
    eventually(lambda: live.replaced("victim", "second", "third"), 30, "all three have been replaced")


@dataclass(frozen=True)
class Path_:
    name: str
    act: Callable[[Live], None]
    source: str = "victim"
    kind: str = "test_matrix.Failed"
    record: bool = False
    told: int = 1  # how often the bug actor hears of it


PATHS = (
    Path_("replay point", told(in_a_replay_point), kind="KeyError", record=True),
    Path_("tell", told(fails)),
    Path_("ask", asked),
    Path_("proxy call", by_proxy, kind="LookupError"),
    Path_("dropped future", a_dropped_future),
    Path_("on_start", added(FailsToStart), source="added"),
    Path_("on_stop", at_its_stop),
    Path_("on_failure", at_its_failure),
    Path_("__init__", added(FailsToBeBuilt), source="added"),
    Path_("SystemExit", told(raises(SystemExit)), kind="SystemExit"),
    Path_("KeyboardInterrupt", told(raises(KeyboardInterrupt)), kind="KeyboardInterrupt"),
    Path_("GeneratorExit", told(raises(GeneratorExit)), kind="GeneratorExit"),
    Path_("worker's job", in_its_worker(fails)),
    Path_("worker's job, replay point", in_its_worker(in_a_replay_point), kind="KeyError", record=True),
    Path_("worker's job, SystemExit", in_its_worker(raises(SystemExit)), kind="RuntimeError"),
    Path_("worker's done", in_what_its_worker_does_last, source="thread"),
    Path_("bare thread", in_its_thread, source="thread"),
    Path_("asyncio task", in_a_task, source="asyncio task"),
    Path_("__del__", in_del, source="unraisable"),
    Path_("told and raised", told(told_and_raised), told=2),
    Path_("five layers", through_five_layers, source="", kind="", record=True, told=2),
)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_a_failure_is_one_document(path: Path_, tmp_path: Path) -> None:
    live = Live(tmp_path)
    try:
        path.act(live)
        live.settled(path.told)
        status = live.bug()
    finally:
        live.stop()
    (group,) = live.stored()
    assert group["occurrences"] == 1 and group["fingerprint"].startswith(f"{VERSION}-"), group
    assert path.source in ("", group["source"]) and group["exception_type"].endswith(path.kind)
    assert status["received"] - status["repeated"] == 1 and status["recorded"] == 1
    assert status["hooks"]["dropped"] == status["hooks"]["failed"] == status["own_failures"] == 0
    record = group["context"].get("record")
    assert LocalPrivateFolder(tmp_path / "records").exists(f"errors/{record}.json") if path.record else record is None
    if path.name == "on_failure":
        assert "on_failure then raised KeyError" in group["stack_trace"]


def a_run(folder: Path, failures: int, recurring: int) -> Live:
    live = Live(folder)
    try:
        for number in range(1, failures + 1):
            live.tell(fails)
            eventually(lambda wanted=number: live.bug()["recorded"] == wanted, 30, "it is recorded")  # type: ignore[misc]
        eventually(lambda: live.bug()["recurring"] == recurring, 30, "it recurs, or not")
    finally:
        live.stop()
    return live


def test_a_restart_forgets_no_recurrence(tmp_path: Path) -> None:
    """Twice in one run and once in the next: the store knows, and the bug actor asks it."""
    a_run(tmp_path, failures=2, recurring=0)
    (group,) = a_run(tmp_path, failures=1, recurring=1).stored()
    assert group["occurrences"] == 3 and sum(group["history"]["days"].values()) == 3
