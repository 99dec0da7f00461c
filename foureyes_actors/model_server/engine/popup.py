"""A popup: a message in a sentence, on a panel of its own, with perhaps a title, a code and buttons around it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from foureyes_actors.messages import PopupKind
from foureyes_actors.model_server.engine.detect import Box, around
from foureyes_actors.model_server.engine.lexicon import plain
from foureyes_actors.model_server.engine.recognise import Text

DISCONNECTED = re.compile(
    r"DISCONNECT|RECONNECT|\bOFFLINE\b|\bNO (INTERNET|CONNECTION|NETWORK|SIGNAL)"
    r"|(CONNECTION|NETWORK|INTERNET|SERVER)\b.{0,24}\b(LOST|INTERRUPTED|CLOSED|TIMED ?OUT|DOWN|DROPPED|UNREACHABLE"
    r"|NOT RESPONDING|UNAVAILABLE|FAILED|BROKEN)|LOST (THE )?CONNECTION|CONNECTION (ERROR|PROBLEM)"
    r"|VERBINDUNG|CONNEXION|CONEXION|CONNESSIONE|LIGACAO|VERBINDING|ANSLUTNING|POLACZENI|PRIPOJENI"
)
ERROR = re.compile(
    r"\bERR?ORS?\b|\bFAIL(ED|URE|S)?\b|\bFAULT\b|MALFUNCTION|EXCEPTION|UNEXPECTED|WENT WRONG|\bOOPS\b|\bSORRY\b"
    r"|OUT OF (SERVICE|ORDER|PAPER)|CALL (AN )?ATTENDANT|\bJAM(MED)?\b|\bTILT\b|(COULD|CAN) ?NOT|CAN'?T|UNABLE|INVALID"
    r"|EXPIRED|REJECTED|DECLINED|DENIED|INSUFFICIENT|NOT ENOUGH|LOCKED|SUSPENDED|UNDER MAINTENANCE|UNAVAILABLE"
    r"|INTERRUPTED|LIMIT REACHED|LOG ?IN AGAIN|NOT AVAILABLE|\bCRASHED\b|CORRUPT|WARNING"
    r"|FEHLER|STORUNG|ERREUR|ERRORE|\bFALLO\b|\bERRO\b|\bFOUT\b|\bBLAD\b|\bCHYBA\b|\bVIRHE\b|\bHIBA\b"
)
VOIDS = re.compile(r"MALFUNCTION VOIDS|VOIDS ALL")  # the small print of every machine
CODE = re.compile(r"\b(CODE|ERROR|REF|ID|NR|NO)\b\W{0,3}[A-Z]{0,4}\W?\d{2,}", re.IGNORECASE)
_BUTTONS = """
OK CLOSE RETRY RELOAD CONTINUE CANCEL LATER YES NO GOTIT DISMISS REFRESH LOGIN TRYAGAIN EXIT BACK START PLAY
SKIP ACCEPT COLLECT WEITER SCHLIESSEN ABBRECHEN NEULADEN FERMER ANNULER CERRAR ACEPTAR CHIUDI SPIN STOP GO
"""
BUTTONS = frozenset(_BUTTONS.split())
_DOTS = re.compile(r"\.{2,}|…")  # equal neighbours are hard to count for a CTC network; an ellipsis has three dots
LEAST_HEIGHT = 0.022  # of the picture's height: messages are not small print
LEAST_CONFIDENCE = 0.75


@dataclass(frozen=True, slots=True)
class Popup:
    """``text``: the message's lines joined by a blank, without title, code and buttons. ``box``: around the message."""

    kind: PopupKind
    text: str
    confidence: float
    box: Box
    lines: tuple[Text, ...]
    others: tuple[Text, ...]  # title, code, buttons

    def reworded(self, lines: Sequence[Text]) -> Popup:
        """The same popup with its message read again as ``lines``."""
        return replace(self, text=_joined(lines), confidence=min(t.confidence for t in lines))


def popup_of(texts: Sequence[Text], width: int, height: int) -> Popup | None:
    """The popup of a screen of ``width`` x ``height`` pixels; the largest one when there are several."""
    large = [t for t in texts if t.box.height >= LEAST_HEIGHT * height and t.confidence >= LEAST_CONFIDENCE]
    seeds = [t for t in large if _sentence(t)] or [t for t in large if DISCONNECTED.search(plain(t.text))]
    if not seeds:
        return None
    first = max(seeds, key=lambda t: (not _shouted(t.text), len(t.text) * t.box.height))
    lines = _message(first, texts)
    message = _joined(lines)
    box = around([t.box for t in lines])
    title = _titles(lines, box, texts)
    if VOIDS.search(plain(message)) and not title:
        return None
    confidence = min(t.confidence for t in lines)
    kind = _kind(" ".join(t.text for t in title), message)
    return Popup(kind, message, confidence, box, tuple(lines), tuple(title))


