"""FOUREYES_* variables -> overrides of keys. Pure: the environment is an argument.

``FOUREYES_SOURCE__KIND=obs`` sets ``source.kind``: two underscores go one section down. Some keys have a short name
as well. A text key takes the value as it is; numbers, flags and lists are read as YAML.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from foureyes_actors.settings.schema import Key, Kind, Shape, all_keys, closest, shape_at
from foureyes_actors.settings.yaml import BadForm, Problem, Tree, compose, read

PREFIX = "FOUREYES_"
CONFIG = "FOUREYES_CONFIG"
NOT_SETTINGS = (CONFIG, "FOUREYES_CHILD")  # the second one marks the processes that FourEyes started
SHORT: Mapping[str, Key] = {
    "FOUREYES_OBS_PASSWORD": ("source", "obs", "password"),
    "FOUREYES_API_TOKEN": ("model_server", "api_token"),
    "FOUREYES_MONGO_URI": ("store", "uri"),
    "FOUREYES_DATA_DIR": ("data_dir",),
    "FOUREYES_LOG_LEVEL": ("log", "level"),
}


@dataclass(frozen=True, slots=True)
class Override:
    variable: str
    key: Key
    value: Any


def overrides(environ: Mapping[str, str], root: Shape) -> tuple[list[Override], list[Problem]]:
    """Every override, in the order of the variables' names, and what is wrong with the rest."""
    found: list[Override] = []
    problems: list[Problem] = []
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in NOT_SETTINGS:
            result = _override(variable, environ[variable], root)
            if isinstance(result, Override):
                found.append(result)
            else:
                problems.extend(result)
    return found, problems + list(_contradictions(found))


def variable_of(key: Key) -> str:
    return PREFIX + "__".join(key).upper()


def _override(variable: str, text: str, root: Shape) -> Override | list[Problem]:
    key = SHORT.get(variable) or tuple(variable.removeprefix(PREFIX).lower().split("__"))
    shape = shape_at(root, key)
    if shape is None or not key[-1]:
        return [Problem(variable, _unknown(variable, root))]
    if shape.kind in (Kind.SECTION, Kind.TABLE):
        return [Problem(variable, f"is a section; name one of its keys, e.g. {variable_of((*key, shape.keys[0]))}")]
    if shape.kind in (Kind.TEXT, Kind.SECRET):
        return Override(variable, key, None if shape.nullable and not text else text)
    tree = _read(variable, text, key, shape, root)
    return tree.problems or Override(variable, key, tree.values)


def _read(variable: str, text: str, key: Key, shape: Shape, root: Shape) -> Tree:
    try:
        node = compose(text)
    except BadForm as error:
        return Tree(problems=[Problem(variable, error.text, key)])
    if node is None:
        return Tree(problems=[Problem(variable, f"is empty; {shape.kind} is expected", key)])
    return read(node, shape, lambda _line: variable, top=key, root=root)


def _unknown(variable: str, root: Shape) -> str:
    known = [*SHORT, CONFIG, *(variable_of(key) for key in all_keys(root) if not _is_section(root, key))]
    likely = closest(variable, known)
    return f"there is no such setting; {f'did you mean {likely}?' if likely else f'e.g. {known[0]}'}"


def _is_section(root: Shape, key: Key) -> bool:
    shape = shape_at(root, key)
    return shape is not None and shape.kind in (Kind.SECTION, Kind.TABLE)


def _contradictions(found: list[Override]) -> Iterator[Problem]:
    """A key under its short and its long name, with different values."""
    first: dict[Key, Override] = {}
    for each in found:
        other = first.setdefault(each.key, each)
        if other.value != each.value:
            yield Problem(each.variable, f"{other.variable} gives another value for the same key; keep one", each.key)
