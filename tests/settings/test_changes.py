"""What is told about a configuration that is read again."""

from __future__ import annotations

from typing import Any, cast

import pytest

from foureyes_actors.errors import SettingsError
from foureyes_actors.messages import Event, EventKind
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.settings import Settings
from foureyes_actors.settings.changes import READERS, Changes, changed_keys, changes
from foureyes_actors.settings.schema import all_keys, section
from foureyes_actors.upkeep import Upkeep
from foureyes_actors.wiring import Config

SERVER = ("lm_studio", "inference:a", "inference:b")


def settings(**parts: Any) -> Settings:
    return Settings.model_validate(parts)


def test_each_changed_key_by_its_full_name() -> None:
    other = settings(
        source={"rate": 2.0, "obs": {"password": "x"}},
        readings={"fields": {"grand": {"quorum": 3}}},
        model_server={"command": ["a"]},
    )
    assert set(changed_keys(Settings(), other)) >= {
        "source.rate", "source.obs.password", "readings.fields.grand.quorum", "model_server.command",
    }  # fmt: skip
    assert list(changed_keys(Settings(), Settings())) == []


@pytest.mark.parametrize(
    ("part", "reloaded", "taken"),
    [
        ({"model_server": {"check_every": 3}}, SERVER, True),
        ({"inference": {"deadline": 3}}, SERVER, True),
        ({"source": {"rate": 2}}, SERVER, False),
        ({"source": {"rate": 2}}, ("capture",), True),
        ({"source": {"kind": "obs"}}, ("capture",), False),
        ({"model_server": {"manage": False}}, SERVER, False),
        ({"log": {"level": "DEBUG"}}, SERVER, False),
        ({"store": {"timeout": 9}}, ("recorder",), False),
        ({"store": {"retention": {"readings": 9}}}, ("recorder",), True),
    ],
)
def test_what_is_taken_depends_on_who_comes_back(part: dict[str, Any], reloaded: tuple[str, ...], taken: bool) -> None:
    found = changes(Settings(), settings(**part), reloaded)
    assert (bool(found.taken), bool(found.left)) == (taken, not taken)


def test_every_row_is_about_a_key_that_there_is() -> None:
    keys = [".".join(key) for key in all_keys(section(Settings))]
    assert all(any(key.startswith(start) for key in keys) for start, _ in READERS)


def test_in_words() -> None:
    assert str(Changes(("a.b",), ("c", "d"))) == "in force now: a.b; in force after a restart of FourEyes: c, d"
    assert str(Changes(left=("c",))) == "in force after a restart of FourEyes: c"


class Hall:
    """A directory in which everybody listens."""

    def __init__(self) -> None:
        self.heard: list[Event] = []

    def tell(self, name: str, message: object) -> bool:
        if name == "console":
            assert isinstance(message, Event)
            self.heard.append(message)
        return True


def upkeep(config: Config) -> tuple[Upkeep, Hall]:
    hall = Hall()
    made = Upkeep(
        "run",
        config=config,
        directory=cast("Any", hall),
        clock=ManualClock(),
        fatal=lambda error: None,
        fallback_audience=(),
    )
    return made, hall


def test_a_reload_tells_what_it_takes_and_what_it_leaves() -> None:
    fresh = settings(model_server={"check_every": 3, "api_token": "s3cr3t-t0k3n"}, source={"rate": 2})
    config = Config(Settings(), lambda: fresh, lambda _: True)
    subject, hall = upkeep(config)
    subject.on_reload(SERVER)
    (event,) = hall.heard
    assert (event.kind, event.subject) == (EventKind.CONFIGURATION_READ, ", ".join(SERVER))
    assert event.reason == (
        "the configuration has changed; in force now: model_server.api_token, model_server.check_every; "
        "in force after a restart of FourEyes: source.rate, the table of models"
    )
    assert config.settings is fresh


def test_a_reload_without_a_change_tells_nothing() -> None:
    subject, hall = upkeep(Config(Settings(), Settings))
    subject.on_reload(SERVER)
    assert hall.heard == []


def test_a_table_of_models_that_is_broken_keeps_all() -> None:
    def broken(_fresh: Settings) -> bool:
        raise SettingsError(["models.json:1: no"])

    before = Settings()
    config = Config(before, lambda: settings(source={"rate": 2}), broken)
    subject, hall = upkeep(config)
    subject.on_reload(SERVER)
    assert [event.kind for event in hall.heard] == [EventKind.CONFIGURATION_KEPT]
    assert config.settings is before
