"""The tiny models, built once for all tests that need torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.model_server.transformers.support import need_torch

BUILD = "tests.model_server.transformers.build_tiny"
BUILD_TIME = 300.0
STATES = {"letter": "bonus", "screen": "idle"}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them, below ``lab``."""
    need_torch()
    root = tmp_path_factory.mktemp("models")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", BUILD, str(root / "lab")], check=True, timeout=BUILD_TIME, env=environment)
    (root / "lab/dit/foureyes_labels.json").write_text(json.dumps(STATES))
    return root
