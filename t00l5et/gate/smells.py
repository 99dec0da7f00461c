"""What a patch adds or takes away, and no honest mending needs: by the syntax trees before and after. Pure.

Each rule finds things in a tree, as (kind, words). What is in the patched files and not in those of the base is new;
what was in the base's and is gone was taken away. Code that only moved is neither. Lists of names can be got round:
the sandbox and the person who approves are the real barrier, and this saves their time.
"""

from __future__ import annotations

import ast
import builtins
import io
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence

from t00l5et.gate.names import ATTRIBUTES, BROAD, ENDINGS, GUARDED, IMPORTS, NAMES, TEXTS
from t00l5et.gate.sources import Source

Smell = tuple[str, str]  # kind, words
_Rule = Callable[[ast.Module, str, frozenset[str]], Iterator[Smell]]
MAX_WORDS = 100
REPLAY_POINT = "replay_point"
_UNENDING = ("itertools.count", "itertools.cycle", "itertools.repeat")


def smells(sources: Sequence[Source], failed: Collection[str]) -> list[Smell]:
    """``failed``: the names of the recorded exception's types and of their bases, without modules."""
    hidden = frozenset(failed) | BROAD
    before = Counter(smell for source in sources for smell in _all(source.before, source.text_before, hidden))
    after = Counter(smell for source in sources for smell in _all(source.after, source.text_after, hidden))
    return [*_contracts(sources), *_gone(sources), *(after - before).elements()]


def _all(tree: ast.Module, text: str, hidden: frozenset[str]) -> Iterator[Smell]:
    for rule in _RULES:
        yield from rule(tree, text, hidden)


def _said(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= MAX_WORDS else f"{text[: MAX_WORDS - 3]}..."


# --- taken away ---


def _gone(sources: Sequence[Source]) -> Iterator[Smell]:
    """Each type raised must be raised as often as before; of assertions each by its words."""
    before = Counter(check for source in sources for check in _checks(source.before))
    after = Counter(check for source in sources for check in _checks(source.after))
    for kind, words in (before - after).elements():
        yield f"{kind} taken away", words


def _checks(tree: ast.Module) -> Iterator[Smell]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            yield "assertion", _said(node.test)
        elif isinstance(node, ast.Raise):
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            yield "raise", _said(raised) if raised is not None else "raise"


def _contracts(sources: Sequence[Source]) -> Iterator[Smell]:
    """Replay points, what their decorators name, and the bases of classes stay as they are."""
    for source in sources:
        before, after = dict(_declared(source.before)), dict(_declared(source.after))
        for name in sorted(set(before) | set(after)):
            if before.get(name) != after.get(name) and (name in before or not name.startswith("class ")):
                yield "contract", f"{name}: {before.get(name, 'nothing')} became {after.get(name, 'nothing')}"


def _declared(tree: ast.Module) -> Iterator[tuple[str, str]]:
    used: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                if REPLAY_POINT in _said(decorator):
                    used |= {n.id for n in ast.walk(decorator) if isinstance(n, ast.Name)}
                    yield f"@replay_point of {node.name}", ast.unparse(decorator)
        elif isinstance(node, ast.ClassDef):
            heads = [*node.bases, *node.keywords, *node.decorator_list]
            yield f"class {node.name}", ", ".join(map(ast.unparse, heads))
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            if isinstance(target, ast.Name) and target.id in used:
                yield f"{target.id} (named by a replay point)", ast.unparse(node)
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) in used:
                    yield f"{alias.asname or alias.name} (named by a replay point)", _origin(node, alias)


def _origin(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> str:
    return f"from {node.module} import {alias.name}" if isinstance(node, ast.ImportFrom) else f"import {alias.name}"


# --- added ---


def _handlers(tree: ast.Module, _text: str, hidden: frozenset[str]) -> Iterator[Smell]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Try | ast.TryStar):
            for handler in node.handlers:
                yield from _handler(handler, hidden)
            for each in (n for statement in node.finalbody for n in ast.walk(statement)):
                if isinstance(each, ast.Return | ast.Break | ast.Continue):
                    yield "swallowed exception", f"{_said(each)} in a finally"


