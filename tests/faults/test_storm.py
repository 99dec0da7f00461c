"""A seeded storm of faults over the whole running program, with the embedded model server and OBS's double: all is
green again by itself, nothing that was accepted is missing or doubled, and the process holds what it held before."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.storm.plan import plan
from tests.faults.storm.storm import storm, told
from tests.faults.storm.verdict import verdict
from tests.model_server.support import need_embedded

SHORT, LONG = 14, 300  # faults
ACTORS = ("recorder", "bug", "capture")


@pytest.mark.real
@pytest.mark.timeout(400)
def test_a_short_storm(tmp_path: Path) -> None:
    weathered(tmp_path, faults=SHORT, seed=5, platforms=3)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_long_storm(tmp_path: Path) -> None:
    """Also: ``python -m tests.bench.storm --faults 300 --seed 1``, which prints the table."""
    weathered(tmp_path, faults=LONG, seed=1, platforms=10)


def weathered(folder: Path, *, faults: int, seed: int, platforms: int) -> None:
    need_embedded()
    report = storm(folder, faults=faults, seed=seed, platforms=platforms)
    print("\n".join(told(report)))
    assert len(report.hits) >= faults
    assert verdict(report) == []


def test_a_seed_is_a_plan() -> None:
    assert plan(3, 300, ACTORS) == plan(3, 300, ACTORS) != plan(4, 300, ACTORS)


def test_a_plan_has_every_kind_and_what_needs_obs_happens_with_it() -> None:
    sections = plan(3, 300, ACTORS)
    kinds = Counter(blow.kind for _, blows in sections for blow in blows)
    assert sum(kinds.values()) == 300
    halted = set() if sys.platform == "win32" else {"SIGSTOP"}
    assert set(kinds) == {"kill", "hang", "kill -9", "answers", "OBS", "store", *halted}
    assert {source for source, blows in sections if any(blow.kind == "OBS" for blow in blows)} == {"obs"}
