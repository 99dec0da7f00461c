"""The summary at a run's end, from statuses as the actors give them."""

from __future__ import annotations

from typing import Any

import pytest

from foureyes_actors.console.summary import size, summary_lines

STATUSES: dict[str, dict[str, Any]] = {
    "cerberus": {"replaced": {}},
    "recorder": {
        "store": "SQLite 3.40.1 at data/foureyes.sqlite3",
        "condition": "stored",
        "away_since": None,
        "pending": 0,
        "journal_bytes": 0,
        "stored": 1165,
        "replayed": 0,
        "refused": 0,
        "dropped": 0,
    },
    "bug": {"recorded": 0, "by_severity": {}},
    "console": {"read": 926},
    "readings": {"values": {"accepted": 6687, "held": 300, "missing": 401, "rejected": 20}},
    "resource": {
        "last": {"own_memory": 183017472, "server_memory": 257449984},
        "peaks": {"own_memory": 214650880, "server_memory": 1299192320},
    },
    "lm_studio": {"phase": "ready", "starts": 1, "last_error": ""},
    "inference:screen-reader": {
        "answered": 912,
        "hits": 14,
        "retries": 0,
        "replaced": 4,
        "failures": {},
        "mean_latency": 0.0731,
    },
    "capture": {
        "frames": 1931,
        "rate": 2.998,
        "wanted_rate": 3.0,
        "dropped": 0,
        "skipped": 0,
        "failures": {},
        "condition": "healthy",
        "grab_ms": {"median": 22.9, "longest": 99.0},
    },
}


def summary(**changes: dict[str, Any]) -> dict[str, str]:
    """By name; ``changes``: of one actor's status each."""
    told = summary_lines({name: {**status, **changes.get(name, {})} for name, status in STATUSES.items()})
    return {line[:15].strip(): line[16:] for line in told}


def test_a_run_without_trouble() -> None:
    assert summary() == {
        "frames": "1,931 captured, 926 read, 4 replaced by a newer one while a model was busy",
        "rate": "3.00 frames a second at the end, 3 wanted, getting a picture took 23 ms, at most 99 ms, "
        "the stream is healthy",
        "values": "6,687 accepted, 300 held until seen again, 401 not on the screen, 20 rejected",
        "model": "screen-reader: 912 answers, 73 ms each on average, 14 from the cache",
        "model server": "ready, started once",
        "store": "1,165 documents stored in SQLite 3.40.1 at data/foureyes.sqlite3",
        "faults": "none",
        "restarts": "none",
        "memory": "FourEyes 183 MB, at most 215 MB; model server 257 MB, at most 1.3 GB",
    }


def test_what_went_wrong_is_said() -> None:
    told = summary(
        recorder={"away_since": "2026-03-01T10:00:00+00:00", "pending": 51, "journal_bytes": 54582, "dropped": 2}
        | {"away_reason": "gone: move it aside"},
        bug={"recorded": 3, "by_severity": {"High": 1, "Medium": 2}},
        cerberus={"replaced": {"capture": 2, "readings": 1}},
        capture={"dropped": 7, "failures": {"BadPicture": 2}},
        lm_studio={"starts": 2, "last_error": "it was killed"},
    )
    assert told["store"].startswith("away since ")
    assert "51 wait in the journal (55 kB) until it is back, now or later, 2 LOST" in told["store"]
    assert told["store"].endswith(", why it is away: gone: move it aside")
    assert told["faults"] == "3 recorded, 1 high, 2 medium; see ERR0R in the store"
    assert told["restarts"] == "capture 2 x, readings 1 x"
    assert told["frames"].endswith("7 dropped because the source was slow, 2 without a picture (BadPicture)")
    assert told["model server"] == "ready, started 2 times, last error: it was killed"


def test_an_actor_that_did_not_answer_leaves_its_part_out() -> None:
    assert summary_lines({}) == []
    assert summary_lines({"bug": {"recorded": 0}}) == ["  faults        none"]


def test_text_from_outside_cannot_steer_the_terminal() -> None:
    assert all(line.isprintable() for line in summary_lines({"inference:\x1b[2J": {}, "recorder": {"store": "a\nb"}}))


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (54582, "55 kB"),
        (1_500_000, "1.5 MB"),
        (183_017_472, "183 MB"),
        (5e12, "5000 GB"),
    ],
)
def test_sizes_for_people(count: float, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("status", "told"), [({"asked": [], "answered": 0}, False), ({"asked": [], "answered": 3}, True), ({}, True)]
)
def test_a_smaller_model_that_was_never_needed_is_not_told(status: dict[str, Any], told: bool) -> None:
    lines = summary_lines({**STATUSES, "inference:smaller": {**STATUSES["inference:screen-reader"], **status}})
    assert any("smaller" in line for line in lines) is told
