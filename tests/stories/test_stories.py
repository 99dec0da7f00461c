"""Each story comes to its end; what it is made of fits this revision."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stories.checkout import Checkout
from tests.stories.drive import tell
from tests.stories.fixer import before
from tests.stories.story import HERE, STORIES, Story
from tests.support import missing, need
from tests.t00l5et.gate.defects import need_git


@pytest.fixture
def folder() -> Iterator[Path]:
    """With a short name: a path of a socket may have some hundred characters."""
    with tempfile.TemporaryDirectory(prefix="fe-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", STORIES)
def test_a_story(name: str, folder: Path) -> None:
    need(programs=("git", "bwrap"), install="apt-get install git bubblewrap")
    steps = tell(STORIES[name], folder, print)
    assert list(steps.times)[-1] == "completed"


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_its_diffs_fit_this_revision(story: Story, folder: Path) -> None:
    if not need_git():
        missing("a git checkout of FourEyes, which can be cloned")
    checkout = Checkout.cloned(folder / "repo", folder / "foureyes.yaml")
    assert checkout.imported_from().is_relative_to(checkout.place)
    whole = checkout.plant(story.plant, story.defect)
    assert whole == checkout.head
    checkout.git("apply", "--index", str(story.good))
    assert checkout.git("diff", "--name-only", "HEAD").split() == [story.file]
    for tree in (checkout.git("stash", "create").strip(), whole):
        checkout.git("reset", "--quiet", "--hard", tree)
        checkout.python("-m", "ruff", "check", "--quiet", story.file)
        checkout.python("-m", "ruff", "format", "--check", "--quiet", story.file)


def task(story: Story) -> dict[str, Any]:
    """As ``python -m t00l5et fix`` gives it to a fixer."""
    sources = [
        {"path": path, "first": 1, "text": "\n".join(lines)}
        for path, lines in before(story.good.read_text(encoding="utf-8")).items()
    ]
    said = {"test_output": f"{story.exception}: it failed", "record": {"exceptions": [{"type": story.exception}]}}
    return {
        "base": "0" * 40,
        "instructions": "Mend it.",
        "rules": ["with a diff"],
        "contract_test": "test_repro_00000000.py::test_contract",
        "frames": [{"path": story.file, "line": 1, "qualname": "f"}],
        "sources": sources,
        "untrusted_data": said,
    }


def played(story: Story, given: dict[str, Any]) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-I", str(HERE / "fixer.py"), str(story.good)]
    return subprocess.run(command, input=json.dumps(given).encode(), capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_the_fixer_plays_its_diff_back(story: Story) -> None:
    done = played(story, task(story))
    assert (done.returncode, done.stdout) == (0, story.good.read_bytes()), done.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"base": "HEAD"}, "base is no commit"),
        ({"frames": []}, "frames is missing or empty"),
        (
            {"sources": [{"path": "foureyes_actors/readings/money.py", "first": 1, "text": "x = 1"}]},
            "as the diff needs",
        ),
        ({"untrusted_data": {"test_output": "1 passed", "record": {}}}, "does not show the failure"),
    ],
)
def test_the_fixer_gives_nothing_when_the_task_lacks_something(change: dict[str, Any], words: str) -> None:
    story = STORIES["parser"]
    done = played(story, {**task(story), **change})
    assert (done.returncode, done.stdout) == (2, b"")
    assert words in done.stderr.decode()
