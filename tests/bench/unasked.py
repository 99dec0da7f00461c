"""What the frame loop notices of a platform that is made unasked: the times between two frames that were read, before
and while one is made and confirmed, in the running system with the embedded server.

python -m tests.bench.unasked
"""

from __future__ import annotations

import queue
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from foureyes_actors import wiring
from foureyes_actors.bench.platform import BrokenOnce, _children, _is_reproduced, _until
from foureyes_actors.messages import Analysis
from foureyes_actors.model_table import group_by_model, load_models
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.settings import Settings
from supervisors.cerberus import Cerberus, start_root
from supervisors.context import Tree
from tests.bench.tables import quantile, table

QUIET = 20.0  # seconds before the failure


def row(name: str, times: Sequence[float]) -> tuple[str, str, str, str, str]:
    gaps = [later - earlier for earlier, later in pairwise(times)]
    figures = [f"{1000 * value:.0f}" for value in (quantile(gaps, 0.5), quantile(gaps, 0.95), max(gaps))]
    return (name, str(len(times)), *figures)  # type: ignore[return-value]


def main() -> None:
    settings = Settings()
    models = group_by_model(load_models(settings, LocalFiles()))
    world = wiring.real_world(settings)
    heard: queue.Queue[tuple[float, Any]] = queue.Queue()
    broken = BrokenOnce(world.http, world.clock)
    frames: list[float] = []

    def seen(message: Any) -> bool:
        if isinstance(message, Analysis):
            frames.append(message.frame.captured_monotonic)
        return False

    with tempfile.TemporaryDirectory() as folder:
        config = wiring.Config(Settings.model_validate({"data_dir": str(Path(folder))}))
        children = _children(config, models, replace(world, http=broken), heard)
        root = start_root(lambda context, tree: Cerberus(context, tree=tree, children=children), Tree())
        try:
            _until(heard, world.clock, 180.0, lambda message: isinstance(message, Analysis), "a picture was read")
            began = world.clock.monotonic()
            _until(heard, world.clock, 60.0, lambda m: seen(m) or world.clock.monotonic() - began > QUIET, "20 s")
            broken.ask_for_it()
            at, event = _until(heard, world.clock, 330.0, lambda m: seen(m) or _is_reproduced(m), "a platform")
        finally:
            root.stop(10.0)
    assert broken.at is not None
    before = [time for time in frames if time < broken.at]
    heads = ("frames", "read", "between two, median ms", "p95", "longest")
    print(table("frame loop", heads, [row("before", before), row("meanwhile", [t for t in frames if t >= broken.at])]))
    print(f"reproduced at level {event.after} {at - broken.at:.1f} s after the broken answer")


if __name__ == "__main__":
    main()
