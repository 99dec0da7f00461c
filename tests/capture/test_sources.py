"""Each kind of the settings opens its own source, and opening touches nothing."""

from __future__ import annotations

import typing
from pathlib import Path

import pytest

from foureyes_actors.capture.cabinet_source import CabinetSource
from foureyes_actors.capture.obs_source import ObsSource
from foureyes_actors.capture.pictures_source import PicturesSource
from foureyes_actors.capture.screen_source import ScreenSource
from foureyes_actors.capture.sources import open_source
from foureyes_actors.capture.video_source import VideoSource
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.obs import ObsAddress, ObsConnection
from foureyes_actors.settings import SourceSettings

KINDS = {
    "cabinet": (CabinetSource, "cabinet:lucky_gold"),
    "obs": (ObsSource, "obs:program"),
    "screen": (ScreenSource, "screen:1"),
    "video": (VideoSource, "video:video.mp4"),
    "pictures": (PicturesSource, "pictures:pictures"),
}


class UntouchedObs:
    def connect(self, address: ObsAddress) -> ObsConnection:
        raise AssertionError("nothing may connect before the first grab")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_opens_lazily(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = SourceSettings.model_validate({"kind": kind})
    source = open_source(settings, ManualClock(), LocalFiles(), UntouchedObs)
    assert (type(source), source.name) == KINDS[kind]
    source.close()


def test_every_kind_of_the_settings_is_here() -> None:
    assert set(typing.get_args(SourceSettings.model_fields["kind"].annotation)) == set(KINDS)
