"""The commands, as programs: with the real gate, ended in the middle, and used wrongly."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
import typer

from foureyes_actors.forgewright.landing import Landed, landing_from
from foureyes_actors.forgewright.proposal import Outcome, proposal_from
from foureyes_actors.ports.local_process import LocalChild
from foureyes_actors.replay.program import ROOT, t00l5et
from t00l5et.__main__ import app
from t00l5et.doubles.lm_studio import LmStudioDouble
from tests.support import eventually
from tests.t00l5et.fixing.support import PROCESSES, Bench, diff_of, printing, python_fixer


def program(*arguments: str, timeout: float = 100.0) -> tuple[int | None, tuple[str, ...]]:
    done = PROCESSES.run(t00l5et(*arguments), timeout=timeout)
    return done.exit_code, done.lines


def fix(bench: Bench, line: str, *more: str) -> list[str]:
    places = ["--work", str(bench.work.folder), "--repository", str(bench.repository)]
    return t00l5et("fix", str(bench.platform), *places, "--fixer", line, "--json", *more)


def run_fix(bench: Bench, line: str, *more: str, timeout: float = 110.0) -> tuple[int | None, tuple[str, ...]]:
    done = PROCESSES.run(fix(bench, line, *more), timeout=timeout)
    return done.exit_code, done.lines


def descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def alive(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    return [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def hanging(bench: Bench) -> str:
    """A fixer that says when it has begun, and then nothing any more."""
    ready = str(bench.folder / "ready")
    return python_fixer(bench.folder, f"import pathlib, time; pathlib.Path({ready!r}).touch(); time.sleep(600)")


def begun(bench: Bench, hanging: str, *more: str) -> LocalChild:
    child = PROCESSES.start(fix(bench, hanging, *more))
    eventually((bench.folder / "ready").exists, 60, "the fixer has begun")
    return child


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ended_by_a_signal_it_leaves_nothing(bench: Bench, hanging: str, number: signal.Signals) -> None:
    child = begun(bench, hanging)
    below = descendants(child.pid)
    assert below
    os.kill(child.pid, number)
    eventually(lambda: child.exit_code() is not None, 30, "it has ended")
    assert child.exit_code() == 128 + number, child.tail()
    assert alive(below) == []
    bench.nothing_is_left()
    child.stop(0.0)


def test_it_ends_with_its_standard_input(bench: Bench, hanging: str) -> None:
    """As when FourEyes, which started it, has gone."""
    command = fix(bench, hanging, "--background")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
        eventually((bench.folder / "ready").exists, 60, "the fixer has begun")
        below = descendants(child.pid)
        assert child.stdin is not None
        child.stdin.close()
        child.wait(30)
    assert alive(below) == []
    bench.nothing_is_left()


def test_killed_and_started_again(bench: Bench, hanging: str) -> None:
    """It goes on: what was left is swept, and the attempt is made."""
    child = begun(bench, hanging)
    below = descendants(child.pid)
    psutil.Process(child.pid).kill()
    eventually(lambda: not alive(below), 30, "its children have ended")
    child.stop(0.0)
    assert list(bench.work.scratch.iterdir()), "a kill leaves a worktree"
    code, lines = run_fix(bench, python_fixer(bench.folder, "", "empty.py"), "--attempts", "1")
    found = proposal_from(lines[-1])
    assert code == 1 and found is not None and found.outcome is Outcome.STOPPED, lines
    assert found.attempts[0].reason == "it printed nothing"
    bench.nothing_is_left()


def test_two_at_a_time_are_one_too_many(bench: Bench, hanging: str) -> None:
    child = begun(bench, hanging)
    try:
        code, lines = run_fix(bench, hanging)
        found = proposal_from(lines[-1])
        assert code == 1 and found is not None and found.outcome is Outcome.IMPOSSIBLE
        assert f"process {child.pid} is at work" in found.reason
    finally:
        child.stop(10.0)
    bench.nothing_is_left()


def test_no_checkout_no_program_no_record(bench: Bench, tmp_path: Path) -> None:
    line = printing(bench.folder, b"")
    for more, words in (
        (("--repository", str(tmp_path / "elsewhere")), "is no git checkout"),
        (("--fixer", "no-such-program"), "there is no program 'no-such-program'"),
        (("--base", "1" * 40), "--base names another one"),
    ):
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        code, lines = run_fix(bench, line, *more)
        found = proposal_from(lines[-1])
        assert code == 1 and found is not None and found.outcome is Outcome.IMPOSSIBLE, lines
        assert words in found.reason
        assert bench.work.proposal() == found, "the reason is kept"
    (bench.platform / "record.json").write_text("{")
    code, lines = run_fix(bench, line)
    found = proposal_from(lines[-1])
    assert found is not None and found.outcome is Outcome.IMPOSSIBLE, lines


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fix", "FOLDER", "--work", "w"), "either --fixer COMMAND"),
        (("fix", "FOLDER", "--work", "w", "--fixer", "x", "--model", "m", "--base-url", "http://127.0.0.1"), "either"),
        (("fix", "FOLDER", "--work", "w", "--model", "m"), "either"),
        (("fix", "FOLDER", "--work", "w", "--model", "m", "--base-url", "http://example.com"), "--allow-remote"),
        (("fix", "nothing", "--work", "w", "--fixer", "x"), "a folder named repro_"),
    ],
)
def test_wrong_use(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    places = {"FOLDER": str(tmp_path / "repro_0123abcd"), "w": str(tmp_path / "w")}
    code, lines = program(*(places.get(each, each) for each in arguments))
    assert code == 2 and words in lines[-1], lines
    assert not (tmp_path / "w").exists()


def test_a_work_folder_of_another_record(bench: Bench) -> None:
    bench.work.make()
    bench.work.begin("f" * 32, bench.base, "")
    code, lines = run_fix(bench, printing(bench.folder, b""))
    assert code == 2 and "another record" in lines[-1]


def test_refused_steps_as_json(bench: Bench) -> None:
    for step in ("apply", "rollback"):
        code, lines = program(step, "--decision", "FORGE-2026-001", "--repository", str(bench.repository), "--json")
        found = landing_from(lines[-1])
        assert code == 1 and found is not None and (found.step, found.result) == (step, Landed.REFUSED), lines
    code, lines = program("apply", "--decision", "FORGE-2026-001", "--repository", str(bench.folder))
    assert code == 1 and "is no git checkout" in lines[-1]


def test_a_git_hooks_environment_leads_nowhere_else(bench: Bench, tmp_path: Path) -> None:
    """Where GIT_DIR names another repository, that one is not touched."""
    environment = {"GIT_DIR": str(tmp_path / "none"), "GIT_INDEX_FILE": str(tmp_path / "index")}
    command = t00l5et("apply", "--decision", "FORGE-2026-001", "--repository", str(bench.repository), "--json")
    child = PROCESSES.start(command, environment=environment)
    try:
        eventually(lambda: child.exit_code() is not None, 60, "it has ended")
    finally:
        child.stop(0.0)
    found = landing_from(child.tail()[-1])
    assert found is not None and "there is no branch" in found.reason, child.tail()


def test_the_secrets_of_the_settings_are_masked(bench: Bench) -> None:
    """What a fixer prints of them, wherever it has them from."""
    secret = "c4n4ry-of-the-settings"
    config = bench.folder / "foureyes.yaml"
    config.write_text(f"source: {{obs: {{password: {secret}}}}}\n")
    patch = diff_of(bench.repository).decode().replace("+    texts", f"+    # {secret}\n+    texts")
    code, lines = run_fix(bench, printing(bench.folder, patch.encode()), "--config", str(config), "--attempts", "1")
    found = proposal_from(lines[-1])
    assert code == 1 and found is not None and found.attempts[0].rule == "secret", lines
    assert not any(secret.encode() in each.read_bytes() for each in bench.work.folder.rglob("*") if each.is_file())
    assert not any(secret in line for line in lines)
    assert json.loads(lines[-1])["digest"] == ""


def test_a_model_through_the_command(bench: Bench) -> None:
    """The token is that of the settings; what it said is kept."""
    token = "sk-lm-ab12cd34:0123456789abcdefghij"
    config = bench.folder / "foureyes.yaml"
    config.write_text(f"model_server: {{api_token: '{token}'}}\n")
    model = {"key": "coder", "loaded": True, "max_context": 131_072}
    rule = {"when": {"route": "POST /v1/chat/completions"}, "then": {"reply": {"content": f"No. {token}"}}}
    with LmStudioDouble({"models": [model], "token": token, "rules": [rule]}) as server:
        places = ["--work", str(bench.work.folder), "--repository", str(bench.repository), "--config", str(config)]
        command = ["fix", str(bench.platform), *places, "--model", "coder", "--base-url", server.url, "--json"]
        code, lines = program(*command, "--attempts", "1")
        assert len(server.asked("POST /v1/chat/completions")) == 1
    found = proposal_from(lines[-1])
    assert code == 1 and found is not None and "no unified diff in its answer" in found.attempts[0].reason, lines
    assert bench.work.path(1, "said.txt").read_text() == "No. [redacted]"


@pytest.mark.parametrize("name", ["fix", "branch", "apply", "rollback"])
def test_the_documentation_names_each_option(name: str) -> None:
    text = (ROOT / "docs" / "fixers.md").read_text(encoding="utf-8")
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    options = {option for each in command.params for option in each.opts if option.startswith("--")} - {"--help"}
    assert {option for option in options if not re.search(rf"{option}\b", text)} == set() and len(options) >= 3
