"""What the double of LM Studio is told to be and to do: a scenario, read from a JSON (or YAML) file.

``docs/lm_studio_double.md`` describes the format. A scenario that is wrong is refused before anything starts, with all
problems at once, each with file, place, key, value, and what would be right.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any


class ScenarioError(Exception):
    """``problems``: a line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Deed(StrEnum):
    """What happens to the connection instead of a whole answer."""

    HANG = "hang"  # no answer, until the client goes away
    RESET = "reset"  # RST
    CLOSE = "close"  # FIN, and not a byte
    HALF = "half"  # half of the answer's bytes, then FIN
    EXIT = "exit"  # the server ends, as a killed one does


class Engine(StrEnum):
    """What happens to the engine of the model that was asked; it lasts until the model is unloaded."""

    CRASHED = "crashed"  # it answers every picture with CRASH_TEXT
    WEDGED = "wedged"  # it answers nothing, also after a restart of the server
    UNLOADED = "unloaded"  # the model is no longer in memory


@dataclass(frozen=True, slots=True)
class Model:
    """One downloaded model. ``load_seconds``: how long loading takes; ``load_error``: the text it fails with."""

    key: str
    type: str = "llm"  # or embedding
    vision: bool = True
    loaded: bool = False
    max_context: int = 32768
    load_seconds: float = 0.0
    load_error: str = ""
    reasons: bool = False  # thinks aloud, unless told not to, and uses up the tokens
    text_only_status: int = 400  # what a picture for a model without vision gets: 400, or the MLX engine's 200


@dataclass(frozen=True, slots=True)
class When:
    """All that is given must fit. ``nth``: 1 is the first request that fits all the rest; empty: each of them."""

    route: str = "*"
    model: str = "*"
    nth: tuple[int, ...] = ()
    picture: bool | None = None


@dataclass(frozen=True, slots=True)
class Then:
    """``shape``: of ``error``. ``body``: any JSON; ``text``: any bytes instead. ``reply``: changes of the normal
    answer. ``delay``: seconds before anything else."""

    delay: float = 0.0
    status: int | None = None
    error: str | None = None
    shape: str = "a"
    type: str = "internal_error"
    code: str = "unknown"
    body: Any = None
    text: str | None = None
    content_type: str = "text/html; charset=utf-8"
    reply: Mapping[str, Any] = field(default_factory=dict)
    do: Deed | None = None
    engine: Engine | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    when: When
    then: Then

    def fits(self, route: str, model: str, picture: bool) -> bool:
        """Everything but ``nth``."""
        when = self.when
        return (
            fnmatchcase(route, when.route)
            and fnmatchcase(model.lower(), when.model.lower())
            and when.picture in (None, picture)
        )


@dataclass(frozen=True, slots=True)
class Scenario:
    """``version``: 0.4 has ``/api/v1``, 0.3 has not. ``jit``: the first request loads its model. ``answer``: values
    by the name of their property in the schema that a request asks for."""

    models: tuple[Model, ...] = (Model("qwen/qwen3-vl-8b"),)
    rules: tuple[Rule, ...] = ()
    version: str = "0.4"
    token: str = ""
    jit: bool = True
    picture_tokens: int = 1000
    answer: Mapping[str, Any] = field(default_factory=dict)


SHAPES = ("a", "b", "c", "d", "e", "f", "g")
REPLY_KEYS = ("content", "reasoning_content", "finish_reason", "model", "completion_tokens")
_NUMBERS = (int, float)
_KINDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "bool": ((bool,), "true or false"),
    "str": ((str,), "text"),
    "int": ((int,), "a whole number"),
    "float": (_NUMBERS, "a number of seconds, at least 0"),
}
_ALLOWED: Mapping[str, Sequence[str]] = {
    "models.type": ("llm", "embedding"),
    "then.shape": SHAPES,
    "then.do": [deed.value for deed in Deed],
    "then.engine": [engine.value for engine in Engine],
    "version": ("0.4", "0.3"),
}


