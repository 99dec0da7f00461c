"""Test pictures with their truth: ``python -m foureyes_actors.capture.cabinet OUTDIR --theme all --frames 54``.

Writes ``frame_0000.png`` and so on, and ``truth.jsonl``: one line for each picture, as a cabinet source writes them,
and with the picture's file name.
"""

from __future__ import annotations

import json
from enum import StrEnum
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from PIL import Image

from foureyes_actors.capture.cabinet import THEMES, Cabinet, encode_jpeg
from foureyes_actors.capture.truth_file import truth_line
from foureyes_actors.errors import ConfigurationError
from foureyes_actors.ports.files import FilesPort, LocalFiles

CONFIGURATION_FAULT, INPUT_OUTPUT_FAULT = 78, 74  # sysexits.h


class Format(StrEnum):
    PNG = "png"
    JPG = "jpg"


class FontChoice(StrEnum):
    BUILT_IN = "built-in"
    SYSTEM = "system"


app = typer.Typer(add_completion=False)


@app.command(help=f"Write test pictures of the demo cabinet and what they really show. Themes: {', '.join(THEMES)}.")
def main(
    outdir: Annotated[Path, typer.Argument(help="Folder for the pictures and truth.jsonl; made when it is missing.")],
    theme: Annotated[str, typer.Option(help="A theme, or all: one after another, 20 s each.")] = "all",
    seed: Annotated[int, typer.Option(help="The same seed draws the same pictures.")] = 7,
    frames: Annotated[int, typer.Option(min=1, max=100_000, help="How many pictures.")] = 54,
    step: Annotated[float, typer.Option(min=0.01, help="Seconds of the cabinet's time between two of them.")] = 5.9,
    start: Annotated[float, typer.Option(min=0.0, help="The first one's time in seconds.")] = 1.0,
    width: Annotated[int, typer.Option(help="Pixels.")] = 1280,
    height: Annotated[int, typer.Option(help="Pixels.")] = 720,
    kind: Annotated[Format, typer.Option("--format", help="File format.")] = Format.PNG,
    quality: Annotated[int, typer.Option(min=1, max=100, help="Of JPEG files.")] = 85,
    fonts: Annotated[
        FontChoice, typer.Option(help="system: also use well-known fonts of this machine.")
    ] = FontChoice.BUILT_IN,
) -> None:
    files = LocalFiles()
    if outdir.exists() and not outdir.is_dir():
        _give_up(f"OUTDIR {str(outdir)!r} is a file; it must be a folder or not exist", CONFIGURATION_FAULT)
    try:
        cabinet = Cabinet(theme, seed, (width, height), fonts.value)
        times = [round(start + number * step, 6) for number in range(frames)]
        write_frames(files, cabinet, outdir, times, kind, quality)
    except ConfigurationError as error:
        _give_up(str(error), CONFIGURATION_FAULT)
    except OSError as error:
        _give_up(f"cannot write to {str(outdir)!r}: {error}", INPUT_OUTPUT_FAULT)
    typer.echo(f"{frames} pictures and truth.jsonl are in {outdir}")


def write_frames(
    files: FilesPort, cabinet: Cabinet, outdir: Path, times: list[float], kind: Format, quality: int
) -> None:
    """One picture for each of ``times`` (seconds), and the truth about all of them. Raises OSError."""
    lines = []
    for number, time in enumerate(times):
        name = f"frame_{number:04d}.{kind.value}"
        picture = _encoded(cabinet.draw(time), kind, quality)
        files.write(outdir / name, picture)
        told = json.loads(truth_line(sha256(picture).hexdigest(), cabinet.truth(time)))
        lines.append(json.dumps({"file": name, **told}, ensure_ascii=False) + "\n")
    files.write(outdir / "truth.jsonl", "".join(lines).encode())


def _encoded(image: Image.Image, kind: Format, quality: int) -> bytes:
    if kind is Format.JPG:
        return encode_jpeg(image, quality)
    buffer = BytesIO()
    image.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _give_up(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)


if __name__ == "__main__":
    app(prog_name="python -m foureyes_actors.capture.cabinet")
