"""Answers of a network that cannot be meant are no value."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foureyes_actors.model_server.transformers_engine.sane import (
    LONGEST_TEXT,
    Detection,
    Sifted,
    sane_probabilities,
    sane_text,
    sift,
)

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    "line",
    [
        "$1,234.56",
        "BALANCE",
        "1.234.567,89 €",
        "$111,111,111.11",
        "1 000 000",
        "10000000",
        "MINI MINI",
        "Sorry...",
        "é",
    ],
)
def test_lines_that_screens_show(line: str) -> None:
    assert sane_text(f" {line} ") == line


@pytest.mark.parametrize(
    "line",
    [
        "",
        "   ",
        "".join(chr(0x4E00 + i) for i in range(LONGEST_TEXT + 1)),
        "1111111111",
        "12 12 12 12 12",
        "the the the the the ",
        "0.0.0.0.0.0.",
        "$5\x00",
        "a\nb",
        "\u202e$5",
        "$5\ufffd",
    ],
)
def test_lines_that_are_no_value(line: str) -> None:
    assert sane_text(line) is None


@given(st.text(min_size=2, max_size=8).filter(lambda unit: unit.strip() == unit), st.integers(4, 30))
def test_no_loop_gets_through(unit: str, times: int) -> None:
    assert sane_text(unit * times) is None or len(set(unit)) == 1


@given(st.text())
def test_what_gets_through_is_printable_and_short(text: str) -> None:
    line = sane_text(text)
    assert line is None or (line in text and 0 < len(line) <= LONGEST_TEXT and line.isprintable())


@pytest.mark.parametrize(
    ("values", "right"),
    [
        ([0.25, 0.75], True),
        ([1.0], True),
        ([], False),
        ([0.5, 0.6], False),
        ([NAN, 1.0], False),
        ([-0.5, 1.5], False),
        ([0.0, 0.0], False),
    ],
)
def test_probabilities(values: list[float], right: bool) -> None:
    assert sane_probabilities(values) is right


def box(left: float, top: float, right: float, bottom: float, score: float = 0.5) -> Detection:
    return Detection("error", score, left, top, right, bottom)


@pytest.mark.parametrize(
    "found",
    [
        box(0, -240, 0, 10),  # what a randomly initialised OWL-ViT says, with a score of 0.99998
        box(10, 10, 10, 50),
        box(50, 10, 40, 50),
        box(10, 10, 10.5, 50),
        box(-100, 10, -20, 50),
        box(650, 10, 700, 50),
        box(-60, 10, 20, 50),
        box(NAN, 10, 20, 50),
        box(0, 0, INF, 50),
        box(10, 10, 50, 50, score=NAN),
        box(10, 10, 50, 50, score=1.5),
        box(10, 10, 50, 50, score=-0.1),
    ],
)
def test_boxes_that_cannot_be_meant(found: Detection) -> None:
    assert sift([found], 640, 360) == Sifted((), 1)


def test_boxes_are_clipped_and_the_surest_is_first() -> None:
    sifted = sift([box(-10, -5, 100, 50, 0.4), box(600, 300, 660, 365, 0.9), box(0, 0, 0, 0, 1.0)], 640, 360)
    assert [(d.left, d.top, d.right, d.bottom, d.score) for d in sifted.kept] == [
        (600, 300, 640, 360, 0.9),
        (0, 0, 100, 50, 0.4),
    ]
    assert sifted.refused == 1


NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(st.builds(Detection, st.just("error"), NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS), max_size=20))
def test_what_is_kept_lies_in_the_picture(found: list[Detection]) -> None:
    sifted = sift(found, 640, 360)
    assert len(sifted.kept) + sifted.refused == len(found)
    for d in sifted.kept:
        assert 0 <= d.left < d.right <= 640 and 0 <= d.top < d.bottom <= 360 and 0 <= d.score <= 1
