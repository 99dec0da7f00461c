"""A process that ended itself: what it left is found by the next start, and is one failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from foureyes_actors.bug.fingerprint import fingerprint
from foureyes_actors.bug.own_end import own_end_fault
from foureyes_actors.bug.severity import Severity, severity_of
from foureyes_actors.defence import interception
from foureyes_actors.messages import Fault
from foureyes_actors.ports.clock import ManualClock, SystemClock
from foureyes_actors.ports.crash_file import MAX_BYTES, take_end
from foureyes_actors.ports.log_folder import LocalLogFolder
from foureyes_actors.settings import Settings

CLOCK = ManualClock()
STACKS = b"""Thread 0x00007f1 (most recent call first):
  File "/x/foureyes_actors/readings/money.py", line 3 in parse
  File "/usr/lib/python3.11/threading.py", line 1002 in _bootstrap
"""
RESORT = b"The process ends itself (exit code 70): "


@pytest.mark.parametrize(
    ("dump", "reason", "component"),
    [
        (RESORT + b"3 threads of capture hang and cannot be ended\n" + STACKS, "3 threads", "threads of capture hang"),
        (RESORT + b"8 threads hang and cannot be ended\n" + STACKS, "8 threads hang", "threads hang"),
        (RESORT + b"Cerberus has been in one message for 30.1 s\n" + STACKS, "Cerberus has", "Cerberus hangs"),
        (RESORT + b"3 threads of inference:a/b hang\n" + STACKS, "3 threads of inf", "threads of inference hang"),
        (RESORT + b"password=\x1b[31m\xff " + b"x" * 10_000 + b"\n" + STACKS, "password=", "last resort"),
        (RESORT, "no Python code", "the GIL is held"),
        (STACKS, "no Python code ran any more", "the GIL is held"),
        (STACKS + b"Python code runs again.\n" + STACKS, "no Python code", "the GIL is held"),
    ],
)
def test_an_end_of_its_own_is_a_fault_with_the_reason(dump: bytes, reason: str, component: str) -> None:
    fault = own_end_fault(dump, CLOCK.utc_now())
    assert fault is not None and severity_of(fault) is Severity.CRITICAL
    assert fault.context["reason"].startswith(reason) and fault.component == component
    assert fault.message.startswith(f"the run before this one ended itself: {reason}") and len(fault.message) < 400
    assert "\x1b" not in fault.message + fault.stack_trace
    again = own_end_fault(dump, CLOCK.utc_now())
    assert again is not None and again.id == fault.id


@pytest.mark.parametrize("dump", [b"", b"\n", STACKS + b"Python code runs again.\n", b"\xff\x00 nothing of the kind"])
def test_stacks_after_which_it_went_on_are_no_end(dump: bytes) -> None:
    assert own_end_fault(dump, CLOCK.utc_now()) is None


def test_of_two_ends_with_other_numbers_the_group_is_one() -> None:
    ends = [own_end_fault(RESORT + b"Cerberus has been in one message for %d s" % n, CLOCK.utc_now()) for n in (31, 77)]
    first, second = (each for each in ends if each is not None)
    assert fingerprint(first) == fingerprint(second) and first.id != second.id


def test_only_an_end_is_put_aside_and_of_a_long_file_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "stacks.log"
    assert take_end(path, lambda dump: True) == b""
    path.write_bytes(STACKS)
    assert take_end(path, lambda dump: False) == b"" and path.exists()
    path.write_bytes(b"x" * MAX_BYTES + STACKS)
    found = take_end(path, lambda dump: dump.endswith(STACKS))
    assert len(found) == MAX_BYTES and not path.exists()
    assert (tmp_path / "stacks.log.last").stat().st_size == MAX_BYTES + len(STACKS)


def test_while_another_run_has_the_folder_its_stacks_are_left_to_it(tmp_path: Path) -> None:
    (tmp_path / "stacks.log").write_bytes(STACKS)
    settings = Settings.model_validate({"data_dir": tmp_path})
    other = LocalLogFolder(tmp_path / "journal")
    told: list[Fault] = []

    def tell(fault: Fault) -> bool:
        told.append(fault)
        return True

    for _ in range(2):
        hooks = interception(settings, SystemClock(), lambda text: None)
        hooks.open(tell)
        hooks.begin()
        hooks.close()
        hooks.remove()
        other.close()
    assert len(told) == 1 and told[0].exception_type.endswith("EndedItself")
