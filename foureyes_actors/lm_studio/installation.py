"""Where LM Studio puts its command line and its desktop app on each system.

Sources: LM Studio's own lms and SDK (findLMStudioHome), packagers' recipes for its app.
"""

from __future__ import annotations

import sys
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

from foureyes_actors.ports.files import FilesPort
from foureyes_actors.ports.process import ProcessPort

POINTER = ".lmstudio-home-pointer"  # in the user's home folder: a text file that names LM Studio's own
LONGEST_POINTER = 4096  # bytes
_HOMES = (".lmstudio", ".cache/lm-studio")  # below the user's home folder; the second one is older
_BUNDLED = "app/.webpack"  # below the app's resources; empty in some AppImages
GET_LMS = "install LM Studio (lmstudio.ai) and start it once: it brings the lms command"


def find_lms(processes: ProcessPort, home: Path, files: FilesPort | None = None) -> str | None:
    """LM Studio's command line: on PATH, else where LM Studio's first start puts it, else inside its desktop app.
    ``files``: to follow the pointer to a home folder of LM Studio's that was moved."""
    moved = None if files is None else moved_home(home, files)
    return _first(processes, ("lms", *lms_places(home, sys.platform, moved)))


def find_app(processes: ProcessPort, home: Path) -> str | None:
    """LM Studio's desktop app, at the places of its installers. An AppImage can be anywhere, and is not found."""
    return _first(processes, app_places(home, sys.platform))


def _first(processes: ProcessPort, places: tuple[str, ...]) -> str | None:
    return next((path for path in map(processes.find_program, places) if path is not None), None)


def moved_home(home: Path, files: FilesPort) -> str | None:
    """What the pointer says; None when there is none that can be read."""
    pointer = home / POINTER
    try:
        if files.size(pointer) > LONGEST_POINTER:
            return None
        lines = files.read(pointer).decode().splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    return lines[0].strip() or None if lines else None


def lms_places(home: PurePath, platform: str, moved: str | None) -> tuple[str, ...]:
    """Paths of the program, the best first. ``platform``: as ``sys.platform``."""
    name = "lms.exe" if platform == "win32" else "lms"
    below = _path(platform, str(home))
    homes = [_path(platform, moved)] if moved else []
    homes += [below / folder for folder in _HOMES]
    bundled = (_resources(_path(platform, app), platform) / _BUNDLED / name for app in app_places(home, platform))
    return tuple(map(str, (*(folder / "bin" / name for folder in homes), *bundled)))


def app_places(home: PurePath, platform: str) -> tuple[str, ...]:
    """Paths of the desktop app's program."""
    below = _path(platform, str(home))
    match platform:
        case "win32":
            folders = (below / "AppData/Local/Programs", _path(platform, "C:/Program Files"))
            return tuple(str(folder / "LM Studio/LM Studio.exe") for folder in folders)
        case "darwin":
            folders = (_path(platform, "/Applications"), below / "Applications")
            return tuple(str(folder / "LM Studio.app/Contents/MacOS/LM Studio") for folder in folders)
    return ("/opt/LM Studio/lm-studio",)


def _resources(app: PurePath, platform: str) -> PurePath:
    return app.parent.parent / "Resources" if platform == "darwin" else app.parent / "resources"


def _path(platform: str, text: str) -> PurePath:
    return PureWindowsPath(text) if platform == "win32" else PurePosixPath(text)


def how_to_get_lms(processes: ProcessPort, home: Path) -> str:
    """What to do when ``find_lms`` finds none."""
    app = find_app(processes, home)
    if app is None:
        return GET_LMS
    return f"start LM Studio's desktop app once ({app}): it brings the lms command"
