"""DiT (BEiT with a classification head): the class of the whole picture, as a game state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from foureyes_actors.messages import Task
from foureyes_actors.model_server.transformers_engine.answers import rounded
from foureyes_actors.model_server.transformers_engine.labels import (
    LABELS_FILE,
    States,
    parse_label_map,
    state_of,
    states_of,
)
from foureyes_actors.model_server.transformers_engine.loading import Network
from foureyes_actors.model_server.transformers_engine.pixels import check_shape, inputs_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class DitEngine:
    """Raises ConfigurationError when the label map does not fit. A picture is judged by itself: no memory."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._states = _states(network)

    def screen(self) -> DitEngine:
        return self

    def answer(self, image: NDArray[np.uint8], now: float, tasks: Sequence[Task]) -> dict[str, Any]:
        state, confidence = state_of(self._probabilities(image), self._states)
        return {Task.STATE.value: {"state": state.value, "confidence": rounded(confidence)}}

    def close(self) -> None:
        self._network.close()

    def _probabilities(self, image: NDArray[np.uint8]) -> list[float]:
        net = self._network
        check_shape(image)
        inputs = inputs_of(net, image)
        with net.torch.inference_mode():
            logits = net.model(**inputs).logits[0].float()
        values: list[float] = logits.softmax(-1).tolist()
        return values


def _states(network: Network) -> States:
    path = network.folder / LABELS_FILE
    text = path.read_text(encoding="utf-8") if path.is_file() else "{}"
    named = network.model.config.id2label
    return states_of([str(named[index]) for index in sorted(named)], parse_label_map(text, path), path)
