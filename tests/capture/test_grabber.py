"""One picture's way through the worker's thread."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable, Iterable, Iterator

import pytest
from PIL import Image

from foureyes_actors.capture.grabber import LOOK_EVERY, LOOK_LARGE_EVERY, SHRUNK, Grab, Grabber, Picture
from foureyes_actors.errors import BadPicture, SourceUnavailable
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.settings import PictureLimits, SourceSettings
from tests.capture.made_pictures import encoded, jpeg, png_claiming
from tests.capture.scripted import Gate, ScriptedSource, Step
from tests.support import eventually

BLACK = [encoded(Image.new("RGB", (64, 64), (0, 0, shade)), "JPEG", quality=95) for shade in (0, 6)]


class Bench:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.results: queue.Queue[Grab | Exception] = queue.Queue()
        self.grabbers: list[Grabber] = []

    def grabber(self, steps: Iterable[Step], limits: PictureLimits | None = None) -> tuple[Grabber, ScriptedSource]:
        source = ScriptedSource(steps)
        settings = SourceSettings(limits=limits or PictureLimits())
        self.grabbers.append(Grabber("test-grab", source, settings, self.clock))
        return self.grabbers[-1], source

    def take(self, grabber: Grabber) -> Grab:
        assert grabber.start(self.results.put)
        result = self.results.get(timeout=20)
        assert isinstance(result, Grab)
        return result

    def picture(self, grabber: Grabber) -> Picture:
        grab = self.take(grabber)
        assert grab.picture is not None, grab.error
        return grab.picture


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    for grabber in bench.grabbers:
        grabber.close()
    eventually(lambda: not [t for t in threading.enumerate() if t.name == "test-grab"], 20, "the threads ended")


def test_a_picture_comes_with_its_description(bench: Bench) -> None:
    data = jpeg()
    grabber, _ = bench.grabber([data])
    picture = bench.picture(grabber)
    assert picture.data is data
    assert picture.digest == hashlib.sha256(data).hexdigest()
    assert (picture.info.media_type, picture.info.width, picture.info.height) == ("image/jpeg", 160, 120)
    assert picture.black is False


def slow(clock: ManualClock, seconds: float) -> Callable[[], bytes]:
    def step() -> bytes:
        clock.advance(seconds)
        return jpeg()

    return step


def test_the_time_is_that_of_the_request(bench: Bench) -> None:
    grabber, _ = bench.grabber([slow(bench.clock, 1.5)])
    asked = (bench.clock.utc_now(), bench.clock.monotonic())
    grab = bench.take(grabber)
    assert (grab.captured_at, grab.captured_monotonic) == asked
    assert grab.seconds == pytest.approx(1.5)


@pytest.mark.parametrize("error", [SourceUnavailable("away"), KeyError("a defect")], ids=lambda e: type(e).__name__)
def test_an_error_is_a_result_with_its_time(bench: Bench, error: Exception) -> None:
    grabber, _ = bench.grabber([error, jpeg()])
    grab = bench.take(grabber)
    assert grab.error is error and grab.picture is None
    assert bench.picture(grabber).info.width == 160


def test_every_picture_is_examined(bench: Bench) -> None:
    grabber, _ = bench.grabber([png_claiming(60_000, 60_000), jpeg()], PictureLimits(max_pixels=100))
    for claimed in ("60000 x 60000", "160 x 120"):
        error = bench.take(grabber).error
        assert isinstance(error, BadPicture) and claimed in str(error)


def test_what_does_not_decode_is_found_by_the_look(bench: Bench) -> None:
    grabber, _ = bench.grabber([png_claiming(100, 100)])
    assert isinstance(bench.take(grabber).error, BadPicture)


def test_black_is_looked_for_once_a_second_and_not_again_for_the_same_picture(bench: Bench) -> None:
    grabber, _ = bench.grabber([BLACK[0], BLACK[0], BLACK[1], BLACK[1], jpeg(), jpeg()])
    seen = []
    for pause in (0.1, 0.1, LOOK_EVERY, 0.5, LOOK_EVERY, 0.0):
        seen.append(bench.picture(grabber).black)
        bench.clock.advance(pause)
    assert seen == [True, True, None, True, None, False]


def test_what_stays_large_after_a_bright_picture_is_looked_at_less_often_and_what_shrinks_soon(bench: Bench) -> None:
    bright = [jpeg(shade=shade) for shade in (90, 100, 110)]
    assert min(map(len, bright)) > SHRUNK * max(map(len, bright)) > len(BLACK[0])
    for pictures, expected in (
        ([bright[0], bright[1], bright[2]], [False, None, False]),
        ([bright[0], BLACK[0], BLACK[1]], [False, True, True]),
    ):
        grabber, _ = bench.grabber(pictures)
        seen = []
        for pause in (LOOK_EVERY, LOOK_LARGE_EVERY - LOOK_EVERY, 0.0):
            seen.append(bench.picture(grabber).black)
            bench.clock.advance(pause)
        assert seen == expected


def test_one_grab_at_a_time(bench: Bench) -> None:
    gate = Gate(jpeg())
    grabber, source = bench.grabber([gate])
    assert grabber.start(bench.results.put)
    assert gate.entered.wait(20)
    assert grabber.start(bench.results.put) is False
    gate.open()
    assert isinstance(bench.results.get(timeout=20), Grab)
    assert source.grabs == 1


def test_an_idle_source_is_closed_in_its_own_thread(bench: Bench) -> None:
    grabber, source = bench.grabber([jpeg()])
    bench.take(grabber)
    assert grabber.close(timeout=20) is True
    assert source.closed_in[0] in {"test-grab", threading.current_thread().name}
    assert grabber.start(bench.results.put) is False


def test_a_source_at_work_is_closed_by_its_thread_as_soon_as_it_comes_back(bench: Bench) -> None:
    gate = Gate(jpeg())
    grabber, source = bench.grabber([gate])
    grabber.start(bench.results.put)
    assert gate.entered.wait(20)
    assert grabber.close(timeout=0.05) is False
    assert source.closed_in == []
    gate.open()
    eventually(lambda: source.closed_in == ["test-grab"], 20, "the thread closed the source")
