"""The cabinet's truth beside its pictures: one JSON line a picture, found again by the picture's digest.

A reading carries its frame's digest, so readings and truth can be matched without any clock or count in common.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from foureyes_actors.capture.cabinet import Truth
from foureyes_actors.messages import Field, GameState, Motion, PopupKind


def truth_line(digest: str, truth: Truth) -> bytes:
    """``digest``: SHA-256 of the picture's bytes, hex, as in ``FrameRef``."""
    document = {
        "digest": digest,
        "theme": truth.theme,
        "time": truth.time,
        "state": truth.state,
        "motion": truth.motion,
        "popup": truth.popup,
        "popup_text": truth.popup_text,
        "amounts": {name.value: str(amount) for name, amount in truth.amounts.items()},
        "shown": {name.value: text for name, text in truth.shown.items()},
        "currency": truth.currency,
        "settled": truth.settled,
    }
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"


def read_truths(data: bytes) -> dict[str, Truth]:
    """By digest; of two moments with the same picture the first. A last line without its end is left out (the writer
    may be at work). Raises ValueError, KeyError or TypeError when the file is not one of ours."""
    lines = data.split(b"\n")[:-1]
    truths: dict[str, Truth] = {}
    for line in lines:
        document = json.loads(line)
        truths.setdefault(document["digest"], _truth(document))
    return truths


def _truth(document: Mapping[str, Any]) -> Truth:
    return Truth(
        theme=document["theme"],
        time=document["time"],
        state=GameState(document["state"]),
        motion=Motion(document["motion"]),
        popup=PopupKind(document["popup"]),
        popup_text=document["popup_text"],
        amounts={Field(name): Decimal(amount) for name, amount in document["amounts"].items()},
        shown={Field(name): text for name, text in document["shown"].items()},
        currency=document["currency"],
        settled=document["settled"],
    )
