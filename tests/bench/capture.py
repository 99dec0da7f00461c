"""What capture itself costs, and the rate it holds: ``python -m tests.bench.capture [seconds]``.

First the CPU of the actor's own work on one 720p picture, part by part, without the source. Then each kind of source:
the CPU of one grab. Then a paced run with live actors, an OBS double over a real socket and a consumer that hangs all
the time, 60 s unless told otherwise.
"""

from __future__ import annotations

import hashlib
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PIL import Image

from foureyes_actors.capture.actor import CaptureActor
from foureyes_actors.capture.cabinet import Cabinet, encode_jpeg
from foureyes_actors.capture.grabber import Grab, Picture
from foureyes_actors.capture.health import GoodFrame, StreamHealth, limits_for, observe
from foureyes_actors.capture.picture import examine, is_black
from foureyes_actors.capture.sources import open_source
from foureyes_actors.messages import GetStatus
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.obs_websocket import ObsWebsocketPort
from foureyes_actors.settings import PictureLimits, SourceSettings
from t00l5et.doubles.obs import FakeObs
from tests.bench.tables import table
from tests.capture.made_pictures import encoded
from tests.capture.scripted import ScriptedSource
from tests.capture.test_live import Live
from tests.capture.test_video_source import make_video
from tests.support import FakeContext

ROUNDS = 300
LIMITS = PictureLimits()
CLOCK = SystemClock()


def cost(job: Callable[[], object], rounds: int = ROUNDS) -> tuple[float, float]:
    """CPU milliseconds of one call: median, 95th percentile."""
    spent = []
    for _ in range(rounds):
        before = time.thread_time()
        job()
        spent.append(1000 * (time.thread_time() - before))
    return statistics.median(spent), statistics.quantiles(spent, n=20)[-1]


def pictures() -> dict[str, bytes]:
    drawn = Cabinet("all", 7, (1280, 720)).draw(3.0)
    noisy = Image.effect_noise((1280, 720), 60).convert("RGB")
    return {
        "cabinet, JPEG 85": encode_jpeg(drawn, 85),
        "noise, JPEG 85": encode_jpeg(noisy, 85),
        "cabinet, PNG": encoded(drawn, "PNG"),
        "noise, PNG": encoded(noisy, "PNG"),
    }


def delivery(data: bytes) -> Callable[[], object]:
    """The actor's own share: from the worker's result to the messages sent and the health judged."""
    settings = SourceSettings()
    actor = CaptureActor(
        FakeContext("capture"),
        settings=settings,
        source=lambda: ScriptedSource([data]),
        clock=CLOCK,
        targets=("inference:a",),
    )
    actor.on_start()
    actor.on_stop()
    picture = Picture(data, examine(data, LIMITS), hashlib.sha256(data).hexdigest(), "bench", None)
    grab = Grab(CLOCK.utc_now(), CLOCK.monotonic(), 0.01, picture)
    return lambda: actor._grabbed(grab)


def own_work() -> None:
    limits, health = limits_for(SourceSettings()), StreamHealth(0.0)
    rows = []
    for name, data in pictures().items():
        parts = [
            cost(partial(examine, data, LIMITS)),
            cost(partial(hashlib.sha256, data)),
            cost(partial(observe, health, 1.0, GoodFrame("x"), limits)),
            cost(delivery(data)),  # health's share is in here once more
        ]
        whole = parts[0][0] + parts[1][0] + parts[3][0]
        cells = [f"{median:.3f} / {late:.3f}" for median, late in parts]
        black = "{:.1f} / {:.1f}".format(*cost(partial(is_black, data, 8), 40))
        rows.append((name, len(data), *cells, f"{whole:.3f}", black))
    title = f"own CPU per 720p frame, ms (median / p95 of {ROUNDS}); black is looked for once a second, not per frame"
    print(table(title, ("picture", "bytes", "examine", "SHA-256", "health", "deliver", "all", "black"), rows))


def sources() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder, FakeObs({"Main": pictures()["cabinet, JPEG 85"]}) as obs:
        for name, data in pictures().items():
            (Path(folder) / f"{name}.{'jpg' if 'JPEG' in name else 'png'}").write_bytes(data)
        video = make_video(Path(folder) / "bench.mkv", frames=300, rate=30, size=(1280, 720))
        kinds: dict[str, dict[str, object]] = {
            "cabinet": {},
            "pictures": {"pictures": {"path": folder, "loop": True}},
            "video": {"video": {"path": video, "loop": True}},
            "obs": {"obs": {"port": obs.port, "source": "Main"}},
        }
        for kind, extra in kinds.items():
            settings = SourceSettings.model_validate({"kind": kind, **extra})
            source = open_source(settings, CLOCK, LocalFiles(), ObsWebsocketPort)
            source.grab()
            spent = []
            for _ in range(30):
                threading.Event().wait(0.05 if kind == "video" else 0.0)
                before = time.process_time()
                source.grab()
                spent.append(1000 * (time.process_time() - before))
            source.close()
            rows.append((kind, f"{statistics.median(spent):.2f}", f"{statistics.quantiles(spent, n=20)[-1]:.2f}"))
    print(table("\nCPU of one grab at 720p, ms, all threads of this process", ("source", "median", "p95"), rows))


def paced(seconds: float) -> None:
    print(f"\npaced at 3 a second for {seconds:g} s: OBS double, live actors, a consumer that hangs all the time")
    live = Live()
    live.reading.clear()
    with FakeObs({"Main": pictures()["noise, JPEG 85"]}) as obs:
        before = time.process_time()
        live.open(kind="obs", rate=3.0, obs={"port": obs.port, "source": "Main"})
        began = CLOCK.monotonic()
        threading.Event().wait(seconds)
        status = live.tree.directory.ask("capture", GetStatus(), 10)
        took, spent = CLOCK.monotonic() - began, time.process_time() - before
        live.stop()
    print(f"frames {status['frames']} in {took:.1f} s = {status['frames'] / took:.3f} a second; status: {status}")
    print(f"CPU of this process (the double's included): {100 * spent / took:.2f} % of one core")


if __name__ == "__main__":
    own_work()
    sources()
    paced(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)
