"""Secrets: never in a problem, a repr or a description; all of them known for redaction."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from foureyes_actors.errors import SettingsError
from foureyes_actors.settings import Settings
from foureyes_actors.settings.file import describe, secrets_of
from tests.settings.loading import load

CANARY = "c4n4ry-7f3a"

LEAKS = [
    f"source: {{obs: {{password: [{CANARY}]}}}}",
    f"source: {{obs: {{password: {{{CANARY}: 1}}}}}}",
    f"source: {{obs: {{pasword: {CANARY}}}}}",
    f"source: {{obs: {CANARY}}}",
    f"source: [{CANARY}]",
    f"source: {{obs: {{password: *{CANARY}}}}}",
    f"source: {{obs: {{password: !{CANARY} x}}}}",
    f"source: {{obs: {{password: '{CANARY}}}}}",
    f"source:\n  obs:\n    password: x: {CANARY}",
    f'source: {{obs: {{password: "{CANARY}"{CANARY}}}}}',
    f"store: {{uri: 'mysql://u:{CANARY}@h'}}",
    f"store: {{uri: ['mongodb://u:{CANARY}@h']}}",
    f"model_server: {{base_url: 'http://u:{CANARY}@h'}}",
    f"model_server: {{base_url: 'http://u:x/{CANARY}@h'}}",
    f"model_server: {{kind: 'mongodb://u:{CANARY}@h'}}",
    f"model_server: {{api_token: [Bearer, {CANARY}]}}",
]


@pytest.mark.parametrize("text", LEAKS)
def test_no_problem_repeats_a_secret(here: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(SettingsError) as caught:
        load(text)
    chain = [caught.value, caught.value.__cause__]
    assert CANARY not in "".join(f"{error!r} {error}" for error in chain) + caplog.text


def test_pydantics_own_words_repeat_no_secret() -> None:
    with pytest.raises(ValueError, match="valid") as caught:
        Settings.model_validate({"source": {"obs": {"password": [CANARY]}}})
    assert CANARY not in str(caught.value)


def test_settings_are_masked_wherever_they_are_shown(here: Path) -> None:
    settings = load(
        f"source: {{obs: {{password: {CANARY}}}}}\n"
        f"store: {{uri: 'mongodb://u:{CANARY}@h/?authSource=a'}}\n"
        f"model_server: {{api_token: sk-lm-{CANARY}, command: [lms, '--header', 'Authorization: Bearer {CANARY}']}}\n"
    )
    for shown in (describe(settings), str(settings.source), repr(settings.store), settings.store.model_dump_json()):
        assert CANARY not in shown
    assert "kind: cabinet" in describe(settings) and "max_tokens: 500" in describe(settings)


def test_what_describe_shows_can_be_read_again(here: Path) -> None:
    assert load(describe(Settings()).replace("'**********'", "mongodb://127.0.0.1:27017")) == Settings()


def test_every_secret_is_known_for_redaction(here: Path) -> None:
    settings = load(
        "source: {obs: {password: p1}}\nmodel_server: {api_token: t1}\nstore: {uri: 'mongodb://u:p%40ss@h/db'}"
    )
    assert secrets_of(settings) == ("p1", "t1", "mongodb://u:p%40ss@h/db", "u:p%40ss", "p%40ss", "p@ss")
    tls = "mongodb://h/?tlsCertificateKeyFilePassword=k%2Fey&w=1"
    assert secrets_of(load(f"store: {{uri: '{tls}'}}")) == (tls, "k/ey")
    awkward = "mongodb://u:p@ss/w?rd@h/db"  # not legal, but then it must not be shown either
    assert awkward in secrets_of(load(f"store: {{uri: '{awkward}'}}"))
    assert secrets_of(Settings()) == (), "an address without credentials is no secret"
