"""``python run.py`` reloads its models as planned: the pictures go on, nothing is lost, nothing counts as a failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.model_server.support import need_embedded
from tests.real.program import program

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


def test_every_five_pictures(tmp_path: Path) -> None:
    need_embedded()
    environment = {"FOUREYES_MODEL_SERVER__RELOAD_AFTER": "5", "FOUREYES_LOG_LEVEL": "INFO"}
    with program(tmp_path, environment, "--frames", "20") as it:
        assert it.wait(240.0) == 0, it.output
    assert it.output.count("unloading foureyes/screen-reader-tiny") >= 3, it.output
    assert it.errors() == []
    readings = it.readings()
    assert len(readings) == 20 and not any(reading.get("degraded") for reading in readings)
    assert not [event for event in it.events() if event["kind"] in ("head_bitten", "mode_changed")]
