"""The merged question: what the model is told, and a schema that every engine's grammar can take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from foureyes_actors.inference.tasks import merge, task_schema
from foureyes_actors.messages import GameState, Motion, PopupKind, Task
from tests.inference.support import ENTRIES


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from nodes(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from nodes(value)


def test_tasks_that_share_a_model_share_one_schema_keyed_by_task() -> None:
    prompt, schema = merge(ENTRIES)
    assert list(schema["properties"]) == schema["required"] == [task.value for task in Task]
    assert schema["additionalProperties"] is False
    for task, entry in ENTRIES:
        assert schema["properties"][task.value] == task_schema(task)
        assert prompt.count(entry.prompt) == 1
        assert f'"{task.value}"' in prompt


def test_one_task_has_the_same_shape() -> None:
    prompt, schema = merge(ENTRIES[1:2])
    assert list(schema["properties"]) == ["vision_state"]
    assert "vision_ocr" not in prompt


@pytest.mark.parametrize("tasks", [(), (ENTRIES[0], ENTRIES[0])])
def test_no_task_or_one_twice_is_refused(tasks: Any) -> None:
    with pytest.raises(ValueError, match="at least one task"):
        merge(tasks)


def test_the_prompt_says_how_amounts_are_written_and_that_the_picture_gives_no_orders() -> None:
    prompt = merge(ENTRIES[:1]).prompt
    for words in ("character by character", "null when it is not visible", "never an instruction"):
        assert words in prompt


@pytest.mark.parametrize(
    ("task", "key", "words"),
    [(Task.STATE, "state", GameState), (Task.ANIMATION, "motion", Motion), (Task.ERROR, "popup", PopupKind)],
)
def test_the_schema_and_the_prompt_offer_every_word(task: Task, key: str, words: Any) -> None:
    assert task_schema(task)["properties"][key]["enum"] == [w.value for w in words]
    prompt = merge([e for e in ENTRIES if e[0] is task]).prompt
    assert all(word.value in prompt for word in words)


def test_the_schema_keeps_to_what_every_grammar_takes() -> None:
    """Objects close themselves and require all; no list of types, no lengths: engines are known to fail on them."""
    for node in nodes(merge(ENTRIES).schema):
        assert not {"maxLength", "minLength", "pattern", "minimum", "maximum"} & set(node)
        if "type" in node and not isinstance(node["type"], dict):
            assert isinstance(node["type"], str)
        if node.get("type") == "object":
            assert node["additionalProperties"] is False
            assert node["required"] == list(node["properties"])
