"""Loads one of the models: checks its files, imports torch, moves it to its device. Runs in the model's own thread."""

from __future__ import annotations

import gc
import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from foureyes_actors.errors import ConfigurationError, MissingExtraError
from foureyes_actors.model_server.catalog import CatalogModel
from foureyes_actors.model_server.engines import Engine
from foureyes_actors.model_server.transformers_engine.files import lacking
from foureyes_actors.model_server.transformers_engine.registry import FAMILIES

PACKAGES = ("torch", "transformers")
MOST_THREADS = 4  # of the processor, for one network; the rest of the machine belongs to what is being watched
MOST_NAMED = 3  # weights in a message
# Said before the import: nothing is fetched, nothing is reported, and the tokenizers start no threads of their own.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


@dataclass(slots=True)
class Network:
    """A loaded model with its processor. ``close`` frees both; then it must not be used."""

    id: str
    folder: Path
    device: str
    torch: Any
    model: Any
    processor: Any

    def close(self) -> None:
        self.model = self.processor = None
        gc.collect()  # modules and their hooks refer to each other
        if self.device.startswith("cuda"):
            self.torch.cuda.empty_cache()
        elif self.device == "mps":
            self.torch.mps.empty_cache()


def load_hosted(model: CatalogModel) -> Engine:
    """Raises MissingExtraError, and ConfigurationError that says what is wrong with the model's folder."""
    hosted = model.hosted
    assert hosted is not None
    missing = lacking(hosted.folder, tokenizer=FAMILIES[hosted.family].tokenizer)
    if missing:
        raise ConfigurationError(f"{hosted.folder} lacks {'; '.join(missing)}")
    torch = _torch(model.id)
    device = device_of(torch, hosted.device)
    match hosted.family:
        case "trocr":
            from foureyes_actors.model_server.transformers_engine.trocr import TrocrEngine

            return TrocrEngine(
                network(model, torch, device, "VisionEncoderDecoderModel", "TrOCRProcessor", ("encoder.pooler.",))
            )
        case "dit":
            from foureyes_actors.model_server.transformers_engine.dit import DitEngine

            return DitEngine(network(model, torch, device, "BeitForImageClassification", "AutoImageProcessor"))
        case "owlvit":
            from foureyes_actors.model_server.transformers_engine.owlvit import OwlVitEngine

            return OwlVitEngine(network(model, torch, device, "OwlViTForObjectDetection", "OwlViTProcessor"))
        case _:
            from foureyes_actors.model_server.transformers_engine.dino import DinoEngine

            return DinoEngine(network(model, torch, device, "AutoModelForZeroShotObjectDetection", "AutoProcessor"))


def device_of(torch: Any, wanted: str) -> str:
    """``auto``: the machine's GPU, else its CPU. Raises ConfigurationError for a device that is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, present in there.items() if present)
    if not there.get(wanted, False):
        present = ", ".join(name for name, ok in there.items() if ok)
        raise ConfigurationError(
            f"--device {wanted}: torch {torch.__version__} does not have it here; it has: {present}"
        )
    return wanted


def bounded_threads(processors: int | None) -> int:
    """Half of the machine, at most four."""
    return max(1, min(MOST_THREADS, (processors or 1) // 2))


def _torch(model_id: str) -> Any:
    """Raises MissingExtraError."""
    for package in PACKAGES:
        if find_spec(package) is None:
            raise MissingExtraError(package, "transformers", f"hosting {model_id}")
    os.environ.update(OFFLINE)
    try:
        torch, transformers = (importlib.import_module(package) for package in PACKAGES)
    except (ImportError, OSError) as error:
        raise ConfigurationError(f"torch or transformers cannot be imported: {str(error)[:300]}") from error
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(bounded_threads(os.cpu_count()))
    return torch


def network(
    model: CatalogModel, torch: Any, device: str, model_class: str, processor_class: str, unused: Sequence[str] = ()
) -> Network:
    """``unused``: beginnings of weights that the class has and the task does not need. Raises ConfigurationError."""
    assert model.hosted is not None
    folder = model.hosted.folder
    transformers = importlib.import_module("transformers")
    try:
        loaded, told = getattr(transformers, model_class).from_pretrained(
            folder, local_files_only=True, output_loading_info=True, dtype=torch.float32
        )
        processor = getattr(transformers, processor_class).from_pretrained(folder, local_files_only=True)
    except Exception as error:  # a library at work on files that may be anything
        raise ConfigurationError(
            f"{folder} does not load as {model_class}: {type(error).__name__}: {str(error)[:300]}"
        ) from error
    _check_weights(folder, told, unused)
    return Network(model.id, folder, device, torch, loaded.eval().to(device), processor)


def _check_weights(folder: Path, told: dict[str, Any], unused: Sequence[str]) -> None:
    """The library makes up random values for weights that the file does not have: such a model would guess."""
    lost = {name for key in ("missing_keys", "mismatched_keys") for name in map(_name, told.get(key) or ())}
    bad = sorted(name for name in lost if not name.startswith(tuple(unused)))
    if bad:
        more = f" and {len(bad) - MOST_NAMED} more" if len(bad) > MOST_NAMED else ""
        raise ConfigurationError(
            f"{folder} has no weights for {', '.join(bad[:MOST_NAMED])}{more}: it was not trained for this task"
        )


def _name(key: Any) -> str:
    return str(key[0] if isinstance(key, tuple) else key)
