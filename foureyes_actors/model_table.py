"""huggingface_models.json -> which model is asked which task, with which prompt. The file has the seed's format."""

from __future__ import annotations

import json
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter
from ruamel.yaml.nodes import Node

from foureyes_actors.errors import SettingsError
from foureyes_actors.invocation import FOLDER
from foureyes_actors.messages import Task
from foureyes_actors.ports.files import FilesPort
from foureyes_actors.settings import ModelEntry, ModelTable, Settings
from foureyes_actors.settings.file import read_named, read_text
from foureyes_actors.settings.schema import Key, Kind, Shape
from foureyes_actors.settings.table import read_table
from foureyes_actors.settings.yaml import check_json, compose

EMBEDDED, LM_STUDIO = "huggingface_models.json", "huggingface_models.lm_studio.json"
_ROOT = Shape(Kind.TABLE, model=ModelEntry, keys=tuple(task.value for task in Task))
_TABLE = TypeAdapter(ModelTable)

ModelTasks = dict[str, tuple[tuple[Task, ModelEntry], ...]]


def load_models(settings: Settings, files: FilesPort, *, beside: Path | None = None) -> ModelTable:
    """The table that ``model_server.models_file`` names, else the shipped one of the server's kind; a copy in the
    folder ``beside`` (that of foureyes.yaml) or in the working directory goes first. Raises SettingsError."""
    if settings.model_server.models_file is not None:
        path = settings.model_server.models_file.absolute()
        return parse_models(read_named("model_server.models_file", path, files), path)
    path = _shipped(settings.model_server.kind, files, beside)
    return parse_models(read_text(path, files), path)


def parse_models(text: str, path: Path) -> ModelTable:
    """``path``: for the problems. Raises SettingsError with a line for each."""
    table, place = read_table(text, path, _ROOT, _TABLE.validate_python, nodes=_nodes, quoted=True)
    doubled = [f"{place(key)[0]}: {text}" for key, text in _doubled(table)]
    if doubled:
        raise SettingsError(doubled)
    if not any(entry.enabled for entry in table.values()):
        raise SettingsError([f"{path}: no task is enabled; known tasks: {', '.join(_ROOT.keys)}"])
    return table


def _doubled(table: ModelTable) -> Iterator[tuple[Key, str]]:
    """An alternative to itself would change nothing when it is needed."""
    for task, entry in table.items():
        seen = {entry.model_id.casefold(): "is the model itself; right would be the id of a smaller one"}
        for number, model in enumerate(entry.alternatives):
            if model.casefold() in seen:
                key = (task.value, "alternatives", str(number))
                yield key, f"{'.'.join(key)}: {model!r} {seen[model.casefold()]}"
            seen[model.casefold()] = "stands twice; keep one of them"


def _nodes(text: str) -> Node | None:
    """JSON is YAML, whose reader knows the lines. Raises BadForm."""
    check_json(text)
    return compose(_as_yaml(text))


def _as_yaml(text: str) -> str:
    """YAML takes tabs and some exotic characters in another way than JSON; the lines stay as they are."""
    return re.sub(r"[^\x20-\x7e\r\n]", _escaped, text)


def _escaped(found: re.Match[str]) -> str:
    if found[0] == "\t":
        return " "
    return "\\u007f" if found[0] == "\x7f" else json.dumps(found[0])[1:-1]


def wanted_models(settings: Settings, files: FilesPort, config: Path | None) -> ModelTasks:
    """The table that a run goes by, and so every command that looks at what a run would do. ``config``: the file that
    the settings are from, beside which a table may lie; None: they are from no file. Raises SettingsError."""
    return group_by_model(load_models(settings, files, beside=config.parent if config is not None else None))


def group_by_model(table: ModelTable) -> ModelTasks:
    """The enabled tasks of each model, in the table's order: tasks of one model travel in one request."""
    enabled = [(task, entry) for task, entry in table.items() if entry.enabled]
    models = dict.fromkeys(entry.model_id for _, entry in enabled)
    return {model: tuple((t, e) for t, e in enabled if e.model_id == model) for model in models}


def _shipped(kind: str, files: FilesPort, beside: Path | None) -> Path:
    name = EMBEDDED if kind == "embedded" else LM_STUDIO
    places = list(_places(beside))
    found = next((folder / name for folder in places if files.exists(folder / name)), None)
    if found is None:
        where = ", ".join(map(str, places))
        raise SettingsError([f"model_server.models_file: not set, and {name} is in none of: {where}"])
    return found


def _places(beside: Path | None) -> Iterator[Path]:
    if beside is not None:
        yield beside
    yield Path()
    yield FOLDER  # beside run.py
    for scheme in (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user")):
        yield Path(sysconfig.get_path("data", scheme)) / "share" / "foureyes"  # installed as a package
