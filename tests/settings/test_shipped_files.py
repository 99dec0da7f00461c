"""The files at the top of the repository are the defaults, complete."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from foureyes_actors.messages import Task
from foureyes_actors.model_table import EMBEDDED, LM_STUDIO, group_by_model, load_models, parse_models
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.settings import ModelServerSettings, Settings
from foureyes_actors.settings.file import load_settings
from foureyes_actors.settings.schema import all_keys, section, shape_at

TOP = Path(__file__).parents[2]


def written(value: Any, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield (*prefix, name)
            yield from written(below, (*prefix, name))


def test_the_shipped_configuration_has_every_key_and_no_other() -> None:
    in_file = set(written(YAML(typ="safe").load((TOP / "foureyes.yaml").read_text())))
    in_models = set(all_keys(section(Settings)))
    assert in_file == in_models


def test_the_shipped_configuration_equals_the_defaults() -> None:
    assert load_settings(TOP / "foureyes.yaml", {}, LocalFiles()) == Settings()


def test_every_key_of_the_shipped_configuration_can_be_told_wrong() -> None:
    """The schema's reader knows every type that the models use."""
    root = section(Settings)
    assert all(shape_at(root, key) is not None for key in all_keys(root))


def test_every_section_of_the_shipped_configuration_is_commented() -> None:
    lines = (TOP / "foureyes.yaml").read_text().splitlines()
    for name in Settings.model_fields:
        at = next(i for i, line in enumerate(lines) if line.startswith(f"{name}:"))
        assert "#" in lines[at] or lines[at - 1].startswith("#"), name


def test_lm_studios_table_has_smaller_models_to_move_to() -> None:
    table = parse_models((TOP / LM_STUDIO).read_text(), TOP / LM_STUDIO)
    assert {(e.model_id, e.alternatives) for e in table.values()} == {
        ("qwen/qwen3-vl-8b", ("qwen/qwen3-vl-4b", "google/gemma-3-4b"))
    }


def test_the_table_with_alternatives_asks_the_same_of_the_embedded_servers_two_models() -> None:
    usual = parse_models((TOP / EMBEDDED).read_text(), TOP / EMBEDDED)
    table = parse_models((TOP / "huggingface_models.small.json").read_text(), TOP / "huggingface_models.small.json")
    assert {task: entry.prompt for task, entry in table.items()} == {task: e.prompt for task, e in usual.items()}
    assert {e.model_id for e in table.values()} == {"foureyes/screen-reader-small"}
    assert {e.alternatives for e in table.values()} == {("foureyes/screen-reader-tiny",)}


@pytest.mark.parametrize(
    ("kind", "name", "model"),
    [
        ("embedded", EMBEDDED, "foureyes/screen-reader-tiny"),
        ("lm_studio", LM_STUDIO, "qwen/qwen3-vl-8b"),
        ("openai", LM_STUDIO, "qwen/qwen3-vl-8b"),
    ],
)
def test_the_shipped_tables_ask_all_tasks_of_one_model(
    kind: str, name: str, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # so that they are found beside run.py
    server = ModelServerSettings.model_validate({"kind": kind, "base_url": "http://127.0.0.1:9"})
    table = load_models(Settings(model_server=server), LocalFiles())
    assert set(table) == set(Task)
    assert list(group_by_model(table)) == [model]
    assert table == parse_models((TOP / name).read_text(), TOP / name)
    assert all("Return JSON" in entry.prompt for entry in table.values())
    assert "exact text as shown" in table[Task.OCR].prompt and "null" in table[Task.OCR].prompt
