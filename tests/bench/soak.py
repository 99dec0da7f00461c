"""A long run as a user has it: python run.py, watched from outside.

usage: python tests/bench/soak.py [--minutes 10] [--config FILE]

Prints memory minute by minute (FourEyes and its model server), the rate held, drift against the schedule, the
run's own counters, and what it left behind: processes, threads, files. Exit code 1 when a bar is missed: memory of
the last minute within 5 % of the third, 3 frames a second held within 2 %, nothing left behind.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import psutil

from foureyes_actors.messages import Collection
from foureyes_actors.ports.stores import open_store
from foureyes_actors.settings import StoreSettings
from tests.bench.tables import quantile, table

ROOT = Path(__file__).parent.parent.parent
MIB = 1024 * 1024
RATE = 3.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--config", type=Path, default=None)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        return soak(arguments.minutes, arguments.config, Path(scratch))


def soak(minutes: float, config: Path | None, scratch: Path) -> int:
    data, temporary = scratch / "data", scratch / "tmp"
    temporary.mkdir()
    environment = os.environ | {"FOUREYES_DATA_DIR": str(data), "TMPDIR": str(temporary)}
    environment["FOUREYES_RESOURCE__PRESSURE__ENABLED"] = "false"  # the rate is what is measured
    command = [sys.executable, str(ROOT / "run.py"), *(["--config", str(config)] if config else [])]
    with (scratch / "output.txt").open("w+") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT)
        memory, threads = watch(psutil.Process(process.pid), minutes * 60)
        children = psutil.Process(process.pid).children(recursive=True)
        began_stop = time.monotonic()
        process.send_signal(signal.SIGINT)
        code = process.wait(30)
        stopped_in = time.monotonic() - began_stop
        left = [c for c in children if c.is_running() and c.status() != psutil.STATUS_ZOMBIE]
        output.seek(0)
        tail = output.read().splitlines()[-14:]
    return report(data, temporary, memory, threads, code, stopped_in, left, tail)


Samples = dict[int, dict[str, list[float]]]


def watch(process: psutil.Process, seconds: float) -> tuple[Samples, list[int]]:
    """Per minute: resident memory of FourEyes and of its children, once a second; and FourEyes's threads."""
    samples: Samples = defaultdict(lambda: {"own": [], "server": []})
    threads: list[int] = []
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds and process.is_running():
        minute = int(elapsed // 60) + 1
        samples[minute]["own"].append(process.memory_info().rss / MIB)
        samples[minute]["server"].append(sum(c.memory_info().rss for c in process.children(recursive=True)) / MIB)
        threads.append(process.num_threads())
        time.sleep(1)
    return samples, threads


def report(
    data: Path,
    temporary: Path,
    memory: Samples,
    threads: list[int],
    code: int,
    stopped_in: float,
    left: list[psutil.Process],
    tail: list[str],
) -> int:
    rows = [(m, statistics.median(s["own"]), statistics.median(s["server"])) for m, s in memory.items()]
    print(table("memory, median of each minute (MiB)", ("minute", "FourEyes", "model server"), rows))
    rate, drift, ages = pace(data)
    print(f"\nrate held {rate:.4f} frames a second; drift of the grid over the run {drift * 1000:+.0f} ms")
    print(
        f"age of a reading: p50 {quantile(ages, 0.5):.0f} ms, p95 {quantile(ages, 0.95):.0f} ms, max {max(ages):.0f} ms"
    )
    print(f"threads: {min(threads[30:] or threads)} to {max(threads)}; exit code {code}; stopped in {stopped_in:.2f} s")
    files = sorted(p.name for p in temporary.rglob("*"))
    print(f"left behind: processes {left}, temporary files {files}\n")
    print("\n".join(tail))
    return verdict(rows, rate, code, bool(left or files))


def pace(data: Path) -> tuple[float, float, list[float]]:
    """Frames a second and the grid's drift, from the stored sequence numbers and capture times; ages in ms."""
    store = open_store(StoreSettings(), data)
    documents = store.latest(Collection.READINGS, limit=1_000_000)
    store.close()
    times = sorted((d["sequence"], d["captured_at"].timestamp()) for d in documents)
    (first, start), (last, end) = times[0], times[-1]
    return (len(times) - 1) / (end - start), (end - start) - (last - first) / RATE, [d["age_ms"] for d in documents]


def verdict(rows: list[tuple[int, float, float]], rate: float, code: int, left: bool) -> int:
    failures = []
    if len(rows) > 3:
        for column, name in ((1, "FourEyes"), (2, "model server")):
            third, final = rows[2][column], rows[-1][column]
            if abs(final - third) > 0.05 * third:
                failures.append(f"memory of {name}: {third:.1f} MiB in minute 3, {final:.1f} MiB in the last")
    if abs(rate - RATE) > 0.02 * RATE:
        failures.append(f"rate {rate:.3f}, wanted {RATE}")
    if code != 130:
        failures.append(f"exit code {code}, wanted 130")
    if left:
        failures.append("something was left behind")
    print("\n" + ("\n".join(f"MISSED: {f}" for f in failures) or "all bars met"))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
