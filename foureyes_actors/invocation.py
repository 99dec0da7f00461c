"""How a user calls FourEyes here, for the advice that names a command."""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent  # FourEyes's own, or the site-packages that it is installed in
IN_FOLDER = all((FOLDER / name).is_file() for name in ("run.py", "pyproject.toml"))
PROGRAM = "python run.py" if IN_FOLDER else "foureyes"


def install_command(extra: str, *, in_folder: bool = IN_FOLDER) -> str:
    """For the Python that runs this, which need not be the one that ``pip`` belongs to. In FourEyes's own folder it is
    to be said there; where FourEyes is installed, pip finds it there and brings what the extra needs."""
    what = f'-e ".[{extra}]"' if in_folder else f'"foureyes[{extra}]"'
    return f"{sys.executable} -m pip install {what}"
