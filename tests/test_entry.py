"""FourEyes as a command: installed it is ``foureyes``, from its own folder ``python run.py``, and both are one."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from foureyes_actors import entry, exit_codes
from foureyes_actors.headless import version
from foureyes_actors.invocation import PROGRAM, install_command
from tests.support import ROOT, foureyes

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MODULE, _, FUNCTION = SETTINGS["project"]["scripts"]["foureyes"].partition(":")
INSTALLED = ["-c", f"import sys; from {MODULE} import {FUNCTION}; sys.exit({FUNCTION}())"]  # as pip writes it
WAYS = {"installed": INSTALLED, "run.py": [str(ROOT / "run.py")]}


@pytest.mark.parametrize("way", WAYS)
def test_it_tells_its_version_and_its_commands(way: str, tmp_path: Path) -> None:
    told = foureyes(tmp_path, "--version", program=WAYS[way])
    assert (told.returncode, told.stderr) == (0, "") and told.stdout.startswith(f"FourEyes {version()} on Python 3.")
    shown = foureyes(tmp_path, "--help", program=WAYS[way])
    assert shown.returncode == 0 and all(name in shown.stdout for name in ("doctor", "models", "errors", "bench"))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("way", WAYS)
def test_its_exit_code_is_the_commands(way: str, tmp_path: Path) -> None:
    done = foureyes(tmp_path, "errors", "list", program=WAYS[way])
    assert done.returncode == exit_codes.UNAVAILABLE and "there is no store at" in done.stderr, done.stderr


def test_the_file_that_is_beside_run_py_is_named_when_it_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way", encoding="utf-8")
    done = foureyes(tmp_path, "--seconds", "1")
    assert f"built-in defaults; {ROOT / 'foureyes.yaml'} is not used from here" in done.stdout, done.stdout


def test_what_comes_before_the_imports_imports_nothing_that_takes_long() -> None:
    """A signal that comes earlier ends the program with a traceback."""
    tree = ast.parse(Path(entry.__file__).read_text(encoding="utf-8"))
    at_once = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {name.name for node in at_once if isinstance(node, ast.Import) for name in node.names}
    assert names == {"os", "signal", "sys"}
    assert [node.module for node in at_once if isinstance(node, ast.ImportFrom)] == ["__future__"]


def test_its_numbers_are_those_of_the_exit_codes() -> None:
    assert entry.INTERRUPTED == exit_codes.INTERRUPTED


def test_what_advice_calls_it_is_what_can_be_called(tmp_path: Path) -> None:
    assert (PROGRAM, install_command("gpu")) == ("python run.py", f'{sys.executable} -m pip install -e ".[gpu]"')
    installed = tmp_path / "foureyes_actors"
    installed.mkdir()
    for name in ("__init__.py", "invocation.py"):
        shutil.copy(ROOT / "foureyes_actors" / name, installed)
    ask = "from foureyes_actors.invocation import PROGRAM, install_command as f; print(PROGRAM, f('gpu'), sep='\\n')"
    told = subprocess.run([sys.executable, "-c", ask], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert told.stdout.splitlines() == ["foureyes", f'{sys.executable} -m pip install "foureyes[gpu]"'], told.stderr
