"""From a prompt to what a detector is asked to find."""

from __future__ import annotations

import pytest

from foureyes_actors.inference.tasks import merge
from foureyes_actors.messages import Task
from foureyes_actors.model_server.api_error import ApiError
from foureyes_actors.model_server.transformers_engine.queries import (
    LONGEST_QUERY,
    MOST_QUERIES,
    POPUP_QUERIES,
    REEL_QUERIES,
    Query,
    Standard,
    queries_of,
)
from foureyes_actors.settings import ModelEntry


def question(prompt: str) -> str:
    return merge([(task, ModelEntry(model_id="m", prompt=prompt)) for task in Task]).prompt


def listed(standard: Standard) -> tuple[Query, ...]:
    return tuple(Query(text, kind) for kind, texts in standard.items() for text in texts)


@pytest.mark.parametrize("standard", [POPUP_QUERIES, REEL_QUERIES])
def test_an_ordinary_question_leaves_the_standard(standard: Standard) -> None:
    """The rules in each prompt hold quotes and the kinds' names as well."""
    assert queries_of(question("Detect error indicators, popups, or disconnected states."), standard) == listed(
        standard
    )
    assert queries_of("", standard) == listed(standard)


def test_a_prompt_names_its_own() -> None:
    prompt = question("""Look for error = "a red sign", 'an "X" mark'; info="a dialog".""")
    assert queries_of(prompt, POPUP_QUERIES) == (
        Query("a red sign", "error"),
        Query('an "X" mark', "error"),
        *(Query(text, "disconnected") for text in POPUP_QUERIES["disconnected"]),
        Query("a dialog", "info"),
    )


def test_each_detector_takes_its_own_kinds() -> None:
    prompt = 'reels = "three columns"; error = "a sign"; temperature = "hot"'
    assert queries_of(prompt, REEL_QUERIES) == (Query("three columns", "reels"),)
    assert Query("three columns", "reels") not in queries_of(prompt, POPUP_QUERIES)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ('error = ""', "1 to 80 characters"),
        ('error = "   "', "1 to 80 characters"),
        (f'error = "{"x" * (LONGEST_QUERY + 1)}"', "1 to 80 characters"),
        ('error = "a\u202eb"', "1 to 80 characters"),
        ("error = " + ", ".join(['"a"'] * (MOST_QUERIES + 1)), "at most 16"),
    ],
)
def test_refused(prompt: str, words: str) -> None:
    with pytest.raises(ApiError) as caught:
        queries_of(prompt, POPUP_QUERIES)
    assert caught.value.status == 400 and words in caught.value.message
