"""Money as the machines write it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from foureyes_actors.capture.cabinet.money_format import FORMATS

WRITTEN = {
    "usd": ("$1,234,567.89", "$0.05"),
    "usd_plain": ("$1234567.89", "$0.05"),
    "usd_code": ("USD 1,234,567.89", "USD 0.05"),
    "cad": ("C$1,234,567.89", "C$0.05"),
    "gbp": ("£1,234,567.89", "£0.05"),
    "eur_de": ("1.234.567,89 €", "0,05 €"),
    "eur_fr": ("1 234 567,89 €", "0,05 €"),
    "eur_nl": ("€ 1.234.567,89", "€ 0,05"),
    "chf": ("CHF 1'234'567.89", "CHF 0.05"),
    "sek": ("1 234 567,89 kr", "0,05 kr"),
    "brl": ("R$ 1.234.567,89", "R$ 0,05"),
    "inr": ("Rs 12,34,567.89", "Rs 0.05"),
    "jpy": ("¥123,456,789", "¥5"),
    "credits": ("CR 123456789", "CR 5"),
    "credits_word": ("123 456 789 CREDITS", "5 CREDITS"),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_amounts_are_written_as_in_their_country(name: str) -> None:
    assert (FORMATS[name].text(123_456_789), FORMATS[name].text(5)) == WRITTEN[name]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("units", [0, 7, 99, 100, 999, 1000, 100_000, 99_999_999, 1_234_567_890])
def test_the_written_amount_is_the_amount(name: str, units: int) -> None:
    money = FORMATS[name]
    text = money.text(units)
    digits = "".join(char for char in text if char.isdigit())
    assert int(digits) == units
    if money.digits:
        assert text.replace(money.suffix, "").rsplit(money.mark, 1)[1].isdigit()
    assert money.amount(units) == Decimal(units) / 10**money.digits
    assert money.amount(units).as_tuple().exponent == -money.digits


def test_credits_have_no_currency_and_the_others_an_iso_code() -> None:
    for name, money in FORMATS.items():
        assert money.currency is None if name.startswith("credits") else len(money.currency or "") == 3
