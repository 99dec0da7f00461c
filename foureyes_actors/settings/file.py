"""foureyes.yaml and FOUREYES_* -> Settings; every problem told at once, with its place. Runs before any actor."""

from __future__ import annotations

import io
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.nodes import Node

from foureyes_actors.bug.redact import mask_patterns
from foureyes_actors.errors import SettingsError
from foureyes_actors.ports.files import FilesPort
from foureyes_actors.settings import Settings
from foureyes_actors.settings.environment import CONFIG, Override, overrides
from foureyes_actors.settings.paths import expanded
from foureyes_actors.settings.problems import problems_of, with_origins
from foureyes_actors.settings.schema import Key, Shape, section
from foureyes_actors.settings.yaml import MAX_BYTES, BadForm, Problem, Tree, compose, decode, read

DEFAULT_FILES = (Path("foureyes.yaml"), Path("foureyes.yml"))
MAX_PROBLEMS = 50
_ROOT = section(Settings)
_SECRET_OPTIONS = ("password", "tlscertificatekeyfilepassword", "authmechanismproperties")  # of a MongoDB address


def find_settings(path: Path | None, environ: Mapping[str, str], files: FilesPort) -> Path | None:
    """The file that holds: ``path``, else FOUREYES_CONFIG, else foureyes.yaml in the working directory, else none.
    Raises SettingsError when one was asked for and is missing."""
    asked = path or _file_of_environment(environ)
    if asked is None:
        return _default_file(files)
    if not files.exists(asked):
        origin = "" if path else f"{CONFIG}: "
        raise SettingsError([f"{origin}{asked}: there is no such file; without one the built-in defaults hold"])
    return asked


def _file_of_environment(environ: Mapping[str, str]) -> Path | None:
    text = environ.get(CONFIG)
    try:
        return Path(expanded(text)) if text else None
    except ValueError as error:
        raise SettingsError([f"{CONFIG}: {text!r} {error}"]) from None


def _default_file(files: FilesPort) -> Path | None:
    there = [file for file in DEFAULT_FILES if files.exists(file)]
    if len(there) > 1:
        raise SettingsError([f"{' and '.join(map(str, there))} are both here; keep one of them"])
    return there[0] if there else None


def origin_of(path: Path | None, program: Path, files: FilesPort) -> str:
    """Where the configuration is from, for the banner. ``path``: as ``find_settings`` found it; ``program``: run.py's
    folder, absolute, whose file does not count when FourEyes is started from elsewhere: that is said."""
    if path is not None:
        return str(path)
    unused = next((program / file for file in DEFAULT_FILES if files.exists(program / file)), None)
    if unused is None:
        return "built-in defaults"
    return f"built-in defaults; {unused} is not used from here: start there, or say -c FILE"


def load_settings(path: Path | None, environ: Mapping[str, str], files: FilesPort) -> Settings:
    """Defaults, then the file (see ``find_settings``), then FOUREYES_* variables. Raises SettingsError with one
    line for each problem: file, line, key, value (never a secret's) and what would be right."""
    found = find_settings(path, environ, files)
    tree = tree_of(read_text(found, files), found, _ROOT) if found else Tree(values={})
    variables, problems = overrides(environ, _ROOT)
    values = _defaults_of_tables(tree.values or {})
    for each in variables:
        _put(values, each.key, each.value)
    problems = [*tree.problems, *problems]
    settings = _validate(values, _Places(found, tree, variables), problems)
    if problems or settings is None:
        raise SettingsError(told(problems))
    return settings


def told(problems: list[Problem]) -> list[str]:
    """One line each, in the order of the file, variables last, not endlessly many."""
    lines = [str(problem) for problem in sorted(problems, key=lambda p: (p.line == 0, p.line))]
    more = len(lines) - MAX_PROBLEMS
    return lines if more <= 0 else [*lines[:MAX_PROBLEMS], f"... and {more} more problems"]


def read_text(path: Path, files: FilesPort) -> str:
    """A file of settings as text. Raises SettingsError."""
    try:
        size = files.size(path)
        if size > MAX_BYTES:
            raise BadForm(1, 1, f"has {size} bytes; at most {MAX_BYTES} are read")
        return decode(files.read(path))
    except BadForm as error:
        raise SettingsError([f"{path}:{error.line}:{error.column}: {error.text}"]) from None
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror or type(error).__name__}"]) from None


