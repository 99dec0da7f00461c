"""The doctor looks at the table of models that a run goes by: one that lies beside the configuration file is it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from foureyes_actors import program
from foureyes_actors.doctor.examination import examine
from foureyes_actors.doctor.findings import Status
from foureyes_actors.model_table import EMBEDDED, LM_STUDIO, wanted_models
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.settings import Settings
from tests.doctor.world import ScriptedInspection, TestWorld, web

MINE = "my/own-reader"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    entry = {"model_id": MINE, "prompt": "read"}
    for name in (EMBEDDED, LM_STUDIO):
        (tmp_path / name).write_text(json.dumps({"vision_ocr": entry}), encoding="utf-8")
    path = tmp_path / "mine.yaml"
    path.write_text("{}", encoding="utf-8")
    return path


def test_it_names_the_models_that_a_run_would_ask(config: Path) -> None:
    settings = Settings()
    assert list(wanted_models(settings, LocalFiles(), config)) == [MINE]
    found = {each.part: each for each in examine(settings, TestWorld(), ScriptedInspection(), config=config)}
    assert found["models"].detail == f"{MINE}: vision_ocr"
    assert found["embedded model server"].status is Status.PROBLEM
    assert f"does not have the model {MINE}" in found["embedded model server"].detail


def test_lm_studio_is_asked_for_them(config: Path) -> None:
    listed = json.dumps({"models": [{"key": "qwen/qwen3-vl-8b", "type": "llm", "loaded_instances": []}]}).encode()
    with web({"/lmstudio-greeting": (200, b'{"lmstudio":true}'), "/api/v1/models": (200, listed)}) as server:
        settings = Settings.model_validate({"model_server": {"kind": "lm_studio", "base_url": server.url}})
        found = {each.part: each for each in examine(settings, TestWorld(), ScriptedInspection(), config=config)}
    assert found["LM Studio"].status is Status.PROBLEM
    assert f"without the model {MINE}" in found["LM Studio"].detail


@pytest.mark.parametrize("command", ["doctor", "models"])
def test_as_a_user_asks(config: Path, command: str) -> None:
    shown = CliRunner().invoke(program.app, [command, "--config", str(config)])
    assert MINE in shown.output, shown.output
    assert shown.exit_code == 69, "the embedded server does not have it"
