"""The hooks: nothing that they do blocks, raises, recurses or is lost without being counted."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from foureyes_actors.bug.interception import Interception
from foureyes_actors.bug.leftovers import MAX_FILES, Leftovers
from foureyes_actors.bug.native_crash import crash_fault
from foureyes_actors.bug.redact import Redactor
from foureyes_actors.messages import Fault
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.crash_file import CrashFile
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from supervisors.inbox import InboxFull
from tests.bug.make import a_fault, raised

CLOCK = ManualClock()
CANARY = "c4n4ry-7f3a"


class Hostile(Exception):
    def __str__(self) -> str:
        raise SystemExit("even its words fail")


class Place:
    """Where faults go."""

    def __init__(self, folder: Path, bound: int = 256) -> None:
        self.got: list[Fault] = []
        self.answer: bool | Exception = True
        self.shown: list[str] = []
        redactor = Redactor((CANARY,))
        self.leftovers = Leftovers(LocalPrivateFolder(folder / "leftovers"), redactor)
        self.hooks = Interception(CLOCK, self.leftovers, show=self.shown.append, bound=bound)
        self.hooks.open(self.tell)

    def tell(self, fault: Fault) -> bool:
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer:
            self.got.append(fault)
        return self.answer

    def counts(self, **expected: int) -> None:
        usual = {"told": 0, "kept": 0, "dropped": 0, "failed": 0, "waiting": 0}
        assert self.hooks.status() == {**usual, **expected}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.hooks.close(10)
    made.hooks.remove()


def test_what_is_caught_before_it_began_is_told_then(place: Place) -> None:
    place.hooks.caught(raised(ValueError("early")), "main")
    place.counts(waiting=1)
    place.hooks.begin()
    assert place.hooks.settle(10)
    assert [fault.message for fault in place.got] == ["early"]
    place.counts(told=1)


def test_more_than_fit_are_counted(tmp_path: Path) -> None:
    place = Place(tmp_path, bound=3)
    for _ in range(10):
        place.hooks.caught(raised(ValueError("x")), "main")
    place.counts(dropped=7, waiting=3)
    place.hooks.close(10)
    assert len(place.got) == 0 and len(place.leftovers.take()) == 3


def test_an_exception_whose_words_fail_is_told(place: Place) -> None:
    """``str`` of it raises a SystemExit, in the thread of the interception: that lives on."""
    place.hooks.begin()
    place.hooks.caught(raised(Hostile()), "main")
    place.hooks.caught(raised(ValueError("after it")), "main")
    assert place.hooks.settle(10)
    assert [fault.message for fault in place.got][-1] == "after it"
    assert sum(place.hooks.status().values()) == 2


def test_a_full_inbox_is_counted_and_another_error_of_telling_too(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.hooks.begin()
    place.answer = InboxFull("bug has 1000 messages waiting")
    place.hooks.deliver(a_fault())
    place.answer = ValueError(CANARY)
    place.hooks.deliver(a_fault())
    place.counts(dropped=1, failed=1)
    assert "a fault could not be told: ValueError" in caplog.text and CANARY not in caplog.text


def test_an_error_while_telling_is_not_told(place: Place) -> None:
    """A thread of its own that fails inside of ``tell`` would go round in circles."""

    def tell(fault: Fault) -> bool:
        place.got.append(fault)
        place.hooks.caught(raised(ValueError("of the telling")), "unraisable")
        return True

    place.hooks.open(tell)
    place.hooks.begin()
    place.hooks.caught(raised(ValueError("the first")), "main")
    assert place.hooks.settle(10)
    assert len(place.got) == 1
    place.counts(told=1, failed=1)


def test_a_hook_may_interrupt_a_hook(place: Place) -> None:
    """A collection may run ``__del__`` anywhere, with the guard held too."""
    with place.hooks._guard:
        done = threading.Event()

        def again() -> None:
            place.hooks.caught(raised(ValueError("inner")), "unraisable")
            done.set()

        again()
        assert done.is_set()
    place.counts(waiting=1)


def test_what_nobody_takes_is_kept_without_secrets_and_told_by_the_next(tmp_path: Path) -> None:
    first, second = Place(tmp_path), Place(tmp_path)
    first.answer = False
    fault = a_fault(ValueError(f"token {CANARY}"), context={"password": CANARY})
    first.hooks.deliver(fault)
    first.hooks.deliver(fault)  # the same one again
    first.counts(kept=1)
    assert CANARY not in "".join(path.read_text() for path in (tmp_path / "leftovers").iterdir())
    second.hooks.begin()
    (again,) = second.got
    assert (again.id, again.message, again.context) == (fault.id, "token [redacted]", {"password": "[redacted]"})
    assert (again.exception_chain, again.frames, again.at) == (fault.exception_chain, fault.frames, fault.at)
    assert second.leftovers.take() == []
    second.hooks.close(10)


def test_leftovers_are_bounded_and_broken_ones_do_no_harm(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert [place.leftovers.keep(a_fault()) for _ in range(MAX_FILES + 2)] == [True] * MAX_FILES + [False] * 2
    for number, path in enumerate(sorted((tmp_path / "leftovers").iterdir())[:3]):
        path.write_bytes([b"", b"[]", b'{"id": "../x", "at": "2026-01-01T00:00:00+00:00"}'][number])
    assert len(place.leftovers.take()) == MAX_FILES - 3
    assert list((tmp_path / "leftovers").iterdir()) == []


def test_a_threads_system_exit_is_no_failure(place: Place) -> None:
    place.hooks.install()
    thread = threading.Thread(target=sys.exit, name="leaves")
    thread.start()
    thread.join(10)
    place.counts()


def test_the_hooks_that_were_there_are_put_back(place: Place) -> None:
    before = sys.excepthook, threading.excepthook, sys.unraisablehook
    place.hooks.install()
    assert sys.excepthook is not before[0]
    place.hooks.remove()
    assert (sys.excepthook, threading.excepthook, sys.unraisablehook) == before


def test_the_end_of_the_main_program_is_shown_and_told_at_once(place: Place) -> None:
    place.hooks.begin()
    error = raised(ValueError("the end"))
    place.hooks._on_main(ValueError, error, error.__traceback__)
    assert [fault.source for fault in place.got] == ["main"] and "ValueError: the end" in place.shown[0]
    place.hooks._on_main(ValueError, error, None)  # again, by another way
    place.counts(told=1)


DUMP = b"""Fatal Python error: Segmentation fault

