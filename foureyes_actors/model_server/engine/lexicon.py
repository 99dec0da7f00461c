"""The words that stand beside amounts, and how closely a read word must match one.

English, and the common words of other European screens. Jackpot names are English nearly everywhere; the few local
forms that differ by more than one letter are listed.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from foureyes_actors.messages import Field

BET, WIN, COUNT = "bet", "win", "count"  # labels whose numbers are nobody's field, but must not become one

_WORDS: dict[str, str] = {
    Field.GRAND: "GRAND GRANDE GRAN",
    Field.MAJOR: "MAJOR MAJEUR MAYOR MAIOR",
    Field.MINOR: "MINOR MINEUR MENOR MINORE",
    Field.MINI: "MINI",
    Field.BALANCE: "BALANCE CREDIT CREDITS CREDITO CREDITOS CREDITI KREDIT KREDITE GUTHABEN KONTOSTAND SALDO SOLDE CASH"
    " WALLET FUNDS TEGOED ZOSTATEK EGYENLEG STANJE",
    BET: "BET PLAY STAKE WAGER EINSATZ MISE APUESTA APOSTA PUNTATA INZET INSATS INNSATS INDSATS STAWKA SAZKA PANOS TET",
    WIN: "WIN WINNER WINS WON PAID GEWINN GAIN GAINS GANANCIA PREMIO GANHO VINCITA WINST VINST GEVINST WYGRANA VYHRA"
    " VOITTO NYEREMENY HIN VIN WIM",  # the last three: how WIN is read in square letters
    COUNT: "LINE LINES LINIEN LIGNES LINEAS WAYS DENOM DENOMINATION LEVEL COIN MULTIPLIER SPINS GAMES TIME ID",
}
LABELS: dict[str, str] = {word: name for name, words in _WORDS.items() for word in words.split()}
MAIN_WORDS = ("GRAND", "MAJOR", "MINOR", "MINI", "BALANCE", "CREDIT", "CREDITS", "GUTHABEN", "SALDO", "SOLDE")
# Words that may stand beside a label's word without changing what it means.
_FILLERS = """
JACKPOT JACKPOTS PRIZE PROGRESSIVE THE TOTAL YOUR MY ACCOUNT GAME CURRENT REAL LAST VALUE
"""
FILLERS = frozenset(_FILLERS.split())
_LOOK_ALIKE = str.maketrans({"0": "O", "1": "I", "|": "I", "5": "S", "8": "B", "6": "G", "!": "I"})


def plain(text: str) -> str:
    """Upper case without accents; what words are compared in."""
    parts = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("ø", "o").replace("ł", "l"))
    return "".join(c for c in parts if not unicodedata.combining(c)).upper()


def letters(word: str) -> str:
    """``word`` as letters alone; in a word of letters, digits that look like letters count as those."""
    shown = plain(word)
    if sum(c.isdigit() for c in shown) * 2 <= len(shown):
        shown = shown.translate(_LOOK_ALIKE)
    return re.sub(r"[^A-Z]", "", shown)


@lru_cache(maxsize=4096)
def label_of(text: str) -> str | None:
    """Which label ``text`` is: a Field's value, BET, WIN, COUNT, or None. Whole text, fillers allowed."""
    if len(text) > 40 or sum(c.isdigit() for c in text) >= sum(c.isalpha() for c in text):
        return None
    parts = re.split(r"[\s:/_-]+", text)
    if any(sum(c.isdigit() for c in part) > len(part) / 2 for part in parts):
        return None  # a number and its unit
    words = [w for w in map(letters, parts) if w]
    if len(words) > 2 and all(len(w) == 1 for w in words):
        words = ["".join(words)]  # letter-spaced
    words = [w for w in words if len(w) > 1]  # a lone letter beside a label is a symbol or a particle
    rest = [w for w in words if w not in FILLERS]
    if not rest or len(words) > 3:
        return None
    names = [_nearest(w) for w in rest]
    if len(names) == 1:
        return names[0]
    # "TOTAL BET", "COIN VALUE", "BONUS WIN": the last word says what it is when all but it are labels too.
    return names[-1] if all(names) and Field.GRAND not in names else None


def _nearest(word: str) -> str | None:
    if word in LABELS:
        return LABELS[word]
    if len(word) < 5:
        return None
    near = {name for known, name in LABELS.items() if len(known) >= 5 and one_edit(word, known)}
    return near.pop() if len(near) == 1 else None


@lru_cache(maxsize=4096)
def almost_label(text: str) -> bool:
    """Whether ``text``, which is no label, may be a jackpot's or the balance's label read with an error or two."""
    words = [w for w in (letters(part) for part in text.split()) if w]
    if not 1 <= len(words) <= 2 or label_of(text):
        return False
    return any(_close(w, known) for w in words for known in MAIN_WORDS)


def _close(word: str, known: str) -> bool:
    if one_edit(word, known):
        return True
    return len(known) >= 5 and any(one_edit(word[:i] + word[i + 1 :], known) for i in range(len(word)))


def one_edit(a: str, b: str) -> bool:
    """Whether ``a`` becomes ``b`` by at most one changed, added or removed character."""
    if abs(len(a) - len(b)) > 1:
        return False
    if len(a) == len(b):
        return sum(x != y for x, y in zip(a, b, strict=True)) <= 1
    if len(a) > len(b):
        a, b = b, a
    return any(a == b[:i] + b[i + 1 :] for i in range(len(b)))
