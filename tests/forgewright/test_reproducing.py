"""Platforms without anybody asking: with a maker told what to answer, and once for real."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from foureyes_actors.bug.keeper import RecordKeeper
from foureyes_actors.bug.redact import Redactor
from foureyes_actors.bug.severity import Severity
from foureyes_actors.errors import FourEyesError
from foureyes_actors.forgewright import programs
from foureyes_actors.forgewright.actor import ForgewrightActor, Told
from foureyes_actors.forgewright.making import Made, PlatformMaker
from foureyes_actors.forgewright.programs import NotYet, ProgramFailed
from foureyes_actors.forgewright.queue import Wanted
from foureyes_actors.forgewright.reproducing import LOOK, LOOK_EVERY, SPACING, TRIES, Reproducing
from foureyes_actors.messages import Event, Fault, FaultRecorded, GetStatus, PressureChanged, PressureLevel, Tick
from foureyes_actors.ports.clock import ManualClock, SystemClock
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.replay.codec import CodecError
from foureyes_actors.replay.confirmation import Confirmation, Level, kept_confirmation
from foureyes_actors.replay.platform_folder import Origin, platforms, wait, waiting
from foureyes_actors.replay.program import t00l5et
from foureyes_actors.text import one_line
from supervisors.actor import ActorContext
from tests.bug.make import a_fault
from tests.replay.make import failure
from tests.replay.scenarios import joined
from tests.support import TimedContext, eventually

ID = "0123abcd" * 4


def an_id(number: int) -> str:
    return f"{number:032x}"


class ToldMaker(PlatformMaker):
    """Does what it is told, in the worker's thread."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: list[Level | Exception] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.cancelled: threading.Event | None = None

    def make(self, wanted: Wanted, cancelled: threading.Event) -> Made:
        self.asked.append(wanted.record)
        self.cancelled = cancelled
        assert self.may_answer.wait(20)
        answer = self.answers.pop(0) if self.answers else Level.PORT
        if isinstance(answer, Exception):
            raise answer
        return Made(Path("platforms/x"), "KeyError", Confirmation(answer, "why", 3, 3, 1.0, "bubblewrap"))


class Bench:
    def __init__(self, folder: Path, maker: PlatformMaker, per_day: int = 10) -> None:
        self.clock = ManualClock()
        self.context = TimedContext("forgewright", self.clock)
        self.folder, self.maker = LocalPrivateFolder(folder), maker
        self.per_day = per_day
        self.actor = ForgewrightActor(
            self.context, clock=self.clock, run_id="run", audience=("console",), reproducing=self.reproducing
        )
        self.actor.on_start()
        self.work()

    def reproducing(self, context: ActorContext, made: Told) -> Reproducing:
        return Reproducing(
            context, maker=self.maker, folder=self.folder, clock=self.clock, per_day=self.per_day, made=made
        )

    def fail(self, group: str, record: str) -> None:
        fault = a_fault(KeyError("x"), source="readings")
        self.actor.on_receive(FaultRecorded(fault, group, 1, record=record))

    def work(self) -> None:
        """Until the worker has answered, and the actor has heard it."""
        eventually(lambda: bool(self.context.to_self), 20.0, "the worker answers")
        self.hear()

    def hear(self) -> None:
        while self.context.to_self:
            self.actor.on_receive(self.context.to_self.pop(0))

    def pass_time(self, seconds: float) -> None:
        self.context.pass_time(seconds, self.actor.on_receive)

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.actor.on_receive(GetStatus())["platforms"]
        return found

    @property
    def events(self) -> list[Event]:
        return [message for message in self.context.sent_to("console") if isinstance(message, Event)]


@pytest.fixture
def maker() -> ToldMaker:
    return ToldMaker()


@pytest.fixture
def bench(tmp_path: Path, maker: ToldMaker) -> Iterator[Bench]:
    made = Bench(tmp_path, maker)
    yield made
    maker.may_answer.set()
    made.actor.on_stop()


def test_a_failure_with_a_record_gets_its_platform_and_it_is_told(bench: Bench, maker: ToldMaker) -> None:
    bench.fail("g", an_id(1))
    bench.work()
    assert maker.asked == [an_id(1)]
    (event,) = bench.events
    assert (event.kind, event.subject, event.before, event.after) == (
        *("failure_reproduced", "readings", "KeyError"),
        "port",
    )
    assert event.reason == str(Path("platforms/x")), "where it is"
    (stored,) = bench.context.sent_to("recorder")
    assert stored.documents[0]["group"] == "g"  # type: ignore[attr-defined]
    assert bench.status["outcomes"] == {"port": 1} and waiting(bench.folder) == []


