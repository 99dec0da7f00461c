"""From answers to observations: which field gets what, the frame's decimal mark, cleaned texts."""

from __future__ import annotations

from decimal import Decimal

import pytest

from foureyes_actors.messages import Field, Task, TaskAnswer
from foureyes_actors.readings.observe import MAX_POPUP, MAX_RAW, Observation, Seen, observe, parse_amount
from tests.readings.support import motion, ocr, popup, state


def seen(*answers: TaskAnswer, **failures: str) -> dict[Field, Observation]:
    return {o.field: o for o in observe(answers, {Task(k): v for k, v in failures.items()}, 7.0)}


def test_every_field_gets_one_observation() -> None:
    found = seen(ocr(grand="$12,345.67"), state("idle"), motion("stopped"), popup("error", "Reel tilt."))
    assert list(found) == list(Field)
    assert found[Field.GRAND] == Observation(
        Field.GRAND, 7.0, Seen.VALUE, "$12,345.67", Decimal("12345.67"), "$", 0.9, ""
    )
    assert found[Field.MAJOR].seen is Seen.NOTHING and found[Field.MAJOR].reason == "not visible"
    assert (found[Field.STATE].value, found[Field.STATE].confidence) == ("idle", 0.8)
    assert (found[Field.MOTION].value, found[Field.MOTION].confidence) == ("stopped", None)
    assert (found[Field.POPUP].value, found[Field.POPUP].raw) == ("error", "error: Reel tilt.")


def test_a_task_without_an_answer_says_why() -> None:
    found = seen(state("idle"), vision_ocr="HTTP 500", animation_detection="")
    assert {f for f, o in found.items() if o.seen is Seen.NO_ANSWER} == set(Field) - {Field.STATE}
    assert found[Field.GRAND].reason == "HTTP 500"
    assert found[Field.POPUP].reason == "no answer about error_detection"
    assert found[Field.MOTION].reason == "no answer about animation_detection"


@pytest.mark.parametrize(
    ("text", "words"), [("twelve", "no digits"), ("$1,23.4", "1,23.4"), ("-5.00", "negative"), ("", "no digits")]
)
def test_an_illegal_amount_keeps_its_raw_text_and_the_grammars_reason(text: str, words: str) -> None:
    found = seen(ocr(balance=text))[Field.BALANCE]
    assert (found.seen, found.raw, found.value) == (Seen.ILLEGAL, text, None)
    assert words in found.reason


MARKS = [
    ("$12,345.67", "."),
    ("12.345,67 €", ","),
    ("12 345,67 kr.", ","),
    ("1.50", "."),
    ("1,50", ","),
    ("1,234,567", "."),
    ("1.234.567", ","),
    ("1,234", None),
    ("1.234", None),
    ("500", None),
    ("12 345 kr.", None),
    ("¥1,000", None),
    ("nonsense 1.50.2", None),
]


@pytest.mark.parametrize(("text", "mark"), MARKS)
def test_which_amounts_prove_the_decimal_mark(text: str, mark: str | None) -> None:
    assert parse_amount(text).mark == mark


def test_an_open_amount_is_read_with_the_mark_that_another_one_proves() -> None:
    """KWD has three decimals, so "1.234" alone can be either."""
    alone = seen(ocr(grand="KWD 1.234"))[Field.GRAND]
    assert alone.seen is Seen.ILLEGAL
    together = seen(ocr(grand="KWD 1.234", balance="KWD 12,345.678"))
    assert together[Field.GRAND].value == Decimal("1.234")
    grouped = seen(ocr(grand="KWD 1.234", balance="KWD 12.345,678"))
    assert grouped[Field.GRAND].value == Decimal(1234)


def test_an_open_amount_that_the_proven_mark_forbids_is_refused() -> None:
    found = seen(ocr(grand="1,234", balance="1.000,50"))
    assert found[Field.GRAND].seen is Seen.ILLEGAL
    assert found[Field.BALANCE].value == Decimal("1000.50")


def test_groups_alone_take_back_no_legal_amount() -> None:
    """A reader took GRAND's commas for points; what a yen screen shows without decimals stays legal."""
    found = seen(ocr(grand="¥5.282.279", major="¥211,333", minor="¥44,537", mini="¥617", balance="¥18,081"))
    assert [o.value for o in found.values()][:5] == [Decimal(n) for n in (5282279, 211333, 44537, 617, 18081)]
    helped = seen(ocr(grand="KWD 1.234.567", balance="KWD 2,500"))
    assert helped[Field.BALANCE].value == Decimal("2.500"), "an amount that is not legal by itself is helped by it"


def test_nothing_is_carried_over_from_a_screen_before() -> None:
    assert seen(ocr(grand="1.234,56 €"))[Field.GRAND].value == Decimal("1234.56")
    assert seen(ocr(grand="¥211,333"))[Field.GRAND].value == Decimal(211333)


def test_contradicting_marks_prove_nothing() -> None:
    found = seen(ocr(grand="1,234", major="1.50", minor="1,50"))
    assert [found[f].value for f in (Field.GRAND, Field.MAJOR, Field.MINOR)] == [
        Decimal(1234),
        Decimal("1.50"),
        Decimal("1.50"),
    ]


def test_hostile_texts_are_cleaned_and_cut() -> None:
    found = seen(ocr(grand="\x1b[2J$5.00"), popup("info", "a\nb\x00\u202e c  " + "x" * 4000))
    assert found[Field.GRAND].seen is Seen.ILLEGAL and found[Field.GRAND].raw == "[2J$5.00"
    raw = found[Field.POPUP].raw
    assert raw is not None and raw.startswith("info: a b c x") and len(raw) <= MAX_POPUP + len("info: ")
    long_amount = seen(ocr(grand="1" * 200))[Field.GRAND]
    assert long_amount.raw is not None and len(long_amount.raw) == MAX_RAW and "longer than" in long_amount.reason


def test_blanks_that_a_screen_shows_stay() -> None:
    assert seen(ocr(grand="12\u00a0345,67\u202f€"))[Field.GRAND].raw == "12\u00a0345,67\u202f€"
