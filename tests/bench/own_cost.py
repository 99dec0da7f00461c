"""What FourEyes itself costs per frame, without the model: CPU time of each step, 1280x720, a JPEG of about 250 kB.

python -m tests.bench.own_cost
"""

from __future__ import annotations

import hashlib
import io
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count

from PIL import Image
from rich.console import Console
from rich.table import Table

from foureyes_actors.inference.reply import check_reply
from foureyes_actors.inference.request import chat_request, template
from foureyes_actors.inference.tasks import merge
from foureyes_actors.messages import Frame, FrameRef, ReadingSet, Task, TaskAnswer
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.documents import body, encoded
from foureyes_actors.readings.documents import reading_document, reading_set_id
from foureyes_actors.readings.fusion import Join, Part, add
from foureyes_actors.readings.screen import Screen, read
from foureyes_actors.settings import InferenceSettings, ReadingsSettings
from tests.inference.support import ANSWER, ENTRIES, MODEL, completion, good

BATCHES, BATCH = 15, 100
WIDTH, HEIGHT, WANTED = 1280, 720, 250_000


def jpeg(wanted: int = WANTED) -> bytes:
    """Noise over a gradient, at the quality that comes nearest to ``wanted`` bytes."""
    noise = Image.effect_noise((WIDTH, HEIGHT), 40).convert("RGB")
    picture = Image.blend(noise, Image.linear_gradient("L").resize((WIDTH, HEIGHT)).convert("RGB"), 0.5)
    sizes = {}
    for quality in range(20, 96, 5):
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality)
        sizes[abs(len(file.getvalue()) - wanted)] = file.getvalue()
    return sizes[min(sizes)]


def measure(step: Callable[[], object]) -> tuple[float, float]:
    """CPU milliseconds of one call: median and largest of the batches' means."""
    step()
    means = []
    for _ in range(BATCHES):
        began = time.process_time()
        for _ in range(BATCH):
            step()
        means.append((time.process_time() - began) / BATCH * 1000)
    return statistics.median(means), max(means)


def steps(picture: bytes) -> dict[str, Callable[[], object]]:
    clock, numbers = ManualClock(), count(1)
    ref = FrameRef("bench", 1, clock.utc_now(), 1.0, hashlib.sha256(picture).hexdigest(), "image/jpeg", WIDTH, HEIGHT)
    frame, settings, rules = Frame(ref, picture), InferenceSettings(), ReadingsSettings()
    shape, reply = template(MODEL, merge(ENTRIES), settings, session=True), good()
    screens, joins = [Screen()], [Join((MODEL,), 10.0)]

    def answers(number: int) -> tuple[TaskAnswer, ...]:
        """Checked answers with a jackpot that grows with every frame; the other amounts stay, as on a real screen."""
        grand = {"vision_ocr": {**ANSWER["vision_ocr"], "grand": f"${12_345 + number / 100:,.2f}"}}
        reply = completion(json.dumps({**ANSWER, **grand}))
        return check_reply(reply, model=MODEL, tasks=tuple(Task)).answers

    prepared = [answers(number) for number in range(BATCHES * BATCH + 2)]

    def fuse() -> object:
        number = next(numbers)
        here = replace(ref, sequence=number, captured_monotonic=float(number))
        joins[0], joined = add(joins[0], here, Part(MODEL, prepared[number % len(prepared)]), float(number))
        for one in joined:
            screens[0], readings, _ = read(screens[0], one, rules)
        return readings

    readings = read(Screen(), add(Join((MODEL,), 10.0), ref, Part(MODEL, prepared[0]), 0.0)[1][0], rules)[1]
    readings_set = ReadingSet(reading_set_id("run", ref), ref, (MODEL,), readings, clock.utc_now(), 0.5)
    return {
        "request build": lambda: chat_request(shape, frame, base_url="http://h", token="", settings=settings),
        "answer check": lambda: check_reply(reply, model=MODEL, tasks=tuple(Task)),
        "fusion and fields": fuse,
        "document": lambda: reading_document(readings_set, "run"),
        "(document as BSON, by the recorder)": lambda: body(encoded(reading_document(readings_set, "run"))),
        "(SHA-256 of the picture, by capture)": lambda: hashlib.sha256(picture).hexdigest(),
    }


def main() -> None:
    picture = jpeg()
    table = Table(title=f"CPU per frame, {WIDTH}x{HEIGHT}, {len(picture) / 1000:.0f} kB; {BATCHES} batches of {BATCH}")
    for heading in ("step", "median ms", "slowest batch ms"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    total = 0.0
    for name, step in steps(picture).items():
        median, slowest = measure(step)
        total += 0 if name.startswith("(") else median
        table.add_row(name, f"{median:.3f}", f"{slowest:.3f}")
    table.add_row("in all, without those in brackets", f"{total:.3f}", "", style="bold")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
