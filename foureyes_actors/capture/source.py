"""Where frames come from."""

from __future__ import annotations

from typing import Protocol

from foureyes_actors.text import bounded

MAX_NAME = 200  # bytes of UTF-8


class FrameSource(Protocol):
    """One thread uses it. Opens lazily: nothing is connected before the first grab."""

    @property
    def name(self) -> str:
        """For FrameRef.source, e.g. "obs:Main", "cabinet:neon"."""

    def grab(self) -> bytes:
        """One picture (JPEG or PNG bytes). Raises SourceUnavailable, SourceRefused, SourceEnded, BadPicture.
        Never blocks longer than its own deadline."""

    def close(self) -> None:
        """Idempotent."""


def clean_name(source: FrameSource) -> str:
    """The source's name as it may be kept (it is part of every reading's id) and printed: a scene, a folder and a file
    are named by anybody, also in bytes that are no text. Controls, line feeds and half characters become escapes."""
    return bounded(source.name.replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t"), MAX_NAME)
