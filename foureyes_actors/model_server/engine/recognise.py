"""What a box says: crops of one height, the CTC recogniser, decoding with a confidence and a place for each character.

A text can be decoded twice: freely, and again as money, where only characters of amounts compete. The second decoding
is how a lone ``S`` before digits becomes the ``$`` that the network also saw: by its own probabilities, not by a table
of look-alikes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from foureyes_actors.model_server.engine.detect import Box, Image
from foureyes_actors.model_server.engine.models import Session

HEIGHT = 48  # the recogniser's fixed input height
PAD = 64  # widths are rounded up to a multiple: few shapes, little waste
MAX_WIDTH = 1536  # a box of 32:1; longer ones are squeezed
BATCH = 6
MONEY_CHARACTERS = "0123456789.,' $€£¥₹₩₺₽₱₪"


@dataclass(frozen=True, slots=True)
class Line:
    """Characters with, for each, its probability and its horizontal centre (time steps or pixels of the picture)."""

    text: str
    sure: tuple[float, ...] = field(default=(), repr=False)
    places: tuple[float, ...] = field(default=(), repr=False)

    @property
    def confidence(self) -> float:
        """The characters' mean probability, 0-1; 0 for no text."""
        return sum(self.sure) / len(self.sure) if self.sure else 0.0


@dataclass(frozen=True, slots=True)
class Text:
    """A box and what it says, decoded freely and as money (an unlikely line where the network meant other signs)."""

    box: Box
    line: Line
    money: Line

    @property
    def text(self) -> str:
        return self.line.text

    @property
    def confidence(self) -> float:
        return self.line.confidence


class Recogniser:
    """One recognition network with its classes. Not thread-safe."""

    def __init__(self, session: Session, characters: Sequence[str]) -> None:
        self._session = session
        self._characters = tuple(characters)
        money = [i for i, c in enumerate(characters) if c in MONEY_CHARACTERS and c]
        self._money = np.array([0, *money])  # CTC's blank first
        self._money_characters = tuple(self._characters[i] for i in self._money)

    def read(self, image: Image, boxes: Sequence[Box]) -> list[Text]:
        """What each box says, in the order of ``boxes``."""
        widths = [_target_width(box) for box in boxes]
        order = sorted(range(len(boxes)), key=lambda i: widths[i])
        texts: dict[int, Text] = {}
        for start in range(0, len(order), BATCH):
            chunk = order[start : start + BATCH]
            texts.update(self._read_batch(image, [(i, boxes[i], widths[i]) for i in chunk]))
        return [texts[i] for i in range(len(boxes))]

    def _read_batch(self, image: Image, jobs: Sequence[tuple[int, Box, int]]) -> dict[int, Text]:
        padded = -(-max(width for _, _, width in jobs) // PAD) * PAD
        batch = np.zeros((len(jobs), 3, HEIGHT, padded), np.float32)
        for row, (_, box, width) in enumerate(jobs):
            batch[row, :, :, :width] = _crop(image, box, width)
        output = self._session.run(batch)
        spans = [padded / width * box.width for _, box, width in jobs]
        return {index: self._text(output[row], box, spans[row]) for row, (index, box, _) in enumerate(jobs)}

    def _text(self, probabilities: NDArray[np.float32], box: Box, span: float) -> Text:
        """``span``: the padded crop's width in pixels of the picture."""
        step = span / len(probabilities)
        free = decode(probabilities, self._characters)
        money = decode(probabilities[:, self._money], self._money_characters)
        return Text(box, _placed(free, box.left, step), _placed(money, box.left, step))


def _placed(line: Line, left: int, step: float) -> Line:
    return replace(line, places=tuple(left + (p + 0.5) * step for p in line.places))


def decode(probabilities: NDArray[np.float32], characters: Sequence[str]) -> Line:
    """Greedy CTC: the best class of each step, repeats merged, blanks (class 0) dropped. Places are time steps."""
    best = probabilities.argmax(axis=1)
    change = np.concatenate(([True], best[1:] != best[:-1]))
    steps = np.flatnonzero(change & (best != 0))
    # A character's probability is the best one of its run of equal steps.
    ends = np.append(np.flatnonzero(change), len(best))
    run_end = ends[np.searchsorted(ends, steps, side="right")]
    runs = list(zip(steps.tolist(), run_end.tolist(), strict=True))
    sure = tuple(float(probabilities[a:b, best[a]].max()) for a, b in runs)
    return Line("".join(characters[i] for i in best[steps]), sure, tuple((a + b - 1) // 2 for a, b in runs))


def _target_width(box: Box) -> int:
    return min(MAX_WIDTH, max(16, round(HEIGHT * box.width / max(1, box.height))))


def _crop(image: Image, box: Box, width: int) -> NDArray[np.float32]:
    """3 x HEIGHT x ``width``, BGR, -1 to 1 (the models' own inference.yml)."""
    crop = image[box.top : box.bottom, box.left : box.right]
    small = cv2.resize(crop, (width, HEIGHT), interpolation=cv2.INTER_LINEAR)
    result: NDArray[np.float32] = small[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) / 127.5 - 1.0
    return result
