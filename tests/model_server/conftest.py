"""All of the model server's tests need its packages."""

from __future__ import annotations

import pytest

from tests.model_server.support import need_embedded


@pytest.fixture(autouse=True)
def _packages() -> None:
    need_embedded()
