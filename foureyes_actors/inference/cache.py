"""Answers about pictures that were seen moments ago, by exact digest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cachetools import TTLCache

from foureyes_actors.messages import Analysis

CacheKey = tuple[str, ...]


@dataclass(slots=True)
class Finds:
    """How often an answer was there, and how often it was not."""

    hits: int = 0
    misses: int = 0


class AnalysisCache:
    """One thread uses it. ``ttl`` 0 or less: nothing is kept, and nothing counted. Failures are never given to it."""

    def __init__(self, *, ttl: float, size: int, timer: Callable[[], float], finds: Finds | None = None) -> None:
        """``ttl``: seconds by ``timer``; ``size``: entries, the least recently used goes first. ``finds``: where is
        gone on counting."""
        self._entries: TTLCache[CacheKey, Analysis] | None = TTLCache(size, ttl, timer) if ttl > 0 else None
        self._finds = finds if finds is not None else Finds()

    def find(self, key: CacheKey) -> Analysis | None:
        """Counts a hit; the miss is told by ``missed`` when it is asked: one that has to wait looks again."""
        found = None if self._entries is None else self._entries.get(key)
        self._finds.hits += found is not None
        return found

    def missed(self) -> None:
        self._finds.misses += self._entries is not None

    def put(self, key: CacheKey, analysis: Analysis) -> None:
        """Only a whole answer is kept: one with failed tasks may come out better next time."""
        if self._entries is not None and not analysis.failures:
            self._entries[key] = analysis

    @property
    def hits(self) -> int:
        return self._finds.hits

    @property
    def misses(self) -> int:
        return self._finds.misses

    def shown(self) -> dict[str, int]:
        """For people."""
        return {"hits": self.hits, "misses": self.misses}
