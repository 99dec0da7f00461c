"""Where LM Studio's command line and app are looked for."""

from __future__ import annotations

import sys
from pathlib import Path, PurePath

import pytest

from foureyes_actors.errors import ServerStartFailed
from foureyes_actors.lm_studio.installation import app_places, find_app, find_lms, lms_places, moved_home
from foureyes_actors.lm_studio.process import launch_for
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.settings import ModelServerSettings
from tests.lm_studio.support import FakeProcesses

APP = {
    "win32": r"C:\Users\eye\AppData\Local\Programs\LM Studio\LM Studio.exe",
    "darwin": "/Applications/LM Studio.app/Contents/MacOS/LM Studio",
    "linux": "/opt/LM Studio/lm-studio",
}
BUNDLED = {
    "win32": r"C:\Users\eye\AppData\Local\Programs\LM Studio\resources\app\.webpack\lms.exe",
    "darwin": "/Applications/LM Studio.app/Contents/Resources/app/.webpack/lms",
    "linux": "/opt/LM Studio/resources/app/.webpack/lms",
}
HOME = {"win32": r"C:\Users\eye", "darwin": "/Users/eye", "linux": "/home/eye"}


@pytest.mark.parametrize("platform", ["win32", "darwin", "linux"])
def test_the_command_is_looked_for_where_each_system_has_it(platform: str) -> None:
    places = lms_places(PurePath(HOME[platform]), platform, None)
    dot = r"C:\Users\eye\.lmstudio\bin\lms.exe" if platform == "win32" else f"{HOME[platform]}/.lmstudio/bin/lms"
    assert places[0] == dot and BUNDLED[platform] in places
    assert app_places(PurePath(HOME[platform]), platform)[0] == APP[platform]


def test_a_home_that_was_moved_comes_first(tmp_path: Path) -> None:
    (tmp_path / ".lmstudio-home-pointer").write_text("/mnt/big/lmstudio\n")
    moved = moved_home(tmp_path, LocalFiles())
    assert moved == "/mnt/big/lmstudio"
    assert lms_places(tmp_path, "linux", moved)[0] == "/mnt/big/lmstudio/bin/lms"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe\x00", b"x" * 5000])
def test_a_pointer_that_says_nothing_is_no_home(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".lmstudio-home-pointer").write_bytes(content)
    assert moved_home(tmp_path, LocalFiles()) is None
    assert moved_home(tmp_path / "nowhere", LocalFiles()) is None


HERE = app_places(Path("/home/eye"), sys.platform)[0]  # the app's place on this system
INSIDE = next(place for place in lms_places(Path("/home/eye"), sys.platform, None) if ".webpack" in place)


def test_the_one_inside_the_desktop_app_is_used() -> None:
    there = FakeProcesses(programs={INSIDE: INSIDE, HERE: HERE})
    assert find_lms(there, Path("/home/eye")) == INSIDE
    assert find_app(there, Path("/home/eye")) == HERE


def test_an_app_that_was_never_started_has_to_be() -> None:
    here = app_places(Path.home(), sys.platform)[0]
    there = FakeProcesses(programs={here: here})
    assert find_lms(there, Path.home(), LocalFiles()) is None
    with pytest.raises(ServerStartFailed) as caught:
        launch_for(ModelServerSettings(kind="lm_studio"), there)
    text = str(caught.value)
    assert f"start LM Studio's desktop app once ({here})" in text and "Developer > Start server" in text
