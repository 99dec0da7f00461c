"""A patch of the set: what it is for, how it is made, and what must become of it."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.t00l5et.gate.defects import Edit, Planted


@dataclass(frozen=True)
class Patch:
    """``rule``: that stops it; empty: it is good. ``kind``: of the list of what a gate must stop. ``edits``: each text
    stands once in the base. ``made``: another way to come to its bytes."""

    name: str
    kind: str
    defect: str
    rule: str
    edits: tuple[Edit, ...] = ()
    made: Callable[[Path, bytes], bytes] | None = None

    def __str__(self) -> str:
        return self.name

    def data(self, planted: Planted) -> bytes:
        plain = "".join(diff_of(planted.tree, path, self.edits) for path in dict.fromkeys(e[0] for e in self.edits))
        return self.made(planted.tree, plain.encode()) if self.made else plain.encode()


def diff_of(tree: Path, path: str, edits: tuple[Edit, ...]) -> str:
    before = after = (tree / path).read_text(encoding="utf-8")
    for _, old, new in (edit for edit in edits if edit[0] == path):
        assert after.count(old) == 1, f"{path}: {after.count(old)} times: {old!r}"
        after = after.replace(old, new)
    old_lines, new_lines = before.split("\n"), after.split("\n")
    told = difflib.unified_diff(old_lines, new_lines, f"a/{path}", f"b/{path}", lineterm="")
    return "\n".join([f"diff --git a/{path} b/{path}", *told, ""])
