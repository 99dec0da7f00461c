"""A model that answers too late for its deadline: the running program fails, a longer deadline is proven with its own
record, put, in force at the next start, gone when it is taken back, and over when the user sets another value."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from foureyes_actors.bug.keeper import kept_record
from foureyes_actors.commands.error_commands import make_platform
from foureyes_actors.forgewright.knobs import candidates
from foureyes_actors.forgewright.latencies import model_of, observed
from foureyes_actors.forgewright.mitigations import MITIGATIONS, in_force, mitigation, put, take_back
from foureyes_actors.forgewright.proof import proof_from
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.ports.stores import open_to_read
from foureyes_actors.replay.program import t00l5et
from foureyes_actors.settings import InferenceSettings, Settings, StoreSettings
from t00l5et.doubles.lm_studio import LmStudioDouble
from tests.forgewright.make import decided
from tests.real.program import program

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

MODEL = "qwen/qwen3-vl-8b"
LATENCY = 2.0  # seconds
SCENARIO = {"models": [MODEL], "rules": [{"when": {"route": "POST /v1/chat/completions"}, "then": {"delay": LATENCY}}]}
TOO_SHORT = 1.0
ID = "FORGE-2026-001"
WITHIN = 90.0


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    with LmStudioDouble(SCENARIO) as server:
        yield {
            "FOUREYES_MODEL_SERVER__KIND": "lm_studio",
            "FOUREYES_MODEL_SERVER__BASE_URL": server.url,
            "FOUREYES_INFERENCE__DEADLINE": str(TOO_SHORT),
            "FOUREYES_INFERENCE__ATTEMPTS": "1",
            "FOUREYES_INFERENCE__CACHE_TTL": "0",
            "FOUREYES_FORGEWRIGHT__PLATFORMS_PER_DAY": "0",  # the test makes it
        }


def timeouts(data: Path) -> set[str]:
    """Ids of the records."""
    records = LocalPrivateFolder(data / "records")
    names = [entry.name.rpartition("/")[2] for entry in records.entries() if entry.name.endswith(".json")]
    documents = {name: kept_record(records, name.removesuffix(".json")) for name in names}
    return {
        name.removesuffix(".json")
        for name, found in documents.items()
        if found and "RequestTimeout" in found["exceptions"][0]["type"]
    }


def run_until_it_fails(data: Path, environment: dict[str, str]) -> str:
    """The id of the record."""
    before = timeouts(data)
    with program(data, environment) as running:
        running.until(lambda: timeouts(data) > before, WITHIN, "a request fails for want of time")
        if sys.platform != "win32":  # it has no signals to send to another process; there it is killed
            running.interrupt()
    return min(timeouts(data) - before)


def test_it_fails_is_proven_put_and_taken_back(tmp_path: Path, environment: dict[str, str]) -> None:
    record = run_until_it_fails(tmp_path, environment)
    platform = make_platform(LocalPrivateFolder(tmp_path / "records"), tmp_path / "platforms", record)

    done = LocalProcesses().run(
        t00l5et("mitigate", str(platform), "--key", "inference.deadline", "--value", "5", "--late", "2", "--json"),
        timeout=120.0,
    )
    found = proof_from(done.lines[-1])
    assert found is not None and found.proven, done.lines

    folder, now = LocalPrivateFolder(tmp_path / MITIGATIONS), time.time()
    made = mitigation(ID, found.key, TOO_SHORT, found.value, now)
    put(folder, made, now)
    decided(tmp_path / "decisions", made)
    with program(tmp_path, environment, "--frames", "3") as running:
        assert running.wait(WITHIN) == 0, running.output
        took = [latency for reading in running.readings() for latency in reading["latencies_ms"]]
    said = [line for line in running.lines if f"a mitigation of {ID}" in line]
    assert len(said) == 1 and said[0].startswith("  inference.deadline is 5 instead of 1: a mitigation of"), said
    assert any(f"{ID} watched" in line for line in running.lines), running.lines
    assert len(took) >= 3 and all(latency >= 1000 * LATENCY for latency in took)

    assert take_back(folder, ID)
    run_until_it_fails(tmp_path, environment)

    put(folder, made, now)
    decided(tmp_path / "decisions", made)
    with program(tmp_path, {**environment, "FOUREYES_INFERENCE__DEADLINE": "4"}) as running:
        ended = f"{ID} rejected: KeyError in parse: superseded by the user: inference.deadline is 4 and no longer 1"
        running.until(lambda: any(ended in line for line in running.lines), WITHIN, "the user's own value is told")
        if sys.platform != "win32":
            running.interrupt()
    assert any("so the mitigation of" in line for line in running.lines) and in_force(folder, time.time()) == ()


def test_what_the_store_holds_founds_it(tmp_path: Path, environment: dict[str, str]) -> None:
    """Answers that took longer were seen while the deadline was longer."""
    with program(tmp_path, {**environment, "FOUREYES_INFERENCE__DEADLINE": "30"}, "--frames", "2") as running:
        assert running.wait(WITHIN) == 0, running.output
    record = run_until_it_fails(tmp_path, environment)
    document = kept_record(LocalPrivateFolder(tmp_path / "records"), record)
    assert document is not None and model_of(document) == MODEL
    store = open_to_read(StoreSettings(), tmp_path)
    try:
        seen = observed(store, MODEL, SystemClock().utc_now())
    finally:
        store.close()
    own = Settings(inference=InferenceSettings(deadline=TOO_SHORT, attempts=1))
    change = candidates(document, own, seen)[0]
    assert (change.key, change.was, change.value, change.by_itself) == ("inference.deadline", TOO_SHORT, 5.0, True)
    assert change.late is not None and LATENCY <= change.late <= 4.5
