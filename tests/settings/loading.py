"""Loading a configuration from a text, in an empty working directory (the fixture ``here``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from foureyes_actors.errors import SettingsError
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.settings import Settings
from foureyes_actors.settings.file import load_settings

NOTHING: Mapping[str, str] = {}


def load(text: str | bytes, environ: Mapping[str, str] = NOTHING) -> Settings:
    path = Path("foureyes.yaml")
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_settings(path, environ, LocalFiles())


def problems(text: str | bytes, environ: Mapping[str, str] = NOTHING) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(text, environ)
    assert all("\n" not in problem for problem in caught.value.problems)
    return list(caught.value.problems)