def _joined(lines: Sequence[Text]) -> str:
    return _DOTS.sub("...", " ".join(t.text.strip() for t in lines))


def _kind(title: str, message: str) -> PopupKind:
    words = plain(f"{title} {message}")
    if DISCONNECTED.search(words):
        return PopupKind.DISCONNECTED
    return PopupKind.ERROR if ERROR.search(words) else PopupKind.INFO


def _sentence(text: Text) -> bool:
    """Several words with small letters in them: how people are spoken to; machines shout."""
    shown = text.text.strip()
    letters = [c for c in shown if c.isalpha()]
    small = sum(c.islower() for c in letters)
    if text.confidence < LEAST_CONFIDENCE or len(letters) < 8 or small < 0.5 * len(letters):
        return False
    if CODE.search(shown):
        return False
    words = [w for w in re.split(r"[^A-Za-zÀ-ž']+", shown) if len(w) >= 2]
    digits = sum(c.isdigit() for c in shown)
    return len(words) >= 2 and digits <= 0.4 * len(letters)


def _message(first: Text, texts: Sequence[Text]) -> list[Text]:
    """The lines of the message that ``first`` belongs to, from top to bottom."""
    lines = [first]
    while True:
        more = next((t for t in texts if t not in lines and any(_next_line(t, known) for known in lines)), None)
        if more is None:
            break
        lines.append(more)
    lines.sort(key=lambda t: (round(t.box.centre[1] / max(1, first.box.height)), t.box.left))
    return lines[1:] if _begins_with_title(lines) else lines


def _begins_with_title(lines: Sequence[Text]) -> bool:
    """A few words, short of the next line's width, before a line that starts a sentence."""
    if len(lines) < 2 or len(lines[0].text.split()) > 3:
        return False
    first, second = lines[0], lines[1]
    return first.box.bottom <= second.box.centre[1] and (
        first.box.width < 0.6 * second.box.width and second.text.strip()[:1].isupper()
    )


def _next_line(text: Text, known: Text) -> bool:
    """Whether ``text`` is the line above or below ``known``, or goes on in its row, in the same lettering."""
    a, b = text.box, known.box
    shown = text.text.strip()
    if not 0.72 <= a.height / b.height <= 1.38 or _button(shown) or CODE.search(shown) or not shown:
        return False
    if _shouted(shown) or text.confidence < LEAST_CONFIDENCE:
        return False
    gap = max(a.top, b.top) - min(a.bottom, b.bottom)
    overlap = min(a.right, b.right) - max(a.left, b.left)
    middle = abs(a.centre[0] - b.centre[0]) < 2 * b.height or abs(a.left - b.left) < b.height
    stacked = -0.4 * b.height <= gap <= 0.6 * b.height and overlap > 0 and middle
    row = abs(a.centre[1] - b.centre[1]) < 0.3 * b.height and -0.5 * b.height < -overlap < 1.2 * b.height
    return (stacked and not _title_above(text, known)) or row


def _title_above(text: Text, known: Text) -> bool:
    """Titles are set larger than the message below them."""
    return text.box.bottom < known.box.centre[1] and text.box.height > 1.15 * known.box.height


def _titles(lines: Sequence[Text], box: Box, texts: Sequence[Text]) -> list[Text]:
    """Short texts above or below the message, near its middle: title, code, buttons."""
    found = []
    reach = 7 * lines[0].box.height
    for text in texts:
        if text in lines or text.confidence < 0.6:
            continue
        x = text.box.centre[0]
        gap = max(box.top - text.box.bottom, text.box.top - box.bottom)
        if abs(x - box.centre[0]) < 3 * lines[0].box.height and gap < reach:
            found.append(text)
    return found


def _button(shown: str) -> bool:
    if shown[:1].islower() or shown.endswith("."):
        return False  # a message's last word
    return re.sub(r"[^A-Z]", "", plain(shown)) in BUTTONS


def _shouted(shown: str) -> bool:
    letters = [c for c in shown if c.isalpha()]
    return len(letters) >= 2 and not any(c.islower() for c in letters)
