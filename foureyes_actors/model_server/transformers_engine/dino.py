"""Grounding DINO: where the reels are. Whether they turn is told by two frames, not by one.

A spin is sharp in half of its frames, so one picture cannot show it. The detector finds the reels' box; then the column
strips of that box are compared between a frame and the one before it, as the screen readers do for the whole screen.
So the network, which takes some twenty seconds on a slow CPU, is asked once in a while and not for each frame.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foureyes_actors.messages import Motion, Task
from foureyes_actors.model_server.transformers_engine.answers import reels_of, rounded
from foureyes_actors.model_server.transformers_engine.loading import Network
from foureyes_actors.model_server.transformers_engine.owlvit import broken_free, detections
from foureyes_actors.model_server.transformers_engine.pixels import check_shape, inputs_of
from foureyes_actors.model_server.transformers_engine.queries import REEL_QUERIES, Query, queries_of
from foureyes_actors.model_server.transformers_engine.sane import Detection, Sifted, sift

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

THRESHOLD, TEXT_THRESHOLD = 0.3, 0.25  # of the box, of its words: the usual ones of the published models
FOUND_FOR = 60.0  # seconds for which a box is taken to stay where it is, at least
LOST_FOR = 5.0  # seconds until the reels are looked for again when they were not found, at least
FOUND_SHARE, LOST_SHARE = 0.05, 0.5  # of the time, at most, that goes into looking
OLDEST_BEFORE = 3.0  # seconds: an older frame says nothing about motion


@dataclass(frozen=True, slots=True)
class Look:
    """``reels``: None when they were not found. ``took``: seconds."""

    now: float
    reels: Detection | None
    took: float = 0.0

    def holds(self, now: float) -> bool:
        least, share = (LOST_FOR, LOST_SHARE) if self.reels is None else (FOUND_FOR, FOUND_SHARE)
        return 0 <= now - self.now <= max(least, self.took / share)


class DinoEngine:
    def __init__(self, network: Network) -> None:
        self._network = network

    def screen(self) -> DinoScreen:
        return DinoScreen(self)

    def close(self) -> None:
        self._network.close()

    def find(self, image: NDArray[np.uint8], queries: Sequence[Query]) -> Sifted:
        """Raises ApiError 400 for a picture that the model does not take."""
        net = self._network
        texts = [query.text.lower() for query in queries]
        check_shape(image)
        inputs = inputs_of(net, image, text=[texts])
        with net.torch.inference_mode():
            outputs = net.model(**inputs)
        height, width = image.shape[:2]
        if not broken_free(net.torch, outputs):
            return Sifted((), 1)
        found = net.processor.post_process_grounded_object_detection(
            outputs,
            inputs["input_ids"],
            threshold=THRESHOLD,
            text_threshold=TEXT_THRESHOLD,
            target_sizes=[(height, width)],
        )[0]
        return sift(detections(["reels"] * len(found["scores"]), found), width, height)


class DinoScreen:
    """One screen: where its reels were found, and how they looked in the frame before."""

    def __init__(self, engine: DinoEngine) -> None:
        self._engine, self._queries = engine, queries_of("", REEL_QUERIES)
        self._look: Look | None = None
        self._before: tuple[float, NDArray[np.uint8]] | None = None

    def prompt(self, text: str) -> None:
        queries = queries_of(text, REEL_QUERIES)
        if queries != self._queries:
            self._queries, self._look = queries, None

    def answer(self, image: NDArray[np.uint8], now: float, tasks: Sequence[Task]) -> dict[str, Any]:
        from foureyes_actors.model_server.engine.motion import UNSEEN, motion_between, thumbnail

        reels = self._reels(image, now)
        seen, before = None if reels is None else thumbnail(framed(image, reels)), self._before
        fresh = before is not None and seen is not None and 0 <= now - before[0] <= OLDEST_BEFORE
        moved = motion_between(before[1], seen) if fresh and before and seen is not None else UNSEEN
        self._before = None if seen is None else (now, seen)
        sure = None if moved.motion is Motion.UNKNOWN else moved.confidence
        return {Task.ANIMATION.value: {"motion": moved.motion.value, "confidence": rounded(sure)}}

    def _reels(self, image: NDArray[np.uint8], now: float) -> Detection | None:
        if self._look is None or not self._look.holds(now):
            began = time.monotonic()
            found = self._engine.find(image, self._queries)
            self._look = Look(now, reels_of(found, image.shape[0] * image.shape[1]), time.monotonic() - began)
            self._before = None  # it showed another box
        return self._look.reels


def framed(image: NDArray[np.uint8], reels: Detection) -> NDArray[np.uint8]:
    """The part of ``image`` in which the reels' box is where ``motion`` looks for reels; black beyond the picture."""
    import numpy as np

    from foureyes_actors.model_server.engine.motion import REGION

    x1, y1, x2, y2 = REGION
    width, height = (reels.right - reels.left) / (x2 - x1), (reels.bottom - reels.top) / (y2 - y1)
    left, top = round(reels.left - x1 * width), round(reels.top - y1 * height)
    canvas = np.zeros((max(1, round(height)), max(1, round(width)), 3), np.uint8)
    part = image[max(0, top) : top + canvas.shape[0], max(0, left) : left + canvas.shape[1]]
    row, column = max(0, -top), max(0, -left)
    canvas[row : row + part.shape[0], column : column + part.shape[1]] = part
    return canvas
