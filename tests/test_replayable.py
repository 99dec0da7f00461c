"""What can be run again has no hidden inputs: no world, no clock, no chance, no state that outlives a call. By the
source: an AST of every module of the product."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from foureyes_actors.replay.registry import MODULES, registry

ROOT = Path(__file__).parent.parent
PRODUCT = sorted((ROOT / "foureyes_actors").rglob("*.py"))

FORBIDDEN = {"requests", "socket", "os", "random", "time", "threading", "subprocess", "secrets", "uuid", "pymongo"}
FORBIDDEN_CALLS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "open", "input"}
DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp)
IMMUTABLE_CALLS = {"tuple", "frozenset", "MappingProxyType"}
MUTABLE_CALLS = {
    *("list", "dict", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict", "ChainMap", "count"),
    *("LRUCache", "TTLCache", "WeakSet", "WeakKeyDictionary", "WeakValueDictionary", "ContextVar", "local", "Lock"),
    *("RLock", "Event", "Condition", "Semaphore", "Queue", "SimpleQueue", "Random", "StringIO", "BytesIO", "cycle"),
}
WRITING = {
    *("append", "extend", "insert", "remove", "pop", "popitem", "clear", "add", "discard", "update", "setdefault"),
    *("sort", "reverse", "appendleft", "popleft", "put", "put_nowait", "set", "move_to_end", "difference_update"),
    *("intersection_update", "symmetric_difference_update", "subtract", "rotate"),
}
# State of a module that is needed all the same, and why a replay does not miss it.
STATE = {
    "foureyes_actors/ports/http_connection.py:_exchange": "which exchange this thread is in; in a port, whose calls "
    "are played from the tape",
}
# A memory of a pure function: the same answer with it and without.
MEMORIES = {
    "foureyes_actors/readings/observe.py:parse_amount",
    "foureyes_actors/ports/documents.py:_known_decimal128",
    "foureyes_actors/replay/registry.py:registry",
    "foureyes_actors/ports/http_requests.py:is_loopback",
    "foureyes_actors/model_server/engine/lexicon.py:label_of",
    "foureyes_actors/model_server/engine/lexicon.py:almost_label",
    "foureyes_actors/model_server/engine/words.py:_of_a_bonus",
}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def path_of(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def module_of(path: Path) -> str:
    return relative(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that is named, also ``from package import module``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


POINTS = sorted({path for entry in registry().points if (path := path_of(entry.partition(":")[0]))})


@cache
def below_the_points() -> frozenset[Path]:
    """The modules with replay points, and all of ours that they import, however far down."""
    found: set[Path] = set()
    left = list(POINTS)
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            ours = (path_of(name) for name in imported(tree_of(path)) if name.startswith("foureyes_actors"))
            left += [each for each in ours if each is not None]
    return frozenset(found)


def globals_of(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Name and value of what a module assigns at its top, within ``if`` and ``try`` too."""
    bodies = [tree.body]
    while bodies:
        for node in bodies.pop():
            if isinstance(node, ast.Assign):
                yield from ((dotted(target), node.value) for target in node.targets)
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                yield dotted(node.target), node.value
            elif isinstance(node, ast.If | ast.Try | ast.With | ast.For | ast.While):
                bodies += [getattr(node, part, []) for part in ("body", "orelse", "finalbody")]


