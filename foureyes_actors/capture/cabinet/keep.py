"""Keeping what is costly to make, within bounds.

Not ``cachetools.cachedmethod``: it ties each instance into a reference cycle, and pictures of megabytes would wait for
the garbage collector.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

from cachetools import LRUCache
from PIL import Image

T = TypeVar("T")


def kept(cache: LRUCache[Hashable, T], key: Hashable, make: Callable[[], T]) -> T:
    """From the cache, or made now. What is larger than the whole cache is not kept."""
    try:
        return cache[key]
    except KeyError:
        made = make()
    if cache.getsizeof(made) <= cache.maxsize:
        cache[key] = made
    return made


def held(image: Image.Image) -> int:
    """Bytes that the picture takes in memory: Pillow gives a pixel of several channels four of them."""
    return image.width * image.height * (1 if image.mode == "L" else 4)
