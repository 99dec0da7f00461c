"""From a picture classifier's own labels to game states: the label map, and what its probabilities say.

The map is a JSON object, ``{"label of the model": "idle", ...}``, in the file ``foureyes_labels.json`` of the model's
folder. Labels that are game states by name need no entry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from foureyes_actors.errors import ConfigurationError
from foureyes_actors.messages import GameState
from foureyes_actors.model_server.transformers_engine.sane import sane_probabilities

LABELS_FILE = "foureyes_labels.json"
LEAST_SURE = 0.5  # of all probability: a state with less is not taken
MOST_NAMED = 20  # labels in a message

States = tuple[GameState | None, ...]  # by class number; None: a label that says nothing about the game


def parse_label_map(text: str, path: Path) -> dict[str, GameState]:
    """Raises ConfigurationError, naming ``path`` and the entry."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not JSON: {str(error)[:200]}") from None
    if not isinstance(document, dict):
        raise ConfigurationError(f'{path}: must be an object such as {{"form": "idle"}}')
    return {label: _state(label, value, path) for label, value in document.items()}


def _state(label: str, value: object, path: Path) -> GameState:
    try:
        return GameState(str(value))
    except ValueError:
        known = ", ".join(GameState)
        raise ConfigurationError(f"{path}: {label[:100]!a}: {str(value)[:100]!a} is no state; known: {known}") from None


def states_of(labels: Sequence[str], mapping: Mapping[str, GameState], path: Path) -> States:
    """The state of each class. ``path``: of the map, which may not exist. Raises ConfigurationError when an entry names
    no label of the model, or when no label tells a state: such a model would answer nothing."""
    known = {label.casefold() for label in labels}
    strange = [label for label in mapping if label.casefold() not in known]
    if strange:
        raise ConfigurationError(f"{path}: the model has no label {strange[0][:100]!a}; it has: {_named(labels)}")
    told = {label.casefold(): state for label, state in mapping.items()}
    states = tuple(told.get(label.casefold(), _by_name(label)) for label in labels)
    if not any(state not in (None, GameState.UNKNOWN) for state in states):
        raise ConfigurationError(
            f'none of its labels is a game state ({_named(labels)}): write {path}, e.g. {{"{labels[0][:60]}": "idle"}}'
        )
    return states


def _by_name(label: str) -> GameState | None:
    return next((state for state in GameState if state.value == label.strip().casefold()), None)


def _named(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - MOST_NAMED} more" if len(labels) > MOST_NAMED else ""
    return ", ".join(label[:60] for label in labels[:MOST_NAMED]) + more


def state_of(probabilities: Sequence[float], states: States) -> tuple[GameState, float | None]:
    """The state whose labels together have more than half of the probability, with it; else unknown, without."""
    if len(probabilities) != len(states) or not sane_probabilities(probabilities):
        return GameState.UNKNOWN, None
    totals: dict[GameState, float] = {}
    for probability, state in zip(probabilities, states, strict=True):
        if state is not None:
            totals[state] = totals.get(state, 0.0) + probability
    best = max(totals, key=lambda state: totals[state])
    if totals[best] <= LEAST_SURE or best is GameState.UNKNOWN:
        return GameState.UNKNOWN, None
    return best, min(1.0, totals[best])
