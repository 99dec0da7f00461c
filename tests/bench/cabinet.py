"""What the demo cabinet costs: ``python -m tests.bench.cabinet [WIDTH HEIGHT]`` prints CPU milliseconds per theme.

Three frames a second over a minute of each machine, as a live source would draw them; "first" is the first frame,
with everything that is drawn once.
"""

from __future__ import annotations

import sys
import time
from statistics import mean, median, quantiles

from foureyes_actors.capture.cabinet import THEMES, Cabinet, encode_jpeg

RATE = 3.0
SECONDS = 60


def cpu_ms(start: float) -> float:
    return (time.process_time() - start) * 1000


def measure(theme: str, size: tuple[int, int]) -> tuple[list[float], list[float], float]:
    """CPU milliseconds of each drawn frame, of each compression, and of the first frame."""
    start = time.process_time()
    cabinet = Cabinet(theme, 7, size)
    cabinet.draw(0.0)
    first, drawn, packed = cpu_ms(start), [], []
    for number in range(1, int(SECONDS * RATE)):
        start = time.process_time()
        image = cabinet.draw(number / RATE)
        drawn.append(cpu_ms(start))
        start = time.process_time()
        encode_jpeg(image, 85)
        packed.append(cpu_ms(start))
    return drawn, packed, first


def row(name: str, *figures: float) -> str:
    return f"{name:14}" + "".join(f"{figure:8.1f}" for figure in figures)


def main(size: tuple[int, int]) -> None:
    print(f"{size[0]} x {size[1]}, CPU ms a frame")
    print(f"{'theme':14}" + "".join(f"{word:>8}" for word in ("mean", "median", "p95", "max", "jpeg", "first")))
    everything: list[float] = []
    for theme in THEMES:
        drawn, packed, first = measure(theme, size)
        everything += drawn
        print(row(theme, mean(drawn), median(drawn), quantiles(drawn, n=20)[-1], max(drawn), mean(packed), first))
    print(row("all", mean(everything), median(everything), quantiles(everything, n=20)[-1], max(everything)))


if __name__ == "__main__":
    main((int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else (1280, 720))
