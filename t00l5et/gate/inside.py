"""Inside the sandbox: runs records and their variants in the tree that can be read there, and says what came of each.

A script of its own, ``python inside.py ROOT FOLDER MARK [NUMBER...]``: it stands on the tree's ``foureyes_actors``
alone. Each result is a letter and sixteen hexadecimal digits, so that many fit into what a parent reads. The last eight
are of the place, by its frames and its statement, where something was raised that the contract does not allow; zeros
elsewhere, and where the first record itself raised:

    R  returned; the digits are of the value, and of what the ports were asked
    D  raised what the contract allows; of the type
    G  raised something else, in the same group as the record
    U  raised something else, in another group; of the type
    V  asked its ports something else than the tape has
    B  the record cannot be run (a value that no type takes)
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

CHUNK = 45  # results in a line
MAX_NODES = 100_000
NO_PLACE = "0" * 8


def main() -> None:
    root, folder, mark = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    wanted = {int(number) for number in sys.argv[4:]}
    sys.argv[1:] = []
    sys.path.insert(0, root)
    task = json.loads((folder / "case.json").read_bytes())
    judged = _Judged(task["allowed"], folder)
    found = []
    for number, (document, strict) in enumerate(_documents(task, folder)):
        letter, text, words = judged.of(document, strict)
        found.append(letter + _digits(text) + judged.place)
        if number in wanted:
            _say(mark, "words", str(number), words)
    for at in range(0, len(found), CHUNK):
        _say(mark, "seen", "".join(found[at : at + CHUNK]))
    _say(mark, "end", json.dumps({"raises": judged.raises, "count": len(found), "entry": judged.entry}))
    sys.stdout.flush()
    os._exit(0)  # nothing that the code left behind comes after it


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:8]


def _say(*words: str) -> None:
    print(*words)  # noqa: T201 - its output is what it is for


def _documents(task: Any, folder: Path) -> Iterable[tuple[Any, bool]]:
    """Each with whether the ports must be asked exactly what the record says."""
    records = [json.loads((folder / name / "record.json").read_bytes()) for name in task["records"]]
    for record in records:
        yield record, True
    for edits in task["variants"]:
        yield _edited(records[0], edits), False


def _edited(value: Any, edits: Any) -> Any:
    for path, new in edits:
        value = _put(value, path, new)
    return value


def _put(value: Any, path: list[Any], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = _put(value[path[0]], path[1:], new)
    return copy


class _Judged:
    """``allowed``: names of types, from the base; None: this is the base, and its own declaration holds."""

    def __init__(self, allowed: list[str] | None, folder: Path) -> None:
        self.allowed, self._folders = allowed, [folder, *sorted(p for p in folder.iterdir() if p.is_dir())]
        self.raises: list[str] = []
        self.entry, self._group = "", ""
        self.place = NO_PLACE  # of the last one
        self._number = -1
        self._recorded: tuple[str, str] | None = None  # where the first one raised: function, statement

    def of(self, document: Any, strict: bool) -> tuple[str, str, str]:
        """Letter, what its digits are of, and words."""
        from foureyes_actors.replay.capture import type_name
        from foureyes_actors.replay.codec import CodecError
        from foureyes_actors.replay.replaying import Replay
        from foureyes_actors.replay.tape import TapeDivergence

        self.place = NO_PLACE
        self._number += 1
        try:
            replay = Replay(document, self._blob)
        except CodecError as error:
            return "B", "", f"cannot be run: {error}"
        except Exception as error:  # a value class that does not take it in a way of its own
            return "B", "", f"cannot be run: {type(error).__name__}"
        if not self.entry:
            self.entry, self._group = replay.spec.entry, str(document["fingerprints"].get("group"))
            self.raises = [type_name(kind) for kind in replay.spec.raises]
        playback = _noting(replay, strict)
        try:
            value = replay.run(playback)
        except TapeDivergence as divergence:
            return "V", "", str(divergence)
        except BaseException as error:  # SystemExit too: whatever leaves it is what came of it
            return self._raised(error)
        shown = _canonical(value)
        return "R", f"{shown}|{playback.noted}", f"returned {shown}"

    def _raised(self, error: BaseException) -> tuple[str, str, str]:
        from foureyes_actors.replay.capture import capture_of, type_name
        from foureyes_actors.replay.fingerprint import group_of

        name = type_name(type(error))
        words = f"{name}: {str(error)[:100]}" if isinstance(error, Exception) else name
        allowed = self.raises if self.allowed is None else self.allowed
        if any(type_name(kind) in allowed for kind in type(error).__mro__):
            return "D", name, words
        capture = capture_of(error)
        same = capture is not None and group_of(capture) == self._group
        self.place = self._place_of(capture)
        return ("G" if same else "U"), name, words

    def _place_of(self, capture: Any) -> str:
        from foureyes_actors.replay.fingerprint import statement_of
        from foureyes_actors.replay.record import lines_of

        if capture is None or not capture.frames:
            return NO_PLACE
        last = capture.frames[-1]
        try:
            statement = statement_of(last, lines_of(Path(last.file).read_bytes()))
        except OSError:
            return NO_PLACE
        where = (f"{last.module}:{last.qualname}", statement)
        if self._number == 0:
            self._recorded = where
        return NO_PLACE if where == self._recorded or not statement else _digits("|".join((*capture.names, statement)))

    def _blob(self, digest: str) -> bytes:
        for folder in self._folders:
            place = folder / "blobs" / digest
            if len(digest) == 64 and digest.isalnum() and place.is_file():
                return place.read_bytes()
        raise KeyError(digest)


def _noting(replay: Any, strict: bool) -> Any:
    from dataclasses import replace

    from foureyes_actors.replay.tape import Playback

    class Noting(Playback):
        noted = ""

        def next(self, call: Any) -> Any:
            asked = json.dumps(replay.asked_form(call), sort_keys=True, default=str)
            self.noted = hashlib.sha256(f"{self.noted}{call.port}.{call.op}{asked}".encode()).hexdigest()
            return super().next(call)

    if strict:
        return Noting(replay.tape, replay.asked_form)
    return Noting([replace(line, asked=None) for line in replay.tape], lambda _call: None)


def _canonical(value: Any) -> str:
    """The same text for equal values, in any process."""
    return _Canonical().of(value)


class _Canonical:
    def __init__(self) -> None:
        self._nodes = 0

    def of(self, value: Any, depth: int = 0) -> str:
        self._nodes += 1
        if depth > 80 or self._nodes > MAX_NODES:
            return "..."
        kind = type(value)
        if isinstance(value, Enum):
            return f"{kind.__qualname__}.{value.name}"
        if is_dataclass(value) and not isinstance(value, type):
            return self._named(kind, {f.name: getattr(value, f.name, None) for f in fields(value)}, depth)
        if (names := getattr(kind, "model_fields", None)) is not None:
            return self._named(kind, {name: getattr(value, name, None) for name in names}, depth)
        if isinstance(value, Mapping):
            return self._named(kind, value, depth)
        if isinstance(value, set | frozenset):
            return f"{kind.__name__}{sorted(self.of(item, depth + 1) for item in value)}"
        if isinstance(value, list | tuple):
            return f"{kind.__name__}[{', '.join(self.of(item, depth + 1) for item in value)}]"
        if isinstance(value, bytes | bytearray):
            return f"bytes {hashlib.sha256(value).hexdigest()}"
        if isinstance(value, BaseException):
            return self._named(kind, dict(enumerate(value.args)), depth)
        return repr(value) if kind.__module__ in _PLAIN else f"<{kind.__module__}.{kind.__qualname__}>"

    def _named(self, kind: type, items: Mapping[Any, Any], depth: int) -> str:
        inner = sorted(f"{self.of(k, depth + 1)}: {self.of(v, depth + 1)}" for k, v in items.items())
        return f"{kind.__qualname__}({', '.join(inner)})"


_PLAIN = ("builtins", "decimal", "datetime")

if __name__ == "__main__":
    main()
