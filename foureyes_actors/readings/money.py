"""The money grammar: which texts are an amount of money, and which amount. Pure; strict; never guesses.

    text    = [currency] number [currency]       blanks around each part; at most 48 characters
    number  = digits | groups | (digits | groups) mark decimals
    groups  = 1-3 digits, then groups of exactly three, all with the same separator: , . ' ’ space NBSP or thin space;
              or Indian grouping (12,34,567: a last group of three after groups of two), with commas and at least two
    mark    = "." or ",", another one than the separator
    decimals = two digits; three for a currency that has three (KWD, BHD, OMR, JOD, TND, IQD, LYD)

**One mark alone** (``1.23``, ``1,234``) says by what follows whether it is a decimal mark: two digits are decimals,
three digits are a group. With a currency of three decimals ``1.234`` can be either, and is refused. A document-level
``decimal_mark`` ("all amounts of this screen use this mark") decides instead: the other mark can then only group, and
the decimal mark can only be followed by decimals. Texts that a reader produces when it loses or doubles a character
("1,23.4", one decimal digit, a leading zero) are refused for that reason.

A code after a symbol is the same currency said twice ("$5.00 CAD"); anything else on both sides is refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

MAX_LENGTH = 48
MAX_INTEGER_DIGITS = 15
BLANKS = " \u00a0\u2009\u202f\u2007"  # space, NBSP, thin space, narrow NBSP, figure space
APOSTROPHES = "'\u2019"

DecimalMark = Literal[".", ","]

# ISO 4217 codes that are shown on screens; the ones of three decimals are a set of their own below.
_CODES = """
USD EUR GBP CHF SEK NOK DKK ISK PLN CZK HUF RON BGN HRK RSD TRY UAH RUB GEL KZT CAD AUD NZD HKD SGD MXN BRL ARS CLP COP
PEN UYU JPY CNY KRW INR IDR MYR PHP THB VND TWD ZAR NGN KES GHS EGP MAD ILS AED SAR QAR KWD BHD OMR JOD TND IQD LYD
BTC ETH USDT
"""
CODES = frozenset(_CODES.split())
THREE_DECIMALS = frozenset({"KWD", "BHD", "OMR", "JOD", "TND", "IQD", "LYD"})

# As shown -> the codes it can stand for.
SYMBOLS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        shown: frozenset(codes.split())
        for shown, codes in {
            "$": "USD CAD AUD NZD HKD SGD MXN ARS CLP COP",
            "US$": "USD",
            "C$": "CAD",
            "CA$": "CAD",
            "A$": "AUD",
            "AU$": "AUD",
            "NZ$": "NZD",
            "HK$": "HKD",
            "S$": "SGD",
            "MX$": "MXN",
            "NT$": "TWD",
            "R$": "BRL",
            "€": "EUR",
            "£": "GBP",
            "¥": "JPY CNY",
            "₹": "INR",
            "₩": "KRW",
            "₽": "RUB",
            "₺": "TRY",
            "₴": "UAH",
            "₪": "ILS",
            "₫": "VND",
            "₱": "PHP",
            "฿": "THB",
            "₦": "NGN",
            "₿": "BTC",
        }.items()
    }
)
# Written in letters, any case -> how the currency is named in a result. The last line: units of games.
WORDS: Mapping[str, str] = MappingProxyType(
    {
        shown: name
        for name, forms in {
            "kr": "kr kr.",
            "zł": "zł zl",
            "Kč": "kč kc",
            "Ft": "ft",
            "lei": "lei",
            "лв": "лв",
            "Fr.": "fr fr. sfr sfr.",
            "R": "r",
            "Rs": "rs rs.",
            "RM": "rm",
            "Rp": "rp",
            "руб": "руб руб.",
            "CR": "cr cr. credit credits",
            "coins": "coin coins",
            "FUN": "fun",
            "GC": "gc",
            "SC": "sc",
        }.items()
        for shown in forms.split()
    }
)


@dataclass(frozen=True, slots=True)
class Money:
    """``currency``: the symbol, code or word as shown (codes in capitals, words in their usual form), or None."""

    amount: Decimal
    currency: str | None = None


class MoneyError(ValueError):
    """The text is not an amount of this grammar; the message says why."""


_NUMBER = re.compile(rf"[0-9](?:[0-9.,{APOSTROPHES}{BLANKS}]*[0-9])?")
_BLANK = re.compile(f"[{BLANKS}]")
_SUSPECT = re.compile(r"[^\x00-\x7f]|[-+%]")
_REFUSED_SIGNS = MappingProxyType(
    {"-": "a negative amount", "\u2212": "a negative amount", "+": "a sign", "%": "a percentage"}
)


def parse_money(text: str, *, decimal_mark: DecimalMark | None = None) -> Money:
    """The amount and currency that ``text`` shows. Raises MoneyError, with the reason, unless it clearly is one."""
    _refuse_foreign_characters(text)
    stripped = text.strip(BLANKS)
    numbers = _NUMBER.findall(stripped)
    if len(numbers) != 1:
        raise MoneyError(f"{_shown(text)}: " + ("no digits" if not numbers else "more than one number"))
    before, _, after = stripped.partition(numbers[0])
    currency, codes = _currency(before.strip(BLANKS), after.strip(BLANKS), text)
    return Money(_amount(numbers[0], decimal_mark, bool(codes) and codes <= THREE_DECIMALS, text), currency)


def currency_name(text: str) -> str | None:
    """``text`` as the name of a currency in a result (``$``, ``EUR``, ``kr``), or None when it is not one we know."""
    if text in SYMBOLS:
        return text
    upper = text.upper()
    return upper if upper in CODES or upper in SYMBOLS else WORDS.get(text.lower())


def _refuse_foreign_characters(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise MoneyError(f"longer than {MAX_LENGTH} characters")
    for character in _SUSPECT.findall(text):  # nearly always none
        if "\uff00" <= character <= "\uffef":
            raise MoneyError(f"{_shown(text)}: full-width character {_shown(character)}")
        if not character.isascii() and unicodedata.category(character) in {"Nd", "Nl", "No"}:
            raise MoneyError(f"{_shown(text)}: {_shown(character)} is not an ASCII digit")
        if character in _REFUSED_SIGNS:
            raise MoneyError(f"{_shown(text)}: {_REFUSED_SIGNS[character]} is not an amount")


def _currency(before: str, after: str, text: str) -> tuple[str | None, frozenset[str]]:
    """The name of the currency and the codes it can stand for."""
    names = [currency_name(part) for part in (before, after)]
    for part, name in zip((before, after), names, strict=True):
        if part and name is None:
            raise MoneyError(f"{_shown(text)}: {_shown(part)} is not a currency")
    first, second = names
    if first and second:
        if first in SYMBOLS and second in SYMBOLS[first]:
            return second, frozenset({second})
        raise MoneyError(f"{_shown(text)}: two currencies")
    name = first or second
    if name is None:
        return None, frozenset()
    return name, SYMBOLS.get(name, frozenset({name}))


def _amount(number: str, decimal_mark: DecimalMark | None, three_decimals: bool, text: str) -> Decimal:
    integer, decimals = _split(number, decimal_mark, three_decimals, text)
    digits = _ungrouped(integer, decimal_mark, text)
    if len(digits) > 1 and digits[0] == "0":
        raise MoneyError(f"{_shown(text)}: a leading zero")
    if len(digits) > MAX_INTEGER_DIGITS:
        raise MoneyError(f"{_shown(text)}: more than {MAX_INTEGER_DIGITS} digits")
    return Decimal(f"{digits}.{decimals}" if decimals else digits)


def _split(number: str, decimal_mark: DecimalMark | None, three: bool, text: str) -> tuple[str, str]:
    """The integer part, still grouped, and the decimals ("" when there are none)."""
    mark = decimal_mark or _decimal_mark(number, three, text)
    if mark is None or mark not in number:
        return number, ""
    integer, _, decimals = number.rpartition(mark)
    wanted = 3 if three else 2
    if mark in integer:
        raise MoneyError(f"{_shown(text)}: more than one decimal mark {mark!r}")
    if not decimals.isdigit() or len(decimals) != wanted:
        raise MoneyError(f"{_shown(text)}: {wanted} digits must follow the decimal mark {mark!r}")
    return integer, decimals


def _decimal_mark(number: str, three: bool, text: str) -> str | None:
    """Which mark is the decimal mark by the number alone; None when it has no decimals."""
    points = [c for c in number if c in ".,"]
    if not points:
        return None
    last = points[-1]
    tail = len(number) - 1 - number.rindex(last)
    if points.count(last) > 1:  # repeated: it groups
        return None
    others = any(c in ".," + APOSTROPHES + BLANKS for c in number if c != last)
    if others or tail != 3:
        return last
    if three:
        raise MoneyError(f"{_shown(text)}: {last!r} may group or be the decimal mark of a currency of three decimals")
    return None


def _ungrouped(integer: str, decimal_mark: DecimalMark | None, text: str) -> str:
    separators = {c for c in _BLANK.sub(" ", integer).replace("\u2019", "'") if not c.isdigit()}
    if not separators:
        return integer
    if len(separators) > 1 or separators == {decimal_mark}:
        raise MoneyError(f"{_shown(text)}: mixed separators")
    groups = re.split(r"[^0-9]", integer)
    whole = 1 <= len(groups[0]) <= 3 and all(len(g) == 3 for g in groups[1:])
    if not whole and not _indian(groups, separators):
        raise MoneyError(f"{_shown(text)}: broken groups of digits")
    return "".join(groups)


def _indian(groups: list[str], separators: set[str]) -> bool:
    middle = groups[1:-1]
    return (
        separators == {","}
        and bool(middle)
        and len(groups[0]) in (1, 2)
        and all(len(g) == 2 for g in middle)
        and len(groups[-1]) == 3
    )


def _shown(text: str) -> str:
    return ascii(text)
