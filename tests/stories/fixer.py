"""A fixer that plays back a recorded diff: ``python fixer.py GOOD.diff < task.json > patch.diff``.

First it looks whether the task holds what somebody would need to write that diff: else exit code 2, and why.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

KEYS = ("instructions", "rules", "frames", "sources", "contract_test", "untrusted_data")


def main() -> int:
    diff = Path(sys.argv[1]).read_text(encoding="utf-8")
    found = list(missing(json.load(sys.stdin), diff))
    if found:
        sys.stderr.write("\n".join(found) + "\n")
        return 2
    sys.stdout.write(diff)
    return 0


def missing(task: Mapping[str, Any], diff: str) -> Iterator[str]:
    yield from (f"{key} is missing or empty" for key in KEYS if not task.get(key))
    if not re.fullmatch("[0-9a-f]{40}", str(task.get("base"))):
        yield "base is no commit"
    data = task.get("untrusted_data") or {}
    kinds = [str(each.get("type")) for each in (data.get("record") or {}).get("exceptions") or ()]
    if not kinds or kinds[0] not in str(data.get("test_output")):
        yield f"the test's output does not show the failure ({', '.join(kinds) or 'none is told'})"
    texts = {each["path"]: each["text"].splitlines() for each in task.get("sources") or ()}
    for path, lines in before(diff).items():
        absent = [line for line in lines if line not in texts.get(path, ())]
        if absent:
            yield f"{path} is not in the sources as the diff needs it: {absent[0]!r}"


def before(diff: str) -> dict[str, list[str]]:
    """The lines that must be there, by path."""
    found: dict[str, list[str]] = {}
    path = ""
    for line in diff.splitlines():
        if line.startswith("--- a/"):
            path = line.removeprefix("--- a/")
        elif path and line[:1] in (" ", "-"):
            found.setdefault(path, []).append(line[1:])
    return found


if __name__ == "__main__":
    sys.exit(main())
