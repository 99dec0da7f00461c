"""Defects, planted as commits on a copy of this repository, and what was recorded of each."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from t00l5et.gate.gate import Case, Suite

ROOT = Path(__file__).parents[3]
MONEY = "foureyes_actors/readings/money.py"
FIELDS = "foureyes_actors/readings/fields.py"
ANSWERS = "foureyes_actors/inference/answers.py"
Edit = tuple[str, str, str]  # path, what stands there, what is put there


@dataclass(frozen=True)
class Defect:
    """``suite``: tests of the touched folder that do not find it, as those of a real defect did not."""

    name: str
    edits: tuple[Edit, ...]
    suite: tuple[str, ...]


@dataclass(frozen=True)
class Planted:
    """``tree``: the base, checked out; only read."""

    defect: Defect
    tree: Path
    case: Case

    @property
    def few(self) -> Suite:
        """Of its suite one file, where the rules are what is tested."""
        return Suite(self.defect.suite[:1], seconds=120.0)

    @property
    def suite(self) -> Suite:
        return Suite(self.defect.suite, seconds=120.0)


READINGS = ("tests/readings/test_screen.py", "tests/readings/test_observe.py", "tests/readings/test_events.py")
INFERENCE = ("tests/inference/test_tasks.py", "tests/inference/test_reply.py")
DEFECTS = (
    Defect(
        "money",  # ValueError: a character without a name
        (
            (
                MONEY,
                'if "\\uff00" <= character <= "\\uffef":',
                'if unicodedata.name(character).startswith(("FULLWIDTH", "HALFWIDTH")):',
            ),
        ),
        READINGS,
    ),
    Defect(
        "lists",  # IndexError: the first item of none
        ((ANSWERS, 'return "a list"\n', 'return f"a list that begins with {_kind(value[0])}"\n'),),
        (*INFERENCE, "tests/inference/test_answers.py"),
    ),
    Defect(
        "confidences",  # OverflowError: endless as a whole number
        (
            (
                ANSWERS,
                "confidence is {value[:30]}, not from 0 to 1",
                "confidence is {round(confidence * 100)} %, not from 0 to 100 %",
            ),
        ),
        INFERENCE,
    ),
    Defect(
        "growth",  # DivisionByZero: a jackpot that was won
        ((FIELDS, "return earlier <= later <= earlier * GROWTH", "return 1 <= later / earlier <= GROWTH"),),
        (*READINGS, "tests/readings/test_money.py"),
    ),
    Defect(
        "asked",  # IndexError in the parser, on the way of an answer: between two questions to the clock
        ((ANSWERS, 'return f"the text {_shown(value)}"', 'return f"the text {value[0]} to {value[-1]}"'),),
        INFERENCE,
    ),
    Defect(
        "twice",  # as money, and of the same function another statement: min() of an empty text
        (
            (
                MONEY,
                'if "\\uff00" <= character <= "\\uffef":',
                'if unicodedata.name(character).startswith(("FULLWIDTH", "HALFWIDTH")):',
            ),
            (MONEY, "    if len(text) > MAX_LENGTH:", '    if len(text) > MAX_LENGTH or min(text) == "\\0":'),
        ),
        READINGS,
    ),
)


def planted(below: Path) -> Mapping[str, Planted]:
    """A clone with a commit for each; ``below`` is a new folder."""
    clone = below / "repository"
    run("git", "clone", "--quiet", "--shared", str(ROOT), str(clone))
    head = run("git", "-C", str(clone), "rev-parse", "HEAD").strip()
    return {defect.name: _plant(defect, clone, head, below) for defect in DEFECTS}


def _plant(defect: Defect, clone: Path, head: str, below: Path) -> Planted:
    run("git", "-C", str(clone), "checkout", "--quiet", "--detach", head)
    for path, old, new in defect.edits:
        replace_in(clone / path, old, new)
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    run("git", "-C", str(clone), *who, "commit", "--quiet", "--no-verify", "-a", "-m", f"plant {defect.name}")
    base = run("git", "-C", str(clone), "rev-parse", "HEAD").strip()
    tree = below / defect.name
    run("git", "-C", str(clone), "worktree", "add", "--quiet", "--detach", str(tree), base)
    script = Path(__file__).with_name("recording.py")
    made = below / f"platforms-{defect.name}"
    said = run(sys.executable, "-B", str(script), str(tree), defect.name, str(made))
    first, *siblings = map(Path, said.split())
    return Planted(defect, tree, Case(first, clone, base, tuple(siblings)))


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path.name}: {text.count(old)} times: {old}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{command[:6]}: {done.stdout}{done.stderr}"
    return done.stdout


def need_git() -> bool:
    """A copy that is no checkout has nothing to clone."""
    return shutil.which("git") is not None and (ROOT / ".git").exists()
