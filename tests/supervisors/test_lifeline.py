"""The last line of defence, with real processes that have one vice each; and its judgement, with injected clocks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisors.last_resort import EXIT_CODE, LastResort, StuckRoot
from supervisors.lifeline import Held, Lifeline
from supervisors.stacks import cpu_of_threads, ending_of, parse, suspects
from tests.supervisors.lifeline_program import NOTICE_AFTER

PATIENCE = 100.0  # seconds; for a process on a busy machine
POSIX = pytest.mark.skipif(not hasattr(signal, "ITIMER_PROF"), reason="POSIX signals")


@pytest.fixture
def stacks(tmp_path: Path) -> Path:
    return tmp_path / "stacks.txt"


# --- real processes ---


def command(vice: str, stacks: Path) -> list[str]:
    return [sys.executable, "-m", "tests.supervisors.lifeline_program", vice, str(stacks)]


def run(vice: str, stacks: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(vice, stacks), capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_a_regex_that_holds_the_gil_is_noticed_and_named(stacks: Path) -> None:
    done = run("regex", stacks)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told["held"]) == 1
    assert "worker#1" in told["held"][0]
    assert "lifeline_program.py" in told["held"][0]
    assert "catastrophe" in told["held"][0]
    assert "in catastrophe" in stacks.read_text()
    assert ending_of(stacks.read_text()) is None, "it went on"


@POSIX
def test_a_halted_process_is_not_blamed(stacks: Path) -> None:
    with subprocess.Popen(
        command("halted", stacks), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGSTOP)
        threading.Event().wait(2.5 * NOTICE_AFTER)
        process.send_signal(signal.SIGCONT)
        out, err = process.communicate("go on\n", timeout=PATIENCE)
    assert process.returncode == 0, err
    told = json.loads(out)
    assert told["held"] == []
    assert max(told["halted"]) > 2 * NOTICE_AFTER


@POSIX
def test_a_gil_that_is_held_for_ever_ends_the_process(stacks: Path) -> None:
    done = run("for ever", stacks)
    assert done.returncode == -signal.SIGPROF
    assert "in catastrophe" in stacks.read_text()
    ending = ending_of(stacks.read_text())
    assert ending is not None and ending.reason == "" and "in catastrophe" in ending.text


@pytest.mark.parametrize(
    ("vice", "culprit", "reason"),
    [
        ("stuck", "wait_for_the_lock", "Cerberus has been in one message for"),
        ("leaks", "hang_here", "2 threads of worker hang and cannot be ended"),
    ],
)
def test_a_stuck_cerberus_and_too_many_leaks_end_it_with_all_stacks(
    stacks: Path, vice: str, culprit: str, reason: str
) -> None:
    done = run(vice, stacks)
    assert done.returncode == EXIT_CODE
    for text in (stacks.read_text(), done.stderr):
        assert reason in text
        assert f"in {culprit}" in text
        ending = ending_of(text)
        assert ending is not None and ending.reason.startswith(reason)


# --- the judgement ---


class World:
    """A lifeline whose clocks stand still until they are moved."""

    def __init__(self, stacks: Path) -> None:
        self.now = self.cpu = 100.0
        self.threads: dict[int, float] = {}
        self.held: list[Held] = []
        self.halted: list[float] = []
        self.lifeline = Lifeline(
            give_up_after=1e6,
            stacks=stacks,
            held=self.held.append,
            halted=self.halted.append,
            monotonic=lambda: self.now,
            process_time=lambda: self.cpu,
            thread_times=lambda: dict(self.threads),
        )

    def passes(self, seconds: float, cpu: float, *, witnessed: bool = True, of: int = 0) -> None:
        """``of``: the thread that used the CPU."""
        steps = 10 if witnessed else 1
        for _ in range(steps):
            self.now += seconds / steps
            self.lifeline.witness()
        self.cpu += cpu
        if of:
            self.threads[of] = self.threads.get(of, 0.0) + cpu

    def beats(self, seconds: float, cpu: float) -> None:
        for _ in range(60):
            self.passes(seconds, cpu)
            self.lifeline.beat()


@pytest.fixture
def world(stacks: Path) -> Iterator[World]:
    world = World(stacks)
    world.lifeline.start()
    world.lifeline.witness()
    world.lifeline.beat()
    yield world
    world.lifeline.stop()


def test_regular_beats_tell_nothing(world: World) -> None:
    world.beats(1.0, 0.9)
    assert (world.held, world.halted) == ([], [])


def test_it_is_told_once(world: World) -> None:
    world.beats(1.0, 0.1)
    world.passes(6.2, 6.0, witnessed=False, of=threading.get_ident())
    world.lifeline.beat()
    world.beats(1.0, 0.1)
    assert [round(held.seconds, 1) for held in world.held] == [6.2]
    assert str(world.held[0]) == "GIL held for 6.2 s by MainThread"
    assert world.halted == []


def test_a_held_gil_is_seen_on_a_machine_that_gives_the_process_little_cpu(world: World) -> None:
    world.beats(1.0, 0.1)
    world.passes(40.0, 2.0, witnessed=False, of=7)
    world.lifeline.beat()
    assert len(world.held) == 1


def test_without_the_times_of_threads_the_cpu_of_the_process_decides(world: World) -> None:
    world.beats(1.0, 0.1)
    world.passes(9.0, 8.5, witnessed=False)
    world.lifeline.beat()
    assert len(world.held) == 1


def test_a_process_that_was_busy_on_eight_cores_until_it_was_halted_is_not_blamed(world: World) -> None:
    world.beats(1.0, 8.0)
    world.passes(9.0, 7.9, witnessed=False)
    world.lifeline.beat()
    assert (world.held, world.halted) == ([], [9.0])


def test_a_process_that_was_halted_when_a_thread_was_busy_is_not_blamed(world: World) -> None:
    world.beats(1.0, 1.0)
    world.passes(9.0, 1.1, witnessed=False, of=7)
    world.lifeline.beat()
    assert (world.held, world.halted) == ([], [9.0])


def test_a_late_beat_while_others_run_is_no_held_gil(world: World) -> None:
    """Cerberus waits for a lock, and a model computes."""
    world.beats(1.0, 0.1)
    world.passes(9.0, 9.0, of=7)
    world.lifeline.beat()
    assert (world.held, world.halted) == ([], [])


@POSIX
def test_the_timer_is_armed_by_a_beat_and_disarmed_by_stop(world: World) -> None:
    assert world.lifeline.gives_up
    assert signal.getitimer(signal.ITIMER_PROF)[0] > 1e5
    world.lifeline.stop()
    world.lifeline.beat()
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


@POSIX
def test_a_profiler_keeps_its_timer_and_its_signal(stacks: Path) -> None:
    world, before = World(stacks), signal.signal(signal.SIGPROF, lambda *_: None)
    try:
        world.lifeline.start()
        world.lifeline.beat()
        assert not world.lifeline.gives_up
        assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)
    finally:
        world.lifeline.stop()
        signal.signal(signal.SIGPROF, before)


# --- stacks ---

DUMP = """Timeout (0:00:05)!
Thread 0x00000000000000b1 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 331 in wait
  File "/app/supervisors/inbox.py", line 160 in take

