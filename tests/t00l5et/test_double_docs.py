"""What docs/lm_studio_double.md gives to paste works with FourEyes, as it says."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from t00l5et.doubles.lm_studio import LmStudioDouble
from tests.real.program import ROOT, Program, program

DOCS = (ROOT / "docs" / "lm_studio_double.md").read_text(encoding="utf-8")
EXAMPLES = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", DOCS, re.DOTALL)]
SEEN = (  # what each makes FourEyes say, and how often
    (("qwen/qwen3-vl-8b anew", 1), ("model server ready", 2)),
    (("balance 12.00 $", 1), ("state spinning", 1)),
)


@pytest.mark.parametrize(("scenario", "words"), list(zip(EXAMPLES, SEEN, strict=True)), ids=["first", "all keys"])
def test_an_example_works_with_foureyes(
    scenario: dict[str, Any], words: tuple[tuple[str, int], ...], tmp_path: Path
) -> None:
    with LmStudioDouble(scenario) as double:
        environment = {
            "FOUREYES_MODEL_SERVER__KIND": "lm_studio",
            "FOUREYES_MODEL_SERVER__BASE_URL": double.url,
            "FOUREYES_API_TOKEN": scenario.get("token", ""),
        }
        with program(tmp_path / "data", environment) as running:
            for text, times in words:
                running.until(partial(_said, running, text, times), 90, f"it says {text!r} {times} times")


def _said(running: Program, text: str, times: int) -> bool:
    return running.output.count(text) >= times
