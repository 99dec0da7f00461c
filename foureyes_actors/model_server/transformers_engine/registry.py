"""Which Hugging Face models are on this machine: from folders named one by one, folders of folders, or a hub cache.

Only ``config.json`` is read, and nothing is ever fetched. A model's family is told by its official class.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foureyes_actors.errors import ConfigurationError
from foureyes_actors.messages import Task
from foureyes_actors.model_server.catalog import BUILT_IN, Catalog, CatalogModel, Hosted
from foureyes_actors.model_server.transformers_engine.files import WEIGHTS

HUB = "hub"  # instead of a folder: Hugging Face's own cache
MAX_CONFIG = 4 * 1024 * 1024  # bytes
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?")
_CACHED = "models--"

logger = logging.getLogger("foureyes.model_server")


@dataclass(frozen=True, slots=True)
class Family:
    """``tokenizer``: it has one."""

    name: str
    tasks: tuple[Task, ...]
    tokenizer: bool


FAMILIES = {
    family.name: family
    for family in (
        Family("trocr", (Task.OCR,), tokenizer=True),
        Family("dit", (Task.STATE,), tokenizer=False),
        Family("owlvit", (Task.ERROR,), tokenizer=True),
        Family("grounding-dino", (Task.ANIMATION,), tokenizer=True),
    )
}


def family_of(config: Mapping[str, Any]) -> Family | None:
    """By ``config.json``; None for a model that this server has no use for."""
    kind = config.get("model_type")
    if kind == "vision-encoder-decoder":
        decoder = config.get("decoder")
        return FAMILIES["trocr"] if isinstance(decoder, Mapping) and decoder.get("model_type") == "trocr" else None
    return FAMILIES.get("dit" if kind == "beit" else kind) if kind in ("beit", "owlvit", "grounding-dino") else None


def catalog_with(named: Mapping[str, Path], folders: Iterable[Path], device: str) -> Catalog:
    """The built-in models and those found: ``named`` ones first. Raises ConfigurationError for one that is named and
    cannot be used, and for a folder that is not there; what else a folder holds is passed over."""
    models = list(BUILT_IN)
    for model_id, folder in named.items():
        _add(models, _named_model(model_id, folder, device))
    for folder in folders:
        for model in _found(folder, device):
            if Catalog(tuple(models)).find(model.id) is None:
                models.append(model)
    return Catalog(tuple(models))


def folder_of(text: str) -> Path:
    """``--models-dir``: a folder, or ``hub`` for Hugging Face's cache, by its own variables."""
    if text != HUB:
        return Path(text).expanduser()
    home = os.environ.get("HF_HOME") or "~/.cache/huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()


def parse_named(text: str) -> tuple[str, Path]:
    """``--model ID=DIR``. Raises ValueError."""
    model_id, equals, folder = text.partition("=")
    if not equals or not folder or not _ID.fullmatch(model_id):
        raise ValueError(f"{text!r} is not ID=DIR, e.g. microsoft/trocr-base-printed=models/trocr")
    return model_id, Path(folder).expanduser()


def _add(models: list[CatalogModel], model: CatalogModel) -> None:
    if Catalog(tuple(models)).find(model.id) is not None:
        raise ConfigurationError(f"--model {model.id}: there is a model of this name already")
    models.append(model)


def _named_model(model_id: str, folder: Path, device: str) -> CatalogModel:
    if not folder.is_dir():
        raise ConfigurationError(f"--model {model_id}: {folder} is no folder")
    config = _config(folder)
    family = family_of(config)
    if family is None:
        raise ConfigurationError(
            f"--model {model_id}: {folder / 'config.json'}: model_type {str(config.get('model_type'))[:60]!a} is not "
            "vision-encoder-decoder with a trocr decoder (TrOCR), beit (DiT), owlvit or grounding-dino"
        )
    return _model(model_id, folder, family, device)


def _found(folder: Path, device: str) -> Iterator[CatalogModel]:
    """Raises ConfigurationError when ``folder`` is not there."""
    try:
        places = list(_places(folder))
    except OSError as error:
        raise ConfigurationError(f"--models-dir {folder}: {error.strerror or error}") from None
    for model_id, place in places:
        try:
            family = family_of(_config(place))
        except ConfigurationError as error:
            logger.warning("passed over: %s", error)
            continue
        if family is not None and _ID.fullmatch(model_id):
            yield _model(model_id, place, family, device)


def _places(folder: Path) -> Iterator[tuple[str, Path]]:
    """Ids and folders: OWNER/NAME, NAME, or a hub cache's models--OWNER--NAME/snapshots/REVISION."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(_CACHED):
            snapshot = _snapshot(entry)
            if snapshot is not None:
                yield entry.name.removeprefix(_CACHED).replace("--", "/", 1), snapshot
        elif (entry / "config.json").is_file():
            yield entry.name, entry
        elif entry.is_dir():
            yield from (
                (f"{entry.name}/{inner.name}", inner)
                for inner in sorted(entry.iterdir())
                if (inner / "config.json").is_file()
            )


def _snapshot(entry: Path) -> Path | None:
    """The revision that the cache calls main, else the newest one with a configuration."""
    main = entry / "refs" / "main"
    if main.is_file():
        snapshot = entry / "snapshots" / main.read_text(encoding="utf-8").strip()
        if (snapshot / "config.json").is_file():
            return snapshot
    complete = [s.parent for s in entry.glob("snapshots/*/config.json")]
    return max(complete, key=lambda s: s.stat().st_mtime, default=None)


def _config(folder: Path) -> Mapping[str, Any]:
    path = folder / "config.json"
    try:
        if path.stat().st_size > MAX_CONFIG:
            raise ConfigurationError(f"{path}: more than {MAX_CONFIG} bytes")
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not JSON: {str(error)[:200]}") from None
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path}: not a JSON object")
    return document


def _model(model_id: str, folder: Path, family: Family, device: str) -> CatalogModel:
    owner, slash, name = model_id.rpartition("/")
    weights = [path.stat().st_size for pattern in WEIGHTS for path in folder.glob(pattern)]
    return CatalogModel(
        id=model_id,
        name=name,
        size=sum(weights),
        tasks=family.tasks,
        publisher=owner if slash else "local",
        architecture=family.name,
        format="safetensors" if any(folder.glob(WEIGHTS[0])) else "pytorch",
        hosted=Hosted(family.name, folder, device),
    )
