"""The screen: which part of it, and real pictures of a virtual display."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from io import BytesIO

import pytest
from PIL import Image
from pydantic import ValidationError

from foureyes_actors.capture.picture import PictureInfo, examine, is_black
from foureyes_actors.capture.screen_source import LOOK_AGAIN, ScreenSource, as_image, choose, part_of
from foureyes_actors.errors import SourceRefused, SourceUnavailable
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.screen import Area, MssScreen, Shot
from foureyes_actors.settings import PictureLimits, ScreenSettings
from tests.support import missing, need

ALL, LEFT, RIGHT = Area(-1280, 0, 3200, 1080), Area(-1280, 0, 1280, 1024), Area(0, 0, 1920, 1080)
MONITORS = (ALL, LEFT, RIGHT)


class ScriptedScreen:
    """A ScreenPort of one colour. ``broken``: the next grab fails."""

    def __init__(self, monitors: Sequence[Area] = MONITORS) -> None:
        self.areas, self.broken, self.looks, self.asked, self.closed = tuple(monitors), False, 0, list[Area](), 0

    def monitors(self) -> tuple[Area, ...]:
        self.looks += 1
        return self.areas

    def grab(self, area: Area) -> Shot:
        if self.broken:
            raise SourceUnavailable("the display is gone")
        self.asked.append(area)
        return Shot(2 * area.width, 2 * area.height, bytes([10, 20, 200, 0]) * (4 * area.width * area.height))

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.mark.parametrize(
    ("region", "part"),
    [
        ((0, 0, 1, 1), LEFT),
        ((0.5, 0, 1, 0.5), Area(-640, 0, 640, 512)),
        ((0.25, 0.25, 0.2501, 0.2501), Area(-960, 256, 1, 1)),
        ((1 / 3, 0, 2 / 3, 1), Area(-1280 + 426, 0, 428, 1024)),
    ],
)
def test_a_region_is_rounded_outwards(region: tuple[float, float, float, float], part: Area) -> None:
    assert part_of(LEFT, region) == part


@pytest.mark.parametrize(("number", "area"), list(enumerate(MONITORS)))
def test_monitors_are_counted_from_one_and_zero_is_all(number: int, area: Area) -> None:
    assert choose(MONITORS, ScreenSettings(monitor=number)) == area


def test_a_monitor_that_is_not_there_is_refused_with_a_list(clock: ManualClock) -> None:
    with pytest.raises(
        SourceRefused,
        match=r"source.screen.monitor is 3; there are 0: 3200 x 1080 at -1280,0; 1: 1280 x 1024 at -1280,0; 2: 1920 x",
    ):
        ScreenSource(ScreenSettings(monitor=3), ScriptedScreen(), clock).grab()


@pytest.mark.parametrize("region", [(0, 0, 1.1, 1), (-0.1, 0, 1, 1), (0.5, 0, 0.5, 1), (0, 0.9, 1, 0.1)])
def test_a_region_outside_of_the_screen_is_a_settings_error(region: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError, match=r"region(.|\n)*must be x1, y1, x2, y2 with 0 <= x1 < x2 <= 1"):
        ScreenSettings.model_validate({"region": region})


def test_a_picture_has_the_pixels_of_a_dense_screen(clock: ManualClock) -> None:
    screen = ScriptedScreen([Area(0, 0, 100, 50)] * 2)
    picture = ScreenSource(ScreenSettings(), screen, clock).grab()
    assert examine(picture, PictureLimits()) == PictureInfo("image/jpeg", 200, 100)
    with Image.open(BytesIO(picture)) as image:
        red, green, blue = image.convert("RGB").getpixel((100, 50))  # type: ignore[misc]
    assert abs(red - 200) < 8 and abs(green - 20) < 8 and abs(blue - 10) < 8


def test_colours_are_not_swapped() -> None:
    assert as_image(Shot(1, 1, bytes([1, 2, 3, 0]))).getpixel((0, 0)) == (3, 2, 1)


def test_a_changed_resolution_is_noticed(clock: ManualClock) -> None:
    screen = ScriptedScreen([Area(0, 0, 16, 16)] * 2)
    source = ScreenSource(ScreenSettings(), screen, clock)
    source.grab()
    screen.areas = (Area(0, 0, 32, 32),) * 2
    source.grab()
    clock.advance(LOOK_AGAIN + 0.1)
    source.grab()
    assert [area.width for area in screen.asked] == [16, 16, 32]
    assert screen.looks == 2


def test_after_a_failure_monitors_are_looked_up_anew(clock: ManualClock) -> None:
    screen = ScriptedScreen([Area(0, 0, 16, 16)] * 2)
    source = ScreenSource(ScreenSettings(), screen, clock)
    source.grab()
    screen.broken = True
    with pytest.raises(SourceUnavailable):
        source.grab()
    screen.broken = False
    source.grab()
    assert screen.looks == 2


def test_it_opens_lazily_and_closes_twice(clock: ManualClock) -> None:
    screen = ScriptedScreen()
    source = ScreenSource(ScreenSettings(monitor=2), screen, clock)
    assert (source.name, screen.looks) == ("screen:2", 0)
    source.close()
    source.close()


# --- a real display ---------------------------------------------------------------------------------------------------


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """An X server of 800 x 600 with a plain root window."""
    if not sys.platform.startswith("linux"):
        pytest.skip("a virtual display is an X server's")
    need(modules=("mss",), programs=("Xvfb",), install="pip install 'foureyes[screen]'; apt-get install xvfb")
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "800x600x24", "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(command, pass_fds=(write,), stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as number:
            display = number.readline().strip()
        if not display:
            missing("Xvfb did not start")
        monkeypatch.setenv("DISPLAY", f":{display}")
        monkeypatch.delenv("XAUTHORITY", raising=False)
        yield server
    finally:
        server.kill()
        server.wait(10)


def test_a_real_screen_gives_jpegs_of_its_size(display: object, clock: ManualClock) -> None:
    source = ScreenSource(ScreenSettings(), MssScreen(), clock)
    picture = source.grab()
    assert examine(picture, PictureLimits()) == PictureInfo("image/jpeg", 800, 600)
    assert is_black(picture, 8) is True  # a root window that nobody drew on
    assert source.grab() == picture
    clock.advance(LOOK_AGAIN + 1)
    assert source.grab() == picture
    source.close()
    assert source.grab() == picture  # opens again
    source.close()


def test_a_region_of_a_real_screen(display: object, clock: ManualClock) -> None:
    source = ScreenSource(ScreenSettings(region=(0.25, 0.5, 1, 1)), MssScreen(), clock)
    assert examine(source.grab(), PictureLimits()) == PictureInfo("image/jpeg", 600, 300)
    source.close()


def test_a_real_screen_lists_its_monitors(display: object, clock: ManualClock) -> None:
    source = ScreenSource(ScreenSettings(monitor=7), MssScreen(), clock)
    with pytest.raises(SourceRefused, match=r"monitor is 7; there are 0: 800 x 600 at 0,0; 1: 800 x 600 at 0,0 \(0 is"):
        source.grab()
    source.close()


def test_a_display_that_dies_is_unavailable_with_what_to_do(
    display: subprocess.Popen[bytes], clock: ManualClock
) -> None:
    source = ScreenSource(ScreenSettings(), MssScreen(), clock)
    source.grab()
    display.kill()
    display.wait(10)
    for _ in range(2):
        with pytest.raises(SourceUnavailable, match="must run in a desktop session"):
            source.grab()
    source.close()


def test_no_display_is_unavailable_with_what_to_do(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("there is always a display")
    need(modules=("mss",), install="pip install 'foureyes[screen]'")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(SourceUnavailable, match="DISPLAY"):
        ScreenSource(ScreenSettings(), MssScreen(), clock).grab()