def is_mutable(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return dotted(value.func).rpartition(".")[2] in MUTABLE_CALLS
    return isinstance(value, DISPLAYS)


def writes(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Names that a function or the module changes in place, with the line."""
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = list(node.targets)
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target] if isinstance(node.target, ast.Subscript) or isinstance(node, ast.AugAssign) else []
        elif isinstance(node, ast.Delete):
            targets = node.targets
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITING:
            yield dotted(node.func.value), node.lineno
        for target in targets:
            if isinstance(target, ast.Subscript):
                yield dotted(target.value), target.lineno
            elif isinstance(node, ast.AugAssign):
                yield dotted(target), target.lineno


@cache
def names_everywhere() -> frozenset[str]:
    """Every mutable table of the product, as its own module and as others call it."""
    found = set()
    for path in PRODUCT:
        module = module_of(path)
        for name, value in globals_of(tree_of(path)):
            if is_mutable(value) and not name.startswith("__"):
                found |= {f"{module}:{name}"}
    return frozenset(found)


def test_there_are_replay_points_and_they_are_known() -> None:
    """A decorated function whose module the registry does not have could not be run again."""
    decorated = {
        relative(path)
        for path in PRODUCT
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(each, ast.Call) and dotted(each.func) == "replay_point" for each in node.decorator_list)
    }
    assert len(decorated) >= 8 and decorated == {relative(path) for path in POINTS}
    assert all(path_of(name) is not None for name in MODULES)


@pytest.mark.parametrize("path", POINTS, ids=relative)
def test_a_module_with_replay_points_touches_neither_world_nor_clock_nor_chance(path: Path) -> None:
    tree = ast.Module([node for node in tree_of(path).body if not is_for_types(node)], [])
    reached = {name for name in imported(tree) if name.split(".")[0] in FORBIDDEN}
    assert not reached, f"{relative(path)} imports {reached}: whatever changes comes through a port"
    calls = {dotted(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not calls & FORBIDDEN_CALLS


def is_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and dotted(node.test) == "TYPE_CHECKING"


def test_what_replay_points_stand_on_has_no_mutable_global() -> None:
    """Not even a constant that could be written to: MappingProxyType, tuple, frozenset."""
    found = {
        f"{relative(path)}:{name}"
        for path in below_the_points()
        for name, value in globals_of(tree_of(path))
        if is_mutable(value) and name != "__all__"
    }
    assert len(below_the_points()) > 20 and found - set(STATE) == set()


def test_no_module_has_state() -> None:
    """A table may stand there; nobody writes to it, neither its own module nor another one. No ``global``."""
    assert [problem for path in PRODUCT for problem in state_of(path)] == []


def state_of(path: Path) -> Iterator[str]:
    tree, module = tree_of(path), module_of(path)
    yield from (f"{relative(path)}:{node.lineno} global" for node in ast.walk(tree) if isinstance(node, ast.Global))
    own = {name: f"{module}:{name}" for name, value in globals_of(tree) if is_mutable(value)}
    brought = {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        if f"{node.module}:{alias.name}" in names_everywhere()
    }
    tables = {name for name in (*brought, *own) if f"{relative(path)}:{name}" not in STATE}
    yield from (f"{relative(path)}:{line} writes to {name}" for name, line in writes(tree) if name in tables)
    named = {name for name in own if name.startswith("__") or name.lstrip("_").isupper()}
    yield from (f"{relative(path)} {name} is no constant by its name" for name in own if name in tables - named)


def test_no_class_shares_a_mutable_value() -> None:
    shared = [
        f"{relative(path)}:{each.lineno} in {node.name}"
        for path in PRODUCT
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef)
        for each in node.body
        if isinstance(each, ast.Assign | ast.AnnAssign) and isinstance(each.value, DISPLAYS)
    ]
    assert shared == []


def test_only_pure_functions_remember() -> None:
    remembering = {
        f"{relative(path)}:{node.name}"
        for path in PRODUCT
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and any("cache" in ast.unparse(decorator) for decorator in node.decorator_list)
    }
    assert remembering == MEMORIES


def test_the_exceptions_are_still_needed() -> None:
    assert set(STATE) <= {f"{relative(path)}:{name}" for path in PRODUCT for name, _ in globals_of(tree_of(path))}


@pytest.mark.parametrize(
    ("source", "mutable"),
    [
        ("A = {}", ["A"]),
        ("A: Mapping[str, int] = {**B}", ["A"]),
        ("if True:\n    _a = [1]", ["_a"]),
        ("A = MappingProxyType({1: 2})\nB = (1, 2)\nC = frozenset({1})", []),
        ("A = collections.deque()", ["A"]),
    ],
)
def test_the_check_sees_what_it_is_there_for(source: str, mutable: list[str]) -> None:
    assert [name for name, value in globals_of(ast.parse(source)) if is_mutable(value)] == mutable


@pytest.mark.parametrize("source", ["A[1] = 2", "A.add(1)", "del A[0]", "A += [1]", "def f():\n    A.update(x=1)"])
def test_the_check_sees_writes(source: str) -> None:
    assert [name for name, _ in writes(ast.parse(source))] == ["A"]
