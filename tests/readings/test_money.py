"""The money grammar: a table of texts, and a round trip through thirteen styles of writing an amount."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foureyes_actors.readings.money import MAX_LENGTH, THREE_DECIMALS, DecimalMark, Money, MoneyError, parse_money

ACCEPTED: list[tuple[str, str, str | None]] = [
    ("0", "0", None),
    ("7", "7", None),
    ("123", "123", None),
    ("12345678", "12345678", None),
    ("0.00", "0.00", None),
    ("0,50", "0.50", None),
    ("1.23", "1.23", None),
    ("1,23", "1.23", None),
    ("1,234", "1234", None),
    ("1.234", "1234", None),
    ("1234.56", "1234.56", None),
    ("1234,56", "1234.56", None),
    ("12,345.67", "12345.67", None),
    ("12.345,67", "12345.67", None),
    ("1,234,567", "1234567", None),
    ("1.234.567", "1234567", None),
    ("1,234,567.89", "1234567.89", None),
    ("1.234.567,89", "1234567.89", None),
    ("1 234 567,89", "1234567.89", None),
    ("1 234 567.89", "1234567.89", None),
    ("1\u00a0234,56", "1234.56", None),
    ("1\u2009234,56", "1234.56", None),
    ("1\u202f234\u202f567", "1234567", None),
    ("1'234'567.89", "1234567.89", None),
    ("1’234.50", "1234.50", None),
    ("1'234", "1234", None),
    ("1 234", "1234", None),
    ("12,34,567", "1234567", None),
    ("1,23,456.78", "123456.78", None),
    ("12,34,56,789.00", "123456789.00", None),
    ("$1,234.56", "1234.56", "$"),
    ("$ 1,234.56", "1234.56", "$"),
    ("  $0.05 ", "0.05", "$"),
    ("$5", "5", "$"),
    ("€1.234,56", "1234.56", "€"),
    ("1.234,56 €", "1234.56", "€"),
    ("1.234,56\u00a0€", "1234.56", "€"),
    ("£12,345.67", "12345.67", "£"),
    ("¥1,234", "1234", "¥"),
    ("₹12,34,567.00", "1234567.00", "₹"),
    ("R$ 1.234,56", "1234.56", "R$"),
    ("US$1,234.56", "1234.56", "US$"),
    ("NZ$99.00", "99.00", "NZ$"),
    ("USD 1,234.56", "1234.56", "USD"),
    ("1,234.56 USD", "1234.56", "USD"),
    ("1,234.56USD", "1234.56", "USD"),
    ("usd 5.00", "5.00", "USD"),
    ("CHF 1'234.50", "1234.50", "CHF"),
    ("1 234,56 kr", "1234.56", "kr"),
    ("1 234,56 kr.", "1234.56", "kr"),
    ("KR 500,00", "500.00", "kr"),
    ("1 234,56 zł", "1234.56", "zł"),
    ("1 234,50 Kč", "1234.50", "Kč"),
    ("25 000 Ft", "25000", "Ft"),
    ("Rs.500", "500", "Rs"),
    ("R 1 234,56", "1234.56", "R"),
    ("CR 5,000", "5000", "CR"),
    ("5,000 CR", "5000", "CR"),
    ("12,500 credits", "12500", "CR"),
    ("250 COINS", "250", "coins"),
    ("$5.00 CAD", "5.00", "CAD"),
    ("€5.00 EUR", "5.00", "EUR"),
    ("KWD 1.234,567", "1234.567", "KWD"),
    ("1,234.567 BHD", "1234.567", "BHD"),
    ("1,234,567 KWD", "1234567", "KWD"),
]

REFUSED: list[tuple[str, str]] = [
    ("", "no digits"),
    ("   ", "no digits"),
    ("$", "no digits"),
    ("GRAND", "no digits"),
    ("NaN", "no digits"),
    ("inf", "no digits"),
    ("Infinity", "no digits"),
    ("-5.00", "negative"),
    ("−5.00", "negative"),
    ("$-5.00", "negative"),
    ("+5.00", "sign"),
    ("(5.00)", "not a currency"),
    ("95%", "percentage"),
    ("1e5", "more than one number"),
    ("1E+5", "sign"),
    ("0x10", "more than one number"),
    ("1_000", "more than one number"),
    ("1,23.4", "2 digits must follow"),
    ("1,234.5", "2 digits must follow"),
    ("1.5", "2 digits must follow"),
    ("1,234.567", "2 digits must follow"),
    ("1 234,567", "2 digits must follow"),
    ("12.3456", "2 digits must follow"),
    ("1,234,56", "broken groups"),
    ("1.234.56", "broken groups"),
    ("12,34,56", "broken groups"),
    ("1.23.456", "broken groups"),
    ("1234,567.00", "broken groups"),
    ("12 34", "broken groups"),
    ("1  234", "broken groups"),
    ("1,,234", "broken groups"),
    ("1,234 567", "2 digits must follow"),
    ("1'234,567.00", "mixed separators"),
    ("1,234.567,89", "mixed separators"),
    ("007", "leading zero"),
    ("00.50", "leading zero"),
    ("0,500", "leading zero"),
    ("0,123,456.00", "leading zero"),
    (".50", "not a currency"),
    ("5.", "not a currency"),
    ("5,-", "negative"),
    ("$1.2M", "not a currency"),
    ("$12M", "not a currency"),
    ("$5.00 €", "two currencies"),
    ("€5.00 USD", "two currencies"),
    ("USD 5.00 USD", "two currencies"),
    ("$5.00 $6.00", "more than one number"),
    ("$5.00/$6.00", "more than one number"),
    ("5:00", "more than one number"),
    ("12:34:56", "more than one number"),
    ("BET 5.00", "not a currency"),
    ("5.00 XYZ", "not a currency"),
    ("S0.00", "not a currency"),
    ("$1O.00", "more than one number"),
    ("１２.00", "full-width"),
    ("＄5.00", "full-width"),
    ("5．00", "full-width"),
    ("١٢٣", "not an ASCII digit"),
    ("1²", "not an ASCII digit"),
    ("५.00", "not an ASCII digit"),
    ("½", "not an ASCII digit"),
    ("1" * 16, "more than 15 digits"),
    ("9" * (MAX_LENGTH + 1), "longer than"),
    ("5\n00", "more than one number"),
    ("5\t", "not a currency"),
    ("KWD 1.234", "may group or be the decimal mark"),
    ("1,234 BHD", "may group or be the decimal mark"),
    ("KWD 1.23", "3 digits must follow"),
]

HINTED: list[tuple[str, DecimalMark, str | None]] = [
    ("1.234", ",", "1234"),
    ("1,234", ".", "1234"),
    ("1.234", ".", None),  # three decimals
    ("1,234", ",", None),
    ("1.23", ".", "1.23"),
    ("1,23", ",", "1.23"),
    ("1.23", ",", None),  # a group of two
    ("1,23", ".", None),
    ("1.234,56", ",", "1234.56"),
    ("1.234,56", ".", None),
    ("1,234.56", ".", "1234.56"),
    ("1.234.567", ".", None),
    ("1.234.567", ",", "1234567"),
    ("1'234", ".", "1234"),
    ("1 234", ",", "1234"),
    ("12,34,567", ".", "1234567"),
    ("12,34,567", ",", None),
    ("KWD 1.234", ".", "1.234"),
    ("KWD 1.234", ",", "1234"),
    ("KWD 1,234", ".", "1234"),
]


@pytest.mark.parametrize(("text", "amount", "currency"), ACCEPTED)
def test_accepted(text: str, amount: str, currency: str | None) -> None:
    money = parse_money(text)
    assert money == Money(Decimal(amount), currency)
    assert str(money.amount) == amount  # decimals are kept as shown


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(MoneyError, match=reason):
        parse_money(text)


@pytest.mark.parametrize(("text", "mark", "amount"), HINTED)
def test_the_decimal_mark_of_the_document_decides(text: str, mark: DecimalMark, amount: str | None) -> None:
    if amount is None:
        with pytest.raises(MoneyError):
            parse_money(text, decimal_mark=mark)
    else:
        assert parse_money(text, decimal_mark=mark).amount == Decimal(amount)


def _grouped(digits: str, separator: str) -> str:
    head = len(digits) % 3 or 3
    return separator.join([digits[:head], *(digits[i : i + 3] for i in range(head, len(digits), 3))])


def _indian(digits: str) -> str:
    if len(digits) <= 3:
        return digits
    rest, last = digits[:-3], digits[-3:]
    head = len(rest) % 2 or 2
    return ",".join([rest[:head], *(rest[i : i + 2] for i in range(head, len(rest), 2)), last])


# name -> writer of (integer digits, two decimals)
STYLES: dict[str, Callable[[str, str], str]] = {
    "us": lambda i, d: f"${_grouped(i, ',')}.{d}",
    "german": lambda i, d: f"{_grouped(i, '.')},{d} €",
    "french": lambda i, d: f"{_grouped(i, chr(0x202F))},{d}\u00a0€",
    "swiss": lambda i, d: f"CHF {_grouped(i, chr(39))}.{d}",
    "swiss typographic": lambda i, d: f"CHF {_grouped(i, '’')}.{d}",
    "swedish": lambda i, d: f"{_grouped(i, ' ')},{d} kr",
    "british": lambda i, d: f"£{_grouped(i, ',')}.{d}",
    "brazilian": lambda i, d: f"R$ {_grouped(i, '.')},{d}",
    "code after": lambda i, d: f"{_grouped(i, ',')}.{d} USD",
    "polish": lambda i, d: f"{_grouped(i, chr(0xA0))},{d} zł",
    "credits": lambda i, d: f"CR {_grouped(i, ',')}.{d}",
    "ungrouped": lambda i, d: f"{i}.{d}",
    "ungrouped comma": lambda i, d: f"{i},{d}",
}


@pytest.mark.parametrize("style", STYLES)
@given(cents=st.integers(0, 10**17 - 1))
def test_what_a_style_writes_is_read_back(style: str, cents: int) -> None:
    amount = Decimal(cents).scaleb(-2)
    assert parse_money(STYLES[style](str(cents // 100), f"{cents % 100:02d}")).amount == amount


@given(whole=st.integers(100_000, 10**14))
def test_indian_grouping_is_read_back(whole: int) -> None:
    assert parse_money(f"₹{_indian(str(whole))}.00").amount == whole


@given(milli=st.integers(1_000_000, 10**15), code=st.sampled_from(sorted(THREE_DECIMALS)))
def test_currencies_of_three_decimals_are_read_back(milli: int, code: str) -> None:
    shown = f"{code} {_grouped(str(milli // 1000), ',')}.{milli % 1000:03d}"
    assert parse_money(shown).amount == Decimal(milli).scaleb(-3)


@given(st.text(max_size=60))
def test_any_text_is_an_amount_or_a_money_error(text: str) -> None:
    try:
        money = parse_money(text)
    except MoneyError as error:
        assert str(error)
    else:
        assert money.amount >= 0
        assert money.amount.is_finite()
