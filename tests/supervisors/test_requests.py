"""What a supervisor is asked for while it runs gets an exact answer, with live actors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pykka import ActorDeadError

from supervisors import messages as m
from supervisors.errors import (
    AlreadyPresent,
    AlreadyRunning,
    NotFound,
    StartFailed,
    TooMany,
)
from supervisors.policy import Restart
from supervisors.specs import ChildSpec, Flags, SpecError
from tests.supervisors.live import Good, Live, Poisoned, Raises
from tests.support import eventually

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def live() -> Iterator[Live]:
    live = Live()
    yield live
    live.end()


# --- requests ---


def dynamic(live: Live, **kwargs: Any) -> ChildSpec:
    """Children by name and argument."""
    flags = kwargs.pop("flags", Flags(max_children=3))

    def template(name: str, argument: Any) -> ChildSpec:
        if argument == "bad":
            raise LookupError("no such model")
        if argument == "no spec":
            return "no spec"  # type: ignore[return-value]
        make = argument if callable(argument) else Good
        return live.spec(name, make, restart=Restart.TEMPORARY if argument == "temporary" else Restart.PERMANENT)

    return live.inside("dynamic", template=template, flags=flags, **kwargs)


def test_requests_get_exact_answers(live: Live) -> None:
    live.start(live.spec("bystander"), dynamic(live))

    def ask(message: object) -> Any:
        return live.ask("dynamic", message)

    assert ask(m.AddFromTemplate("a")) is None
    assert live.ask("a") == 1
    with pytest.raises(AlreadyRunning):
        ask(m.AddFromTemplate("a"))
    with pytest.raises(AlreadyRunning):
        ask(m.RestartChild("a"))
    with pytest.raises(AlreadyRunning):
        ask(m.DeleteChild("a"))
    for _ in range(2):
        assert ask(m.TerminateChild("a")) is None
    with pytest.raises(ActorDeadError):
        live.ask("a")
    with pytest.raises(AlreadyPresent):
        ask(m.AddFromTemplate("a"))
    assert ask(m.RestartChild("a")) is None
    assert live.ask("a") == 2
    for request in (m.TerminateChild("nobody"), m.RestartChild("nobody"), m.DeleteChild("nobody")):
        with pytest.raises(NotFound, match="no child is named 'nobody'"):
            ask(request)
    assert ask(m.AddChild(live.spec("b"))) is None
    assert ask(m.AddFromTemplate("c")) is None
    with pytest.raises(TooMany, match="max_children is 3"):
        ask(m.AddFromTemplate("d"))
    assert ask(m.TerminateChild("b")) is None and ask(m.DeleteChild("b")) is None
    assert ask(m.AddFromTemplate("d")) is None
    assert [row.name for row in ask(m.WhichChildren())] == ["a", "c", "d"]
    assert "b" not in live.tree.directory.names()


def test_a_child_that_does_not_come_up_leaves_no_trace(live: Live) -> None:
    live.start(live.spec("bystander"), dynamic(live))
    with pytest.raises(StartFailed, match="a could not be started: OSError: no such disk") as caught:
        live.ask(
            "dynamic", m.AddFromTemplate("a", lambda context: Raises(context, "on_start", OSError("no such disk")))
        )
    assert isinstance(caught.value.__cause__, OSError)
    assert live.ask("dynamic", m.WhichChildren()) == ()
    assert "a" not in live.tree.directory.names()
    assert live.ask("dynamic", m.AddFromTemplate("a", lambda context: None)) is None  # declines: no failure
    assert live.status("a", "dynamic").state == "stopped"


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        (m.AddFromTemplate("a", "bad"), LookupError, "no such model"),
        (m.AddFromTemplate("a", "no spec"), TypeError, "described by a ChildSpec, not by str"),
        (m.AddChild("no spec"), TypeError, "described by a ChildSpec, not by str"),  # type: ignore[arg-type]
        ("what?", TypeError, "a supervisor does not know str"),
    ],
    ids=["template raises", "template gives no spec", "no spec", "unknown"],
)
def test_a_bad_request_is_its_askers_affair(live: Live, request_: object, error: type[Exception], words: str) -> None:
    live.start(live.spec("bystander"), dynamic(live))
    with pytest.raises(error, match=words):
        live.ask("dynamic", request_)
    assert live.ask("dynamic", m.AddFromTemplate("a")) is None
    assert live.status("dynamic").incarnation == 1


def test_without_a_template_there_is_a_clear_error(live: Live) -> None:
    live.start(live.inside("inner"))
    with pytest.raises(TypeError, match="inner has no template"):
        live.ask("inner", m.AddFromTemplate("a"))


def test_cerberus_too_takes_children_while_it_runs(live: Live) -> None:
    live.start(live.spec("bystander"))
    assert live.ask("cerberus", m.AddChild(live.spec("late", Poisoned, depends_on=("bystander",)))) is None
    live.tell("late", ValueError("the end"))
    live.runs("late", 2)
    eventually(lambda: [bite.child for bite in live.bites] == ["late"], 20, "the bite is told")
    assert live.bites[0].recovered
    assert live.status("bystander").incarnation == 1


def test_other_specs_hold_from_the_next_start_on(live: Live) -> None:
    live.start(live.inside("inner", live.spec("a", Poisoned), live.spec("b")))

    class Better(Poisoned):
        def on_receive(self, message: Any) -> Any:
            return "better" if message == "which?" else super().on_receive(message)

    with pytest.raises(SpecError, match="significant"):
        bad = live.spec("b", restart=Restart.TRANSIENT, significant=True)
        live.ask("inner", m.ChangeChildren((live.spec("a", Better), bad)))
    assert live.ask("inner", m.ChangeChildren((live.spec("a", Better), live.spec("c")), Flags(intensity=7))) is None
    assert live.ask("a", "which?") == 1
    assert live.status("c", "inner").state == "stopped"
    live.tell("a", ValueError("the end"))
    assert live.ask("a", "which?") == "better"
    assert live.ask("inner", m.RestartChild("c")) is None
    assert live.ask("c") == 1
