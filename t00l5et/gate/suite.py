"""The test suite in the sandbox: tests, settings and everything else of the base, the product of either tree."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from foureyes_actors.replay.program import ROOT
from t00l5et.gate.report import Stopped
from t00l5et.gate.runs import World, broken_off
from t00l5et.gate.trees import PRODUCT, Base
from t00l5et.sandbox import MB, OUT, Limits

SCRIPT = Path(__file__).with_name("suite_inside.py")
SIZE = 7  # characters of one test
EXIT_USAGE = 4  # of pytest, and all above: it ran no test


@dataclass(frozen=True, slots=True)
class Suite:
    """``paths``: what pytest is given, below the repository. ``arguments``: further ones of pytest's."""

    paths: tuple[str, ...] = ("tests",)
    arguments: tuple[str, ...] = ()
    seconds: float = 4800.0

    @property
    def limits(self) -> Limits:
        """Tests start programs, threads and servers; no one of them is the patch's own."""
        cpu = max(60, int(self.seconds))
        more = {"processes": 200, "tasks": 1000, "files": 2048}
        return Limits(seconds=self.seconds, cpu=cpu, memory=4096 * MB, file=256 * MB, out=1024 * MB, **more)


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """``seen``: digest of a test's name -> how it went. ``named``: those that failed, by name."""

    seen: Mapping[str, str]
    named: Mapping[str, str]

    def count(self, letters: str) -> int:
        return sum(letter in letters for letter in self.seen.values())


def run_suite(suite: Suite, base: Base, product: Path, scratch: Path, world: World) -> SuiteResult:
    """``product``: the tree whose ``foureyes_actors`` is read. Raises Stopped when it does not come to its end;
    ProcessError, OSError."""
    folder, mark = scratch / "suite", secrets.token_hex(8)
    folder.mkdir(exist_ok=True)
    shutil.copyfile(SCRIPT, folder / SCRIPT.name)
    code = {path.name: path for path in sorted(base.folder.iterdir()) if path.name != ".git"}
    code[PRODUCT] = product / PRODUCT
    given = [mark, f"{OUT}/pytest", *suite.arguments, *(str(ROOT / path) for path in suite.paths)]
    result = world.run(folder / SCRIPT.name, given, suite.limits, code)
    lines = [line.removeprefix(f"{mark} ") for line in result.lines if line.startswith(f"{mark} ")]
    if result.exit_code != 0 or not lines or not lines[-1].startswith("end "):
        raise Stopped(broken_off(result, suite.seconds))
    _, code_said, count = lines[-1].split()
    text = "".join(line.removeprefix("seen ") for line in lines if line.startswith("seen "))
    seen = {text[at : at + SIZE - 1]: text[at + SIZE - 1] for at in range(0, len(text), SIZE)}
    if int(code_said) >= EXIT_USAGE or len(seen) != int(count) or not seen:
        raise Stopped(f"pytest ran no tests (exit code {code_said}, {count} tests)")
    named = dict(line.removeprefix("named ").split(" ", 1) for line in lines if line.startswith("named "))
    return SuiteResult(seen, named)


def base_suite(suite: Suite, base: Base, scratch: Path, cache: Path, world: World) -> SuiteResult:
    """That of the base alone; kept in ``cache``, because it takes long."""
    basis = json.dumps([base.commit, suite.paths, suite.arguments, SCRIPT.read_text(encoding="utf-8")])
    kept = cache / f"suite-{hashlib.sha256(basis.encode()).hexdigest()[:32]}.json"
    if kept.exists():
        found = json.loads(kept.read_bytes())
        return SuiteResult(found["seen"], found["named"])
    tests = run_suite(suite, base, base.folder, scratch, world)
    kept.write_text(json.dumps({"seen": dict(tests.seen), "named": dict(tests.named)}), encoding="utf-8")
    return tests


def compared(before: SuiteResult, after: SuiteResult) -> str:
    """In words, what went well. Raises Stopped: each test that passed must pass, and none may be gone or skipped."""
    gone = [name for name in before.seen if name not in after.seen]
    if gone:
        raise Stopped(f"{len(gone)} tests fewer are collected ({len(before.seen) - len(gone)} of {len(before.seen)})")
    skipped = [name for name, how in after.seen.items() if how == "s" and before.seen.get(name) not in ("s", None)]
    if skipped:
        raise Stopped(f"{len(skipped)} tests are skipped that were not")
    failed = [name for name, how in after.seen.items() if how in "fX" and before.seen.get(name) not in ("f", "X")]
    if failed:
        shown = next((after.named[name] for name in failed if name in after.named), "")
        raise Stopped(f"{len(failed)} tests fail that did not: {shown}")
    old = after.count("fX")
    return f"{after.count('p')} tests pass" + (f", {old} fail as in the base" if old else "")
