"""Inside the sandbox: runs pytest, and says of each test how it went. A script of its own:
``python suite_inside.py ROOT FOLDER MARK TMP ARGUMENT...``. A test is six characters of its name's digest, and a
letter:

    p passed   f failed, or broke in its set-up or its end, or its file cannot be collected
    s skipped  x failed as expected   X passed unexpectedly
"""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from typing import Any

CHUNK = 125  # tests in a line
NAMED = 12  # tests that failed are told by name
RANK = "psxXf"  # of a test's phases the worst counts


class Counting:
    def __init__(self) -> None:
        self.seen: dict[str, str] = {}
        self.failed: dict[str, str] = {}

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self._note(f"collecting {report.nodeid}", "f", report)

    def pytest_runtest_logreport(self, report: Any) -> None:
        expected = hasattr(report, "wasxfail")
        letter = {"passed": "X" if expected else "p", "skipped": "x" if expected else "s", "failed": "f"}
        if report.when == "call" or report.outcome != "passed":
            self._note(report.nodeid, letter[report.outcome], report)

    def _note(self, name: str, letter: str, report: Any) -> None:
        before = self.seen.get(name)
        if before is None or RANK.index(letter) > RANK.index(before):
            self.seen[name] = letter
        if letter == "f":
            crash = getattr(getattr(report, "longrepr", None), "reprcrash", None)
            self.failed.setdefault(name, str(getattr(crash, "message", ""))[:200])


def digest(name: str) -> str:
    return base64.b64encode(hashlib.sha256(name.encode("utf-8", "backslashreplace")).digest())[:6].decode()


def main() -> None:
    root, _, mark, temporary, *arguments = sys.argv[1:]
    sys.argv[1:] = []
    sys.path.insert(0, root)
    os.environ.pop("PYTHONSAFEPATH", None)  # the programs that tests start find the code as they do outside
    os.environ["PYTHONPATH"] = root
    import pytest

    counting = Counting()
    own = ["--rootdir", root, "-c", f"{root}/pyproject.toml", "-p", "no:cacheprovider", "--basetemp", temporary]
    code = pytest.main([*own, "-q", "--no-header", "--tb=no", *arguments], plugins=[counting])
    found = "".join(digest(name) + letter for name, letter in sorted(counting.seen.items()))
    lines = [f"named {digest(name)} {name[:200]!a} {words!a}" for name, words in list(counting.failed.items())[:NAMED]]
    lines += [f"seen {found[at : at + 7 * CHUNK]}" for at in range(0, len(found), 7 * CHUNK)]
    print("", *(f"{mark} {line}" for line in lines), sep="\n")  # noqa: T201 - its output is what it is for
    print(f"{mark} end {int(code)} {len(counting.seen)}", flush=True)  # noqa: T201
    os._exit(0)  # nothing that the code left behind comes after it


if __name__ == "__main__":
    main()
