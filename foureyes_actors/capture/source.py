"""Where frames come from."""

from __future__ import annotations

from typing import Protocol


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
