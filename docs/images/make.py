"""Draws the README's pictures again: frames of the cabinet, and a real run's output as SVG.

usage: python docs/images/make.py
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.text import Text

from foureyes_actors.capture.cabinet import THEMES, Cabinet

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TILE = (426, 240)
LINES = 34


def contact_sheet() -> None:
    """Twelve themes, each at a moment of its own."""
    sheet = Image.new("RGB", (TILE[0] * 3, TILE[1] * 4))
    for number, theme in enumerate(THEMES[:12]):
        frame = Cabinet(theme, 3).draw(6 + 5 * number).resize(TILE, Image.Resampling.LANCZOS)
        sheet.paste(frame, (number % 3 * TILE[0], number // 3 * TILE[1]))
    sheet.save(HERE / "cabinet.jpg", quality=82)


def run() -> None:
    """``python run.py --seconds 24``, as it prints."""
    with tempfile.TemporaryDirectory() as data:
        environment = os.environ | {"FOUREYES_DATA_DIR": data, "FOUREYES_LOG_LEVEL": "ERROR"}
        command = [sys.executable, str(ROOT / "run.py"), "--seconds", "24"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=ROOT)
    lines = done.stdout.replace(data, "data").splitlines()
    first = next(i for i, line in enumerate(lines) if "#" in line)
    console = Console(record=True, width=150, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    console.print(Text("$ python run.py"))
    for line in [*lines[: first + LINES - 12], "..."]:
        console.print(Text(line), no_wrap=True, overflow="ellipsis", style="bold" if "  * " in line else "")
    console.save_svg(str(HERE / "run.svg"), title="FourEyes")


if __name__ == "__main__":
    contact_sheet()
    run()