def read_named(key: str, path: Path, files: FilesPort) -> str:
    """The file that the setting ``key`` names, as text. ``path``: absolute, so that people see where it was looked for.
    Raises SettingsError with both."""
    if not _there(path, files):
        raise SettingsError([f"{key}: {path}: there is no such file"])
    try:
        return read_text(path, files)
    except SettingsError as error:
        raise SettingsError([f"{key}: {problem}" for problem in error.problems]) from None


def _there(path: Path, files: FilesPort) -> bool:
    try:
        return files.exists(path)
    except OSError:  # no permission to look, say: reading it tells the reason
        return True


def tree_of(
    text: str, path: Path, root: Shape, nodes: Callable[[str], Node | None] = compose, *, quoted: bool = False
) -> Tree:
    """What stands in ``text`` as ``root``, problems included. ``path``: for their places. ``nodes``: reads the text, or
    raises BadForm. ``quoted``: a text must stand in quotes. Raises SettingsError for what is not read at all."""
    try:
        node = nodes(text)
    except BadForm as error:
        raise SettingsError([f"{path}:{error.line}:{error.column}: {error.text}"]) from None
    return read(node, root, lambda line: f"{path}:{line}", quoted=quoted)


def _defaults_of_tables(values: dict[str, Any]) -> dict[str, Any]:
    """A rule that is given for one field changes what it says and nothing else."""
    given = values.get("readings", {}).get("fields", {})
    rules = {name.value: rule.model_dump() for name, rule in Settings().readings.fields.items()}
    merged = {name: {**rule, **given.get(name, {})} for name, rule in rules.items()}
    return {**values, "readings": {**values.get("readings", {}), "fields": merged}}


def _put(values: dict[str, Any], key: Key, value: Any) -> None:
    for part in key[:-1]:
        values = values.setdefault(part, {})
    values[key[-1]] = value


class _Places:
    """Where each key was given: a line of the file, or a variable, which wins."""

    def __init__(self, path: Path | None, tree: Tree, variables: list[Override]) -> None:
        self._path, self._lines = path, tree.lines
        self._variables = {each.key: each.variable for each in variables}

    def __call__(self, key: Key) -> tuple[str, int]:
        for length in range(len(key), 0, -1):
            place = self.exactly(key[:length])
            if place is not None:
                return place
        return str(self._path or "the settings"), 0

    def exactly(self, key: Key) -> tuple[str, int] | None:
        """None when it was not given."""
        if key in self._variables:
            return self._variables[key], 0
        return (f"{self._path}:{self._lines[key]}", self._lines[key]) if key in self._lines else None


def _validate(values: dict[str, Any], places: _Places, problems: list[Problem]) -> Settings | None:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        found = problems_of(error, _ROOT, places, Settings())
        problems.extend(with_origins(problem, _ROOT, places.exactly) for problem in found)
        return None


def describe(settings: Settings) -> str:
    """All settings as YAML, secrets and passwords in addresses masked; for people and logs."""
    out = io.StringIO()
    yaml = YAML()
    yaml.width = 10_000
    yaml.dump(_masked(settings.model_dump(mode="json")), out)
    return out.getvalue()


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _masked(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_masked(each) for each in value]
    return mask_patterns(value) if isinstance(value, str) else value


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Every configured secret, for exact redaction. An address counts only with credentials in it."""
    found = [
        secret
        for value in _secret_values(settings)
        for secret in (_secrets_of_address(value) if "://" in value else (value,))
    ]
    return tuple(dict.fromkeys(secret for secret in found if secret))


def _secrets_of_address(address: str) -> tuple[str, ...]:
    head, _, query = address.partition("?")
    credentials = head.partition("://")[2].rpartition("@")[0]
    password = credentials.partition(":")[2]
    options = [value for key, value in urllib.parse.parse_qsl(query) if key.lower() in _SECRET_OPTIONS]
    whole = (address,) if credentials or options else ()
    return (*whole, credentials, password, urllib.parse.unquote(password), *options)


def _secret_values(part: Any) -> Iterator[str]:
    if isinstance(part, SecretStr):
        yield part.get_secret_value()
    elif isinstance(part, BaseModel):
        for name in type(part).model_fields:
            yield from _secret_values(getattr(part, name))