def _handler(handler: ast.ExceptHandler, hidden: frozenset[str]) -> Iterator[Smell]:
    if _raises(handler.body):
        return
    words = f"except {_said(handler.type) if handler.type else ''}".strip()
    caught = list(_caught(handler.type))
    if handler.type is None or BROAD & set(caught):
        yield "broad except", f"{words}: without a raise at its end"
    elif "" in caught:
        yield "broad except", f"{words}: what it catches cannot be read"
    elif hidden & set(caught):
        yield "swallowed exception", f"{words}: it catches what was recorded, and does not raise at its end"


def _raises(body: Sequence[ast.stmt]) -> bool:
    """Whatever happens in it: its last statement raises, and nothing leaves it before."""
    left = [n for statement in body for n in ast.walk(statement)]
    away = any(isinstance(n, ast.Return | ast.Break | ast.Continue) for n in left)
    return bool(body) and isinstance(body[-1], ast.Raise) and not away


def _caught(node: ast.expr | None) -> Iterator[str]:
    """Names of types; empty for what is no name."""
    if isinstance(node, ast.Tuple):
        for item in node.elts:
            yield from _caught(item)
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif node is not None:
        yield node.id if isinstance(node, ast.Name) and not node.id.isupper() else ""


def _calls(tree: ast.Module, _text: str, hidden: frozenset[str]) -> Iterator[Smell]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        caught = {caught for arg in node.args for caught in _caught(arg)}
        if name == "suppress" and (hidden & caught or "" in caught):
            yield "swallowed exception", _said(node)
        elif _said(node.func) in _UNENDING or (name == "iter" and len(node.args) > 1):
            yield "endless", _said(node)
        elif name == "type" and len(node.args) > 1:
            yield "dynamic", _said(node)


def _names(tree: ast.Module, _text: str, hidden: frozenset[str]) -> Iterator[Smell]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and (kind := _kind(node.id, NAMES)):
            yield kind, node.id
        elif isinstance(node, ast.Attribute) and (kind := _kind(node.attr, ATTRIBUTES)):
            yield kind, f".{node.attr}"
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and _dunder(node.name):
            yield "dynamic", f"{node.name} is defined"
        elif isinstance(node, ast.Global | ast.Nonlocal):
            yield "hidden state", _said(node)
    yield from _hidden_by_name(tree, hidden)


def _hidden_by_name(tree: ast.Module, hidden: frozenset[str]) -> Iterator[Smell]:
    """``Everything = Exception`` would get round the rule for handlers, and ``quiet = suppress`` that for calls."""
    plain = {
        id(n)
        for node in ast.walk(tree)
        for place in _places_of_types(node)
        if place is not None
        for n in ast.walk(place)
    }
    for node in ast.walk(tree):
        name = getattr(node, "id", None) or getattr(node, "attr", None)
        if isinstance(name, str) and name in hidden | {"suppress"} and id(node) not in plain:
            yield "swallowed exception", f"{name} as a value"


def _places_of_types(node: ast.AST) -> list[ast.AST | None]:
    """Where the name of a type is what it seems."""
    if isinstance(node, ast.ExceptHandler):
        return [node.type]
    if isinstance(node, ast.Raise):
        return [node.exc.func if isinstance(node.exc, ast.Call) else node.exc]
    if isinstance(node, ast.Call):
        return [node, *node.args] if _said(node.func).endswith("suppress") else []
    if isinstance(node, ast.arg | ast.AnnAssign):
        return [node.annotation]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.returns]
    return []


def _kind(name: str, table: dict[str, str]) -> str:
    return "dynamic" if _dunder(name) else table.get(name, "")


def _dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__") and name not in ("__post_init__", "__all__")


def _imports(tree: ast.Module, _text: str, _hidden: frozenset[str]) -> Iterator[Smell]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name not in IMPORTS:
                    yield "import", alias.name
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            for alias in node.names:  # which may be a module too: of settings, some are guarded
                ours = module.startswith("foureyes_actors.") and not f"{module}.{alias.name}".startswith(GUARDED)
                if alias.name == "*" or node.level or not (module in IMPORTS or ours) or alias.name in ENDINGS:
                    yield "import", f"from {module} import {alias.name}"