Thread 0x00007f1 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 324 in wait

Current thread 0x00007f2 (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at
  File "/home/user/c4n4ry/foureyes_actors/capture/picture.py", line 12 in examine
  File "C:\\user\\foureyes_actors\\capture\\actor.py", line 3 in on_receive
  File "/home/user/supervisors/actor.py", line 99 in _actor_loop

Extension modules: PIL._imaging (total: 1)
"""


def test_a_crash_is_a_fault_of_the_thread_that_crashed() -> None:
    fault = crash_fault(DUMP, CLOCK.utc_now())
    assert fault is not None and fault.id == getattr(crash_fault(DUMP, CLOCK.utc_now()), "id", "")
    assert fault.frames == (
        "supervisors.actor:_actor_loop",
        "foureyes_actors.capture.actor:on_receive",
        "foureyes_actors.capture.picture:examine",
    )
    assert fault.component == "foureyes_actors.capture.picture:examine"
    assert fault.exception_type == "foureyes_actors.errors.NativeCrash"
    assert fault.message.endswith("native code: Segmentation fault")


@pytest.mark.parametrize("dump", [b"", b" \n", b"\xff\xfe junk", b"Current thread 0x1 (most recent call first):\n"])
def test_a_strange_dump_does_no_harm(dump: bytes) -> None:
    fault = crash_fault(dump, CLOCK.utc_now())
    assert (fault is None) == (not dump.strip())


def test_the_crash_file_that_cannot_be_had_is_no_failure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "file").write_text("in the way")
    crash = CrashFile(tmp_path / "file" / "crash.log")
    assert crash.take() == b""
    crash.arm()
    crash.disarm()
    assert "no " in caplog.text


def test_what_was_written_in_a_run_that_ended_in_order_is_no_crash(tmp_path: Path) -> None:
    program = """
import faulthandler, sys
from pathlib import Path
from foureyes_actors.ports.crash_file import CrashFile
crash = CrashFile(Path(sys.argv[1]))
print(len(crash.take()))
crash.arm()
faulthandler.dump_traceback(crash._file)
if sys.argv[2] == "in order":
    crash.disarm()
"""
    place = str(tmp_path / "data" / "crash.log")
    for how, before in (("in order", b"0"), ("not", b"0"), ("in order", b"")):
        done = subprocess.run([sys.executable, "-c", program, place, how], capture_output=True, timeout=60, check=True)
        assert done.stdout.strip().startswith(before) and (done.stdout.strip() == b"0") is (before == b"0")
    assert (tmp_path / "data" / "crash.log.last").stat().st_size > 0
