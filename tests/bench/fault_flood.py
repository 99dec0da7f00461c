"""10,000 failures a second for 10 s, with the store away and the disk full, beside a frame loop of 3 frames a second.

python -m tests.bench.fault_flood [--rate 10000] [--seconds 10]

The failures happen in replay points of the product, in four threads; a third of them is told as an actor does, a third
goes the way of the hooks, a third straight into the bug actor's inbox. As root on Linux the journal and the records lie
on a tmpfs of 256 kB; else on folders that say ENOSPC after as much. Then the store comes back.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.flood import DISK, Figures, Flood
from tests.bench.tables import table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=10_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="foureyes-flood-") as scratch, small_disk(Path(scratch)) as disk:
        flood = Flood(Path(scratch), disk, decisions=True)
        with flood:
            figures = flood.run(arguments.seconds, arguments.rate, calm=5.0)
        figures.arrived = flood.arrived()
        print(table(f"a flood, {'a tmpfs' if disk else 'folders'} of {DISK} bytes", ("what", "figure"), rows(figures)))
    return 0


def rows(figures: Figures) -> list[tuple[str, str]]:
    bug, recorder, hooks = figures.bug, figures.recorder, figures.hooks
    mebi = 2**20
    return [
        ("failures a second", f"{figures.offered / figures.seconds:,.0f} ({figures.offered:,} in all)"),
        ("frames a second, longest gap", f"{figures.rate:.2f}, {figures.longest_gap * 1000:.0f} ms"),
        ("the same before the flood", f"{figures.before[0]:.2f}, {figures.before[1] * 1000:.0f} ms"),
        ("CPU of this process", f"{figures.cpu:.1f} s of {figures.seconds:.1f} s"),
        ("memory before, at most", f"{figures.memory_before / mebi:.0f}, {figures.memory_most / mebi:.0f} MiB"),
        ("into the bug actor's inbox: taken, refused", f"{figures.told:,}, {figures.refused:,}"),
        ("held back by tellers", f"{figures.held_back:,}"),
        ("by the hooks: told, dropped, failed", f"{hooks['told']:,}, {hooks['dropped']:,}, {hooks['failed']}"),
        ("bug: recorded, held back, own failures", f"{bug['recorded']}, {bug['suppressed']:,}, {bug['own_failures']}"),
        ("records: kept, failed, dropped", "{kept}, {failed}, {dropped}".format(**bug["records"])),
        ("recorder: journaled, dropped, replayed", "{journaled}, {dropped}, {replayed}".format(**recorder)),
        (
            "decisions, trouble with them",
            f"{figures.decisions['by_state']}, {figures.decisions['last_error'] or 'none'}",
        ),
        ("documents in the store at the end", f"{figures.arrived}"),
        ("threads before, after", "{}, {}".format(*figures.threads)),
    ]


@contextmanager
def small_disk(scratch: Path) -> Iterator[Path | None]:
    place = scratch / "disk"
    place.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        yield None
        return
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "foureyes-flood", str(place)], capture_output=True, check=False
    )
    if done.returncode:
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


if __name__ == "__main__":
    sys.exit(main())
