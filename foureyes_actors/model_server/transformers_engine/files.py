"""Which files a model's folder must have, told before torch is asked, whose words about a missing one are long."""

from __future__ import annotations

import json
from pathlib import Path

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
WHOLE = ("model.safetensors", "pytorch_model.bin")
INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"), ("vocab.txt",), ("sentencepiece.bpe.model",))
_POINTER = b"version https://git-lfs"


def lacking(folder: Path, *, tokenizer: bool) -> list[str]:
    """What is missing, for people; empty when all is there."""
    problems = [] if _any(folder, ("config.json",)) else ["config.json"]
    problems += _weights(folder)
    if not _any(folder, PROCESSORS):
        problems.append(" or ".join(PROCESSORS))
    if tokenizer and not any(all((folder / name).is_file() for name in group) for group in TOKENIZERS):
        problems.append("tokenizer.json (or " + ", ".join(" with ".join(group) for group in TOKENIZERS[1:]) + ")")
    return problems


def _any(folder: Path, names: tuple[str, ...]) -> bool:
    return any((folder / name).is_file() for name in names)


def _weights(folder: Path) -> list[str]:
    whole = next((folder / name for name in WHOLE if (folder / name).is_file()), None)
    if whole is not None:
        return [f"{whole.name} itself: this one is a pointer of Git LFS (git lfs pull)"] if _is_pointer(whole) else []
    index = next((folder / name for name in INDEXES if (folder / name).is_file()), None)
    if index is None:
        return [" or ".join(WHOLE)]
    try:
        shards = {str(name) for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return [f"a readable {index.name}"]
    return sorted(name for name in shards if not (folder / name).is_file())


def _is_pointer(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_POINTER)) == _POINTER
