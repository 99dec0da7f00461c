"""From a decoder's tokens to a line, and from detections to answers."""

from __future__ import annotations

import pytest

from foureyes_actors.model_server.transformers_engine.answers import popup_answer, reels_of
from foureyes_actors.model_server.transformers_engine.dino import Look
from foureyes_actors.model_server.transformers_engine.lines import NOTHING, Written, written
from foureyes_actors.model_server.transformers_engine.sane import Detection, Sifted

END = 2
NAN = float("nan")


def decode(tokens: list[int], **options: object) -> str:
    """Token 1000 + n: n times the letter; 900: two halves of one character; others: their character."""
    assert options == {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
    text = "".join("ab" * (t - 1000) if t > 1000 else "\x01" if t == 900 else chr(t) for t in tokens)
    return text.replace("\x01\x01", "é").replace("\x01", "\ufffd")


def tokens(text: str) -> list[int]:
    return [*map(ord, text), END]


def line(ids: list[int], sure: list[float] | None = None) -> Written:
    return written(ids, sure if sure is not None else [0.9] * len(ids), {END}, decode)


def test_each_character_has_its_tokens_probability() -> None:
    assert line([*map(ord, "$5"), 1001, END, 7, 7], [0.9, 0.8, 0.7, 1.0, 0.0, 0.0]) == ("$5ab", (0.9, 0.8, 0.7, 0.7))


def test_blanks_around_it_are_dropped_with_their_probabilities() -> None:
    assert line(tokens(" $5 "), [0.1, 0.9, 0.8, 0.2, 1.0]) == ("$5", (0.9, 0.8))


def test_a_character_of_two_tokens_makes_the_line_as_sure_as_its_least_token() -> None:
    assert line([*map(ord, "5 "), 900, 900, END], [0.9, 0.9, 0.4, 0.8, 1.0]) == ("5 é", (0.4, 0.4, 0.4))


@pytest.mark.parametrize(
    ("ids", "sure"),
    [
        (tokens("$5")[:-1], None),  # no end: it was cut off
        ([], None),
        ([END], None),
        (tokens("   "), None),
        (tokens("1111111111"), None),
        ([1010, END], None),
        (tokens("$5"), [NAN, 0.9, 0.9]),
        (tokens("$5"), [1.1, 0.9, 0.9]),
        ([900, END], None),
    ],
)
def test_no_value(ids: list[int], sure: list[float] | None) -> None:
    assert line(ids, sure) == NOTHING


PICTURE = 640.0 * 360.0


def found(kind: str, score: float, side: float) -> Detection:
    return Detection(kind, score, 10, 10, 10 + side, 10 + side)


def test_the_surest_popup_of_a_popups_size_counts() -> None:
    kept = (found("info", 0.9, 20), found("error", 0.6, 100), found("disconnected", 0.5, 200))
    assert popup_answer(Sifted(kept, 3), PICTURE) == {"popup": "error", "text": None, "confidence": 0.6}


def test_nothing_found_is_no_popup_and_nonsense_found_is_unknown() -> None:
    nothing = {"popup": "none", "text": None, "confidence": None}
    assert popup_answer(Sifted((), 0), PICTURE) == nothing
    assert popup_answer(Sifted((found("info", 0.9, 20),), 0), PICTURE) == nothing
    assert popup_answer(Sifted((), 1), PICTURE) == {"popup": "unknown", "text": None, "confidence": None}


def test_reels_are_large() -> None:
    large = found("reels", 0.4, 200)
    assert reels_of(Sifted((found("reels", 0.9, 50), large), 0), PICTURE) == large
    assert reels_of(Sifted((), 4), PICTURE) is None


def test_a_slow_detector_is_asked_less_often() -> None:
    reels = found("reels", 0.4, 200)
    assert Look(100.0, reels).holds(160.0) and not Look(100.0, reels).holds(160.5)
    assert Look(100.0, reels, took=20.0).holds(500.0) and not Look(100.0, reels, took=20.0).holds(501.0)
    assert Look(100.0, None).holds(105.0) and not Look(100.0, None).holds(105.5)
    assert Look(100.0, None, took=20.0).holds(140.0) and not Look(100.0, None, took=20.0).holds(141.0)
    assert not Look(100.0, reels).holds(99.0)
