"""What detections mean for a task. Pure functions; the answers follow ``inference.tasks``."""

from __future__ import annotations

from typing import Any

from foureyes_actors.messages import PopupKind
from foureyes_actors.model_server.transformers_engine.sane import Detection, Sifted

LEAST_POPUP = 0.01  # of the picture's area: smaller finds are symbols
LEAST_REELS = 0.05


def popup_answer(found: Sifted, picture_area: float) -> dict[str, Any]:
    """The surest popup's kind. A detector reads no text, and gives no figure for what it did not find. When all that
    it found could not be meant, nothing is known."""
    large = [d for d in found.kept if d.area >= LEAST_POPUP * picture_area]
    if large:
        return {"popup": PopupKind(large[0].kind).value, "text": None, "confidence": rounded(large[0].score)}
    kind = PopupKind.UNKNOWN if found.refused else PopupKind.NONE
    return {"popup": kind.value, "text": None, "confidence": None}


def reels_of(found: Sifted, picture_area: float) -> Detection | None:
    """Where the reels are: the surest find of a fitting size."""
    return next((d for d in found.kept if d.area >= LEAST_REELS * picture_area), None)


def rounded(confidence: float | None) -> float | None:
    return None if confidence is None else round(min(1.0, max(0.0, confidence)), 3)
