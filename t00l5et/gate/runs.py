"""A record and its variants in the sandbox, in one tree or another: what is asked, and what came of it."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.ports.process import ProcessPort, ProcessResult
from foureyes_actors.replay.codec import CodecError, loads
from foureyes_actors.replay.platform import BLOB
from foureyes_actors.replay.program import ROOT
from foureyes_actors.text import one_line
from t00l5et.gate.leaves import Blobs
from t00l5et.gate.mutations import Variant
from t00l5et.gate.report import Stopped
from t00l5et.sandbox import MB, Limits, Sandbox, run_inside

LIMITS = Limits(seconds=60.0, cpu=12, memory=1536 * MB, processes=8, tasks=32, file=MB, out=8 * MB)
SCRIPT = Path(__file__).with_name("inside.py")
PRODUCT = ("foureyes_actors", "supervisors")
MAX_SIBLINGS = 10
SIZE = 17  # characters of one result


@dataclass(frozen=True, slots=True)
class Record:
    """``folder``: the platform. ``blobs``: of those that it has."""

    folder: Path
    document: Mapping[str, Any]
    blobs: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Seen:
    """``results``: one per record and variant, see ``inside``. ``raises``: what the tree declares."""

    results: tuple[str, ...]
    raises: tuple[str, ...]
    words: Mapping[int, str]


def record_in(folder: Path) -> Record:
    """Raises Stopped: nothing can be shown without it."""
    files = LocalPrivateFolder(folder)
    try:
        document = loads(files.read("record.json").decode("utf-8", "replace"))
        if not isinstance(document, Mapping):
            raise CodecError("no record")
        names = [name for name in document.get("blobs") or () if isinstance(name, str) and BLOB.fullmatch(name)]
        blobs = {name: files.read(f"blobs/{name}") for name in names if files.exists(f"blobs/{name}")}
    except (CodecError, OSError, TypeError) as error:
        raise Stopped(f"record.json of the platform cannot be read: {error}") from None
    return Record(folder, document, blobs)


@dataclass(frozen=True, slots=True)
class World:
    """Where patches are run."""

    sandbox: Sandbox
    processes: ProcessPort
    clock: Clock

    def run(self, script: Path, given: Sequence[str], limits: Limits, code: Mapping[str, Path]) -> ProcessResult:
        """``script`` gets ROOT, the place of its folder, and ``given``. Raises ProcessError."""
        return run_inside(
            self.sandbox,
            lambda at: [sys.executable, "-B", f"{at}/{script.name}", str(ROOT), at, *given],
            script.parent,
            self.processes,
            self.clock,
            limits,
            code,
        )


class Runs:
    """The folder that is read inside. Not for several threads."""

    def __init__(self, scratch: Path, world: World) -> None:
        self._folder, self._world = scratch / "case", world

    def prepare(
        self, record: Record, siblings: Sequence[Record], variants: Sequence[Variant], blobs: Blobs
    ) -> Callable[[tuple[str, ...] | None], None]:
        """Writes all but what is allowed, which the base says first; gives the way to write that. Raises OSError."""
        names = [f"record-{number}" for number in range(1 + min(len(siblings), MAX_SIBLINGS))]
        for name, each in zip(names, (record, *siblings), strict=False):
            _write(self._folder / name / "record.json", json.dumps(each.document).encode())
            for digest, data in each.blobs.items():
                _write(self._folder / name / "blobs" / digest, data)
        for digest, data in blobs.new.items():
            _write(self._folder / "blobs" / digest, data)
        shutil.copyfile(SCRIPT, self._folder / SCRIPT.name)
        task = {"records": names, "variants": [variant.edits for variant in variants]}

        def write(allowed: tuple[str, ...] | None) -> None:
            _write(self._folder / "case.json", json.dumps({**task, "allowed": allowed}).encode())

        return write

    def digest(self) -> str:
        """Of all that is run, the tree excepted."""
        whole = hashlib.sha256()
        for path in sorted(path for path in self._folder.rglob("*") if path.is_file()):
            whole.update(path.relative_to(self._folder).as_posix().encode() + b"\0" + path.read_bytes())
        return whole.hexdigest()

    def run(self, tree: Path, explain: Sequence[int] = ()) -> Seen:
        """Raises Stopped when it does not come to its end; ProcessError."""
        mark = secrets.token_hex(8)
        code = {name: tree / name for name in PRODUCT}
        result = self._world.run(self._folder / SCRIPT.name, [mark, *map(str, explain)], LIMITS, code)
        lines = [line.removeprefix(f"{mark} ") for line in result.lines if line.startswith(f"{mark} ")]
        found = _seen(lines)
        if result.exit_code != 0 or found is None:
            raise Stopped(broken_off(result, LIMITS.seconds))
        return found


def broken_off(result: ProcessResult, seconds: float) -> str:
    if result.exit_code is None:
        return f"it does not end within {seconds:g} s"
    last = next((line for line in reversed(result.lines) if line.strip()), "")
    return one_line(f"the run broke off with exit code {result.exit_code}: {last}", 200)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _seen(lines: Sequence[str]) -> Seen | None:
    """What the script said; None when that is not whole."""
    end = [line.removeprefix("end ") for line in lines if line.startswith("end ")]
    if len(end) != 1 or lines[-1] != f"end {end[0]}":
        return None
    told = json.loads(end[0])
    text = "".join(line.removeprefix("seen ") for line in lines if line.startswith("seen "))
    results = tuple(text[at : at + SIZE] for at in range(0, len(text), SIZE))
    words = dict(line.removeprefix("words ").split(" ", 1) for line in lines if line.startswith("words "))
    if len(results) != told["count"]:
        return None
    return Seen(results, tuple(told["raises"]), {int(n): one_line(text, 160) for n, text in words.items()})
