"""Each story comes to its end."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stories.drive import tell
from tests.stories.story import STORIES
from tests.support import need

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture
def folder() -> Iterator[Path]:
    """With a short name: a path of a socket may have some hundred characters."""
    with tempfile.TemporaryDirectory(prefix="fe-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.mark.parametrize("name", STORIES)
def test_a_story(name: str, folder: Path) -> None:
    need(programs=("git", "bwrap"), install="apt-get install git bubblewrap")
    steps = tell(STORIES[name], folder, print)
    assert list(steps.times)[-1] == "no longer fails"
