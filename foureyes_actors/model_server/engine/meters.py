"""An amount on a seven-segment display: digits and marks from its segments, the currency from the recogniser."""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import SequenceMatcher

from foureyes_actors.model_server.engine.amounts import DASHES, SPECKS, Amount
from foureyes_actors.model_server.engine.detect import Image
from foureyes_actors.model_server.engine.segments import Display, display_at
from foureyes_actors.readings.money import MoneyError, parse_money

# Of the recogniser's digits, how many the display must show as well: else both look at different things.
LEAST_SHARED = 0.5
SURE = 0.9  # what a display's amount is held for
_BODY = re.compile(r"[0-9](?:.*[0-9])?")


def metered(amount: Amount, image: Image) -> Amount | None:
    """``amount`` as the segment display at its box shows it, with the digits that the box left out; None when there is
    no such display, or none that can be the same amount."""
    display = display_at(image, amount.box)
    shown = _shown(amount.text, display) if display else None
    if display is None or shown is None:
        return None
    try:
        money = parse_money(shown)
    except MoneyError:
        return None
    return replace(
        amount, box=display.box, text=shown, money=money, confidence=SURE, weakest=SURE, alone=False, metered=True
    )


def _shown(read: str, display: Display) -> str | None:
    """The display's digits between the recogniser's currency; None when the two cannot be the same amount."""
    body = _BODY.search(read)
    if body is None:
        return None
    ours, theirs = _digits(display.text), _digits(body.group())
    shared = sum(block.size for block in SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks())
    if len(ours) < len(theirs) or shared < LEAST_SHARED * len(theirs):
        return None
    head, tail = read[: body.start()], read[body.end() :]
    if any(dash in head for dash in DASHES):
        return None  # a negative amount
    if bool(head.strip(SPECKS + " ")) != display.before or bool(tail.strip(SPECKS + " ")) != display.after:
        return None  # a sign was read as a digit, or something else stands there
    return f"{head if display.before else ''}{display.text}{tail if display.after else ''}"


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit())
