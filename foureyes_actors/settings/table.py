"""A table in a file of its own, as that of triage or that of the models -> checked values; every problem told at once,
with its place. Pure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from ruamel.yaml.nodes import Node

from foureyes_actors.errors import SettingsError
from foureyes_actors.settings.file import told, tree_of
from foureyes_actors.settings.problems import problems_of
from foureyes_actors.settings.schema import Key, Shape
from foureyes_actors.settings.yaml import compose

T = TypeVar("T")
Place = Callable[[Key], tuple[str, int]]


def read_table(
    text: str,
    path: Path,
    root: Shape,
    validate: Callable[[Any], T],
    *,
    nodes: Callable[[str], Node | None] = compose,
    quoted: bool = False,
) -> tuple[T, Place]:
    """The table, and where each of its keys stands: a place for people, and its line. ``validate``: pydantic's, of the
    whole. ``nodes``, ``quoted``: see ``tree_of``. Raises SettingsError with a line for each problem."""
    tree = tree_of(text, path, root, nodes, quoted=quoted)
    problems, table = tree.problems, None

    def place(key: Key) -> tuple[str, int]:
        line = next((tree.lines[key[:n]] for n in range(len(key), 0, -1) if key[:n] in tree.lines), 1)
        return f"{path}:{line}", line

    try:
        table = validate(tree.values or {})
    except ValidationError as error:
        told_already = {problem.key for problem in problems}
        problems.extend(p for p in problems_of(error, root, place, None) if p.key not in told_already)
    if problems or table is None:
        raise SettingsError(told(problems))
    return table, place
