"""From a decoder's tokens to a line of characters, each with its probability. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from foureyes_actors.model_server.transformers_engine.sane import sane_text


class Written(NamedTuple):
    """``sure``: the probability of each character of ``text``. Both are empty when the line is no value."""

    text: str
    sure: tuple[float, ...]


NOTHING = Written("", ())


def written(
    tokens: Sequence[int], probabilities: Sequence[float], ends: Collection[int], decode: Callable[..., str]
) -> Written:
    """``tokens``: as generated, with a probability each. Nothing for a line that was not ended by one of ``ends``,
    has a probability that is no number, or holds what ``sane_text`` refuses."""
    stop = next((i for i, token in enumerate(tokens) if token in ends), None)
    if stop is None:
        return NOTHING
    used = list(zip(tokens[:stop], probabilities[:stop], strict=True))
    if not all(math.isfinite(sure) and 0 <= sure <= 1 for _, sure in used):
        return NOTHING
    whole = _decoded(decode, [token for token, _ in used])
    line = sane_text(whole)
    if line is None:
        return NOTHING
    start = whole.index(line)
    return Written(line, tuple(_each(used, whole, decode)[start : start + len(line)]))


def _each(used: Sequence[tuple[int, float]], whole: str, decode: Callable[..., str]) -> list[float]:
    """One probability for each character of ``whole``: its token's; the lowest of all where tokens share one."""
    parts = [_decoded(decode, [token]) for token, _ in used]
    if "".join(parts) != whole:
        return [min(sure for _, sure in used)] * len(whole)
    return [sure for part, (_, sure) in zip(parts, used, strict=True) for _ in part]


def _decoded(decode: Callable[..., str], tokens: list[int]) -> str:
    return decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
