"""The house's directions: imports run one way, and only ports touch the world."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.api import read_configuration
from importlinter.application.use_cases import lint_imports

ROOT = Path(__file__).parent.parent
PRODUCT = ROOT / "foureyes_actors"

WORLDLY = {
    "requests",
    "socket",
    "subprocess",
    "urllib3",
    "urllib.request",
    "http.client",
    "sqlite3",
    "psutil",
    "websocket",
}
WORLDLY_CALLS = {"time.time", "time.monotonic", "time.sleep", "datetime.now", "datetime.utcnow", "open", "os.environ"}

# The model server is a program of its own, with a world of its own; headless and wiring are entries beside run.py.
ENTRIES = {"foureyes_actors/headless.py", "foureyes_actors/wiring.py"}
PROGRAMS = ("foureyes_actors/model_server/", "foureyes_actors/ports/", "foureyes_actors/capture/cabinet/__main__.py")


def product_files() -> list[Path]:
    files = [
        p for p in sorted(PRODUCT.rglob("*.py")) if not relative(p).startswith(PROGRAMS) and relative(p) not in ENTRIES
    ]
    assert len(files) > 20
    return files


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def test_imports_run_one_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert read_configuration()["contracts_options"]
    assert lint_imports(cache_dir=None, verbose=False) is True


def test_supervisors_import_pykka_and_the_standard_library_alone() -> None:
    for path in (ROOT / "supervisors").rglob("*.py"):
        roots = {name.split(".")[0] for name in imported(ast.parse(path.read_text(encoding="utf-8")))}
        foreign = roots - set(sys.stdlib_module_names) - {"pykka", "supervisors"}
        assert not foreign, f"{relative(path)} imports {foreign}"


@pytest.mark.parametrize("path", product_files(), ids=relative)
def test_only_ports_touch_the_world(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    reached = WORLDLY & set(imported(tree))
    assert not reached, f"{relative(path)} imports {reached}: go through a port"
    calls = {dotted(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not calls & WORLDLY_CALLS, f"{relative(path)} calls {calls & WORLDLY_CALLS}: go through a port"


@pytest.mark.parametrize("path", sorted(PRODUCT.rglob("*.py")), ids=relative)
def test_no_mutable_module_globals(path: Path) -> None:
    """A mutable global would be hidden state that no record of a failure holds."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        name = target.id if isinstance(target, ast.Name) else ""
        if name.startswith("__") or name.isupper() or name.lstrip("_").isupper():
            continue  # a constant by name; nothing writes to it
        assert not isinstance(value, ast.List | ast.Dict | ast.Set), f"{relative(path)}:{node.lineno} {name} is mutable"


def test_files_stay_readable() -> None:
    for folder in ("foureyes_actors", "supervisors", "t00l5et"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name == "messages.py":
                continue  # all messages in one place is worth more than a short file
            lines = len(path.read_text(encoding="utf-8").splitlines())
            assert lines <= 350, f"{relative(path)} has {lines} lines: split it"


def test_what_is_no_python_is_installed_too() -> None:
    """``pip install .`` leaves out of the packages what is not named."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    named = {f"{name}/{each}" for name, files in settings["package-data"].items() for each in files}
    found = [p for name in ("foureyes_actors", "supervisors", "t00l5et") for p in (ROOT / name).rglob("*")]
    found = [p for p in found if "__pycache__" not in p.parts]  # Python of another process may be writing there
    assert named == {relative(p) for p in found if p.is_file() and p.suffix != ".py"}
