"""Any running model server, at the address that the environment names: recognised, its model loaded, and judged.

See docs/real_servers.md. Without FOUREYES_TEST_SERVER nothing is tested, also where CI=true.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from foureyes_actors.errors import ModelLoadFailed
from foureyes_actors.lm_studio.dialect import Server, server_at
from foureyes_actors.lm_studio.recognise import recognise
from foureyes_actors.lm_studio.residency import ensure_loaded, resident
from foureyes_actors.lm_studio.server_calls import check_alive, known_models, list_models
from foureyes_actors.lm_studio.warmup import warm_up
from foureyes_actors.messages import Task
from foureyes_actors.ports.http_requests import RequestsHttp
from foureyes_actors.settings import InferenceSettings
from tests.lm_studio.support import loading

URL = os.environ.get("FOUREYES_TEST_SERVER", "")
MODEL = os.environ.get("FOUREYES_TEST_MODEL", "")
KIND = os.environ.get("FOUREYES_TEST_KIND", "")
TOKEN = os.environ.get("FOUREYES_API_TOKEN", "")
READS = os.environ.get("FOUREYES_TEST_READS", "").lower() in {"1", "true"}

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not (URL and MODEL), reason="FOUREYES_TEST_SERVER and FOUREYES_TEST_MODEL name none"),
]


@pytest.fixture
def http() -> Iterator[RequestsHttp]:
    port = RequestsHttp()
    yield port
    port.close()


@pytest.fixture
def server(http: RequestsHttp) -> Server:
    return server_at(URL, recognise(http, URL, TOKEN), TOKEN)


def test_it_is_recognised(http: RequestsHttp, server: Server) -> None:
    check_alive(http, server)
    print(f"\n{server.url}: {server.dialect.name}, has {known_models(list_models(http, server).models)}")
    assert not KIND or server.dialect.kind == KIND


def test_its_model_is_loaded_once_and_judged(http: RequestsHttp, server: Server) -> None:
    began = time.monotonic()
    found = ensure_loaded(loading(http, server), MODEL)
    assert ensure_loaded(loading(http, server), MODEL) == found
    print(f"\n{found} after {time.monotonic() - began:.1f} s")
    assert resident(http, server, (MODEL,)) == (MODEL,)
    began, verdict = time.monotonic(), "passed"
    try:
        settings = InferenceSettings(max_tokens=200)
        warm_up(http, server, found.known_as, task=Task.OCR, settings=settings, seconds=600.0, reasons=found.reasons)
    except ModelLoadFailed as error:
        verdict = str(error)
    print(f"canary after {time.monotonic() - began:.1f} s: {verdict}")
    assert (verdict == "passed") is READS
