"""The planted defects, once for all tests of the gate."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.local_process import LocalProcesses
from t00l5et.sandbox import Sandbox, best_sandbox, may_run_foreign_code
from tests.support import missing, need
from tests.t00l5et.gate.defects import Planted, need_git, planted


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Planted]:
    if not need_git():
        missing("this copy of FourEyes is no git checkout, which the gate clones")
    return planted(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="session")
def strong() -> Sandbox:
    need(programs=("bwrap",), install="apt-get install bubblewrap")
    found = best_sandbox(LocalProcesses(), SystemClock())
    if not may_run_foreign_code(found):
        missing(f"no strong sandbox on this machine, and patches are run in no other: {found}")
    return found
