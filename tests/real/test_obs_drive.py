"""The drive against a real OBS: what the log says was visible is what the pictures show."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest

from foureyes_actors.capture.cabinet import Cabinet
from foureyes_actors.ports.clock import SystemClock
from t00l5et.scene_drive import SceneDrive
from tests.real.obs_fixtures import encoded, likest, real_obs, source_for

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

MOMENTS = (1.0, 40.0, 90.0, 150.0)  # seconds of the cabinet's time
HOLD, MARGIN = 4.0, 0.1  # seconds


def test_pictures_agree_with_the_log_of_scenes() -> None:
    cabinet = Cabinet("all", 7, (1280, 720))
    truths = {f"moment {time:g}": cabinet.truth(time) for time in MOMENTS}
    pictures = {f"moment {time:g}": encoded(cabinet.draw(time)) for time in MOMENTS}
    clock, pause = SystemClock(), threading.Event()
    grabbed: list[tuple[datetime, datetime, bytes]] = []
    with real_obs(pictures) as obs:
        source = source_for(obs, clock, width=1280, height=720)
        with SceneDrive(obs.show, list(truths.items()), HOLD) as drive:
            while not drive.finished():
                before = clock.utc_now()
                picture = source.grab()
                grabbed.append((before, clock.utc_now(), picture))
                clock.wait(pause, 0.2)
        source.close()
    certain = set()
    for before, after, picture in grabbed:
        shown = drive.visible(before + (after - before) / 2, (after - before).total_seconds() / 2 + MARGIN)
        if shown is not None:
            assert likest(picture, pictures) == shown.scene
            assert shown.truth is truths[shown.scene]
            certain.add(shown.scene)
    assert certain == set(pictures), "every scene was seen at a certain time"