def _loops(tree: ast.Module, _text: str, _hidden: frozenset[str]) -> Iterator[Smell]:
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.AsyncFor | ast.While):
            yield from _loop(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for handler in (n for n in ast.walk(node) if isinstance(n, ast.ExceptHandler)):
                if any(isinstance(n, ast.Name) and n.id == node.name for n in ast.walk(handler)):
                    yield "retry", f"{node.name} calls itself where it failed"
        elif isinstance(node, ast.If | ast.IfExp) and _folds(node.test):
            yield "dead code", f"if {_said(node.test)}"


def _loop(node: ast.For | ast.AsyncFor | ast.While) -> Iterator[Smell]:
    inside = list(ast.walk(node))
    ways_out = any(isinstance(n, ast.Break | ast.Return | ast.Raise) for n in inside)
    if isinstance(node, ast.While) and _folds(node.test) and not ways_out:
        yield "endless", f"while {_said(node.test)}: without a way out"
    if any(isinstance(n, ast.Try) and any(not _raises(h.body) for h in n.handlers) for n in inside):
        yield "retry", f"a loop ({_said(node.test if isinstance(node, ast.While) else node.iter)}) tries what failed"


def _folds(test: ast.expr) -> bool:
    """No name in it: it is always the same."""
    return not any(isinstance(n, ast.Name | ast.Call | ast.NamedExpr) for n in ast.walk(test))


def _texts(tree: ast.Module, text: str, _hidden: frozenset[str]) -> Iterator[Smell]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            said = node.value.lower()
            yield from ((kind, f"a text with {part}") for part, kind in TEXTS.items() if part in said)
        elif _put_together(node):
            yield "hidden text", _said(node)
    yield from _identifiers(tree)
    yield from _lines(text)


def _put_together(node: ast.AST) -> bool:
    """A text made of constant pieces: what it says can only be seen when it is run."""
    match node:
        case ast.BinOp(left=ast.Constant(value=str() | bytes()), right=ast.Constant() | ast.Tuple()):
            return True
        case ast.Subscript(value=ast.Constant()):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join" | "replace" | "translate"), args=args):
            return _of_constants(args)
    return False


def _of_constants(args: Sequence[ast.expr]) -> bool:
    parts = [p for arg in args for p in (arg.elts if isinstance(arg, ast.List | ast.Tuple) else [arg])]
    return bool(parts) and all(isinstance(part, ast.Constant) for part in parts)


def _identifiers(tree: ast.Module) -> Iterator[Smell]:
    """Python takes ``ｅｖａｌ`` for ``eval``; in the tree it is that already, in the source it is not."""
    for node in ast.walk(tree):
        name = getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "name", None)
        if isinstance(name, str) and not name.isascii():
            yield "hidden text", f"the name {name[:40]}"


def _lines(text: str) -> Iterator[Smell]:
    """By the source: names that are not ASCII outside of texts, escapes of plain letters, comments that silence."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            for word in ("noqa", "nosec", "type: ignore", "pragma", "coding:", "coding="):
                if word in token.string:
                    yield "silenced check", token.string[:60]
        elif token.type == tokenize.STRING:
            if _escapes(token.string):
                yield "hidden text", f"a plain letter written as an escape: {token.string[:40]}"
        elif not token.string.isascii():
            yield "hidden text", f"{token.string[:40]!a} outside of a text"


def _escapes(literal: str) -> bool:
    r"""``"\x65val"`` is ``"eval"``."""
    codes = re.findall(r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})|\\U([0-9a-f]{8})|\\([0-7]{2,3})", literal, re.IGNORECASE)
    plain = [int(h or u or w, 16) if h or u or w else int(o, 8) for h, u, w, o in codes]
    return "\\N{" in literal or any(0x21 <= code <= 0x7E for code in plain)


def _writes(tree: ast.Module, _text: str, _hidden: frozenset[str]) -> Iterator[Smell]:
    """Into what belongs to somebody else: a module, a class, a function."""
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign | ast.Delete):
            targets = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        for target in (n for t in targets for n in ast.walk(t)):
            if isinstance(target, ast.Attribute) and not (
                isinstance(target.value, ast.Name) and target.value.id == "self"
            ):
                yield "hidden state", f"{_said(target)} is written to"
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in dir(builtins):
            yield "hidden state", f"{node.id} is another one now"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                if any(word in _said(decorator) for word in ("cache", "contextmanager", "atexit", "register")):
                    yield "hidden state", f"@{_said(decorator)} of {node.name}"


_RULES: tuple[_Rule, ...] = (_handlers, _calls, _names, _imports, _loops, _texts, _writes)
