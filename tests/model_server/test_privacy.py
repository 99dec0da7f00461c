"""Everything stays on this machine: the engine's library must not report to its maker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import need

LOAD = """
from foureyes_actors.model_server.engine.models import load_session, model_files
load_session(model_files("tiny").recogniser)
"""
BARE = "import onnxruntime"


def traces(tmp_path: Path, code: str) -> list[str]:
    """Files that the process left in its temporary folder: the reporter keeps its session's id in one."""
    silent = {"CI", "ORT_DISABLE_TELEMETRY"}  # either of them switches the reporter off
    environment = {k: v for k, v in os.environ.items() if k not in silent} | {"TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)
    return [path.name for path in tmp_path.iterdir()]


def test_loading_the_engine_starts_no_reporter(tmp_path: Path) -> None:
    need(modules=("onnxruntime",), install="pip install -e '.[embedded]'")
    assert traces(tmp_path, LOAD) == []


def test_the_trace_is_there_without_our_switch(tmp_path: Path) -> None:
    """Otherwise the test above could not fail."""
    need(modules=("onnxruntime",), install="pip install -e '.[embedded]'")
    if not traces(tmp_path, BARE):
        pytest.skip("this build of onnxruntime has no reporter that keeps a file")
