"""``python -m t00l5et`` as a command: this very code, from wherever it is called, not what may be installed besides.

Here, because both who runs t00l5et as a program and t00l5et itself, which runs itself again in a sandbox, need it.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from t00l5et.__main__ import app; app()"


def t00l5et(*arguments: str) -> list[str]:
    return [sys.executable, "-c", START, str(ROOT), *arguments]
