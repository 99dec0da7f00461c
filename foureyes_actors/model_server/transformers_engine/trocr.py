"""TrOCR: reads the lines that the embedded text detector finds, all lines of a frame in one call.

Labels and amounts are paired as the screen readers do, and lines that did not change since the frame before are not
read again. What the decoder writes without an end, in loops, or unsure of itself is no value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from foureyes_actors.messages import MONEY_FIELDS, Task
from foureyes_actors.model_server.engine.detect import Box
from foureyes_actors.model_server.engine.habits import misfit
from foureyes_actors.model_server.engine.models import load_session, model_files
from foureyes_actors.model_server.engine.recognise import MONEY_CHARACTERS, Line, Recogniser, Text
from foureyes_actors.model_server.engine.screen import EMPTY_SCREEN, LEAST_SURE, Eyes, Screen
from foureyes_actors.model_server.transformers_engine.answers import rounded
from foureyes_actors.model_server.transformers_engine.lines import Written, written
from foureyes_actors.model_server.transformers_engine.loading import Network
from foureyes_actors.model_server.transformers_engine.pixels import inputs_of

MOST_LINES = 32  # in one call; a game screen has some 25
MOST_TOKENS = 40  # of a line


class LineReader:
    """Reads crops as ``Recogniser`` does; ``calls``: of the network's decoder."""

    def __init__(self, network: Network) -> None:
        self._network, self.calls = network, 0

    def read(self, image: NDArray[np.uint8], boxes: Sequence[Box]) -> list[Text]:
        """What each box says, in the order of ``boxes``; no characters where that is no value."""
        crops = [np.ascontiguousarray(image[b.top : b.bottom, b.left : b.right]) for b in boxes]
        lines = [line for batch in _batches(crops) for line in self._written(batch)]
        return [_text(box, line) for box, line in zip(boxes, lines, strict=True)]

    def _written(self, crops: Sequence[NDArray[np.uint8]]) -> list[Written]:
        net = self._network
        pixels = inputs_of(net, list(crops)).pixel_values
        self.calls += 1
        with net.torch.inference_mode():
            # Greedy, and without the generation settings that come with a model: a ban on repeated pairs of tokens
            # would make 1,111 unreadable.
            out = net.model.generate(
                pixels,
                max_new_tokens=MOST_TOKENS,
                num_beams=1,
                do_sample=False,
                no_repeat_ngram_size=0,
                repetition_penalty=1.0,
                return_dict_in_generate=True,
                output_scores=True,
            )
            sure = _probabilities(net.torch, out)
        tokens = out.sequences[:, -sure.shape[1] :].tolist()
        ends = _ends(net.model)
        decoder = net.processor.tokenizer
        return [written(ids, row, ends, decoder.decode) for ids, row in zip(tokens, sure.tolist(), strict=True)]


class TrocrEngine:
    """Raises MissingExtraError without the packages of the embedded server."""

    def __init__(self, network: Network) -> None:
        self._network, self.reader = network, LineReader(network)
        detector = load_session(model_files("tiny").detector)
        self._eyes = Eyes(detector, cast(Recogniser, self.reader), None)  # of a recogniser, only ``read`` is used

    def screen(self) -> TrocrScreen:
        return TrocrScreen(self._eyes)

    def close(self) -> None:
        self._network.close()


class TrocrScreen:
    def __init__(self, eyes: Eyes) -> None:
        self._eyes, self._before = eyes, EMPTY_SCREEN
        self._shape: tuple[int, ...] = ()

    def answer(self, image: NDArray[np.uint8], now: float, tasks: Sequence[Task]) -> dict[str, Any]:
        before = self._before if image.shape == self._shape else EMPTY_SCREEN
        self._before, self._shape = self._eyes.look(image, before), image.shape
        return {Task.OCR.value: amounts_of(self._before)}


def amounts_of(screen: Screen) -> dict[str, Any]:
    """The task's answer: amounts that parse, fit the others of the screen, and have no doubtful character."""
    found = {field.value: screen.pairs[field].amount for field in MONEY_FIELDS if field in screen.pairs}
    good = {
        name: a
        for name, a in found.items()
        if a.money is not None and a.weakest >= LEAST_SURE and misfit(a, screen.habit) is None
    }
    texts: dict[str, Any] = {f.value: good[f.value].text if f.value in good else None for f in MONEY_FIELDS}
    return {**texts, "confidence": rounded(min((a.confidence for a in good.values()), default=None))}


def _text(box: Box, line: Written) -> Text:
    """Characters are taken to stand evenly in the box: the decoder does not say where."""
    step = box.width / max(1, len(line.text))
    shown = Line(line.text, line.sure, tuple(box.left + (i + 0.5) * step for i in range(len(line.text))))
    kept = [i for i, c in enumerate(shown.text) if c in MONEY_CHARACTERS]
    money = Line(
        "".join(shown.text[i] for i in kept), tuple(shown.sure[i] for i in kept), tuple(shown.places[i] for i in kept)
    )
    return Text(box, shown, money)


def _batches(crops: Sequence[NDArray[np.uint8]]) -> Iterator[Sequence[NDArray[np.uint8]]]:
    for start in range(0, len(crops), MOST_LINES):
        yield crops[start : start + MOST_LINES]


def _probabilities(torch: Any, out: Any) -> Any:
    """Of each written token (lines x tokens)."""
    tokens = out.sequences[:, -len(out.scores) :]
    each = [scores.float().softmax(-1).gather(1, tokens[:, step : step + 1]) for step, scores in enumerate(out.scores)]
    return torch.cat(each, dim=1)


def _ends(model: Any) -> frozenset[int]:
    end = model.generation_config.eos_token_id
    if end is None:
        end = model.config.decoder.eos_token_id
    return frozenset(end if isinstance(end, list) else [end])
