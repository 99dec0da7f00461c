"""The local model as a fixer, against the double of LM Studio: a real server, a real client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.forgewright.proposal import Outcome
from foureyes_actors.ports.http_requests import RequestsHttp
from t00l5et.doubles.lm_studio import LmStudioDouble
from t00l5et.fixing.fixer import Answer, Assignment
from t00l5et.fixing.model import ModelFixer
from tests.t00l5et.fixing.support import Bench, diff_of, small_repository

MODEL = "qwen/qwen3-coder-30b"
ROUTE = "POST /v1/chat/completions"
TOKEN = "sk-lm-ab12cd34:0123456789abcdefghij"


@pytest.fixture
def server() -> Iterator[LmStudioDouble]:
    model = {"key": MODEL, "loaded": True, "max_context": 131_072}
    with LmStudioDouble({"models": [model], "token": TOKEN}) as double:
        yield double


@pytest.fixture
def fixer(server: LmStudioDouble) -> Iterator[ModelFixer]:
    made = ModelFixer(RequestsHttp(), base_url=f"{server.url}/v1", model=MODEL, token=TOKEN)
    yield made
    made.close()


def answers(server: LmStudioDouble, content: str, **then: Any) -> None:
    server.add_rule({"when": {"route": ROUTE}, "then": then or {"reply": {"content": content}}})


def asked(folder: Path, fixer: ModelFixer, seconds: float = 30.0) -> Answer:
    repo = small_repository(folder / "repository")
    (folder / "task.json").write_text("{}")
    (folder / "task.md").write_text("# Task")
    return fixer.propose(Assignment(folder / "task.json", folder / "task.md", repo, folder, seconds))


def test_its_diff_is_taken_out_of_the_fence(tmp_path: Path, server: LmStudioDouble, fixer: ModelFixer) -> None:
    good = diff_of(small_repository(tmp_path / "for_the_diff")).decode()
    answers(server, f"The key may be missing.\n\n```diff\n{good.replace('@@ -1,5 +1,5 @@', '@@ -3,9 +3,9 @@')}```\n")
    answer = asked(tmp_path, fixer)
    assert answer.patch == good.encode() and answer.reason == "", answer
    assert "The key may be missing." in answer.said


@pytest.mark.parametrize(
    ("then", "words"),
    [
        ({"reply": {"content": "I cannot do that."}}, "there is no unified diff in its answer (17 characters)"),
        ({"reply": {"content": "--- a/x\n+++ b/x\nno hunk"}}, "its diff has no hunk"),
        ({"reply": {"content": ""}}, "the answer is empty"),
        ({"reply": {"content": "--- a/x", "finish_reason": "length"}}, "cut off at max_tokens"),
        ({"reply": {"content": "x", "model": "another"}}, "answered"),
        ({"reply": {"content": "x" * 300_000}}, "it answered with more than 262144 bytes"),
        ({"error": "Channel Error"}, "Channel Error"),
        ({"do": "reset"}, MODEL),
        ({"do": "half"}, MODEL),
    ],
)
def test_each_trouble_has_its_reason(
    tmp_path: Path, server: LmStudioDouble, fixer: ModelFixer, then: dict[str, Any], words: str
) -> None:
    answers(server, "", **then)
    answer = asked(tmp_path, fixer)
    assert answer.patch is None and words in answer.reason, answer


def test_one_that_hangs_has_an_end(tmp_path: Path, server: LmStudioDouble, fixer: ModelFixer) -> None:
    answers(server, "", do="hang")
    answer = asked(tmp_path, fixer, seconds=0.5)
    assert answer.patch is None and "0.5 s" in answer.reason


def test_a_refused_token_is_not_repeated(tmp_path: Path, server: LmStudioDouble) -> None:
    wrong = "sk-lm-ffffffff:wrong-wrong-wrong"
    answer = asked(tmp_path, ModelFixer(RequestsHttp(), base_url=server.url, model=MODEL, token=wrong))
    assert answer.patch is None and answer.reason and "wrong-wrong" not in answer.reason


def test_a_whole_fixing_by_a_model(bench: Bench, server: LmStudioDouble, fixer: ModelFixer) -> None:
    """What it is sent holds the task's text, and no tools."""
    answers(server, f"```diff\n{diff_of(bench.repository).decode()}```")
    found = bench.fixing(fixer).run()
    assert found.outcome is Outcome.PASSED, found
    (request,) = server.asked(ROUTE)
    body = request.body
    assert isinstance(body, dict) and set(body) == {"model", "messages", "max_tokens", "temperature", "stream"}
    system, user = body["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    assert user["content"] == bench.work.path(1, "task.md").read_text(encoding="utf-8")
    assert "KeyError: 'major'" in user["content"] and "def _amounts" in user["content"]
    assert "image_url" not in json.dumps(body)
    bench.nothing_is_left()
