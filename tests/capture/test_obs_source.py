"""ObsSource: when it connects, how it waits, what it tells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from pydantic import SecretStr

from foureyes_actors.capture.obs_source import BACKOFF, ObsSource, backoff_after
from foureyes_actors.capture.source import FrameSource
from foureyes_actors.errors import SourceRefused, SourceUnavailable
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.obs_websocket import ObsWebsocketPort
from foureyes_actors.settings import ObsSettings
from t00l5et.doubles.obs import FakeObs, Vice

RED, BLUE = b"\xff\xd8\xff red", b"\xff\xd8\xff blue"


@pytest.fixture
def obs() -> Iterator[FakeObs]:
    with FakeObs({"Main": RED, "Other": BLUE}, "secret") as fake:
        yield fake


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class Open(Protocol):
    def __call__(self, name: str = "", **settings: Any) -> ObsSource: ...


@pytest.fixture
def source(obs: FakeObs, clock: ManualClock) -> Iterator[Open]:
    """Makes sources for ``obs`` and closes them in the end."""
    made: list[ObsSource] = []

    def make(name: str = "", **settings: Any) -> ObsSource:
        given = {"port": obs.port, "password": SecretStr("secret"), "source": name, "deadline": 5.0, **settings}
        made.append(ObsSource(ObsWebsocketPort(), ObsSettings(**given), clock))
        return made[-1]

    yield make
    for each in made:
        each.close()


def requests(obs: FakeObs) -> list[str]:
    return [kind for kind, _ in obs.requests]


def test_it_is_a_frame_source_that_opens_lazily(obs: FakeObs, source: Open) -> None:
    frames: FrameSource = source("Main")
    assert obs.identified == []
    assert frames.grab() == RED
    assert frames.grab() == RED
    assert len(obs.identified) == 1
    assert requests(obs) == ["GetSourceScreenshot"] * 2
    frames.close()
    frames.close()


@pytest.mark.parametrize(("name", "expected"), [("Main", "obs:Main"), ("", "obs:program")])
def test_the_name(source: Open, name: str, expected: str) -> None:
    assert source(name).name == expected


def test_the_settings_reach_obs(obs: FakeObs, source: Open) -> None:
    source("Main", quality=70, width=640, height=None).grab()
    assert obs.requests == [
        (
            "GetSourceScreenshot",
            {"sourceName": "Main", "imageFormat": "jpg", "imageWidth": 640, "imageCompressionQuality": 70},
        )
    ]


def test_without_a_name_it_follows_the_program(obs: FakeObs, source: Open) -> None:
    frames = source()
    assert frames.grab() == RED
    obs.program = "Other"
    assert frames.grab() == BLUE


def test_a_name_stays_whatever_is_on_program(obs: FakeObs, source: Open) -> None:
    frames = source("Main")
    obs.program = "Other"
    assert frames.grab() == RED


def test_the_backoff_grows_to_its_last_value() -> None:
    assert [backoff_after(n) for n in range(1, 8)] == [*BACKOFF, 8.0, 8.0]


def test_until_the_next_attempt_is_due_obs_is_left_alone(obs: FakeObs, clock: ManualClock, source: Open) -> None:
    frames = source("Main")
    obs.misbehave(Vice.KICK, times=len(BACKOFF) + 1)
    for number, wait in enumerate([*BACKOFF, 8.0], start=1):
        with pytest.raises(SourceUnavailable, match=rf"code 4011.*next attempt in {wait:.1f} s"):
            frames.grab()
        assert len(obs.identified) == number
        clock.advance(wait - 0.3)
        with pytest.raises(SourceUnavailable, match=r"code 4011.*next attempt in 0\.3 s"):
            frames.grab()
        assert len(obs.identified) == number
        clock.advance(0.3)
    assert frames.grab() == RED


def test_a_picture_ends_the_row_of_failures(obs: FakeObs, clock: ManualClock, source: Open) -> None:
    frames = source("Main")
    for _ in range(3):
        obs.misbehave(Vice.KICK)
        with pytest.raises(SourceUnavailable, match=r"next attempt in 0\.5 s"):
            frames.grab()
        clock.advance(0.5)
        assert frames.grab() == RED


def test_a_session_that_ended_while_idle_is_opened_again(obs: FakeObs, clock: ManualClock, source: Open) -> None:
    frames = source("Main")
    frames.grab()
    obs.drop_sessions()
    with pytest.raises(SourceUnavailable):
        frames.grab()
    clock.advance(0.5)
    assert frames.grab() == RED
    assert len(obs.identified) == 2


def test_no_stale_picture_after_a_late_reply(obs: FakeObs, clock: ManualClock, source: Open) -> None:
    frames = source("Main", deadline=0.3)
    assert frames.grab() == RED
    obs.misbehave(Vice.LATE)
    with pytest.raises(SourceUnavailable):
        frames.grab()
    obs.scenes["Main"] = BLUE
    clock.advance(0.5)
    assert frames.grab() == BLUE


def test_a_refused_source_is_told_once_and_tried_on(obs: FakeObs, clock: ManualClock, source: Open) -> None:
    frames = source("Later")
    with pytest.raises(SourceRefused, match="`Later`"):
        frames.grab()
    for wait in BACKOFF:
        with pytest.raises(SourceUnavailable, match=r"`Later`.*next attempt"):
            frames.grab()
        clock.advance(wait)
        with pytest.raises(SourceUnavailable, match=r"still refused.*`Later`"):
            frames.grab()
    assert requests(obs) == ["GetSourceScreenshot"] * (len(BACKOFF) + 1)
    assert len(obs.identified) == 1
    obs.scenes["Later"] = BLUE
    clock.advance(8.0)
    assert frames.grab() == BLUE


def test_a_new_refusal_is_told_again(obs: FakeObs, clock: ManualClock, source: Open) -> None:
    frames = source("Main", password=SecretStr("wrong"))
    with pytest.raises(SourceRefused, match="password"):
        frames.grab()
    obs.password = ""
    del obs.scenes["Main"]
    clock.advance(8.0)
    with pytest.raises(SourceRefused, match="`Main`"):
        frames.grab()
    obs.scenes["Main"] = RED
    clock.advance(8.0)
    assert frames.grab() == RED
    del obs.scenes["Main"]
    with pytest.raises(SourceRefused, match="`Main`"):
        frames.grab()


def test_a_password_that_is_set_right_in_obs_is_accepted(obs: FakeObs, clock: ManualClock, source: Open) -> None:
    frames = source("Main", password=SecretStr("new"))
    with pytest.raises(SourceRefused):
        frames.grab()
    obs.password = "new"
    clock.advance(0.5)
    assert frames.grab() == RED


def test_a_closed_source_stays_closed(obs: FakeObs, source: Open) -> None:
    frames = source("Main")
    frames.grab()
    frames.close()
    with pytest.raises(SourceUnavailable, match="closed"):
        frames.grab()
    assert len(obs.identified) == 1
