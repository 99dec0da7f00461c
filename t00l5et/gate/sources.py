"""The touched files before and after, parsed; and what ruff and bandit find in them. Nothing of them is run."""

from __future__ import annotations

import ast
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from foureyes_actors.errors import MissingExtraError
from foureyes_actors.ports.process import ProcessPort
from foureyes_actors.syntax import tree_of
from t00l5et.gate.diff import Change
from t00l5et.gate.report import Stopped

MAX_DEPTH = 60  # of the syntax tree; FourEyes's own files have some 25
LINT_WITHIN = 120.0  # seconds
PACKAGES = ("unidiff", "libcst", "bandit", "ruff", "hypothesis", "pytest")

Finding = tuple[str, str, str]  # path, rule, words


@dataclass(frozen=True, slots=True)
class Source:
    """One file. ``before`` and ``after``: its syntax trees."""

    change: Change
    before: ast.Module
    after: ast.Module
    text_before: str
    text_after: str


def need_packages() -> None:
    """Raises MissingExtraError."""
    for package in PACKAGES:
        if find_spec(package) is None:
            raise MissingExtraError(package, "forge", "the gate for patches")


def sources_of(changes: Sequence[Change], base: Path, patched: Path) -> tuple[Source, ...]:
    """Raises Stopped."""
    return tuple(_source(change, base / change.path, patched / change.path) for change in changes)


def _source(change: Change, before: Path, after: Path) -> Source:
    texts = [path.read_bytes().decode("utf-8") for path in (before, after)]
    if any("coding" in line and line.lstrip().startswith("#") for line in texts[1].split("\n")[:2]):
        raise Stopped(f"{change.path} says in which encoding it is")
    return Source(change, _tree(change.path, texts[0]), _tree(change.path, texts[1]), *texts)


def _tree(path: str, text: str) -> ast.Module:
    """By Python's parser first, which bears any nesting; libcst is asked only about what is not deep."""
    try:
        tree = tree_of(text, feature_version=(3, 11))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise Stopped(f"{path} is no Python{line}: {error.msg if isinstance(error, SyntaxError) else error}") from None
    if _depth(tree) > MAX_DEPTH:
        raise Stopped(f"{path} is nested more than {MAX_DEPTH} deep")
    import libcst

    try:
        module = libcst.parse_module(text.encode())
    except libcst.ParserSyntaxError as error:
        raise Stopped(f"{path}: {error.message}") from None
    if module.encoding != "utf-8" or module.code != text:
        raise Stopped(f"{path} does not read as it is written")
    return tree


def _depth(tree: ast.AST) -> int:
    level, depth = [tree], 0
    while level and depth <= MAX_DEPTH:
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        depth += 1
    return depth


# --- ruff and bandit ---


def new_findings(
    changes: Sequence[Change], base: Path, patched: Path, scratch: Path, processes: ProcessPort
) -> list[Finding]:
    """What is found in the patched files and was not in those of the base, with the base's settings; comments that
    silence a finding count for nothing. Raises Stopped, ProcessError, OSError."""
    paths = [change.path for change in changes]
    found: list[Counter[Finding]] = []
    for number, tree in enumerate((base, patched)):
        out = scratch / f"lint-{number}"
        ruff = _ruff(tree, paths, base / "pyproject.toml", out.with_suffix(".ruff"), processes)
        found.append(Counter([*ruff, *_bandit(tree, paths, out.with_suffix(".bandit"), processes)]))
    return list((found[1] - found[0]).elements())


def _ruff(tree: Path, paths: Sequence[str], settings: Path, out: Path, processes: ProcessPort) -> list[Finding]:
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--ignore-noqa", "--quiet", "--exit-zero"]
    command += ["--config", str(settings), "--output-format", "json", "--output-file", str(out)]
    found = _report(command, tree, paths, out, processes)
    return [(_below(tree, one["filename"]), str(one["code"]), str(one["message"])) for one in found]


def _bandit(tree: Path, paths: Sequence[str], out: Path, processes: ProcessPort) -> list[Finding]:
    """Without B101: an assertion is no danger here."""
    command = [sys.executable, "-m", "bandit", "--quiet", "--ignore-nosec", "--exit-zero", "--skip", "B101"]
    command += ["--format", "json", "--output", str(out)]
    report = _report(command, tree, paths, out, processes)
    if report["errors"]:
        raise Stopped(f"bandit: {report['errors'][0].get('reason', 'trouble')}")
    return [(_below(tree, one["filename"]), one["test_id"], one["issue_text"]) for one in report["results"]]


def _report(command: list[str], tree: Path, paths: Sequence[str], out: Path, processes: ProcessPort) -> Any:
    result = processes.run([*command, *(str(tree / path) for path in paths)], timeout=LINT_WITHIN)
    if result.exit_code != 0:
        raise Stopped(f"{command[2]}: {' '.join(result.lines[-2:])}")
    return json.loads(out.read_bytes())


def _below(tree: Path, name: str) -> str:
    return Path(name).resolve().relative_to(tree.resolve()).as_posix()
