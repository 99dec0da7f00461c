"""What the tests of hosted models share."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.ports.local_process import LocalChild
from tests.support import eventually

PROGRAM = (sys.executable, "-m", "foureyes_actors.model_server")
START_TIME = 60.0
INSTALL = "pip install -e '.[embedded,transformers,test]' (torch is large: CI does not have it)"


def need_torch() -> None:
    """Skips, in CI as well."""
    absent = [package for package in ("torch", "transformers") if find_spec(package) is None]
    if absent:
        pytest.skip(f"{', '.join(absent)} not found; {INSTALL}")


def model_folder(folder: Path, config: Mapping[str, Any], *files: str) -> Path:
    """A model's folder whose files are empty: enough to be listed."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    for name in files:
        (folder / name).write_text("")
    return folder


def url_of(child: LocalChild) -> str:
    """Where it says that it listens."""
    line = child.wait_line(lambda text: text.startswith('{"listening"'), START_TIME)
    assert line is not None, child.tail()
    return f"http://127.0.0.1:{json.loads(line)['listening']['port']}"


def refusal(child: LocalChild) -> str:
    """All that it said before it ended."""
    eventually(lambda: child.exit_code() is not None, START_TIME, "the program ends")
    child.wait_line(lambda line: False, START_TIME)  # until the output's end
    return " ".join(child.tail())


def folders(root: Path) -> Iterator[str]:
    """The ids of the models below ``root``, which has one folder for each owner."""
    for owner in sorted(root.iterdir()):
        yield from (f"{owner.name}/{model.name}" for model in sorted(owner.iterdir()))
