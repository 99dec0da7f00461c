"""The base and the patched tree, in a scratch folder: a clone that borrows the repository's objects and writes nothing
into it. No hook and no filter of anybody's runs.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foureyes_actors.ports.process import ProcessPort, ProcessResult
from t00l5et.gate.diff import Change
from t00l5et.gate.report import Stopped

COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
WITHIN = 120.0  # seconds for each command
PRODUCT = "foureyes_actors"


@dataclass(frozen=True, slots=True)
class Base:
    """``folder``: the tree of the commit; ``clone``: where further worktrees come from."""

    commit: str
    clone: Path
    folder: Path


def base_tree(repository: Path, commit: str, below: Path, processes: ProcessPort) -> Base:
    """Made once per folder ``below``. Raises Stopped, ProcessError, OSError."""
    if not COMMIT.fullmatch(commit):
        raise Stopped(f"{commit[:80]!a} is not the full hash of a commit")
    base = Base(commit, below / f"clone-{commit}", below / f"base-{commit}")
    ready = below / f"ready-{commit}"
    if ready.exists():
        return base
    for half in (base.clone, base.folder):  # of a run that ended in the middle
        shutil.rmtree(half, ignore_errors=True)
    below.mkdir(parents=True, exist_ok=True)
    _git(processes, "clone", "--quiet", "--shared", "--no-checkout", str(repository.absolute()), str(base.clone))
    _worktree(base, base.folder, processes)
    # By hash of the source, so that the copies in another tree can never be taken for what is not theirs.
    compiled = ["-m", "compileall", "-q", "--invalidation-mode", "checked-hash"]
    places = [str(base.folder / name) for name in (PRODUCT, "supervisors") if (base.folder / name).is_dir()]
    processes.run([sys.executable, *compiled, *places], timeout=WITHIN)
    _readable(base.folder)
    ready.touch()
    return base


def patched_tree(base: Base, changes: Sequence[Change], scratch: Path, processes: ProcessPort) -> Path:
    """Raises Stopped when the patch does not apply to the base as it is; ProcessError, OSError."""
    folder, diff = scratch / "patched", scratch / "canonical.diff"
    diff.write_text("".join(change.text for change in changes), encoding="utf-8", newline="\n")
    for change in changes:
        kind = _git(processes, "-C", str(base.folder), "ls-tree", base.commit, "--", change.path)
        if not kind or not kind[0].startswith("100644 blob "):
            raise Stopped(f"{change.path} is no plain file of the base")
    _worktree(base, folder, processes)
    for check in (("--check",), ()):
        result = _ran(processes, "-C", str(folder), "apply", *check, "--whitespace=nowarn", str(diff))
        if result.exit_code != 0:
            raise Stopped(f"it does not apply to {base.commit[:12]}: {' '.join(result.lines[:2])}")
    _verify(folder, changes, processes)
    for cache in (base.folder / PRODUCT).rglob("__pycache__"):
        shutil.copytree(cache, folder / cache.relative_to(base.folder), dirs_exist_ok=True)
    _readable(folder)
    return folder


def _verify(folder: Path, changes: Sequence[Change], processes: ProcessPort) -> None:
    """What git says has changed is what the patch says, and nothing is new."""
    raw = _git(processes, "-C", str(folder), "diff", "--raw", "--no-renames", "--no-ext-diff")
    wanted = {change.path for change in changes}
    found = {line.partition("\t")[2]: line.split()[:2] + line.split()[4:5] for line in raw}
    new = _git(processes, "-C", str(folder), "ls-files", "--others")
    if set(found) != wanted or new or any(kind != [":100644", "100644", "M"] for kind in found.values()):
        raise Stopped("what it changes in the tree is not what it says")


def drop(base: Base, folder: Path, processes: ProcessPort) -> None:
    """A worktree that is no longer needed; the clone forgets it."""
    shutil.rmtree(folder, ignore_errors=True)
    if base.clone.exists():
        _ran(processes, "-C", str(base.clone), "worktree", "prune")


def _worktree(base: Base, folder: Path, processes: ProcessPort) -> None:
    _git(processes, "-C", str(base.clone), "worktree", "add", "--quiet", "--detach", str(folder), base.commit)


def _git(processes: ProcessPort, *arguments: str) -> tuple[str, ...]:
    result = _ran(processes, *arguments)
    if result.exit_code != 0:
        raise Stopped(f"git {next(a for a in arguments if a.isalpha())}: {' '.join(result.lines[-2:])}")
    return result.lines


def _ran(processes: ProcessPort, *arguments: str) -> ProcessResult:
    off = ["core.hooksPath=/dev/null", "core.fsmonitor=false", "core.autocrlf=false", "core.symlinks=true"]
    options = [word for each in off for word in ("-c", each)]
    return processes.run(["git", *options, *arguments], timeout=WITHIN)


def _readable(folder: Path) -> None:
    """For the user that code in the sandbox is."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            wanted = mode | (0o755 if path.is_dir() else 0o444)
            if wanted != mode:
                path.chmod(wanted)
