"""The gate itself: what it needs, what it leaves alone, what it says, and that it fails closed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from foureyes_actors.errors import ProcessError
from foureyes_actors.ports.clock import ManualClock, SystemClock
from foureyes_actors.ports.local_process import LocalProcesses
from t00l5et.__main__ import app
from t00l5et.gate.gate import Case, GateReport, Step, Suite, examine
from t00l5et.gate.report import MAX_LINE, as_line
from t00l5et.gate.suite import SuiteResult, compared
from t00l5et.gate.trees import base_tree
from t00l5et.gate.variants import broken, check_after, check_before, same_each_time
from t00l5et.sandbox import Kind, Sandbox, run_inside
from tests.t00l5et.gate.defects import Planted, run
from tests.t00l5et.gate.patches.good import GOOD


@pytest.fixture
def case(cases: Mapping[str, Planted]) -> Planted:
    return cases[GOOD[0].defect]


def through(case: Planted, patch: bytes, **change: object) -> GateReport:
    return examine(replace(case.case, **change), patch, case.few, LocalProcesses(), SystemClock())  # type: ignore[arg-type]


def test_without_a_strong_sandbox_nothing_is_run(case: Planted) -> None:
    class NothingInside(LocalProcesses):
        def start(self, command, *, environment=None):  # type: ignore[no-untyped-def]
            raise AssertionError("something was started")

    weak = Sandbox(Kind.WEAK, "limits alone; no bwrap")
    report = examine(case.case, GOOD[0].data(case), case.few, NothingInside(), SystemClock(), sandbox=weak)
    assert (report.passed, report.rule, report.sandbox) == (False, "sandbox", "")
    assert "limits alone" in report.reason


def test_the_repository_and_the_platform_are_only_read(case: Planted, strong: Sandbox) -> None:
    clone = case.case.repository

    def state() -> object:
        kept = {path: path.stat().st_mtime_ns for path in case.case.platform.rglob("*")}
        return kept, [run("git", "-C", str(clone), *words) for words in (("worktree", "list"), ("status", "--short"))]

    before = state()
    assert through(case, GOOD[0].data(case)).passed
    assert state() == before


@pytest.mark.slow
def test_the_same_patch_gets_the_same_report(case: Planted, strong: Sandbox, tmp_path: Path) -> None:
    """With what the base gave kept, and without."""
    told = []
    for cache in (None, tmp_path, tmp_path):
        names: list[str] = []
        report = examine(
            *(case.case, GOOD[0].data(case), case.few, LocalProcesses(), SystemClock()),
            progress=names.append,
            cache=cache,
        )
        assert names == [step.name for step in report.steps]
        told.append([(step.name, step.passed, step.words) for step in report.steps])
    assert told[0] == told[1] == told[2]


@pytest.mark.parametrize(
    ("change", "rule", "words"),
    [
        ({"base": "HEAD"}, "applies", "not the full hash"),
        ({"base": "0" * 40}, "applies", "git"),
        ({"repository": Path("/no/such/repository")}, "applies", "git"),
        ({"platform": Path("/no/such/platform")}, "platform", "cannot be read"),
    ],
)
def test_what_cannot_be_examined_has_not_passed(
    case: Planted, change: Mapping[str, object], rule: str, words: str
) -> None:
    report = through(case, GOOD[0].data(case), **change)
    assert (report.passed, report.rule) == (False, rule) and words in report.reason


def test_a_failure_that_the_contract_allows_is_nothing_for_a_patch(
    case: Planted, strong: Sandbox, tmp_path: Path
) -> None:
    """And a record whose failure is another one now."""
    platform = tmp_path / case.case.platform.name
    document = json.loads((case.case.platform / "record.json").read_text(encoding="utf-8"))
    platform.mkdir()
    document["fingerprints"]["group"] = "v2-0000000000000000"
    (platform / "record.json").write_text(json.dumps(document), encoding="utf-8")
    report = through(case, GOOD[0].data(case), platform=platform)
    assert report.rule == "contract" and "does not fail in the base: another failure" in report.reason


def test_a_fixer_that_prints_a_secret_does_not_get_it_into_the_report(case: Planted) -> None:
    token = "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLW9mLWl0"
    report = through(case, f"{token}\n".encode() + GOOD[0].data(case))
    assert report.rule == "diff" and "c2lnbmF0dXJl" not in json.dumps(report.document())


@given(st.text(max_size=2000), st.lists(st.text(max_size=300), max_size=20))
def test_a_report_is_one_line_for_a_parent(reason: str, words: list[str]) -> None:
    steps = tuple(Step(f"step {n}", True, 0.1, text) for n, text in enumerate(words))
    line = as_line(GateReport(False, "suite", reason, steps, "bubblewrap"))
    assert len(line) <= MAX_LINE and line.isprintable() and json.loads(line)["rule"] == "suite"


@given(st.binary(max_size=400))
def test_any_bytes_get_a_report(data: bytes) -> None:
    """Nothing of a case is looked at before the patch can be read."""
    case = Case(Path("/no/platform"), Path("/no/repository"), "0" * 40)
    report = examine(case, data, Suite(), LocalProcesses(), ManualClock())
    assert not report.passed and report.rule in ("encoding", "diff", "paths", "size") and report.reason.isprintable()


# --- results ---


def seen(*results: str, raises: tuple[str, ...] = ()):  # type: ignore[no-untyped-def]
    from t00l5et.gate.runs import Seen

    return Seen(tuple(code(result) for result in results), raises, {0: "words"})


def code(result: str) -> str:
    """``U1@3``: the letter, the type, the place where it was raised; without one the record's own."""
    told, _, place = result.partition("@")
    return told.ljust(9, "0") + place.ljust(8, "0")


