"""A test is known by its name and its place: the gate holds what failed in one run against what failed in another, and
processes that share the tests have to agree on what they share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.timeout(300)
def test_every_test_has_the_same_name_and_place_in_another_run(request: pytest.FixtureRequest) -> None:
    """A parameter's text is part of the name, and must have no time, address or order of a set in it."""
    ours = sorted((item.nodeid for item in request.session.items), key=file_of)
    files = sorted({file_of(name) for name in ours})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "-m", "", *files]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "1"}
    done = subprocess.run(
        command, cwd=request.config.rootpath, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    theirs = [line for line in done.stdout.splitlines() if "::" in line]
    assert theirs, done.stdout[-2000:] + done.stderr[-2000:]
    assert sorted(set(ours) - set(theirs)) == []
    assert ours == sorted(filter(set(ours).__contains__, theirs), key=file_of)


def file_of(name: str) -> str:
    return name.partition("::")[0]
