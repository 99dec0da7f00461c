"""ObsSource against a real OBS: every trouble gets its error within the deadline, then pictures come again, and no
picture of an earlier request is ever returned."""

from __future__ import annotations

import base64
import http.server
import io
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from obsws_python.error import OBSSDKTimeoutError
from PIL import Image, ImageChops, ImageStat

from foureyes_actors.capture.obs_source import ObsSource
from foureyes_actors.errors import SourceRefused, SourceUnavailable
from foureyes_actors.ports.clock import ManualClock, SystemClock
from foureyes_actors.ports.obs import ObsAddress, ScreenshotRequest
from foureyes_actors.ports.obs_websocket import ObsWebsocketPort
from t00l5et.real_obs import RealObs
from t00l5et.real_obs_files import picture_source
from tests.real.obs_fixtures import encoded, flat, likest, real_obs, recovered, source_for
from tests.support import eventually

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

PICTURES = {"Red": flat("red"), "Blue": flat("blue")}
SHORT = 1.0  # seconds; the deadline where one is meant to pass
SLACK = 10.0  # seconds that a loaded machine may add

Make = Callable[..., ObsSource]


@pytest.fixture(scope="module")
def running() -> Iterator[RealObs]:
    with real_obs(PICTURES) as obs:
        yield obs


@pytest.fixture
def obs(running: RealObs) -> Iterator[RealObs]:
    """OBS as it was at first, whatever the test before did to it."""
    if not running.alive():
        running.start()
    running.thaw()
    running.show("Red")
    yield running
    if running.alive():
        running.thaw()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def make(obs: RealObs, clock: ManualClock) -> Iterator[Make]:
    made: list[ObsSource] = []

    def source(**settings: Any) -> ObsSource:
        made.append(source_for(obs, settings.pop("clock", clock), **settings))
        return made[-1]

    yield source
    for each in made:
        each.close()


def seen(picture: bytes) -> str:
    return likest(picture, PICTURES)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds + SLACK


def test_the_scene_by_name_or_on_program_is_never_another_one(obs: RealObs, make: Make) -> None:
    program, red, blue = make(), make(source="Red"), make(source="Blue")
    for _ in range(10):
        for scene in PICTURES:
            obs.show(scene)
            assert (seen(program.grab()), seen(red.grab()), seen(blue.grab())) == (scene, "Red", "Blue")


def test_a_png_is_the_picture_itself(obs: RealObs, make: Make) -> None:
    """Up to one level of rounding, where OBS scales the source to the canvas."""
    noise = Image.effect_noise((1280, 720), 90).convert("RGB")
    noise.paste((1, 2, 250), (3, 5, 40, 50))
    with real_obs({"Noise": encoded(noise)}) as other:
        source = source_for(other, SystemClock(), media="png", width=None, height=None, quality=-1)
        with Image.open(io.BytesIO(source.grab())) as got:
            difference = ImageChops.difference(got.convert("RGB"), noise)
            assert max(high for _, high in ImageStat.Stat(difference).extrema) <= 1
        source.close()


def test_obs_is_not_running_yet(obs: RealObs, make: Make, clock: ManualClock) -> None:
    obs.kill()
    source = make()
    with within(0), pytest.raises(SourceUnavailable, match="nobody listens there"):
        source.grab()
    obs.start()
    assert seen(recovered(source, clock)) == "Red"


@pytest.mark.parametrize(("password", "words"), [("wrong", "password is wrong"), ("", "none is set")])
def test_the_password(obs: RealObs, make: Make, clock: ManualClock, password: str, words: str) -> None:
    source = make(password=password)
    with pytest.raises(SourceRefused, match=words):
        source.grab()
    clock.advance(8.0)
    with pytest.raises(SourceUnavailable, match=f"still refused.*{words}"):
        source.grab()
    assert seen(make().grab()) == "Red"


def test_a_source_that_is_created_later(obs: RealObs, make: Make, clock: ManualClock) -> None:
    source = make(source="Later")
    with pytest.raises(SourceRefused, match=r"code 600.*`Later`"):
        source.grab()
    with obs.client() as client:
        client.create_scene("Later")
        client.create_scene_item("Later", picture_source("Blue"))
    assert seen(recovered(source, clock)) == "Blue"
    with obs.client() as client:
        client.remove_scene("Later")


@pytest.mark.parametrize(
    ("request_", "code"), [(ScreenshotRequest("Red", width=4), 402), (ScreenshotRequest("Red", media="xyz"), 400)]
)
def test_a_bad_request_is_refused_in_obs_s_words(obs: RealObs, request_: ScreenshotRequest, code: int) -> None:
    session = ObsWebsocketPort().connect(ObsAddress(port=obs.port, password=obs.password, deadline=15.0))
    with pytest.raises(SourceRefused, match=f"code {code}"):
        session.screenshot(request_)
    assert seen(session.screenshot(ScreenshotRequest("Red"))) == "Red"
    assert session.version().startswith("OBS ")
    session.close()


# --- a frozen OBS, and what it answers when it wakes up -------------------------------------------------------------


@contextmanager
def stage(obs: RealObs) -> Iterator[Callable[[str], None]]:
    """A scene "Stage" with both pictures, and a function that shows one of them."""
    with obs.client() as client:
        client.create_scene("Stage")
        items = {name: client.create_scene_item("Stage", picture_source(name)).scene_item_id for name in PICTURES}

        def show(name: str) -> None:
            for each, item in items.items():
                client.set_scene_item_enabled("Stage", item, each == name)

        show("Red")
        try:
            yield show
        finally:
            client.remove_scene("Stage")


