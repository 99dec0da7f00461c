"""Texts of a recogniser as labels and amounts: what is repaired, and what stays damaged."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.model_server.engine_support import box, text

# ruff: isort: split
from foureyes_actors.model_server.engine.amounts import Amount, amount_of, pieces_of
from foureyes_actors.model_server.engine.habits import Habit, habit_of, misfit
from foureyes_actors.model_server.engine.lexicon import almost_label, label_of

AS_SHOWN = [
    "$1,234.56",
    "1.234,56 €",
    "kr 1 234,50",
    "CHF 1'234.50",
    "12,34,567.00",
    "CR 5,000",
    "5 000 CREDITS",
    "R$ 1,50",
]

REPAIRED = [
    ("1 2 3 . 4 5", None, "123.45"),  # letter-spaced
    ("$1 2,3 4 5.6 7", None, "$12,345.67"),
    ("12 ,345.67", None, "12,345.67"),
    ("1234 567,89", None, "1234567,89"),  # the blank between two groups was lost
    ("12;345.67", None, "12,345.67"),
    ("€ 23;59", None, "€ 23,59"),
    ("12.345.67", None, "12.345,67"),
    ("12,345,67", None, "12,345.67"),
    ("€.5.205,59", None, "€5.205,59"),  # a speck behind the sign
    ("R$.18.676,20", None, "R$ 18.676,20"),
    ("~R$ 18.651,20", None, "R$ 18.651,20"),  # a particle before the currency
    ("CHF·439.05", None, "CHF 439.05"),
    ("5 492,63.zł", None, "zł 5 492,63"),
    ("1 234,56 zt", None, "zł 1 234,56"),
    ("ki 1 234,56", None, "kr 1 234,56"),
    ("S0.00", "$0.00", "$0.00"),
    ("$1O.50", "$10.50", "$10.50"),
    ("$2.S0", "$2.50", "$2.50"),
]


@pytest.mark.parametrize("shown", AS_SHOWN)
def test_a_clean_amount_is_given_as_shown(shown: str) -> None:
    amount = amount_of(text(shown))
    assert amount is not None and amount.money is not None
    assert amount.text == shown


@pytest.mark.parametrize(("read", "money", "meant"), REPAIRED)
def test_unambiguous_repairs(read: str, money: str | None, meant: str) -> None:
    amount = amount_of(text(read, money=money))
    expected = amount_of(text(meant))
    assert amount is not None and expected is not None and expected.money is not None
    assert amount.money == expected.money


@pytest.mark.parametrize("read", ["1,23.4", "12,345.6", "$1,2345.67", "0,123.45", "¥260.433.", "007.50"])
def test_what_lost_a_digit_stays_damaged(read: str) -> None:
    amount = amount_of(text(read))
    assert amount is not None
    assert amount.money is None


NEGATIVE = [
    "-$5.00",
    "$-5.00",
    "$ -1,234.56",
    "-5.00",
    "- 5.00",
    "-R$ 18.651,20",
    "-12,345.67 kr",
    "\u2212€1,00",
    "$\u201312",
]


@pytest.mark.parametrize("read", NEGATIVE)
def test_a_negative_amount_is_not_taken_for_a_positive_one(read: str) -> None:
    assert not _has_money(amount_of(text(read)))
    pieces = pieces_of(text(f"BALANCE {read}"))
    assert not any(_has_money(piece.amount) for piece in pieces)


def _has_money(amount: Amount | None) -> bool:
    return amount is not None and amount.money is not None


@pytest.mark.parametrize("read", ["WILD", "A K Q", "5x 100 4x 20 3x 5", "SPIN", "", "LUCKY GOLD"])
def test_other_texts_are_no_amounts(read: str) -> None:
    amount = amount_of(text(read))
    assert amount is None or amount.money is None


def test_a_dropped_character_is_not_repaired() -> None:
    """The money decoding has one character fewer: a mark or a digit may be gone."""
    amount = amount_of(text("€ 23*59", money="€ 23 59"))
    assert amount is not None
    assert amount.money is None


def test_only_the_amounts_own_characters_make_it_doubtful() -> None:
    amount = amount_of(text("kr 12,50", sure=[0.3, 0.4, 0.2, 0.99, 0.99, 0.99, 0.99, 0.97]))
    assert amount is not None
    assert amount.weakest == pytest.approx(0.97)


@pytest.mark.parametrize(
    ("read", "found"),
    [
        ("BALANCE: $1,234.56", [("balance", "$1,234.56")]),
        ("GRAND€ 5.201,30", [("grand", "€ 5.201,30")]),
        ("BET 1.00 WIN 0.00", [("bet", "1.00"), ("win", "0.00")]),
        ("BALANCE CR 5,000", [("balance", "CR 5,000")]),
        ("MAJOR JACKPOT", [("major", None)]),
        ("$12.50", [(None, "$12.50")]),
        ("MAJOR MUST HIT BY $2400.00", []),
    ],
)
def test_labels_and_amounts_of_one_box(read: str, found: list[tuple[str | None, str | None]]) -> None:
    pieces = pieces_of(text(read))
    names = [(p.label.name if p.label else None, p.amount.text if p.amount else None) for p in pieces]
    assert names == found


def test_a_part_of_a_box_has_a_box_of_its_own() -> None:
    where = box(100, 50, 180, 40)
    piece = pieces_of(text("BALANCE: $1,234.56", where))[0]
    assert piece.label is not None and piece.amount is not None
    assert piece.label.box.right <= piece.amount.box.left + 12
    assert piece.amount.box.right == where.right
    assert piece.amount.source == where


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        ("GRAND", "grand"),
        ("Grand Jackpot", "grand"),
        ("G R A N D", "grand"),
        ("MIN1", "mini"),
        ("NAJOR", "major"),
        ("O MINI", "mini"),
        ("Guthaben", "balance"),
        ("SALDO:", "balance"),
        ("CRÉDITS", "balance"),
        ("TOTAL BET", "bet"),
        ("Last Win", "win"),
        ("20 LINES", None),
        ("64 033 CREDITS", None),
        ("TOTAL", None),
        ("GRAND OPENING TONIGHT FOLKS", None),
        ("LUCKY GOLD", None),
        ("MINO", None),  # MINI or MINOR
    ],
)
def test_labels(shown: str, name: str | None) -> None:
    assert label_of(shown) == name


def test_what_is_nearly_a_label_is_worth_a_second_look() -> None:
    assert almost_label("MINO")
    assert almost_label("GRA ND") is False or label_of("GRA ND") is None
    assert not almost_label("GRAND")  # is one
    assert not almost_label("WILD")


def _amount(shown: str) -> Amount:
    amount = amount_of(text(shown))
    assert amount is not None
    return amount


def test_habit_is_what_most_amounts_share_and_a_lost_sign_has_no_vote() -> None:
    habit = habit_of(_amount(t) for t in ("$1.00", "$2.50", "643.14", "167.20", "549686.41"))
    assert habit == Habit("$", 2)
    assert misfit(_amount("643.14"), habit)
    assert misfit(_amount("€5.00"), habit)
    assert misfit(_amount("$2359"), habit)  # its mark is lost
    assert misfit(_amount("7"), Habit())
    assert misfit(_amount("$643.14"), habit) is None
    assert misfit(_amount("$1,234"), habit)  # its cents may be cut off
    assert misfit(replace(_amount("$1,234"), alone=True), habit) is None  # or were never there


def test_no_habit_of_one_amount_or_of_a_tie() -> None:
    assert habit_of([_amount("$1.00")]) == Habit()
    assert habit_of([_amount("$1.00"), _amount("€2.00")]).currency is None


def test_every_digit_counts() -> None:
    money = _amount("$12,345.67").money
    assert money is not None
    assert money.amount == Decimal("12345.67")
