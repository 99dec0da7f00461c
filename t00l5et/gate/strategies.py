"""Hypothesis as a source of inputs like the captured ones: one to three places of a record, each with another value of
the same type. Without a database, and the same each time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t00l5et.gate.leaves import Blobs, Leaf, Written, leaves
from t00l5et.gate.mutations import Variant

EXAMPLES = 100
DIGITS = "0123456789,. '"


def generated(document: Mapping[str, Any], blobs: Blobs, scratch: Path, most: int = EXAMPLES) -> list[Variant]:
    """``scratch``: where Hypothesis may keep what it computes."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st
    from hypothesis.configuration import set_hypothesis_home_dir

    places = [(leaf, strategy) for leaf in leaves(document, blobs) if (strategy := _strategy(leaf)) is not None]
    early = [place for place in places if not place[0].late] or places
    if not early:
        return []
    found: list[Variant] = []

    @settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=most,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def collect(data: Any) -> None:
        chosen = data.draw(st.lists(st.sampled_from(range(len(early))), min_size=1, max_size=3, unique=True))
        leaves_of = {early[n][0].path: early[n] for n in chosen}  # one change for each path
        edits = [(leaf.path, leaf.put(data.draw(strategy))) for leaf, strategy in leaves_of.values()]
        where = ", ".join(leaf.where for leaf, _ in leaves_of.values())
        found.append(Variant(f"{where}: generated", tuple(edits)))

    set_hypothesis_home_dir(scratch)
    try:
        collect()
    finally:
        set_hypothesis_home_dir(None)
    return found[:most]


def _strategy(leaf: Leaf) -> Any:
    from hypothesis import strategies as st

    value = leaf.value
    match value:
        case Written():
            exponents = st.integers(-500, 500).map(lambda n: f"1e{n}")
            return exponents | st.floats(allow_nan=False, allow_infinity=False).map(str)
        case bool():
            return st.booleans()
        case int():
            return st.integers(-(2**62), 2**62) | st.integers(-10, 100)
        case float():
            numbers = st.floats(allow_nan=False, allow_infinity=False)
            return numbers | st.floats(-1e6, 1e6) if math.isfinite(value) else numbers
        case str() if len(value) <= 4096:
            alphabet = "".join(dict.fromkeys(value))[:60] + DIGITS
            near = st.text(alphabet, max_size=min(2 * len(value) + 2, 200))
            return near | st.builds(_spliced, st.just(value), st.integers(0, len(value)), st.sampled_from(alphabet))
        case bytes() if len(value) <= 65_536:
            at, byte = st.integers(0, max(0, len(value) - 1)), st.binary(min_size=1, max_size=4)
            return st.builds(lambda n, new: value[:n] + new + value[n + len(new) :], at, byte)
        case {"$": "decimal"}:
            places = st.decimals(-(10**15), 10**15, places=2)
            return places.map(lambda d: {"$": "decimal", "text": str(d)})
        case {"$": "datetime"}:
            return st.datetimes().map(lambda at: {**value, "text": at.isoformat(), "fold": 0})
    return None


def _spliced(value: str, at: int, character: str) -> str:
    return value[:at] + character + value[at:]
