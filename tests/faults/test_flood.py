"""A short flood of failures, with the store away and the disk full: everything is counted, nothing recurses, what was
journaled arrives. The figures are the bench's: python -m tests.bench.fault_flood."""

from __future__ import annotations

from pathlib import Path

from tests.bench.flood import SECRET, THREADS, Flood

GROWTH = 100 * 2**20  # bytes
ROOM = 40_000  # bytes on the disk
RATE = 4000.0  # failures a second; a loaded machine makes fewer


def test_a_flood_of_failures(tmp_path: Path) -> None:
    flood = Flood(tmp_path, room=ROOM)
    with flood:
        figures = flood.run(seconds=2.0, rate=RATE, calm=0.5)
    bug, recorder, hooks = figures.bug, figures.recorder, figures.hooks
    assert figures.offered > 200 and figures.rate > 0, "frames still come"
    assert figures.memory_most - figures.memory_before < GROWTH
    assert figures.threads[1] - figures.threads[0] <= 2  # the worker of the records, the one that opens the store

    assert bug["own_failures"] == hooks["failed"] == 0 and bug["waiting"] == hooks["waiting"] == 0
    told_by_hooks, by_hooks = hooks["told"], hooks["told"] + hooks["dropped"]
    third = figures.offered // 3
    assert abs(by_hooks - third) <= THREADS and abs(figures.told + figures.refused - third) <= THREADS
    by_tellers = figures.offered - by_hooks - figures.told - figures.refused - figures.held_back
    assert bug["received"] >= figures.told + told_by_hooks + by_tellers  # and what the recorder said of its store
    assert bug["recorded"] + bug["suppressed"] == bug["received"] - bug["repeated"]

    assert recorder["dropped"] > 0, "the disk was full"
    assert recorder["journaled"] == recorder["replayed"] > 0 and recorder["pending"] == recorder["refused"] == 0
    assert flood.arrived() == recorder["stored"] == bug["recorded"] - recorder["dropped"]
    on_disk = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert SECRET.encode() not in on_disk
