"""huggingface_models.json: which file, what it may say, how every problem is told."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from foureyes_actors.errors import SettingsError
from foureyes_actors.messages import Task
from foureyes_actors.model_table import EMBEDDED, group_by_model, load_models, parse_models
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.settings import ModelEntry, ModelServerSettings, Settings

PATH = Path("m.json")
ROW = {"model_id": "a/b", "prompt": "p"}


def test_the_seeds_own_format_is_read() -> None:
    seed = {
        "vision_ocr": {
            "model_id": "microsoft/trocr-base-handwritten",
            "size": "58MB",
            "latency_target_ms": 100,
            "device": "cpu",
            "prompt": "Extract jackpot values. Return JSON.",
        }
    }
    table = parse_models(json.dumps(seed), PATH)
    assert table == {Task.OCR: ModelEntry(**seed["vision_ocr"])}  # type: ignore[arg-type]


PROBLEMS = {
    '{"vision_orc": {}}': ["m.json:1: unknown key 'vision_orc'; did you mean vision_ocr?"],
    '{"vision_ocr":\n {"model_id": "x",\n "prmpt": "y"}}': [
        "m.json:1: vision_ocr.prompt: is missing",
        "m.json:3: vision_ocr: unknown key 'prmpt'; did you mean vision_ocr.prompt?",
    ],
    '{"vision_ocr": {"model_id": "", "prompt": 7}}': [
        "m.json:1: vision_ocr.prompt: a text in quotes is expected",
        "m.json:1: vision_ocr.model_id: '' is too short",
    ],
    '{"vision_ocr": {"model_id": "x", "prompt": "p", "latency_target_ms": "soon", "device": "tpu", "enabled": 7}}': [
        "m.json:1: vision_ocr.latency_target_ms: 'soon' is not a whole number",
        "m.json:1: vision_ocr.device: 'tpu' is not one of: cpu, gpu, cuda, mps; did you mean gpu?",
        "m.json:1: vision_ocr.enabled: '7' is not true or false",
    ],
    '{"vision_ocr": {"model_id": "x", "prompt": "p"},\n"vision_ocr": {}}': [
        "m.json:2: vision_ocr: this key stands twice, first in line 1; keep one of them"
    ],
    "[1]": ["m.json:1: a list stands where a section of keys is expected; e.g. vision_ocr: ..."],
    '{"vision_ocr": 1}': [
        "m.json:1: vision_ocr: a single value stands where a section of keys is expected; e.g. model_id: ..."
    ],
    '{"vision_ocr": {},\n}': ["m.json:2:1: is not JSON: Illegal trailing comma before end of object"],
    "{\n'a'": ["m.json:2:1: is not JSON: Expecting property name enclosed in double quotes"],
    "": ["m.json:1:1: is not JSON: Expecting value"],
    '{"vision_ocr": NaN}': ["m.json:1:1: NaN is not JSON"],
    "{}": ["m.json: no task is enabled; known tasks: vision_ocr, vision_state, animation_detection, error_detection"],
    '{"vision_ocr": {"model_id": "x", "prompt": "p",\n "alternatives": ["y",\n "X", "y"]}}': [
        "m.json:3: vision_ocr.alternatives.1: 'X' is the model itself; right would be the id of a smaller one",
        "m.json:3: vision_ocr.alternatives.2: 'y' stands twice; keep one of them",
    ],
    '{"vision_ocr": {"model_id": "x", "prompt": "p",\n "alternatives": "y"}}': [
        "m.json:2: vision_ocr.alternatives: a list is expected; right would be e.g. [one, two]"
    ],
    '{"vision_ocr": {"model_id": "x", "prompt": "p", "alternatives": [""]}}': [
        "m.json:1: vision_ocr.alternatives.0: '' is too short"
    ],
    "[" * 100_000: ["m.json:1:1: is nested too deeply"],
    '{"vision_ocr": {"model_id": "x", "prompt": "p", "enabled": false}}': [
        "m.json: no task is enabled; known tasks: vision_ocr, vision_state, animation_detection, error_detection"
    ],
}


@pytest.mark.parametrize(("text", "expected"), PROBLEMS.items(), ids=lambda v: str(v)[:30])
def test_every_problem_is_told(text: str, expected: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_models(text, PATH)
    got = list(caught.value.problems)
    if "trailing comma" in expected[0]:  # older Pythons say it with other words
        assert len(got) == 1 and re.match(r"m\.json:[12]:\d+: is not JSON: ", got[0])
    else:
        assert got == expected


@example("\x7f\x85\u2028\ufeff\U0001f600\\/'", "\t", False)
@given(st.text(min_size=1, max_size=200), st.sampled_from([None, 2, "\t"]), st.booleans())
def test_any_text_that_json_can_write_is_read_as_it_is(prompt: str, indent: int | str | None, ascii_only: bool) -> None:
    text = json.dumps({"vision_ocr": {**ROW, "prompt": prompt}}, indent=indent, ensure_ascii=ascii_only)
    assert parse_models(text, PATH)[Task.OCR].prompt == prompt


def test_json_without_blanks_and_with_escaped_slashes() -> None:
    table = parse_models('{"vision_ocr":{"model_id":"a\\/b","prompt":"\\ud83d\\ude00","enabled":true}}', PATH)
    assert (table[Task.OCR].model_id, table[Task.OCR].prompt) == ("a/b", "\U0001f600")


def test_alternatives_keep_their_order_and_are_none_when_not_given() -> None:
    text = json.dumps({"vision_ocr": {**ROW, "alternatives": ["s", "m"]}, "vision_state": ROW})
    table = parse_models(text, PATH)
    assert (table[Task.OCR].alternatives, table[Task.STATE].alternatives) == (("s", "m"), ())


def test_tasks_of_one_model_travel_together() -> None:
    table = {
        Task.STATE: ModelEntry(model_id="a", prompt="1"),
        Task.OCR: ModelEntry(model_id="b", prompt="2"),
        Task.ERROR: ModelEntry(model_id="a", prompt="3"),
        Task.ANIMATION: ModelEntry(model_id="c", prompt="4", enabled=False),
    }
    grouped = group_by_model(table)
    assert list(grouped) == ["a", "b"]
    assert [task for task, _ in grouped["a"]] == [Task.STATE, Task.ERROR]


def settings(models_file: str | None = None) -> Settings:
    return Settings(model_server=ModelServerSettings(models_file=Path(models_file) if models_file else None))


def test_a_named_file_goes_first_then_beside_the_configuration_then_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "etc").mkdir()

    def place(path: Path) -> None:
        path.write_text(json.dumps({"vision_ocr": {**ROW, "prompt": path.as_posix()}}))

    def found(models_file: str | None = None) -> str:
        table = load_models(settings(models_file), LocalFiles(), beside=Path("etc"))
        return table[Task.OCR].prompt

    assert "jackpot" in found(), "the shipped one"
    place(Path(EMBEDDED))
    assert found() == EMBEDDED
    place(Path("etc") / EMBEDDED)
    assert found() == f"etc/{EMBEDDED}"
    place(Path("mine.json"))
    assert found("mine.json") == "mine.json"
    with pytest.raises(SettingsError) as caught:
        found("gone.json")
    assert caught.value.problems == (f"model_server.models_file: {tmp_path / 'gone.json'}: there is no such file",)
    (tmp_path / "folder").mkdir()
    with pytest.raises(SettingsError) as caught:
        found("folder")
    assert str(caught.value).startswith(f"model_server.models_file: {tmp_path / 'folder'}: cannot be read: ")


def test_a_table_that_is_nowhere_is_told_with_the_places() -> None:
    class NoFiles(LocalFiles):
        def exists(self, path: Path) -> bool:
            return False

    with pytest.raises(SettingsError, match=r"huggingface_models.json is in none of: etc, \., .*share.foureyes"):
        load_models(settings(), NoFiles(), beside=Path("etc"))