def test_no_stale_picture_of_a_source_after_a_freeze(obs: RealObs, make: Make, clock: ManualClock) -> None:
    with stage(obs) as show:
        source = make(source="Stage", deadline=SHORT)
        assert seen(recovered(source, clock)) == "Red"
        obs.freeze()
        for _ in range(2):  # in the middle of a session, then while connecting
            clock.advance(8.0)
            with within(SHORT), pytest.raises(SourceUnavailable, match="no complete answer within 1 s"):
                source.grab()
        with pytest.raises(SourceUnavailable, match="next attempt in"):
            source.grab()
        obs.thaw()
        show("Blue")
        assert seen(recovered(source, clock)) == "Blue"
        assert [seen(recovered(source, clock)) for _ in range(5)] == ["Blue"] * 5


def test_no_stale_program_after_a_freeze(obs: RealObs, make: Make, clock: ManualClock) -> None:
    source = make(deadline=SHORT)
    assert seen(recovered(source, clock)) == "Red"
    obs.freeze()
    with within(SHORT), pytest.raises(SourceUnavailable, match="no complete answer within 1 s"):
        source.grab()
    obs.thaw()
    obs.show("Blue")
    assert seen(recovered(source, clock)) == "Blue"


def test_plain_obsws_python_does_return_a_stale_picture(obs: RealObs) -> None:
    """The control: the same freeze, with the library as it is. If it no longer fails, our overrides can go."""
    wanted = ("Stage", "png", 64, 36, -1)
    with stage(obs) as show, obs.client() as client:
        client.base_client.ws.settimeout(SHORT)
        obs.freeze()
        with pytest.raises(OBSSDKTimeoutError):
            client.get_source_screenshot(*wanted)
        obs.thaw()
        sock = client.base_client.ws.sock
        eventually(lambda: bool(select.select([sock], [], [], 0)[0]), 20, "the late reply is there")
        show("Blue")
        client.base_client.ws.settimeout(20)
        stale, fresh = (_decoded(client.get_source_screenshot(*wanted).image_data) for _ in range(2))
        assert stale.getpixel((32, 18))[:3] == (255, 0, 0)  # type: ignore[index]
        assert fresh.getpixel((32, 18))[:3] == (0, 0, 255)  # type: ignore[index]


def _decoded(data_uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data_uri.partition(",")[2])))


# --- an OBS that goes away ------------------------------------------------------------------------------------------


def test_killed_while_idle_and_started_again(obs: RealObs, make: Make) -> None:
    """With the real clock: the source finds the new OBS by itself."""
    source = make(clock=SystemClock())
    assert seen(source.grab()) == "Red"
    obs.kill()
    with within(0), pytest.raises(SourceUnavailable):
        source.grab()
    obs.start()
    obs.show("Blue")
    pictures: list[str] = []

    def grabbed() -> bool:
        try:
            pictures.append(seen(source.grab()))
        except SourceUnavailable:
            return False
        return True

    eventually(grabbed, 45, "the source has reconnected")
    assert pictures == ["Blue"]


def test_killed_while_a_grab_waits(obs: RealObs, make: Make, clock: ManualClock) -> None:
    source = make(deadline=60.0)
    assert seen(source.grab()) == "Red"
    session: Any = source._connection
    obs.freeze()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(source.grab)
        eventually(lambda: session._lock.locked(), 30, "the grab is waiting for its reply")
        obs.kill()
        with within(0), pytest.raises(SourceUnavailable, match=r"the connection is gone|nobody listens"):
            waiting.result(60)
    obs.start()
    assert seen(recovered(source, clock)) == "Red"


def test_closed_by_its_user(obs: RealObs, make: Make, clock: ManualClock) -> None:
    source = make()
    assert seen(source.grab()) == "Red"
    obs.close_window()
    with within(0), pytest.raises(SourceUnavailable):
        source.grab()
    obs.start()
    assert seen(recovered(source, clock)) == "Red"


def test_obs_ends_the_session_with_a_close_frame(obs: RealObs, make: Make, clock: ManualClock) -> None:
    """An unknown opcode makes OBS itself end the session, with a close frame such as a kick sends."""
    source = make()
    assert seen(source.grab()) == "Red"
    source._connection._client.base_client.ws.send('{"op": 99, "d": {}}')  # type: ignore[union-attr]
    with within(0), pytest.raises(SourceUnavailable, match=r"closed the session: .*code 4006"):
        source.grab()
    obs.show("Blue")
    assert seen(recovered(source, clock)) == "Blue"


# --- somebody else at the address -----------------------------------------------------------------------------------


def test_an_unknown_host(obs: RealObs, make: Make) -> None:
    with within(SHORT), pytest.raises(SourceUnavailable):
        make(host="obs.invalid", deadline=SHORT).grab()


def test_strangers_at_obs_s_port(obs: RealObs, make: Make, clock: ManualClock) -> None:
    obs.kill()
    source = make(deadline=SHORT)
    silent = socket.create_server(("127.0.0.1", obs.port))
    with silent, within(SHORT), pytest.raises(SourceUnavailable, match="no complete answer within 1 s"):
        source.grab()
    clock.advance(8.0)
    with web_server(obs.port), within(SHORT), pytest.raises(SourceUnavailable, match="HTTP status 404"):
        source.grab()
    obs.start()
    assert seen(recovered(source, clock)) == "Red"


@contextmanager
def web_server(port: int) -> Iterator[None]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="web-server")
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join(10)