Thread 0x00000000000000b2 [inference] (most recent call first):
  File "C:\\Python\\Lib\\re\\__init__.py", line 166 in match
  File "<string>", line 1 in <module>
"""


def test_without_the_times_of_threads_all_that_did_not_plainly_wait_are_suspects() -> None:
    assert suspects(parse(DUMP), None) == {"thread 0xb2": ("re/__init__.py:166 match", "<string>:1 <module>")}
    assert suspects(parse(DUMP), 0xB1) == {
        "thread 0xb1": ("python3.11/threading.py:331 wait", "supervisors/inbox.py:160 take")
    }
    assert parse("") == {}


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="Linux tells the CPU time of threads")
def test_the_cpu_time_of_threads_is_theirs() -> None:
    before = cpu_of_threads()[threading.get_ident()]
    while cpu_of_threads()[threading.get_ident()] < before + 0.05:
        pass
    idle = threading.Event()
    waiter = threading.Thread(target=idle.wait, args=(PATIENCE,), name="a (strange) name")
    waiter.start()
    assert cpu_of_threads()[waiter.ident or 0] < 0.05
    idle.set()
    waiter.join(30)


# --- the last resort ---


class Root:
    def __init__(self) -> None:
        self.busy = 0.0

    def busy_for(self) -> float:
        return self.busy


class Looks:
    def __init__(self) -> None:
        self.root, self.now, self.reasons = Root(), 50.0, list[str]()
        self.stuck = StuckRoot(self.root, self.reasons.append, stuck_after=30.0, monotonic=lambda: self.now)

    def look(self, after: float, busy: float) -> None:
        self.now, self.root.busy = self.now + after, busy
        self.stuck.look()


def test_a_root_that_stays_in_one_message_is_stuck() -> None:
    looks = Looks()
    for second in range(30):
        looks.look(1.0, second + 1.0)
    assert looks.reasons == []
    looks.look(1.0, 31.0)
    assert looks.reasons == ["Cerberus has been in one message for 31.0 s"]


def test_a_root_that_is_always_busy_with_another_message_is_not() -> None:
    looks = Looks()
    for _ in range(500):
        looks.look(1.0, 0.9)
    assert looks.reasons == []


def test_a_root_that_was_halted_for_hours_in_the_middle_of_a_message_is_not() -> None:
    looks = Looks()
    looks.look(1.0, 0.5)
    looks.look(7200.0, 7200.5)
    looks.look(1.0, 7201.5)
    looks.look(1.0, 0.0)
    assert looks.reasons == []


def test_the_last_resort_writes_all_stacks_to_the_file_and_stderr_and_exits_70(
    stacks: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    codes: list[Any] = []
    LastResort(stacks, codes.append)("because")
    assert codes == [EXIT_CODE]
    for text in (stacks.read_text(), capfd.readouterr().err):
        assert text.startswith("The process ends itself (exit code 70): because\n")
        assert "test_the_last_resort_writes_all_stacks" in text


def test_the_last_resort_needs_neither_file_nor_stderr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[Any] = []
    monkeypatch.setattr(sys, "stderr", None)
    LastResort(tmp_path / "no" / "such" / "folder", codes.append)("because")
    assert codes == [EXIT_CODE]
    assert not any(thread.name == "last resort" and thread.is_alive() for thread in _after_join())


def _after_join() -> list[threading.Thread]:
    """The deadline's thread ends once it is cancelled."""
    threads = [thread for thread in threading.enumerate() if thread.name == "last resort"]
    for thread in threads:
        thread.join(30)
    return threads


def test_the_exit_code_is_that_of_an_internal_error() -> None:
    assert getattr(os, "EX_SOFTWARE", EXIT_CODE) == EXIT_CODE