@pytest.mark.parametrize(
    ("was", "now", "fine"),
    [
        ("R1", "R1", True),
        ("R1", "R2", False),
        ("R1", "D1", False),
        ("R1", "U1", False),
        ("R1", "V", False),
        ("D1", "D1", True),
        ("D1", "D2", False),
        ("D1", "R1", False),
        ("G1", "R1", True),
        ("G1", "D1", True),
        ("G1", "G1", False),
        ("G1", "U1", False),  # the same type from somewhere else
        ("G1", "U2", True),  # what it hid
        ("U2", "U3", True),
        ("U2", "R1", True),
        ("U2", "V", False),
        ("B", "B", True),
        ("B", "R1", False),
    ],
)
def test_what_a_variant_says(was: str, now: str, fine: bool) -> None:
    assert (not broken(seen("G1", "G1", was), seen("R1", "R1", now), 1)) is fine


@pytest.mark.parametrize(
    ("was", "now", "fine"),
    [
        ("G1@3", "G1@3", True),  # another statement of the same function: it hides nothing of the record
        ("G1@3", "G1", False),  # now as the record did
        ("G1@3", "G1@4", False),  # where the base fails for nothing
        ("G1", "G1@3", True),  # mended, and what came after it in the base too comes to light
        ("G1", "U1@5", True),
        ("G1", "U1@6", False),  # moved
        ("G1", "U1", False),
        ("G1", "U2@6", True),
        ("R1", "G1@3", False),  # it worked
        ("D1", "U1@5", False),
    ],
)
def test_a_second_failure_of_the_same_type_in_another_place(was: str, now: str, fine: bool) -> None:
    """Others of the base's variants fail in the places 3 and 5: those are other defects."""
    before, after = seen("G1", was, "G1@3", "U1@5", "U2@4"), seen("R1", now, "G1@3", "U1@5", "U2@4")
    assert (not broken(before, after, 0)) is fine


@pytest.mark.parametrize(("now", "fine"), [("R1", True), ("D1", True), ("G1", False), ("U2", False), ("V", False)])
def test_a_sibling_must_be_mended_whatever_it_raises(now: str, fine: bool) -> None:
    assert (not broken(seen("G1", "G1"), seen("R1", now), 1)) is fine


def test_the_contract_is_that_of_the_base() -> None:
    from t00l5et.gate.report import Stopped

    check_before(seen("G1"))
    for result in ("R1", "D1", "U1", "V", "B"):
        with pytest.raises(Stopped, match="does not fail in the base"):
            check_before(seen(result))
    check_after(seen("G1", raises=("E",)), seen("D1", raises=("E",)))
    with pytest.raises(Stopped, match="the contract became"):
        check_after(seen("G1", raises=("E",)), seen("D1", raises=("E", "ValueError")))
    with pytest.raises(Stopped, match="not the same in each of 2 runs"):
        same_each_time([seen("R1", "R2"), seen("R1", "R3")])


