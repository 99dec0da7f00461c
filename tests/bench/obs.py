"""What a screenshot from a real OBS costs, with plain obsws-python side by side: ``python -m tests.bench.obs``.

Wall time, CPU of this process and CPU of OBS for each picture, then the rate held when paced at 3 a second. The
clients take turns, picture by picture, so that whatever else the machine does falls on all alike.
"""

from __future__ import annotations

import base64
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from foureyes_actors.capture.cabinet import Cabinet
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.obs import ObsAddress, ScreenshotRequest
from foureyes_actors.ports.obs_websocket import ObsWebsocketPort
from t00l5et.real_obs import RealObs
from tests.real.obs_fixtures import encoded, real_obs, source_for

SIZES = ((1280, 720), (1920, 1080))
QUALITY = 85  # the default of source.obs.quality
SHOTS = 40
RATE, SECONDS = 3.0, 15

Grab = Callable[[], bytes]


@dataclass
class Cost:
    """Seconds per picture."""

    wall: list[float] = field(default_factory=list)
    own_cpu: list[float] = field(default_factory=list)
    obs_cpu: list[float] = field(default_factory=list)
    size: int = 0

    def add(self, grab: Grab, obs: psutil.Process) -> None:
        obs_before, own_before, started = _cpu(obs), time.process_time(), time.perf_counter()
        self.size = len(grab())
        self.wall.append(time.perf_counter() - started)
        self.own_cpu.append(time.process_time() - own_before)
        self.obs_cpu.append(_cpu(obs) - obs_before)

    def row(self) -> str:
        cuts = statistics.quantiles(self.wall, n=20)
        wall = (min(self.wall), statistics.median(self.wall), cuts[-1], max(self.wall))
        cells = "".join(f"{1000 * value:9.1f}" for value in wall)
        # OBS's CPU is counted in ticks of 10 ms: only its mean means anything.
        return f"{cells}{1000 * statistics.mean(self.own_cpu):11.2f}{1000 * statistics.mean(self.obs_cpu):10.1f}"


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def clients(obs: RealObs, size: tuple[int, int]) -> Iterator[Mapping[str, Grab]]:
    """Plain obsws-python, our session, and the whole source that asks for the program scene each time."""
    request = ScreenshotRequest("Cabinet", "jpg", *size, QUALITY)
    source = source_for(obs, SystemClock(), width=size[0], height=size[1], quality=QUALITY)
    session = ObsWebsocketPort().connect(ObsAddress(port=obs.port, password=obs.password, deadline=30))
    with obs.client() as plain:

        def stock() -> bytes:
            reply = plain.get_source_screenshot("Cabinet", "jpg", *size, QUALITY)
            return base64.b64decode(reply.image_data.partition(",")[2])

        yield {
            "obsws-python": stock,
            "our session": lambda: session.screenshot(request),
            "ObsSource (program)": source.grab,
        }
    session.close()
    source.close()


def one_by_one(grabs: Mapping[str, Grab], obs: RealObs) -> None:
    process, costs = psutil.Process(obs.pid), {name: Cost() for name in grabs}
    for _ in range(SHOTS):
        for name, grab in grabs.items():
            costs[name].add(grab, process)
    print(f"{'':22}{'bytes':>9}{'min':>9}{'median':>9}{'p95':>9}{'max':>9}{'own CPU':>11}{'OBS CPU':>10}")
    for name, cost in costs.items():
        print(f"{name:22}{cost.size:9}{cost.row()}")


def paced(name: str, grab: Grab, obs: RealObs) -> None:
    """Absolute deadlines; a picture is late when it is not there before the next one is due."""
    process, pause = psutil.Process(obs.pid), threading.Event()
    latencies, own, theirs, started = list[float](), time.process_time(), _cpu(process), time.perf_counter()
    for number in range(int(RATE * SECONDS)):
        pause.wait(max(0.0, started + number / RATE - time.perf_counter()))
        begun = time.perf_counter()
        grab()
        latencies.append(time.perf_counter() - begun)
    took = max(time.perf_counter() - started, len(latencies) / RATE)
    late = sum(latency > 1 / RATE for latency in latencies)
    own, theirs = (time.process_time() - own) / took, (_cpu(process) - theirs) / took
    p95 = 1000 * statistics.quantiles(latencies, n=20)[-1]
    held = f"{len(latencies) / took:6.2f} fps {late:4} late   p95 {p95:6.1f} ms"
    print(f"{name:22}{held}   own CPU {own:6.1%}   OBS CPU {theirs:6.1%}")


def main() -> None:
    picture = Cabinet("all", 7, (1920, 1080)).draw(40.0)
    load = psutil.getloadavg()[0] if hasattr(psutil, "getloadavg") else 0.0
    print(f"a frame of the cabinet as JPEG, quality {QUALITY}; OBS at 5 fps; load average {load:.1f}; times in ms")
    for width, height in SIZES:
        scene = {"Cabinet": encoded(picture.resize((width, height)))}
        with real_obs(scene, width=width, height=height) as obs, clients(obs, (width, height)) as grabs:
            print(f"\n{width} x {height}, {SHOTS} pictures each, taking turns")
            one_by_one(grabs, obs)
            print(f"paced at {RATE:g} a second for {SECONDS} s, one client after the other")
            for name, grab in grabs.items():
                paced(name, grab, obs)


if __name__ == "__main__":
    main()
