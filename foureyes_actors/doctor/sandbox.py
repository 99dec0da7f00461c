"""The doctor's probe of the sandbox in which recorded failures run again. t00l5et, a program of its own, is asked."""

from __future__ import annotations

import json
from typing import Any

from foureyes_actors.doctor.parts import Absent, Patient, Unfit
from foureyes_actors.errors import ProcessError
from foureyes_actors.replay.program import t00l5et
from foureyes_actors.text import one_line

WITHIN = 90.0  # seconds: the program's start, and three kinds to try with 20 s each


def sandbox(patient: Patient) -> str:
    try:
        result = patient.world.processes.run(t00l5et("sandbox", "--json"), timeout=WITHIN)
    except ProcessError as error:
        raise Unfit(f"what looks for one cannot be started: {error}") from None
    found = next((each for line in reversed(result.lines) if (each := _read(line)) is not None), None)
    if found is None:
        last = one_line(result.lines[-1], 200) if result.lines else "no output"
        code = "no end" if result.exit_code is None else f"exit code {result.exit_code}"
        raise Unfit(f"what looks for one broke off: {code}: {last}")
    words = one_line(f"{found['kind']} ({found['how']})" if found["how"] else found["kind"], 400)
    if not found["foreign_code"]:
        raise Absent(f"{words}; failures run again all the same", found["advice"], needed=False)
    return f"{words}: failures run again in it"


def _read(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("foreign_code"), bool):
        return None
    return found if all(isinstance(found.get(key), str) for key in ("kind", "how", "advice")) else None