def test_the_suite_before_and_after() -> None:
    from t00l5et.gate.report import Stopped

    before = SuiteResult({"a": "p", "b": "s", "c": "f", "d": "x"}, {})
    assert compared(before, SuiteResult({**before.seen, "e": "p"}, {})) == "2 tests pass, 1 fail as in the base"
    for after, words in (
        ({"a": "p", "b": "s", "c": "f"}, "1 tests fewer"),
        ({**before.seen, "a": "s"}, "skipped"),
        ({**before.seen, "a": "f"}, "1 tests fail that did not: test_a"),
        ({**before.seen, "c": "s"}, "skipped"),
    ):
        with pytest.raises(Stopped, match=words):
            compared(before, SuiteResult(after, {"a": "test_a"}))


# --- the sandbox, with other code in it ---


def test_other_code_can_be_put_into_the_strong_sandbox(strong: Sandbox, tmp_path: Path) -> None:
    from foureyes_actors.replay.program import ROOT

    (tmp_path / "foureyes_actors").mkdir()
    (tmp_path / "foureyes_actors" / "said.py").write_text("WORDS = 'another tree'\n", encoding="utf-8")
    tmp_path.chmod(0o755)
    code = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from foureyes_actors.said import WORDS
print(WORDS, sorted(set(os.listdir({str(ROOT)!r})) & {{"foureyes_actors", "supervisors", "t00l5et", "tests"}}))
try:
    open({str(ROOT / "foureyes_actors" / "said.py")!r}, "a")
except OSError as error:
    print(error.strerror)
"""
    mounted = {"foureyes_actors": tmp_path / "foureyes_actors"}
    done = run_inside(
        strong, lambda _: [sys.executable, "-c", code], None, LocalProcesses(), SystemClock(), None, mounted
    )
    assert done.exit_code == 0, done
    assert done.lines[0] == "another tree ['foureyes_actors']"  # and this Python, where it lies below ROOT
    assert done.lines[1] in ("Permission denied", "Read-only file system")


def test_in_a_weak_one_it_cannot(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="strong sandbox alone"):
        run_inside(
            Sandbox(Kind.WEAK, "x"), lambda _: ["true"], None, LocalProcesses(), SystemClock(), None, {"a": tmp_path}
        )


def test_no_hook_of_the_repository_runs(case: Planted, tmp_path: Path) -> None:
    """Neither its own nor one of a template: making a worktree would run them."""
    hook = case.case.repository / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n", encoding="utf-8")
    hook.chmod(0o755)
    try:
        base = base_tree(case.case.repository, case.case.base, tmp_path / "below", LocalProcesses())
    finally:
        hook.unlink()
    assert (base.folder / "foureyes_actors").is_dir() and not (tmp_path / "ran").exists()


def test_what_failed_on_the_way_of_an_answer_is_confirmed(cases: Mapping[str, Planted]) -> None:
    """In the tree with the defect: three runs, by the command."""
    asked = cases["asked"]
    record = json.loads((asked.case.platform / "record.json").read_text(encoding="utf-8"))
    assert record["entry"] == "foureyes_actors.inference.client:ask"
    command = [sys.executable, "-B", "-m", "t00l5et", "reproduce", str(asked.case.platform)]
    done = subprocess.run(command, cwd=asked.tree, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0 and done.stdout.startswith("wire: IndexError"), done


# --- the command ---


def test_the_command(case: Planted, strong: Sandbox, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.diff", tmp_path / "bad.diff"
    good.write_bytes(GOOD[0].data(case))
    bad.write_bytes(b"Here you are.\n")
    common = [str(case.case.platform), "--repository", str(case.case.repository), "--base", case.case.base, "--json"]
    common += ["--suite", case.few.paths[0], "--sibling", str(case.case.siblings[0])]
    runner = CliRunner()
    passed = runner.invoke(app, ["gate", common[0], str(good), *common[1:]])
    assert passed.exit_code == 0, passed.output
    assert json.loads(passed.stdout.splitlines()[-1])["passed"] is True
    stopped = runner.invoke(app, ["gate", common[0], str(bad), *common[1:]])
    assert stopped.exit_code == 1 and json.loads(stopped.stdout.splitlines()[-1])["rule"] == "diff"
    for wrong in ([common[0], "/no/such.diff", *common[1:]], [common[0], str(good), "--base", "HEAD"]):
        assert runner.invoke(app, ["gate", *wrong]).exit_code == 2
