"""YAML and JSON text -> plain values with the place of each, and the problems of their form. Pure; builds no objects.

Bounded: at most 128 KiB are read (pure Python needs some 3 s for the worst of it), and the walk goes only where the
schema has keys, so that aliases of aliases are never unfolded. No problem repeats a piece of the file that could be
a secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from foureyes_actors.settings.schema import Key, Kind, Shape, meant

MAX_BYTES = 128 * 1024
MAX_DEPTH = 100  # of brackets

_SKIP = object()  # a value with a problem: left out, so that no second problem is told about it
_QUOTED = re.compile(r"'([^']*)'")
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Problem:
    """``place``: "foureyes.yaml:12" or a variable's name; ``key``: which key, when known."""

    place: str
    text: str
    key: Key = ()
    line: int = 0

    def __str__(self) -> str:
        key = f"{'.'.join(self.key)}: " if self.key else ""
        return f"{self.place}: {key}{self.text}"


class BadForm(Exception):
    """The text is not YAML or JSON at all."""

    def __init__(self, line: int, column: int, text: str) -> None:
        super().__init__(text)
        self.line, self.column, self.text = line, column, text


@dataclass(slots=True)
class Tree:
    """What was read: values by key as plain dicts, lists and scalars, the line of each key, the problems."""

    values: Any = None
    lines: dict[Key, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def decode(data: bytes) -> str:
    """Raises BadForm for too much, or what is not UTF-8."""
    if len(data) > MAX_BYTES:
        raise BadForm(1, 1, f"has {len(data)} bytes; at most {MAX_BYTES} are read")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadForm(1, 1, "is written in UTF-16; save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise BadForm(line, column, f"is not UTF-8 (byte 0x{data[error.start]:02x}); save it as UTF-8") from None


def compose(text: str) -> Node | None:
    """The YAML nodes of one document; None when it is empty. Raises BadForm."""
    _check_depth(text)
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    try:
        node: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadForm(mark.line + 1 if mark else 1, mark.column + 1 if mark else 1, _words(error)) from None
    except YAMLError as error:  # ReaderError: a character that YAML does not allow
        at = int(getattr(error, "position", 0) or 0)
        raise BadForm(text.count("\n", 0, at) + 1, 1, "has a character that YAML does not allow") from None
    except RecursionError:
        raise BadForm(1, 1, "is nested too deeply") from None
    return node


def _check_depth(text: str) -> None:
    """The reader's time grows with the square of the depth. Brackets in quotes are counted too: nobody has so many."""
    depth = 0
    for at, character in enumerate(text):
        if character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise BadForm(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at), "is nested too deeply")
        elif character in "]}":
            depth = max(0, depth - 1)


def check_json(text: str) -> None:
    """Raises BadForm unless the text is strict JSON."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not JSON")

    try:
        json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise BadForm(error.lineno, error.colno, f"is not JSON: {error.msg}") from None
    except RecursionError:
        raise BadForm(1, 1, "is nested too deeply") from None
    except ValueError as error:
        raise BadForm(1, 1, str(error)[:100]) from None


def read(
    node: Node | None,
    shape: Shape,
    place: Callable[[int], str],
    *,
    top: Key = (),
    root: Shape | None = None,
    quoted: bool = False,
) -> Tree:
    """Walk ``node`` as ``shape``. ``place``: names a line, for problems. ``root``: where suggestions are looked for.
    ``quoted``: a text must stand in quotes (JSON); else a text key takes ``0123`` as it is written."""
    walk = _Walk(root or shape, place, quoted)
    if node is not None:
        value = walk.value(node, shape, top)
        walk.tree.values = None if value is _SKIP else value
    return walk.tree


class _Walk:
    def __init__(self, root: Shape, place: Callable[[int], str], quoted: bool) -> None:
        self.root, self.place, self.quoted, self.tree = root, place, quoted, Tree()

    def problem(self, node: Node, key: Key, text: str) -> Any:
        line = node.start_mark.line + 1
        self.tree.problems.append(Problem(self.place(line), text, key, line))
        return _SKIP

    def value(self, node: Node, shape: Shape, key: Key) -> Any:
        if shape.kind in (Kind.SECTION, Kind.TABLE):
            return self._section(node, shape, key)
        if shape.kind is Kind.LIST:
            return self._list(node, shape, key)
        return self._scalar(node, shape, key)

    def _section(self, node: Node, shape: Shape, key: Key) -> Any:
        if _is_null(node):
            return {}  # all its keys are commented out
        if not isinstance(node, MappingNode):
            what = "a list" if isinstance(node, SequenceNode) else "a single value"
            known = f"{shape.keys[0]}: ..." if shape.keys else "key: ..."
            return self.problem(node, key, f"{what} stands where a section of keys is expected; e.g. {known}")
        found: dict[str, Any] = {}
        seen: dict[str, int] = {}
        for name_node, value_node in node.value:
            name = self._name(name_node, shape, key, seen)
            if name is None:
                continue
            self.tree.lines[(*key, name)] = name_node.start_mark.line + 1
            value = self.value(value_node, shape.child(name), (*key, name))
            if value is not _SKIP:
                found[name] = value
        return found

    def _name(self, node: Node, shape: Shape, key: Key, seen: dict[str, int]) -> str | None:
        if not isinstance(node, ScalarNode):
            self.problem(node, key, "a key must be a single word")
            return None
        name = node.value
        if name in seen:
            self.problem(node, (*key, name), f"this key stands twice, first in line {seen[name]}; keep one of them")
            return None
        if name not in shape.keys:
            self.problem(node, key, unknown_key(self.root, shape, key, name))
            return None
        seen[name] = node.start_mark.line + 1
        return str(name)

    def _list(self, node: Node, shape: Shape, key: Key) -> Any:
        if _is_null(node) and shape.nullable:
            return None
        if not isinstance(node, SequenceNode) or shape.item is None:
            example = "[one, two]" if shape.item is not None and shape.item.kind is Kind.TEXT else "[1, 2]"
            return self.problem(node, key, f"a list is expected; right would be e.g. {example}")
        values = []
        for number, item in enumerate(node.value):
            self.tree.lines[(*key, str(number))] = item.start_mark.line + 1
            values.append(self.value(item, shape.item, (*key, str(number))))
        return _SKIP if any(value is _SKIP for value in values) else values

    def _scalar(self, node: Node, shape: Shape, key: Key) -> Any:
        if not isinstance(node, ScalarNode):
            return self.problem(node, key, f"a section or a list stands where {shape.kind} is expected")
        tag = str(node.tag).removeprefix(_TAG)
        if tag not in ("str", "null", "bool", "int", "float", "timestamp"):
            return self.problem(node, key, f"a tag (!...) stands where {shape.kind} is expected; put it in quotes")
        if tag == "null":
            return None if shape.nullable else self.problem(node, key, f"no value is given; {shape.kind} is expected")
        if shape.kind in (Kind.TEXT, Kind.SECRET):
            if self.quoted and tag != "str":
                return self.problem(node, key, f"{shape.kind} in quotes is expected")
            if "\0" in node.value and not self.quoted:  # a path cannot have one; a prompt in JSON may
                return self.problem(node, key, "a NUL character (\\0) stands in it; leave it out")
            return _joined(node.value)
        return self._number_or_flag(node, tag, shape, key)

    def _number_or_flag(self, node: ScalarNode, tag: str, shape: Shape, key: Key) -> Any:
        if tag == "bool" and shape.kind is Kind.NUMBER:
            return self.problem(node, key, f"{node.value} is not a number")
        try:
            return _CONSTRUCT[tag](node.value)
        except (ValueError, OverflowError):
            return self.problem(node, key, "is not a number that can be used")


def _int(text: str) -> int:
    text = text.replace("_", "")
    return int(text, 0) if re.match(r"[-+]?0[xob]", text) else int(text)


def _float(text: str) -> float:
    return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))


_CONSTRUCT: Mapping[str, Callable[[str], Any]] = {
    "int": _int,
    "float": _float,
    "bool": lambda text: text.lower() == "true",
    "str": str,
    "timestamp": str,
}


def _joined(text: str) -> str:
    """JSON writes an emoji as two escapes: two halves here, which belong together."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def unknown_key(root: Shape, shape: Shape, key: Key, name: str) -> str:
    """The value is never told: it could be a secret under a misspelt key."""
    suggestion = meant(root, key, name)
    advice = f"did you mean {suggestion}?" if suggestion else f"known here: {', '.join(shape.keys)}"
    return f"unknown key {shown_key(name)}; {advice}"


def shown_key(name: str) -> str:
    return repr(name if len(name) <= 60 else f"{name[:60]}…")


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and str(node.tag) == f"{_TAG}null"


def _words(error: MarkedYAMLError) -> str:
    """The parser's words, without pieces of the file, and with what to do about it."""
    problem = str(error.problem or error.context or "cannot be read")
    if "'\\t'" in problem:
        return "is not YAML: a tab stands where spaces are expected; indent with spaces"
    if "undefined alias" in problem:
        return "is not YAML: a value that begins with * is an alias; put it in quotes"
    if "another document" in problem:
        return "holds more than one document (---); one is read"
    if "cannot start any token" in problem:
        return "is not YAML: a value cannot begin with this character; put it in quotes"
    if "mapping values are not allowed" in problem:
        return "is not YAML: there is a ': ' too many, or the line is indented wrongly; put the value in quotes"
    return f"is not YAML: {_QUOTED.sub(_own_words, problem)}"


def _own_words(quoted: re.Match[str]) -> str:
    """The parser quotes its own tokens, ``,`` or ``<stream end>``, and pieces of the file, which are not repeated."""
    return quoted[0] if len(quoted[1]) <= 1 or quoted[1].startswith("<") else "..."
