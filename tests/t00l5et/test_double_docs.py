"""What docs/lm_studio_double.md gives to paste works with FourEyes, as it says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from t00l5et.doubles.lm_studio import LmStudioDouble
from tests.real.program import ROOT, program

DOCS = (ROOT / "docs" / "lm_studio_double.md").read_text(encoding="utf-8")
EXAMPLES = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", DOCS, re.DOTALL)]
SEEN = (("qwen/qwen3-vl-8b anew", "#2"), ("balance 12.00 $", "state spinning"))  # what each makes FourEyes say


@pytest.mark.parametrize(("scenario", "words"), list(zip(EXAMPLES, SEEN, strict=True)), ids=["first", "all keys"])
def test_an_example_works_with_foureyes(scenario: dict[str, Any], words: tuple[str, ...], tmp_path: Path) -> None:
    with LmStudioDouble(scenario) as double:
        environment = {
            "FOUREYES_MODEL_SERVER__KIND": "lm_studio",
            "FOUREYES_MODEL_SERVER__BASE_URL": double.url,
            "FOUREYES_API_TOKEN": scenario.get("token", ""),
        }
        with program(tmp_path / "data", environment) as running:
            for text in words:
                running.says(text, 90)
