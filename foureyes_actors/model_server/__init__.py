"""The embedded model server: the API that LM Studio speaks, in front of the screen readers in ``engine``.

A program of its own: ``python -m foureyes_actors.model_server --port 1234``. FourEyes starts, watches and heals it
exactly as it would LM Studio.
"""

from __future__ import annotations

import os

# onnxruntime's official builds send usage events to their maker, model names and hashes among them, since 1.29 on
# Linux too (its Privacy.md). It looks at this before it is imported, so it must be said here, above every module that
# may import it. Who wants it on sets the variable to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
