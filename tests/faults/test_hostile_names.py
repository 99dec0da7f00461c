"""A folder whose name would steer a terminal, forge a line and is no text: its readings are kept, its name is shown."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from foureyes_actors.capture.cabinet import Cabinet, encode_jpeg
from tests.model_server.support import need_embedded
from tests.real.program import program

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(180),
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux names files by any bytes"),
]


def test_its_readings_are_kept_and_the_terminal_is_left_alone(tmp_path: Path) -> None:
    need_embedded()
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\x1b[31mb\nending: forged \xff"))
    folder.mkdir()
    cabinet = Cabinet("alpine", 3)
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(encode_jpeg(cabinet.draw(2 + number / 3), 90))
    environment = {"FOUREYES_SOURCE__KIND": "pictures", "FOUREYES_SOURCE__PICTURES__PATH": str(folder)}
    with program(tmp_path / "data", environment) as running:
        assert running.wait(90) == 0, running.output
        assert len(running.readings()) >= 1
        assert not [e for e in running.errors() if "Refused" in e["exception_type"]], running.errors()
    assert "\x1b" not in running.output
    told = [line for line in running.lines if "the stream of" in line or "has no more frames" in line]
    assert len(told) >= 2
    assert not [line for line in running.lines if line.startswith("ending: forged")], running.output
