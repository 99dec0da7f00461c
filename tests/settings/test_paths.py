"""Paths in the configuration: the home folder, and what is not expanded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from foureyes_actors.errors import SettingsError
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.settings import Settings
from foureyes_actors.settings.environment import variable_of
from foureyes_actors.settings.file import find_settings, load_settings
from foureyes_actors.settings.schema import Key
from tests.settings.loading import load, problems


def path_keys(model: type[BaseModel], prefix: Key = ()) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        if "Path" in str(field.annotation):
            yield (*prefix, name)
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from path_keys(field.annotation, (*prefix, name))


PATHS = tuple(path_keys(Settings))


def value_at(settings: object, key: Key) -> object:
    for part in key:
        settings = getattr(settings, part)
    return settings


@pytest.fixture
def home(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = here / "home"
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(folder))
    return folder


def test_all_of_them_are_looked_at() -> None:
    assert {"data_dir", "store.path", "source.video.path", "model_server.models_dir"} <= set(map(".".join, PATHS))
    assert len(PATHS) == 8


@pytest.mark.parametrize("key", PATHS, ids=".".join)
def test_a_tilde_is_the_home_folder(key: Key, home: Path) -> None:
    text = "".join(f"{'  ' * depth}{part}:{'' if part != key[-1] else ' ~/x'}\n" for depth, part in enumerate(key))
    assert value_at(load(text), key) == home / "x"
    settings = load_settings(None, {variable_of(key): "~/y"}, LocalFiles())
    assert value_at(settings, key) == home / "y"
    assert value_at(Settings.model_validate(settings.model_dump()), key) == home / "y", "once"


def test_alone_it_is_the_home_folder_too(home: Path) -> None:
    assert load('data_dir: "~"').data_dir == home


def test_only_at_the_beginning(home: Path) -> None:
    assert load("data_dir: a/~/b~").data_dir == Path("a/~/b~")
    assert load("data_dir: ./~x").data_dir == Path("./~x")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows takes any name for a folder beside the user's own")
def test_a_user_that_there_is_not(here: Path) -> None:
    (told,) = problems("source:\n  video: {path: ~no-such-user/v.mp4}\n")
    assert told == (
        "foureyes.yaml:2: source.video.path: '~no-such-user/v.mp4' begins with ~no-such-user, whose home folder is not "
        "known; write the path, or ./~no-such-user for a folder"
    )


@pytest.mark.parametrize(
    ("path", "variable"), [("$HOME/x", "$HOME"), ("${HOME}", "${HOME}"), ("/a/$USER", "$USER"), ("%TEMP%/x", "%TEMP%")]
)
def test_a_variable_is_refused(path: str, variable: str, here: Path) -> None:
    (told,) = problems("", {"FOUREYES_DATA_DIR": path})
    assert told == (
        f"FOUREYES_DATA_DIR: data_dir: '{path}' has {variable} in it, and variables are not expanded; write the path "
        "itself, or begin it with ~"
    )


@pytest.mark.parametrize("path", ["a$b", "$Recycle.Bin/x", "100%/y", "$5", "cost$"])
def test_what_is_no_variable_is_a_name(path: str, here: Path) -> None:
    assert load(f"data_dir: '{path}'").data_dir == Path(path)


def test_the_variable_that_names_the_file_too(home: Path) -> None:
    home.mkdir()
    (home / "mine.yaml").write_text("source: {rate: 1.5}")
    assert find_settings(None, {"FOUREYES_CONFIG": "~/mine.yaml"}, LocalFiles()) == home / "mine.yaml"
    with pytest.raises(SettingsError, match=r"FOUREYES_CONFIG: '\$HOME/mine.yaml' has \$HOME in it"):
        find_settings(None, {"FOUREYES_CONFIG": "$HOME/mine.yaml"}, LocalFiles())