def test_what_could_not_be_reproduced_is_told_with_its_reason(bench: Bench, maker: ToldMaker) -> None:
    maker.answers = [Level.UNCONFIRMED]
    bench.fail("g", an_id(1))
    bench.work()
    (event,) = bench.events
    assert (event.after, event.reason) == ("unconfirmed", "why")


def test_a_failure_without_a_record_gets_none(bench: Bench, maker: ToldMaker) -> None:
    bench.fail("g", "")
    bench.pass_time(60.0)
    assert maker.asked == [] and bench.status["waiting"] == 0


def test_one_at_a_time_one_of_a_group_and_a_rest_between(bench: Bench, maker: ToldMaker) -> None:
    maker.may_answer.clear()
    bench.fail("a", an_id(1))
    for number in range(2, 9):
        bench.fail("a", an_id(number))  # while the first is in work
        bench.fail("b", an_id(100 + number))
    bench.pass_time(60.0)
    eventually(lambda: maker.asked == [an_id(1)], 20.0, "the first is in work, and no other")
    maker.may_answer.set()
    bench.work()
    bench.pass_time(SPACING - 0.1)
    assert maker.asked == [an_id(1)]
    bench.pass_time(LOOK_EVERY + 0.2)
    bench.work()
    assert maker.asked == [an_id(1), an_id(108)], "of the other group the newest record"
    bench.pass_time(60.0)
    assert len(bench.events) == 2 and bench.status["waiting"] == 0


def test_a_record_that_is_still_being_written_is_waited_for(bench: Bench, maker: ToldMaker) -> None:
    maker.answers = [NotYet("x"), NotYet("x"), Level.PORT]
    bench.fail("g", an_id(1))
    bench.work()
    for _ in range(2):
        bench.pass_time(2 * LOOK_EVERY)
        bench.work()
    assert [event.after for event in bench.events] == ["port"]


def test_a_record_that_never_comes_is_given_up(bench: Bench, maker: ToldMaker) -> None:
    maker.answers = [NotYet("there is no record")] * 100
    bench.fail("g", an_id(1))
    bench.work()
    for _ in range(TRIES):
        bench.pass_time(2 * LOOK_EVERY)
        bench.work()
    bench.pass_time(600.0)
    assert len(maker.asked) == TRIES + 1 and waiting(bench.folder) == [] and bench.events == []
    assert bench.status["last_error"] == "NotYet: there is no record"


def test_under_pressure_it_waits(bench: Bench, maker: ToldMaker) -> None:
    bench.actor.on_receive(PressureChanged(PressureLevel.SMALLER))
    bench.fail("g", an_id(1))
    bench.pass_time(600.0)
    assert maker.asked == [] and bench.status["held_back"] == "the machine is short of something"
    bench.actor.on_receive(PressureChanged(PressureLevel.NORMAL))
    bench.work()
    assert len(bench.events) == 1


def test_a_making_that_fails_has_a_pause(bench: Bench, maker: ToldMaker) -> None:
    maker.answers = [ProgramFailed("exit code 1: x"), CodecError("x"), OSError(28, "No space left on device")]
    for number in range(4):
        bench.fail(f"g{number}", an_id(number))
    bench.work()
    for _ in range(2):
        bench.pass_time(SPACING + LOOK_EVERY)
        bench.work()
    bench.pass_time(60.0)
    assert len(maker.asked) == 3 and "failed several times" in bench.status["held_back"]
    assert bench.status["outcomes"] == {"not made": 3} and "No space left" in bench.status["last_error"]
    bench.pass_time(300.0)
    bench.work()
    assert [event.after for event in bench.events] == ["port"]


def test_a_defect_of_ours_in_the_making_costs_this_platform_alone(bench: Bench, maker: ToldMaker) -> None:
    maker.answers = [ZeroDivisionError("a secret, perhaps")]
    bench.fail("g", an_id(1))
    bench.work()
    assert bench.status["last_error"] == "ZeroDivisionError: "


