"""A double of the module ``pynvml`` (nvidia-ml-py): the calls that FourEyes makes, with its errors."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any


@dataclass
class Card:
    """``broken``: names of calls that this GPU does not support."""

    name: str | bytes
    total: int = 8_000_000_000
    free: int = 6_000_000_000
    load: int = 12
    broken: tuple[str, ...] = ()


class NVMLError(Exception):
    pass


class NVMLDouble:
    """As the driver: calls before ``nvmlInit`` raise, a lost driver makes every call raise until it is opened again."""

    NVMLError = NVMLError

    def __init__(self, *cards: Card, no_driver: bool = False) -> None:
        self.cards, self.no_driver = list(cards), no_driver
        self.open = 0
        self.inits = 0
        self.lost = False

    def nvmlInit(self) -> None:
        self.inits += 1
        if self.no_driver:
            raise NVMLError("NVML Shared Library Not Found")
        self.open += 1
        self.lost = False

    def nvmlShutdown(self) -> None:
        self.open -= 1
        if self.lost:
            raise NVMLError("Driver Not Loaded")

    def nvmlDeviceGetCount(self) -> int:
        self._check()
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Card:
        self._check()
        return self._supported(self.cards[index], "handle")

    def nvmlDeviceGetName(self, handle: Card) -> str | bytes:
        return self._supported(handle, "name").name

    def nvmlDeviceGetMemoryInfo(self, handle: Card) -> Any:
        card = self._supported(handle, "memory")
        return SimpleNamespace(total=card.total, free=card.free, used=card.total - card.free)

    def nvmlDeviceGetUtilizationRates(self, handle: Card) -> Any:
        return SimpleNamespace(gpu=self._supported(handle, "load").load, memory=3)

    def _check(self) -> None:
        if not self.open:
            raise NVMLError("Uninitialized")
        if self.lost:
            raise NVMLError("GPU is lost")

    def _supported(self, card: Card, call: str) -> Card:
        self._check()
        if call in card.broken:
            raise NVMLError("Not Supported")
        return card