def read_scenario(path: Path) -> Scenario:
    """Raises ScenarioError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError([f"{path}: cannot be read: {error}"]) from error
    return scenario_of(_parsed(text, path), str(path))


def _parsed(text: str, path: Path) -> Any:
    if path.suffix.lower() in (".yaml", ".yml"):
        return _yaml(text, path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ScenarioError([f"{path}, line {error.lineno}: not JSON: {error.msg}"]) from error


def _yaml(text: str, path: Path) -> Any:
    try:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError
    except ImportError as error:
        raise ScenarioError([f"{path}: a YAML file needs the package ruamel.yaml; write it as JSON"]) from error
    try:
        return json.loads(json.dumps(YAML(typ="safe").load(text)))
    except (YAMLError, TypeError) as error:
        raise ScenarioError([f"{path}: not YAML: {' '.join(str(error).split())}"]) from error


def scenario_of(document: Any, name: str = "scenario") -> Scenario:
    """``document``: a mapping as the file has it. Raises ScenarioError."""
    reader = _Reader(name)
    given = reader.mapping(document, "")
    values = reader.values(Scenario, given, "", skip=("models", "rules", "answer"))
    if "models" in given:
        rows = reader.rows(given["models"], "models")
        values["models"] = tuple(reader.model(row, f"models {number}") for number, row in rows)
    rows = reader.rows(given.get("rules", []), "rules")
    values["rules"] = tuple(reader.rule(row, f"rule {number}") for number, row in rows)
    values["answer"] = reader.mapping(given.get("answer", {}), "answer")
    if reader.problems:
        raise ScenarioError(reader.problems)
    return Scenario(**values)


class _Reader:
    """Collects the problems of one document."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[str] = []

    def say(self, place: str, problem: str) -> None:
        self.problems.append(", ".join(filter(None, (self.name, place))) + f": {problem}")

    def mapping(self, value: Any, place: str) -> Mapping[str, Any]:
        if isinstance(value, Mapping):
            return value
        self.say(place, f"must be an object, not {_short(value)}")
        return {}

    def rows(self, value: Any, place: str) -> list[tuple[int, Any]]:
        if isinstance(value, list):
            return list(enumerate(value, start=1))
        self.say(place, f"must be a list, not {_short(value)}")
        return []

    def model(self, row: Any, place: str) -> Model:
        given = self.mapping({"key": row} if isinstance(row, str) else row, place)
        values = self.values(Model, given, place, "models")
        if "key" not in values:
            self.say(place, "key is missing: the model's name, such as qwen/qwen3-vl-8b")
            values["key"] = "?"
        return Model(**values)

    def rule(self, row: Any, place: str) -> Rule:
        given = self.mapping(row, place)
        for key in given:
            if key not in ("when", "then"):
                self.say(place, f"{key} is not known; it must be one of when, then")
        when, then = (self.mapping(given.get(key, {}), f"{place}, {key}") for key in ("when", "then"))
        if not then:
            self.say(place, "then is missing: what is to happen")
        return Rule(self._when(when, f"{place}, when"), self._then(then, f"{place}, then"))

    def _when(self, given: Mapping[str, Any], place: str) -> When:
        values = self.values(When, given, place, "when", skip=("nth",))
        if "nth" in given:
            nth = given["nth"] if isinstance(given["nth"], list) else [given["nth"]]
            if not nth or not all(_is(n, (int,)) and n >= 1 for n in nth):
                self.say(place, f"nth is {_short(given['nth'])}; it must be a number from 1, or a list of them")
            else:
                values["nth"] = tuple(nth)
        return When(**values)

    def _then(self, given: Mapping[str, Any], place: str) -> Then:
        values = self.values(Then, given, place, "then", skip=("body", "reply"))
        if "body" in given:
            values["body"] = given["body"]
        reply = values["reply"] = self.mapping(given.get("reply", {}), f"{place}, reply")
        for key in reply:
            if key not in REPLY_KEYS:
                self.say(f"{place}, reply", f"{key} is not known; it must be one of {', '.join(REPLY_KEYS)}")
        for key, kind in (("do", Deed), ("engine", Engine)):
            if key in values:
                values[key] = kind(values[key]) if values[key] in _ALLOWED[f"then.{key}"] else None
        return Then(**values)

    def values(
        self, kind: type, given: Mapping[str, Any], place: str, section: str = "", *, skip: Sequence[str] = ()
    ) -> dict[str, Any]:
        """The simple values of a section, checked by the types of the dataclass that they are for."""
        known = {each.name: str(each.type) for each in fields(kind)}
        values: dict[str, Any] = {}
        for key, value in given.items():
            if key not in known:
                self.say(place, f"{key} is not known; it must be one of {', '.join(known)}")
            elif key not in skip and self._right(key, value, known[key], place, section):
                values[key] = value
        return values

    def _right(self, key: str, value: Any, kind: str, place: str, section: str) -> bool:
        allowed = _ALLOWED.get(f"{section}.{key}" if section else key)
        types, right = _KINDS.get(kind.split(" |")[0], ((str,), "text"))
        wrong = not _is(value, types) or (types is _NUMBERS and value < 0)
        if allowed is not None:
            wrong, right = value not in allowed, f"one of {', '.join(allowed)}"
        if wrong:
            self.say(place, f"{key} is {_short(value)}; it must be {right}")
        return not wrong


def _is(value: Any, types: tuple[type, ...]) -> bool:
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:59] + "…"
