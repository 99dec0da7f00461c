"""A copy of this repository, with a defect planted into it, and its program run as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.stories.steps import StoryFailed

ROOT = Path(__file__).parents[2]
WITHIN = 120.0  # seconds for one command


class Checkout:
    """``config``: the foureyes.yaml of every command."""

    def __init__(self, place: Path, config: Path) -> None:
        self.place, self.config = place, config

    @classmethod
    def cloned(cls, place: Path, config: Path) -> Checkout:
        """What is committed here, as ``git clone`` gives it."""
        _called(["git", "clone", "--quiet", str(ROOT), str(place)], ROOT, os.environ)
        made = cls(place, config)
        for key, value in (("user.name", "Story"), ("user.email", "story@example.invalid")):
            made.git("config", key, value)
        return made

    def plant(self, diff: Path, words: str) -> str:
        """The commit."""
        self.git("apply", "--index", str(diff))
        self.git("commit", "--quiet", "--message", words)
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD").strip()

    def git(self, *arguments: str) -> str:
        return _called(["git", *arguments], self.place, os.environ)

    @property
    def environment(self) -> dict[str, str]:
        """This copy's code alone: an editable installation of another one may be there."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("FOUREYES_")}
        return {**clean, "PYTHONPATH": str(self.place), "FOUREYES_CONFIG": str(self.config)}

    def python(self, *arguments: str) -> str:
        return _called([sys.executable, *arguments], self.place, self.environment)

    def run(self, *arguments: str) -> str:
        """``python run.py``: what it said."""
        return self.python("run.py", *arguments)

    def told(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments))

    def groups(self, **fields: str) -> list[dict[str, Any]]:
        """Of ERR0R, the resolved ones too. Not while a run begins: they take turns with the store."""
        found = self.told("errors", "list", "--all", "--json")["groups"]
        return [group for group in found if all(str(group.get(key)) == value for key, value in fields.items())]

    def imported_from(self) -> Path:
        """Where its product comes from, for its Python."""
        return Path(self.python("-c", "import foureyes_actors; print(foureyes_actors.__file__)").strip())


def _called(command: list[str], where: Path, environment: Mapping[str, str]) -> str:
    """Raises StoryFailed when it fails."""
    done = subprocess.run(
        command, cwd=where, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WITHIN
    )
    if done.returncode != 0:
        shown = " ".join(command[:6])
        raise StoryFailed(f"{shown}: exit code {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout
