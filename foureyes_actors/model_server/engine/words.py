"""What the words of a screen say: a popup and its message, a bonus screen, a win.

Words are looked for in headlines and messages, not anywhere: reels carry words (WILD, BONUS), labels do (WIN, MINOR
JACKPOT), small print does ("malfunction voids all pays"). English, and the common words of other European screens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from foureyes_actors.messages import GameState, PopupKind
from foureyes_actors.model_server.engine.detect import Box
from foureyes_actors.model_server.engine.lexicon import letters, one_edit, plain
from foureyes_actors.model_server.engine.popup import Popup, popup_of
from foureyes_actors.model_server.engine.recognise import Text
from foureyes_actors.model_server.engine.screen import Screen

# Phrases of bonus screens as letters alone: fonts of headlines cost a blank or a letter now and then.
_BONUS_PHRASES = """
FREEGAMES FREESPINS BONUSGAME BONUSROUND BONUSSPINS BONUSFEATURE GAMESBONUS SPINSBONUS JACKPOTBONUS
HOLDANDSPIN HOLDANDWIN HOLDNSPIN LINKANDWIN PICKAPRIZE PICKYOUR PICKANY CHOOSEYOUR CHOOSEAPRIZE SPINSLEFT
SPINSREMAINING GAMESREMAINING PICKSLEFT RESPINS WHEELOFFORTUNE FREISPIELE BONUSSPIEL GIROSGRATIS TIRADASGRATIS
TOURSGRATUITS GIRIGRATIS GRATISSPINN GRATISSPINS BONUSOVA DARMOWESPINY
"""
BONUS_PHRASES = tuple(_BONUS_PHRASES.split())
WON = re.compile(
    r"\b((BIG|MEGA|SUPER|EPIC|HUGE|ULTRA|NICE|GREAT|TOTAL|MASSIVE|JACKPOT) ?WIN|YOU ?(WIN|WON|HAVE WON)|WINNER"
    r"|CONGRATULATIONS|(GRAND|MAJOR|MINOR|MINI) ?JACKPOT|JACKPOT ?WON|GEWONNEN|GAGNE|HAS GANADO|HAI VINTO)\b"
)
READ_AS_WIN = re.compile(r"\b(HIN|VIN|WIM|WLN)\b")
SHORTEST_PHRASE = min(map(len, BONUS_PHRASES))
POPUP_STATES = {PopupKind.ERROR: GameState.ERROR, PopupKind.DISCONNECTED: GameState.DISCONNECTED}
HEADLINE = 0.028  # a headline's box is at least this part of the picture's height


@dataclass(frozen=True, slots=True)
class WordsSeen:
    """``state``: what words alone say, or None. ``evidence``, ``text``: the box that says it, and how it was read."""

    state: GameState | None = None
    confidence: float = 0.0
    evidence: Box | None = None
    text: str = ""
    popup: Popup | None = None


def words_of(screen: Screen, width: int, height: int) -> WordsSeen:
    """What ``screen``, a picture of ``width`` x ``height`` pixels, says in words."""
    popup = popup_of(screen.texts, width, height)
    used = (*popup.lines, *popup.others) if popup else ()
    free = [t for t in screen.texts if t.confidence >= 0.6 and t not in used]
    line = max(popup.lines, key=lambda t: len(t.text)) if popup else None
    if popup and line and popup.kind in POPUP_STATES:
        return WordsSeen(POPUP_STATES[popup.kind], popup.confidence, line.box, line.text, popup)
    for state, found in ((GameState.BONUS, _bonus(free, height)), (GameState.WIN, _win(free, screen, width, height))):
        if found is not None:
            evidence = line or found
            return WordsSeen(state, found.confidence, evidence.box, evidence.text, popup)
    return WordsSeen(None, 0.0, line.box, line.text, popup) if line else WordsSeen()


def _bonus(texts: Sequence[Text], height: int) -> Text | None:
    return next((t for t in texts if t.box.height >= HEADLINE * height and _of_a_bonus(letters(t.text))), None)


@lru_cache(maxsize=1024)
def _of_a_bonus(word: str) -> bool:
    """Whether a headline's letters hold a bonus phrase, with at most one letter wrong in it."""
    if len(word) < SHORTEST_PHRASE - 1:
        return False
    for phrase in BONUS_PHRASES:
        for start in range(max(1, len(word) - len(phrase) + 2)):
            if any(one_edit(word[start : start + len(phrase) + d], phrase) for d in (0, -1, 1)):
                return True
    return False


def _win(texts: Sequence[Text], screen: Screen, width: int, height: int) -> Text | None:
    """A win's headline: inside the screen's middle, and not one of the labels that have their amounts."""
    owned = {pair.label.box for pair in screen.pairs.values()}
    rows = [pair.label.box for name, pair in screen.pairs.items()]
    for text in texts:
        x, y = text.box.centre
        inside = 0.1 * width < x < 0.9 * width and 0.12 * height < y < 0.88 * height
        if not inside or text.box in owned or any(_in_row(text.box, row) for row in rows):
            continue
        shown = READ_AS_WIN.sub("WIN", plain(text.text))
        if WON.search(shown) or re.fullmatch(r"\W*WIN\W*", shown):
            return text
    return None


def _in_row(box: Box, row: Box) -> bool:
    """Whether both stand in one row or column of labels of one size."""
    alike = 0.75 <= box.height / max(1, row.height) <= 1.33
    dx, dy = (abs(a - b) for a, b in zip(box.centre, row.centre, strict=True))
    return alike and min(dx, dy, abs(box.left - row.left)) < 0.4 * row.height