def test_a_day_has_its_limit_also_after_a_restart(tmp_path: Path, maker: ToldMaker) -> None:
    bench = Bench(tmp_path, maker, per_day=1)
    bench.fail("a", an_id(1))
    bench.work()
    made_before(bench.folder, "a", an_id(1), Level.PORT, bench.clock.utc_now().timestamp())
    bench.fail("b", an_id(2))
    bench.pass_time(3600.0)
    assert maker.asked == [an_id(1)] and "1 platforms were made" in bench.status["held_back"]
    bench.actor.on_stop()
    again = Bench(tmp_path, maker, per_day=1)
    again.pass_time(3600.0)
    assert maker.asked == [an_id(1)] and again.status["waiting"] == 1
    again.pass_time(86_400.0)
    again.work()
    assert maker.asked == [an_id(1), an_id(2)]
    again.actor.on_stop()


def made_before(folder: LocalPrivateFolder, group: str, record: str, level: Level, at: float) -> None:
    """As an earlier run leaves it."""
    import json

    origin = {"record": record, "group": group, "source": "readings", "at": at, "unasked": True}
    folder.write(f"repro_{record}/origin.json", json.dumps(origin).encode())
    found = {"schema": 1, "level": level, "reason": "", "runs": 3, "same": 3, "seconds": 1.0, "sandbox": "", "at": ""}
    folder.write(f"repro_{record}/confirmation.json", json.dumps(found).encode())


def test_a_restart_in_the_middle_goes_on_and_does_nothing_twice(tmp_path: Path, maker: ToldMaker) -> None:
    maker.may_answer.clear()
    bench = Bench(tmp_path, maker)
    bench.fail("a", an_id(1))
    bench.fail("b", an_id(2))
    eventually(lambda: maker.asked == [an_id(1)], 20.0, "the first is in work")
    bench.actor._reproducing._cancelled.set()  # type: ignore[union-attr]
    maker.may_answer.set()
    bench.actor.on_stop()
    assert maker.cancelled is not None and maker.cancelled.is_set()
    assert [left.record for left in waiting(bench.folder)] == [an_id(1), an_id(2)]
    made_before(bench.folder, "c", an_id(3), Level.PORT, 1.0)
    again = Bench(tmp_path, maker)
    again.work()
    again.fail("c", an_id(4))  # confirmed by an earlier run
    again.pass_time(SPACING + LOOK_EVERY)
    again.work()
    again.pass_time(60.0)
    assert maker.asked == [an_id(1), an_id(1), an_id(2)]
    assert len(again.events) == 2 and waiting(again.folder) == []
    again.actor.on_stop()


def test_what_comes_before_the_disk_was_read_is_not_lost(tmp_path: Path, maker: ToldMaker) -> None:
    wait(LocalPrivateFolder(tmp_path), Origin(an_id(1), "a", "readings", 1.0))
    bench = Bench.__new__(Bench)
    bench.clock = ManualClock()
    bench.context = TimedContext("forgewright", bench.clock)
    bench.folder, bench.maker, bench.per_day = LocalPrivateFolder(tmp_path), maker, 10
    bench.actor = ForgewrightActor(bench.context, clock=bench.clock, reproducing=bench.reproducing)
    bench.fail("a", an_id(2))  # newer than what waits
    bench.fail("b", an_id(3))
    bench.actor.on_start()
    bench.work()
    bench.work()
    bench.pass_time(SPACING + LOOK_EVERY)
    bench.work()
    assert maker.asked == [an_id(2), an_id(3)] and waiting(bench.folder) == []
    bench.actor.on_stop()


def test_a_folder_that_cannot_be_written_costs_nothing_but_the_restart(tmp_path: Path, maker: ToldMaker) -> None:
    (tmp_path / "waiting").write_text("a file where a folder should be", encoding="utf-8")
    bench = Bench(tmp_path, maker)
    bench.fail("g", an_id(1))
    bench.work()
    assert len(bench.events) == 1 and bench.status["last_error"]
    bench.actor.on_stop()


# --- for real ---


def a_recorded(folder: Path) -> Fault:
    from foureyes_actors.bug.faults import fault_from_exception

    fault = fault_from_exception(failure(joined({"grand": "1.00"})), source="readings", clock=SystemClock())
    keeper = RecordKeeper(LocalPrivateFolder(folder), files=LocalFiles(), clock=SystemClock(), redactor=Redactor())
    keeper.keep(fault, Severity.HIGH)
    return fault


