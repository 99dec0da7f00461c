"""What reading in this process costs while the model server is away: time of a frame, memory, threads of the system.

python -m tests.bench.fallback
"""

from __future__ import annotations

import gc
import time

import psutil

from foureyes_actors import wiring
from foureyes_actors.capture.cabinet import THEMES, Cabinet, encode_jpeg
from foureyes_actors.inference.in_process import InProcessReader, SharedEngine
from foureyes_actors.messages import Task
from foureyes_actors.settings import PictureLimits
from tests.bench.tables import quantile, table
from tests.inference.support import frame

FALLBACKS, FRAMES, EVERY = 5, 20, 3.0


def pictures() -> list[bytes]:
    cabinet = Cabinet(THEMES[0], 7, (1280, 720))
    cabinet.set_stage(cabinet.make_stage(0.0))
    return [encode_jpeg(cabinet.draw(EVERY * number), 85) for number in range(FRAMES)]


def main() -> None:
    process, shared, shown = psutil.Process(), SharedEngine(), pictures()

    def now() -> tuple[int, int]:
        return process.memory_info().rss >> 20, process.num_threads()

    rows: list[tuple[object, ...]] = [(f"{wiring.__name__} imported", "", "", "", *now())]
    for number in range(1, FALLBACKS + 1):
        began = time.perf_counter()
        read = InProcessReader(shared.get(), tuple(Task), limits=PictureLimits(), monotonic=time.monotonic)
        opened = (time.perf_counter() - began) * 1000
        times = [read(frame(n, data=data, at=EVERY * n)).latency * 1000 for n, data in enumerate(shown)]
        rows.append((f"fallback {number}", opened, quantile(times, 0.5), quantile(times, 0.95), *now()))
        del read
        gc.collect()
        rows.append((f"after it{'' if not shared.loaded else ', NOT FREED'}", "", "", "", *now()))
    heads = ("", "open ms", "median ms a frame", "p95 ms", "memory MB", "threads")
    print(table(f"{FRAMES} frames of 1280x720, {EVERY:g} s apart, load {psutil.getloadavg()[0]:.1f}", heads, rows))


if __name__ == "__main__":
    main()
