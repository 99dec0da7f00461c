"""A mitigation counts at the next start and at the next time that the configuration is read again; so does its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from foureyes_actors import program, wiring
from foureyes_actors.errors import SettingsError
from foureyes_actors.forgewright.mitigations import MITIGATIONS, mitigation, put, take_back
from foureyes_actors.headless import Headless, Request
from foureyes_actors.messages import EventKind
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.settings import Settings
from foureyes_actors.settings.config import Config
from tests.forgewright.make import decided
from tests.settings.test_changes import SERVER, upkeep

ID = "FORGE-2026-001"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("FOUREYES_CONFIG", "FOUREYES_DATA_DIR", "FOUREYES_INFERENCE__DEADLINE"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "foureyes.yaml"
    path.write_text(f"data_dir: {json.dumps(str(tmp_path))}\n", encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> LocalPrivateFolder:
    return LocalPrivateFolder(tmp_path / MITIGATIONS)


def longer(folder: LocalPrivateFolder, place: Path, was: float = 30.0) -> None:
    now = SystemClock().utc_now().timestamp()
    made = mitigation(ID, "inference.deadline", was, 45.0, now)
    put(folder, made, now)
    decided(place / "decisions", made)


def test_each_reload_looks_again(file: Path, folder: LocalPrivateFolder) -> None:
    config = Config(program._reread(file), lambda: program._reread(file))
    subject, hall = upkeep(config)
    for change, deadline in ((lambda: longer(folder, file.parent), 45.0), (lambda: take_back(folder, ID), 30.0)):
        change()
        subject.on_reload(SERVER)
        event = hall.heard[-1]
        assert (event.kind, config.settings.inference.deadline) == (EventKind.CONFIGURATION_READ, deadline)
        assert event.reason == "the configuration has changed; in force now: inference.deadline"
    assert len(hall.heard) == 2


def test_what_the_user_has_changed_meanwhile_stands(
    file: Path, folder: LocalPrivateFolder, caplog: pytest.LogCaptureFixture
) -> None:
    longer(folder, file.parent)
    with file.open("a", encoding="utf-8") as text:
        text.write("inference:\n  deadline: 20\n")
    assert program._reread(file).inference.deadline == 20.0
    assert f"inference.deadline is 20 and no longer 30, so the mitigation of {ID} does not hold" in caplog.text


def test_the_environment_is_the_users_word_too(
    file: Path, folder: LocalPrivateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    longer(folder, file.parent)
    monkeypatch.setenv("FOUREYES_INFERENCE__DEADLINE", "25")
    assert program._reread(file).inference.deadline == 25.0
    longer(folder, file.parent, was=25.0)
    assert program._reread(file).inference.deadline == 45.0


def test_a_broken_configuration_is_refused_as_before(file: Path, folder: LocalPrivateFolder) -> None:
    longer(folder, file.parent)
    file.write_text("inference: 3\n", encoding="utf-8")
    with pytest.raises(SettingsError):
        program._reread(file)


def test_the_start_says_what_is_in_force() -> None:
    lines: list[str] = []
    settings, notes = Settings(), ("inference.deadline is 45 instead of 30: a mitigation", "\x1b[2J")
    Headless(settings, {"vl": ()}, wiring.real_world(settings), Request(notes=notes), lines.append)._banner()
    assert lines[-2:] == ["  inference.deadline is 45 instead of 30: a mitigation", "  [2J"]