def a_maker(folder: Path) -> PlatformMaker:
    records, place = LocalPrivateFolder(folder / "records"), folder / "platforms"
    return PlatformMaker(records, LocalPrivateFolder(place), place, LocalProcesses(), SystemClock())


def test_a_platform_is_made_and_confirmed_for_real(tmp_path: Path) -> None:
    fault = a_recorded(tmp_path / "records")
    made = a_maker(tmp_path).make(Wanted("g", fault.id, "readings", 1.0), threading.Event())
    assert made.kind == "KeyError" and made.folder == tmp_path / "platforms" / f"repro_{fault.id}"
    assert made.confirmation.level is Level.PORT, made
    (found,) = platforms(LocalPrivateFolder(tmp_path / "platforms"))
    assert (found.origin.group, found.origin.record, found.confirmation) == ("g", fault.id, made.confirmation)
    assert kept_confirmation(LocalPrivateFolder(made.folder)) == made.confirmation


def test_a_record_of_another_shape_is_told_as_broken(tmp_path: Path) -> None:
    """Two at a time, each in a folder and in processes of its own."""

    def made_of(exceptions: object, folder: Path) -> Made:
        fault = a_recorded(folder / "records")
        path = next(folder.rglob(f"{fault.id}.json"))
        path.write_text(json.dumps({**json.loads(path.read_text()), "exceptions": exceptions}), encoding="utf-8")
        return a_maker(folder).make(Wanted("g", fault.id, "readings", 1.0), threading.Event())

    shapes: list[object] = [5, [], [{}], None]
    with ThreadPoolExecutor(2, "maker") as both:
        found = both.map(made_of, shapes, [tmp_path / str(number) for number in range(len(shapes))])
        for shape, made in zip(shapes, found, strict=True):
            assert (made.kind, made.confirmation.level) == ("a failure", Level.UNCONFIRMED), shape
            assert made.confirmation.reason.startswith("broken record: the record lacks something"), shape


def test_who_cancels_it_is_rid_of_it_at_once(tmp_path: Path) -> None:
    fault, cancelled, ended = a_recorded(tmp_path / "records"), threading.Event(), []

    def work() -> None:
        try:
            a_maker(tmp_path).make(Wanted("g", fault.id, "readings", 1.0), cancelled)
        except FourEyesError as error:
            ended.append(str(error))

    worker = threading.Thread(target=work, name="maker")
    worker.start()
    eventually(lambda: any(fault.id in one_line(c, 10_000) for c in children()), 20.0, "it is at work")
    cancelled.set()
    worker.join(20.0)
    assert ended and ended[0].startswith("no end")
    eventually(lambda: not any(fault.id in c for c in children()), 10.0, f"nothing is left: {children()}")


def children() -> list[str]:
    """The commands of all that this process has started."""
    found = []
    for process in psutil.Process(os.getpid()).children(recursive=True):
        try:
            found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def test_a_program_that_says_nothing_is_a_making_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = a_recorded(tmp_path / "records")
    silent: Callable[..., list[str]] = lambda *_: [sys.executable, "-c", "import sys; sys.exit('out of order')"]  # noqa: E731
    monkeypatch.setattr(programs, "t00l5et", silent)
    with pytest.raises(ProgramFailed, match="exit code 1: out of order"):
        a_maker(tmp_path).make(Wanted("g", fault.id, "readings", 1.0), threading.Event())
    assert t00l5et("x")[-1] == "x"


@pytest.mark.skipif(sys.platform == "win32", reason="no signals there")
def test_one_that_somebody_ended_is_to_be_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service manager ends all processes at once: FourEyes may see its child's end before its own."""
    fault = a_recorded(tmp_path / "records")
    code = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    ended: Callable[..., list[str]] = lambda *_: [sys.executable, "-c", code]  # noqa: E731
    monkeypatch.setattr(programs, "t00l5et", ended)
    with pytest.raises(NotYet, match="ended by signal 15"):
        a_maker(tmp_path).make(Wanted("g", fault.id, "readings", 1.0), threading.Event())


def test_without_a_record_it_says_not_yet(tmp_path: Path) -> None:
    with pytest.raises(NotYet):
        a_maker(tmp_path).make(Wanted("g", ID, "readings", 1.0), threading.Event())
    assert Tick(LOOK, 0).name == LOOK
