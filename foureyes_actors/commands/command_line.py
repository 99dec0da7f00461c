"""What every command of ``run.py`` begins and ends with."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import NoReturn

import typer

from foureyes_actors.errors import ConfigurationError
from foureyes_actors.exit_codes import BAD_CONFIGURATION, NOT_PRINTED
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.settings import Settings
from foureyes_actors.settings.file import find_settings, load_settings


def settings_of(config: Path | None) -> tuple[Settings, Path | None]:
    """And the file they are from; None: the built-in ones. Ends the program when they are wrong."""
    try:
        path = find_settings(config, os.environ, LocalFiles())
        settings = load_settings(path, os.environ, LocalFiles())
    except ConfigurationError as error:
        refuse(error)
    return settings, path


def refuse(error: ConfigurationError) -> NoReturn:
    complain(f"the configuration must be changed:\n{error}")
    raise typer.Exit(BAD_CONFIGURATION) from None


def print_result(text: str) -> None:
    """A result. One that cannot be printed (a full disk) is said, and is no success; a reader that has gone
    (``| head``) has what it wanted."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a character that the terminal does not have
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end
        if not isinstance(error, BrokenPipeError):
            complain(f"the result cannot be printed: {error.strerror}")
            raise typer.Exit(NOT_PRINTED) from None


def complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")
