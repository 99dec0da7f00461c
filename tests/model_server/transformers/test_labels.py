"""A classifier's labels as game states."""

from __future__ import annotations

from pathlib import Path

import pytest

from foureyes_actors.errors import ConfigurationError
from foureyes_actors.messages import GameState
from foureyes_actors.model_server.transformers_engine.labels import parse_label_map, state_of, states_of

PATH = Path("models/dit/foureyes_labels.json")
LABELS = ("letter", "form", "email", "screen")
NAN = float("nan")


def test_a_map() -> None:
    mapping = parse_label_map('{"Letter": "bonus", "screen": "idle", "form": "unknown"}', PATH)
    assert states_of(LABELS, mapping, PATH) == (GameState.BONUS, GameState.UNKNOWN, None, GameState.IDLE)


def test_labels_that_are_states_need_no_map() -> None:
    assert states_of(["Idle", "spinning", "other"], {}, PATH) == (GameState.IDLE, GameState.SPINNING, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "must be an object"),
        ('{"letter": "sleeping"}', "'letter': 'sleeping' is no state; known: idle, spinning"),
        ('{"letter": null}', "'None' is no state"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_maps_that_are_wrong(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_label_map(text, PATH)
    assert words in str(caught.value) and str(PATH) in str(caught.value)


def test_a_label_that_the_model_does_not_have() -> None:
    with pytest.raises(ConfigurationError, match="the model has no label 'memo'; it has: letter, form, email, screen"):
        states_of(LABELS, {"memo": GameState.IDLE}, PATH)


@pytest.mark.parametrize("mapping", [{}, {"letter": GameState.UNKNOWN}])
def test_a_model_that_could_never_answer_is_refused(mapping: dict[str, GameState]) -> None:
    with pytest.raises(ConfigurationError, match="none of its labels is a game state"):
        states_of(LABELS, mapping, PATH)


STATES = (GameState.IDLE, GameState.SPINNING, GameState.IDLE, None)


@pytest.mark.parametrize(
    ("probabilities", "state", "confidence"),
    [
        ([0.3, 0.2, 0.3, 0.2], GameState.IDLE, 0.6),  # two labels of one state
        ([0.1, 0.8, 0.1, 0.0], GameState.SPINNING, 0.8),
        ([0.1, 0.5, 0.1, 0.3], GameState.UNKNOWN, None),  # no more than half
        ([0.1, 0.1, 0.1, 0.7], GameState.UNKNOWN, None),  # a label that says nothing
        ([NAN, NAN, NAN, NAN], GameState.UNKNOWN, None),
        ([0.9, 0.9, 0.9, 0.9], GameState.UNKNOWN, None),
        ([1.0], GameState.UNKNOWN, None),
        ([], GameState.UNKNOWN, None),
    ],
)
def test_what_the_probabilities_say(probabilities: list[float], state: GameState, confidence: float | None) -> None:
    told = state_of(probabilities, STATES)
    assert told == (state, confidence if confidence is None else pytest.approx(confidence))
