"""The run's own part: what it does when a receiver cannot take what it tells, and when it counts as idle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors import wiring
from foureyes_actors.bug.actor import BugActor
from foureyes_actors.errors import SourceRefused
from foureyes_actors.exit_codes import NOT_KEPT
from foureyes_actors.headless import BAD_CONFIGURATION, Headless, Request
from foureyes_actors.messages import GetStatus
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.settings import Settings
from supervisors.actor import SupervisedActor
from supervisors.cerberus import Root
from supervisors.heads import Head
from supervisors.heads_decider import Bite
from supervisors.inbox import Envelope, Inbox
from supervisors.messages import ExitNotice, Stage
from supervisors.specs import ChildSpec
from tests.support import eventually

MODEL = "vl"


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def program(lines: list[str]) -> Headless:
    settings = Settings()
    return Headless(settings, {MODEL: ()}, wiring.real_world(settings), Request(), lines.append)


def full(name: str) -> Inbox:
    inbox = Inbox(name, bound=1)
    inbox.put(Envelope("the only one that fits"))
    return inbox


def test_an_end_is_told_to_those_who_can_take_it(program: Headless, caplog: pytest.LogCaptureFixture) -> None:
    console = Inbox("console")
    for inbox in (full("bug"), full("recorder"), console):
        program.tree.directory.claim(inbox.name, "test", {inbox.name: inbox}.__getitem__)
    program.upkeep.on_exit(ExitNotice("capture", 1, Stage.RECEIVE, ValueError("bad")))
    program.upkeep.on_bite(Bite("capture", Head.RESTART, "bad", 0.0, ("capture",), recovered=True, took=0.1))
    assert len(console) == 1
    assert "Fault is lost: bug has 1 messages waiting" in caplog.text


class Answers(SupervisedActor):
    """Answers every ask with the status that it was given."""

    status: Mapping[str, Any]

    def on_receive(self, message: Any) -> Any:
        return self.status


@pytest.mark.parametrize(
    ("name", "status", "idle"),
    [
        (wiring.inference_name(MODEL), {"busy": True}, False),
        ("readings", {"pending": 2}, False),
        ("readings", {"pending": 0}, True),
        ("recorder", {"pending": 5}, True),
        ("lm_studio", {"busy": True}, True),
    ],
)
def test_only_frames_that_are_being_read_keep_a_run_from_its_end(
    name: str, status: dict[str, Any], idle: bool, program: Headless, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal that waits for its store does not: it is replayed by the next run."""
    monkeypatch.setattr(Answers, "status", status, raising=False)
    monkeypatch.setattr(wiring, "children", lambda *_: [ChildSpec(name, Answers)])
    found: list[bool] = []
    monkeypatch.setattr(program, "_wait", lambda _context: found.append(program._idle()))
    assert program.run() == 0
    assert found == [idle]


def test_the_summary_says_who_was_replaced(
    lines: list[str], program: Headless, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answers, "status", {}, raising=False)
    monkeypatch.setattr(wiring, "children", lambda *_: [ChildSpec("capture", Mortal)])

    def die(root: Root) -> None:
        program.tree.directory.tell("capture", ValueError("bad"))
        eventually(lambda: root.status()[0].incarnation == 2, 20, "replaced")

    monkeypatch.setattr(program, "_wait", die)
    program.run()
    assert any(line.split() == ["restarts", "capture", "1", "x"] for line in lines)


def test_a_run_of_which_nothing_was_kept_is_no_success_and_is_summed_up(
    lines: list[str], program: Headless, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answers, "status", {"stored": 0, "journaled": 0, "dropped": 7}, raising=False)
    monkeypatch.setattr(wiring, "children", lambda *_: [ChildSpec("recorder", Answers)])
    monkeypatch.setattr(program, "_wait", lambda _root: program.ending.set("asked to end (SIGTERM)"))
    assert program.run() == NOT_KEPT
    assert any(line.startswith("nothing was kept: ") for line in lines)
    assert any("7 LOST" in line for line in lines)


@pytest.mark.parametrize("source", [{"kind": "video", "video": {"path": "gone.mp4"}}, {"kind": "pictures"}])
def test_a_file_that_is_not_there_is_said_once_and_before_anything_starts(
    lines: list[str], source: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.model_validate({"source": source, "data_dir": tmp_path / "data"})
    program = Headless(settings, {MODEL: ()}, wiring.real_world(settings), Request(), lines.append)
    assert program.run() == BAD_CONFIGURATION
    assert lines[-1].startswith(f"the configuration must be changed: source.{source['kind']}.path: ")
    assert sum("must be changed" in line for line in lines) == 1 and not (tmp_path / "data").exists()


def test_what_only_the_user_can_mend_ends_the_run_and_is_said_once(
    lines: list[str], program: Headless, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By the line of the end: not also by the log and as a replaced part."""
    monkeypatch.setattr(Answers, "status", {}, raising=False)
    monkeypatch.setattr(
        wiring,
        "children",
        lambda *_: [
            ChildSpec("bug", lambda context: BugActor(context, clock=SystemClock())),
            ChildSpec("recorder", Answers),
            wiring.console(program.config, program.world, wiring.Run("r", lines.append, print, lambda: None)),
            ChildSpec("capture", Mortal),
        ],
    )

    def refuse(_context: object) -> None:
        program.tree.directory.tell("capture", SourceRefused("wrong password"))
        assert program.ending.asked.wait(20)
        eventually(lambda: program.tree.directory.ask("bug", GetStatus(), 5)["recorded"] == 1, 20, "kept as a fault")

    monkeypatch.setattr(program, "_wait", refuse)
    assert program.run() == BAD_CONFIGURATION
    assert [line for line in [*lines, *caplog.messages] if "wrong password" in line] == [
        "ending: the configuration must be changed: wrong password"
    ]


class Mortal(Answers):
    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Exception):
            raise message
        return super().on_receive(message)
