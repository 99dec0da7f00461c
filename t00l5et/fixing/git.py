"""Git, through the process port: no hooks, no signing, no questions, an identity of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foureyes_actors.errors import FourEyesError, ProcessError
from foureyes_actors.forgewright.proposal import COMMIT
from foureyes_actors.ports.process import ProcessPort
from foureyes_actors.text import one_line

WITHIN = 120.0  # seconds for one command
NAME, MAIL = "FourEyes Forgewright", "forgewright@foureyes.invalid"
_SETTINGS = (
    f"core.hooksPath={os.devnull}",
    "commit.gpgSign=false",
    "core.fsmonitor=false",
    "core.quotePath=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.detachedHead=false",
    "merge.verifySignatures=false",
    f"user.name={NAME}",
    f"user.email={MAIL}",
)


class GitError(FourEyesError):
    """A git command failed, or there is no git; the message is for people."""


class Git:
    """Of one checkout. Any thread. Every method raises GitError."""

    def __init__(self, folder: Path, processes: ProcessPort) -> None:
        self.folder, self._processes = folder, processes
        program = processes.find_program("git")
        if program is None:
            raise GitError("there is no git on PATH: without it no patch can be made, tried or applied")
        self._program = program

    def at(self, folder: Path) -> Git:
        """For another checkout of the same repository."""
        return Git(folder, self._processes)

    def lines(self, *arguments: str) -> tuple[str, ...]:
        """What it prints, at most the last 100 lines."""
        code, lines = self.tried(*arguments)
        if code != 0:
            last = next((line for line in reversed(lines) if line.strip()), "no word")
            how = f"no end within {WITHIN:g} s" if code is None else f"exit code {code}"
            raise GitError(f"git {arguments[0]}: {how}: {one_line(last, 300)}")
        return lines

    def line(self, *arguments: str) -> str:
        lines = self.lines(*arguments)
        return lines[-1].strip() if lines else ""

    def tried(self, *arguments: str) -> tuple[int | None, tuple[str, ...]]:
        """Exit code and lines, whatever the code is."""
        options = [part for setting in _SETTINGS for part in ("-c", setting)]
        command = [self._program, "--no-pager", "-C", str(self.folder), *options, *arguments]
        try:
            result = self._processes.run(command, timeout=WITHIN)
        except ProcessError as error:
            raise GitError(str(error)) from error
        return result.exit_code, result.lines

    def top(self) -> Path:
        """The checkout's own folder."""
        code, lines = self.tried("rev-parse", "--show-toplevel")
        if code != 0 or not lines:
            said = f": {one_line(lines[-1], 200)}" if lines else ""
            raise GitError(f"{one_line(str(self.folder), 300)} is no git checkout{said}")
        return Path(lines[-1].strip())

    def commit(self, name: str) -> str | None:
        """The full hash of what ``name`` means; None when it is none."""
        code, lines = self.tried("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        found = lines[-1].strip() if lines else ""
        return found if code == 0 and COMMIT.fullmatch(found) else None


@contextmanager
def worktree(git: Git, folder: Path, commit: str) -> Iterator[Path]:
    """A checkout of ``commit`` for a moment, on no branch. Raises GitError."""
    discard(git, folder)
    try:
        git.lines("worktree", "add", "--detach", "--force", str(folder), commit)
        yield folder
    finally:
        discard(git, folder)


def discard(git: Git, folder: Path) -> None:
    """A worktree of ours, also one that a killed run has left in any state. Raises GitError when it cannot be
    removed. Other people's worktrees are not looked at: no ``worktree prune``."""
    git.tried("worktree", "remove", "--force", "--force", str(folder))
    if folder.exists():  # git does not know it: it was killed while it made it, or removed it
        _delete(folder)
        git.tried("worktree", "remove", "--force", "--force", str(folder))
    if folder.exists():
        raise GitError(f"the folder {one_line(str(folder), 300)} cannot be removed")


def fresh_folder(folder: Path) -> Path:
    """Empty, for this user alone. Raises OSError."""
    _delete(folder)
    folder.mkdir(mode=0o700, parents=True)
    return folder


def _delete(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)
    else:
        folder.unlink(missing_ok=True)
