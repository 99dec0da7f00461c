"""The configuration files of an OBS that starts without a question: one scene for each picture.

Tried with OBS 29.0.2 (Debian 12), which keeps the WebSocket server's settings in global.ini. Newer ones read
user.ini and plugin_config/obs-websocket/config.json, which are written too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# FirstRun=true keeps the Auto-Configuration Wizard away. ServerEnabled cannot be set on the command line.
_GLOBAL = """\
[General]
FirstRun=true
Pre19Defaults=false
Pre21Defaults=false
Pre23Defaults=false
Pre24.1Defaults=false
LastVersion=486539266
InfoIncrement=-1
EnableAutoUpdates=false
ConfirmOnExit=false
HotkeyFocusType=NeverDisableHotkeys

[Basic]
Profile=Test
ProfileDir=Test
SceneCollection=Test
SceneCollectionFile=Test
ConfigOnNewProfile=false

[BasicWindow]
PreviewEnabled=false
SysTrayEnabled=false
SysTrayWhenStarted=false
ShowTransitions=true

[OBSWebSocket]
FirstLoad=false
ServerEnabled=true
ServerPort={port}
AlertsEnabled=false
AuthRequired=true
ServerPassword={password}
"""
_PROFILE = """\
[General]
Name=Test

[Video]
BaseCX={width}
BaseCY={height}
OutputCX={width}
OutputCY={height}
FPSType=1
FPSInt={fps}
FPSCommon={fps}
ScaleType=bilinear
ColorFormat=NV12

[Audio]
SampleRate=48000
ChannelSetup=Stereo
MonitoringDeviceId=default

[Output]
Mode=Simple
"""


@dataclass(frozen=True)
class ObsProfile:
    """``pictures``: scene -> JPEG or PNG bytes; the first one is on program. ``fps``: of the canvas."""

    pictures: Mapping[str, bytes]
    port: int
    password: str = field(repr=False)
    width: int = 1280
    height: int = 720
    fps: int = 5


def write_profile(profile: ObsProfile, home: Path, media: Path) -> None:
    """Everything OBS wants to find below ``home``/.config, and the pictures as files in ``media``."""
    folder = home / ".config" / "obs-studio"
    server = {"port": profile.port, "password": profile.password}
    canvas = {"width": profile.width, "height": profile.height, "fps": profile.fps}
    for name in ("global.ini", "user.ini"):
        _write(folder / name, _GLOBAL.format(**server))
    _write(folder / "basic" / "profiles" / "Test" / "basic.ini", _PROFILE.format(**canvas))
    _write(folder / "plugin_config" / "obs-websocket" / "config.json", json.dumps(_server_settings(profile)))
    files = _save(profile.pictures, media)
    _write(folder / "basic" / "scenes" / "Test.json", json.dumps(_collection(files, profile), indent=1))


def picture_source(scene: str) -> str:
    """The name of the image source in a scene."""
    return f"{scene} (picture)"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _save(pictures: Mapping[str, bytes], media: Path) -> dict[str, Path]:
    """The files have numbers for names: a scene's name may hold what a file's may not."""
    media.mkdir(parents=True, exist_ok=True)
    files = {}
    for number, (scene, data) in enumerate(pictures.items()):
        suffix = "png" if data.startswith(b"\x89PNG") else "jpg"
        files[scene] = media / f"{number}.{suffix}"
        files[scene].write_bytes(data)
    return files


def _server_settings(profile: ObsProfile) -> dict[str, Any]:
    return {
        "alerts_enabled": False,
        "auth_required": True,
        "first_load": False,
        "server_enabled": True,
        "server_password": profile.password,
        "server_port": profile.port,
    }


def _collection(files: Mapping[str, Path], profile: ObsProfile) -> dict[str, Any]:
    first = next(iter(files))
    images = [
        _source("image_source", picture_source(scene), {"file": str(file), "unload": False})
        for scene, file in files.items()
    ]
    scenes = [_scene(scene, [_item(1, picture_source(scene), profile)]) for scene in files]
    return {
        "name": "Test",
        "current_scene": first,
        "current_program_scene": first,
        "scene_order": [{"name": scene} for scene in files],
        "sources": images + scenes,
        "groups": [],
        "transitions": [],
        "quick_transitions": [],
        "current_transition": "Cut",
        "transition_duration": 100,
        "modules": {},
        "preview_locked": False,
        "scaling_enabled": False,
    }


def _source(kind: str, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    common = {"enabled": True, "volume": 1.0, "flags": 0, "mixers": 0}
    return {"id": kind, "versioned_id": kind, "name": name, "settings": settings, **common}


def _scene(name: str, items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return _source("scene", name, {"custom_size": False, "id_counter": len(items), "items": items})


def _item(number: int, name: str, profile: ObsProfile) -> dict[str, Any]:
    """A source that fills the canvas (bounds_type 2: scale to inner bounds)."""
    return {
        "id": number,
        "name": name,
        "visible": True,
        "locked": False,
        "pos": {"x": 0, "y": 0},
        "scale": {"x": 1.0, "y": 1.0},
        "rot": 0.0,
        "align": 5,
        "bounds_type": 2,
        "bounds_align": 0,
        "bounds": {"x": float(profile.width), "y": float(profile.height)},
        "crop_left": 0,
        "crop_top": 0,
        "crop_right": 0,
        "crop_bottom": 0,
        "group_item_backup": False,
        "scale_filter": "disable",
        "blend_method": "default",
        "blend_type": "normal",
    }
