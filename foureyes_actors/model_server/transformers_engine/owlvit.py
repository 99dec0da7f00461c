"""OWL-ViT: popups and signs of a lost connection, found by text queries in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from foureyes_actors.messages import Task
from foureyes_actors.model_server.api_error import invalid
from foureyes_actors.model_server.transformers_engine.answers import popup_answer
from foureyes_actors.model_server.transformers_engine.loading import Network
from foureyes_actors.model_server.transformers_engine.pixels import check_shape, inputs_of
from foureyes_actors.model_server.transformers_engine.queries import POPUP_QUERIES, Query, queries_of
from foureyes_actors.model_server.transformers_engine.sane import Detection, Sifted, sift

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

THRESHOLD = 0.1  # the class's own standard: its scores are low


class OwlVitEngine:
    """One network; each screen has its queries."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def screen(self) -> OwlVitScreen:
        return OwlVitScreen(self)

    def close(self) -> None:
        self._network.close()

    def find(self, image: NDArray[np.uint8], queries: Sequence[Query]) -> Sifted:
        """Raises ApiError 400 for a picture or a query that the model does not take."""
        net = self._network
        texts = [query.text for query in queries]
        check_shape(image)
        self._check_length(texts)
        inputs = inputs_of(net, image, text=[texts])
        with net.torch.inference_mode():
            outputs = net.model(**inputs)
        height, width = image.shape[:2]
        if not broken_free(net.torch, outputs):
            return Sifted((), 1)
        found = net.processor.post_process_grounded_object_detection(
            outputs, threshold=THRESHOLD, target_sizes=[(height, width)]
        )[0]
        kinds = [queries[label].kind for label in found["labels"].tolist()]
        return sift(detections(kinds, found), width, height)

    def _check_length(self, texts: Sequence[str]) -> None:
        net = self._network
        most = net.model.config.text_config.max_position_embeddings
        for text in texts:
            tokens = len(net.processor.tokenizer(text).input_ids)
            if tokens > most:
                raise invalid(f"{text[:100]!a} has {tokens} tokens; {net.id} takes {most}", param="messages")


class OwlVitScreen:
    def __init__(self, engine: OwlVitEngine) -> None:
        self._engine, self._queries = engine, queries_of("", POPUP_QUERIES)

    def prompt(self, text: str) -> None:
        self._queries = queries_of(text, POPUP_QUERIES)

    def answer(self, image: NDArray[np.uint8], now: float, tasks: Sequence[Task]) -> dict[str, Any]:
        found = self._engine.find(image, self._queries)
        return {Task.ERROR.value: popup_answer(found, image.shape[0] * image.shape[1])}


def broken_free(torch: Any, outputs: Any) -> bool:
    """Whether scores and boxes are numbers: the libraries drop a NaN in silence, as if nothing had been found. Scores
    of padding are minus infinity in some models, and right."""
    return not torch.isnan(outputs.logits).any() and bool(torch.isfinite(outputs.pred_boxes).all())


def detections(kinds: Sequence[str], found: Any) -> list[Detection]:
    """``found``: tensors ``scores`` (n) and ``boxes`` (n x 4: left, top, right, bottom in pixels)."""
    rows = zip(kinds, found["scores"].tolist(), found["boxes"].tolist(), strict=True)
    return [Detection(kind, score, *box) for kind, score, box in rows]
