"""How well the embedded engine reads the demo cabinet: per theme, as values come out, without any rule over time.

usage: python -m tests.bench.accuracy [--level tiny|small] [--seeds 4711,4712] [--no-tracking]

Runs of consecutive frames at 3 a second, as a live source gives them (JPEG 85, 720p), on seeds that nothing was tuned
on. Settled frames count: in the others a value is being blended into the next. "invented": a value for an amount that
is not on the screen. State, motion and popup: right among the frames in
which the engine says anything.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal

import numpy as np
import psutil
from numpy.typing import NDArray
from PIL import Image

from foureyes_actors.capture.cabinet import THEMES, Cabinet, Truth, encode_jpeg
from foureyes_actors.messages import MONEY_FIELDS, Field
from foureyes_actors.model_server.engine.reader import ScreenReader, ScreenReport
from foureyes_actors.readings.money import MoneyError, parse_money
from tests.bench.tables import quantile, table

BEGINS = (3.0, 60.0, 130.0)  # seconds of the cabinet's time at which a run of frames begins
FRAMES = 12  # of one run
RATE = 3.0


def runs(
    theme: str, seed: int, begins: Iterable[float] = BEGINS, frames: int = FRAMES
) -> Iterator[tuple[float, Truth, NDArray[np.uint8]]]:
    cabinet = Cabinet(theme, seed)
    for begin in begins:
        for number in range(frames):
            at = begin + number / RATE
            with Image.open(io.BytesIO(encode_jpeg(cabinet.draw(at), 85))) as picture:
                yield at, cabinet.truth(at), np.asarray(picture.convert("RGB"))


def read_amount(report: ScreenReport, name: Field) -> Decimal | str | None:
    """The value as the client gets it; the text itself where its grammar refuses it."""
    found = report.amounts.get(name)
    if found is None:
        return None
    try:
        return parse_money(found.text).amount
    except MoneyError:
        return found.text


def judge(report: ScreenReport, truth: Truth) -> Counter[str]:
    """exact, wrong, missing, invented; and state, motion, popup: right and unknown (a run's first frame cannot know
    whether anything moves)."""
    counts: Counter[str] = Counter()
    for name in MONEY_FIELDS:
        wanted, got = truth.amounts.get(name), read_amount(report, name)
        if wanted is None:
            counts["invented"] += got is not None
        else:
            counts["exact" if got == wanted else "missing" if got is None else "wrong"] += 1
    counts["frames"] += 1
    for what, said, true in (
        ("state", report.state, truth.state),
        ("motion", report.motion, truth.motion),
        ("popup", report.popup, truth.popup),
    ):
        counts[what] += said == true
        counts[f"{what} unknown"] += said == "unknown"
    return counts


def share_right(counts: Counter[str], what: str) -> float:
    """Of the frames in which the engine said anything about ``what``."""
    return counts[what] / max(1, counts["frames"] - counts[f"{what} unknown"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--level", choices=("tiny", "small"), default="tiny")
    parser.add_argument("--seeds", default="4711,4712,4713")
    parser.add_argument("--no-tracking", action="store_true")
    arguments = parser.parse_args()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    rows, whole, cpu = [], Counter[str](), list[float]()
    for theme in THEMES:
        counts = Counter[str]()
        for seed in seeds:
            reader = ScreenReader(arguments.level, track=not arguments.no_tracking)
            for at, truth, picture in runs(theme, seed):
                began = time.process_time()
                report = reader.read(picture, at)
                cpu.append(1000 * (time.process_time() - began))
                if truth.settled:
                    counts += judge(report, truth)
        rows.append(row(theme, counts))
        whole += counts
    heads = ("theme", "values", "exact %", "wrong", "missing", "invented", "state %", "motion %", "popup %")
    tracking = "whole pictures" if arguments.no_tracking else "tracked"
    print(table(f"level {arguments.level}, {tracking}, seeds {arguments.seeds}", heads, [*rows, row("all", whole)]))
    mean = sum(cpu) / len(cpu)
    times = f"mean {mean:.0f}, median {quantile(cpu, 0.5):.0f}, p95 {quantile(cpu, 0.95):.0f}, longest {max(cpu):.0f}"
    print(f"\nCPU ms a frame: {times}")
    print(f"memory of this process: {psutil.Process().memory_info().rss / 2**20:.0f} MiB")
    return 0


def row(name: str, counts: Counter[str]) -> tuple[object, ...]:
    values = counts["exact"] + counts["wrong"] + counts["missing"]
    parts = [f"{100 * share_right(counts, what):.1f}" for what in ("state", "motion", "popup")]
    share = f"{100 * counts['exact'] / max(1, values):.2f}"
    return (name, values, share, counts["wrong"], counts["missing"], counts["invented"], *parts)


if __name__ == "__main__":
    sys.exit(main())
