"""Models on this machine: found by their configuration, without torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.errors import ConfigurationError
from foureyes_actors.messages import Task
from foureyes_actors.model_server.catalog import BUILT_IN
from foureyes_actors.model_server.transformers_engine.files import lacking
from foureyes_actors.model_server.transformers_engine.loading import bounded_threads
from foureyes_actors.model_server.transformers_engine.registry import (
    catalog_with,
    family_of,
    folder_of,
    parse_named,
)

TROCR = {"model_type": "vision-encoder-decoder", "decoder": {"model_type": "trocr"}}
BEIT, OWLVIT, DINO = {"model_type": "beit"}, {"model_type": "owlvit"}, {"model_type": "grounding-dino"}


def model(folder: Path, config: object, **files: str) -> Path:
    """``files``: by name, with __ for a dot."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("config", "name", "tasks"),
    [
        (TROCR, "trocr", (Task.OCR,)),
        (BEIT, "dit", (Task.STATE,)),
        (OWLVIT, "owlvit", (Task.ERROR,)),
        (DINO, "grounding-dino", (Task.ANIMATION,)),
    ],
)
def test_families(config: dict[str, Any], name: str, tasks: tuple[Task, ...]) -> None:
    family = family_of(config)
    assert family is not None and (family.name, family.tasks) == (name, tasks)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"model_type": "llava"},
        {"model_type": ["beit"]},
        {"model_type": "trocr"},
        {"model_type": "vision-encoder-decoder"},
        {"model_type": "vision-encoder-decoder", "decoder": {"model_type": "mbart"}},  # Donut reads whole pages
    ],
)
def test_others_are_of_no_use(config: dict[str, Any]) -> None:
    assert family_of(config) is None


def test_a_folder_of_folders(tmp_path: Path) -> None:
    model(
        tmp_path / "microsoft" / "trocr-base-printed", TROCR, model__safetensors="12345", preprocessor_config__json="{}"
    )
    model(tmp_path / "owl", OWLVIT, pytorch_model__bin="123")
    model(tmp_path / "some" / "llava", {"model_type": "llava"})
    model(tmp_path / "some" / "broken", "{")
    model(tmp_path / "some" / "a list", [])
    (tmp_path / "a file").write_text("")
    found = catalog_with({}, [tmp_path], "cpu").models[len(BUILT_IN.models) :]
    assert [(m.id, m.publisher, m.name, m.size, m.format) for m in found] == [
        ("microsoft/trocr-base-printed", "microsoft", "trocr-base-printed", 5, "safetensors"),
        ("owl", "local", "owl", 3, "pytorch"),
    ]
    assert found[0].hosted is not None
    assert (found[0].hosted.family, found[0].hosted.device) == ("trocr", "cpu")


def test_a_hub_cache(tmp_path: Path) -> None:
    cached = tmp_path / "models--lab--tiny-dit"
    for revision in ("1" * 40, "2" * 40):
        model(cached / "snapshots" / revision, BEIT)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("1" * 40)
    model(tmp_path / "models--lab--half" / "refs", BEIT)  # no snapshot: a download that was broken off
    found = catalog_with({}, [tmp_path], "auto").find("Lab/Tiny-DiT")
    assert found is not None and found.hosted is not None
    assert (found.id, found.hosted.folder.name) == ("lab/tiny-dit", "1" * 40)
    assert catalog_with({}, [tmp_path], "auto").find("lab/half") is None


def test_a_named_model_goes_before_a_found_one(tmp_path: Path) -> None:
    model(tmp_path / "all" / "lab" / "dit", BEIT)
    named = model(tmp_path / "mine", BEIT)
    catalog = catalog_with({"Lab/dit": named}, [tmp_path / "all"], "auto")
    assert [m.id for m in catalog][len(BUILT_IN.models) :] == ["Lab/dit"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: None, "is no folder"),
        (lambda folder: folder.mkdir(), "config.json: "),
        (lambda folder: model(folder, "{"), "config.json: not JSON"),
        (lambda folder: model(folder, "[]"), "config.json: not a JSON object"),
        (lambda folder: model(folder, {"model_type": "llava"}), "model_type 'llava' is not"),
    ],
)
def test_a_named_model_that_cannot_be_used(tmp_path: Path, make: Any, words: str) -> None:
    make(tmp_path / "m")
    with pytest.raises(ConfigurationError) as caught:
        catalog_with({"lab/m": tmp_path / "m"}, [], "auto")
    assert words in str(caught.value) and str(tmp_path / "m") in str(caught.value)


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is a model of this name already"):
        catalog_with({"foureyes/screen-reader-tiny": model(tmp_path / "m", BEIT)}, [], "auto")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--models-dir"):
        catalog_with({}, [tmp_path / "nowhere"], "auto")


@pytest.mark.parametrize("text", ["", "a", "a=", "=b", "a b=c", "../x=c", "a/b/c=d"])
def test_what_is_no_named_model(text: str) -> None:
    with pytest.raises(ValueError, match="is not ID=DIR"):
        parse_named(text)


def test_named_models_and_folders() -> None:
    assert parse_named("lab/dit=x/y=z") == ("lab/dit", Path("x/y=z"))
    assert folder_of("models") == Path("models")


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"HF_HUB_CACHE": "/c"}, Path("/c")),
        ({"HF_HOME": "/h"}, Path("/h/hub")),
        ({}, Path.home() / ".cache/huggingface/hub"),
    ],
)
def test_the_hubs_cache(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], folder: Path) -> None:
    for name in ("HF_HUB_CACHE", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert folder_of("hub") == folder


def test_files_that_are_lacking(tmp_path: Path) -> None:
    folder = model(tmp_path / "m", BEIT)
    assert lacking(folder, tokenizer=True) == [
        "model.safetensors or pytorch_model.bin",
        "preprocessor_config.json or processor_config.json",
        "tokenizer.json (or vocab.json with merges.txt, vocab.txt, sentencepiece.bpe.model)",
    ]
    (folder / "model.safetensors").write_text("weights")
    (folder / "processor_config.json").write_text("{}")
    (folder / "vocab.json").write_text("{}")
    assert lacking(folder, tokenizer=False) == []
    assert len(lacking(folder, tokenizer=True)) == 1
    (folder / "merges.txt").write_text("")
    assert lacking(folder, tokenizer=True) == []


def test_shards_and_pointers(tmp_path: Path) -> None:
    folder = model(tmp_path / "m", BEIT, preprocessor_config__json="{}")
    index = folder / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}')
    (folder / "one.safetensors").write_text("weights")
    assert lacking(folder, tokenizer=False) == ["two.safetensors"]
    index.write_text("[]")
    assert lacking(folder, tokenizer=False) == ["a readable model.safetensors.index.json"]
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    assert "pointer of Git LFS" in lacking(folder, tokenizer=False)[0]


@pytest.mark.parametrize(("processors", "threads"), [(None, 1), (1, 1), (2, 1), (4, 2), (8, 4), (64, 4)])
def test_threads_are_bounded(processors: int | None, threads: int) -> None:
    assert bounded_threads(processors) == threads
