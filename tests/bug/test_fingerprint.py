"""Which faults are the same one: metamorphic, on real code that is changed and run."""

from __future__ import annotations

import re
import textwrap
import threading
from collections.abc import Callable
from dataclasses import replace
from types import CodeType

import pytest

from foureyes_actors.bug.faults import fault_from_exception, fault_from_exit
from foureyes_actors.bug.fingerprint import basis, fingerprint
from foureyes_actors.errors import ConnectFailed
from foureyes_actors.messages import Fault
from foureyes_actors.ports.clock import ManualClock
from tests.bug.make import a_fault

PROGRAM = """
class Reader:
    def read(self, text):
        return self.parse(text)

    def parse(self, text):
        if text == "loop":
            return self.parse(text)
        return int(text)

def run(text):
    return Reader().read(text)
"""


def program(source: str = PROGRAM, module: str = "foureyes_actors.imagined") -> Callable[[str], object]:
    space: dict[str, object] = {"__name__": module}
    code: CodeType = compile(textwrap.dedent(source), f"/x/{module.replace('.', '/')}.py", "exec")
    exec(code, space)
    run = space["run"]
    assert callable(run)
    return run


def fault_of(run: Callable[[str], object], text: str = "word", source: str = "capture") -> Fault:
    try:
        run(text)
    except Exception as error:
        return fault_from_exception(error, source=source, clock=ManualClock())
    raise AssertionError("it did not fail")


BEFORE = fingerprint(fault_of(program()))


def test_its_form() -> None:
    assert re.fullmatch(r"v2-[0-9a-f]{16}", BEFORE)
    assert basis(fault_of(program())) == (
        "v2",
        "ValueError",
        "foureyes_actors.imagined:run > foureyes_actors.imagined:Reader.read > foureyes_actors.imagined:Reader.parse",
    )


SAME: dict[str, Callable[[], Fault]] = {
    "another message": lambda: fault_of(program(), "another word"),
    "shifted lines": lambda: fault_of(program("\n\n# a comment\n\n" + PROGRAM)),
    "another actor": lambda: fault_of(program(), source="inference:x"),
    "another statement in the same function": lambda: fault_of(program(PROGRAM.replace("int(text)", "int(text + '')"))),
    "a stranger's frame between": lambda: fault_of(
        program(PROGRAM.replace("return self.parse(text)\n\n", "return list(map(self.parse, [text]))\n\n"))
    ),
}


@pytest.mark.parametrize("change", SAME)
def test_the_same(change: str) -> None:
    assert fingerprint(SAME[change]()) == BEFORE


DIFFERENT: dict[str, Callable[[], Fault]] = {
    "another exception": lambda: fault_of(program(PROGRAM.replace("int(text)", "text.nothing"))),
    "another function": lambda: fault_of(program(PROGRAM.replace("parse", "understand"))),
    "another module": lambda: fault_of(program(module="foureyes_actors.other")),
    "another cause": lambda: fault_of(
        program(
            PROGRAM.replace(
                "        return int(text)",
                "        try:\n            text.nothing\n        except AttributeError:\n            return int(text)",
            )
        )
    ),
}


@pytest.mark.parametrize("change", DIFFERENT)
def test_not_the_same(change: str) -> None:
    assert fingerprint(DIFFERENT[change]()) != BEFORE


def test_another_thread_makes_no_difference() -> None:
    found: list[Fault] = []
    thread = threading.Thread(target=lambda: found.append(fault_of(program())), name="elsewhere")
    thread.start()
    thread.join(10)
    assert fingerprint(found[0]) == BEFORE


def test_recursion_of_any_depth_is_one_group() -> None:
    deep, deeper = fault_of(program(), "loop"), fault_of(program(), "loop")
    assert fingerprint(deep) == fingerprint(deeper) and deep.exception_type == "RecursionError"
    assert deep.frames.count("foureyes_actors.imagined:Reader.parse") == 1


def test_the_frames_of_supervision_above_the_actor_make_no_difference() -> None:
    """An exception that ended an actor comes with the actor loop's frames."""
    own = "foureyes_actors.capture.actor:CaptureActor.on_receive"
    ways = [("supervisors.actor:_actor_loop", "supervisors.actor:_handle", own), ("supervisors.actor:another", own)]
    faults = [fault_from_exit(ValueError("x"), "text", w, source="capture", clock=ManualClock()) for w in ways]
    assert fingerprint(faults[0]) == fingerprint(faults[1])
    assert basis(faults[0])[2] == own


def test_without_frames_of_ours_the_actor_and_the_door_tell_faults_apart() -> None:
    plain = a_fault(ConnectFailed("x"))
    assert plain.frames == ()
    others = [replace(plain, source="recorder"), replace(plain, component="foureyes_actors.ports.http:exchange")]
    assert len({fingerprint(fault) for fault in (plain, *others)}) == 3
    assert fingerprint(plain) == fingerprint(a_fault(ConnectFailed("y")))


def test_a_fault_with_lone_surrogates_has_one_too() -> None:
    assert fingerprint(a_fault(frames=("foureyes_actors.x:\ud800",))).startswith("v2-")
