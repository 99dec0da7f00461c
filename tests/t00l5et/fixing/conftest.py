from __future__ import annotations

from pathlib import Path

import pytest

from t00l5et.sandbox import Sandbox
from tests.t00l5et.fixing.support import Bench, repository, strong_sandbox


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    return strong_sandbox()


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing may change it: ``Bench.nothing_is_left`` looks."""
    return repository(tmp_path_factory.mktemp("pristine") / "repository")


@pytest.fixture
def bench(tmp_path: Path, pristine: Path, sandbox: Sandbox) -> Bench:
    return Bench(tmp_path, pristine, sandbox)
