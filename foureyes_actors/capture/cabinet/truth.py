"""What the cabinet's screen really says at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from foureyes_actors.messages import Field, GameState, Motion, PopupKind


@dataclass(frozen=True)
class Truth:
    """``popup_text``: the popup's message, its lines joined by a space; title, code and buttons are not part of it.

    ``amounts`` and ``shown`` hold the visible amounts only: one that a popup or the bonus screen covers, that the
    screen blanks, or that the theme does not have, is in neither.
    """

    theme: str
    time: float  # seconds since the cabinet's start
    state: GameState
    motion: Motion
    popup: PopupKind
    popup_text: str | None
    amounts: Mapping[Field, Decimal]
    shown: Mapping[Field, str]
    currency: str | None  # ISO 4217, or None for credits
    settled: bool  # nothing was in transition (state flip, popup fading, value blending) within the last 0.4 s
