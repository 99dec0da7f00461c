"""What a box says: crops of one height, the CTC recogniser, decoding with a confidence and a place for each character.

A text can be decoded twice: freely, and again as money, where only characters of amounts compete. The second decoding
is how a lone ``S`` before digits becomes the ``$`` that the network also saw: by its own probabilities, not by a table
of look-alikes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

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
class Text:
    """A box and what it says. ``places``: each character's horizontal centre, pixels of the picture."""

    box: Box
    text: str
    confidence: float  # mean probability of the characters, 0-1; 0 for no text
    places: tuple[float, ...] = ()
    weakest: float = 0.0  # the least sure character's probability
    money: str = ""  # the same, decoded as money
    money_confidence: float = 0.0  # mean probability of those characters; low when the network meant others
    money_weakest: float = 0.0
    money_places: tuple[float, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Decoded:
    text: str
    confidence: float
    weakest: float
    steps: tuple[int, ...]  # the time step of each character


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
        free = decode(probabilities, self._characters)
        money = decode(probabilities[:, self._money], self._money_characters)
        step = span / len(probabilities)
        places = tuple(box.left + (s + 0.5) * step for s in free.steps)
        money_places = tuple(box.left + (s + 0.5) * step for s in money.steps)
        return Text(
            box,
            free.text,
            free.confidence,
            places,
            free.weakest,
            money.text,
            money.confidence,
            money.weakest,
            money_places,
        )


def decode(probabilities: NDArray[np.float32], characters: Sequence[str]) -> Decoded:
    """Greedy CTC: the best class of each step, repeats merged, blanks (class 0) dropped."""
    best = probabilities.argmax(axis=1)
    change = np.concatenate(([True], best[1:] != best[:-1]))
    steps = np.flatnonzero(change & (best != 0))
    if not len(steps):
        return Decoded("", 0.0, 0.0, ())
    # A character's probability is the best one of its run of equal steps.
    ends = np.append(np.flatnonzero(change), len(best))
    run_end = ends[np.searchsorted(ends, steps, side="right")]
    sure = [float(probabilities[a:b, best[a]].max()) for a, b in zip(steps, run_end, strict=True)]
    text = "".join(characters[i] for i in best[steps])
    middle = tuple(int(a + b - 1) // 2 for a, b in zip(steps, run_end, strict=True))
    return Decoded(text, float(np.mean(sure)), min(sure), middle)


def _target_width(box: Box) -> int:
    return min(MAX_WIDTH, max(16, round(HEIGHT * box.width / max(1, box.height))))


def _crop(image: Image, box: Box, width: int) -> NDArray[np.float32]:
    """3 x HEIGHT x ``width``, BGR, -1 to 1 (the models' own inference.yml)."""
    crop = image[box.top : box.bottom, box.left : box.right]
    small = cv2.resize(crop, (width, HEIGHT), interpolation=cv2.INTER_LINEAR)
    result: NDArray[np.float32] = small[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) / 127.5 - 1.0
    return result
