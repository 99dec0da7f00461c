"""The canary: only its right answer by the right model counts."""

from __future__ import annotations

import base64
import json

import pytest

from foureyes_actors.capture.picture import examine
from foureyes_actors.errors import ModelLoadFailed, RequestTimeout, ServerRefused
from foureyes_actors.lm_studio.dialect import Kind, server_at
from foureyes_actors.lm_studio.dialects import DIALECTS, LM_STUDIO
from foureyes_actors.lm_studio.warmup import SIZE, canary, warm_up, warm_up_task
from foureyes_actors.messages import Task
from foureyes_actors.ports.http import HttpReply
from foureyes_actors.settings import InferenceSettings, PictureLimits
from tests.lm_studio.support import URL, ScriptedHttp, amounts, chat_reply, reply, unexpected

MODEL = "qwen/qwen3-vl-8b"
CHAT = "POST /v1/chat/completions"


THINKING = reply(
    {
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"content": "", "reasoning_content": "I see five amounts"},
                "finish_reason": "length",
            }
        ],
    }
)


def run(answer: HttpReply | Exception, task: Task = Task.OCR, token: str = "") -> ScriptedHttp:
    http = ScriptedHttp({CHAT: answer})
    server = server_at(URL, LM_STUDIO, token)
    warm_up(http, server, MODEL, task=task, settings=InferenceSettings(), seconds=77.0)
    return http


def test_the_picture() -> None:
    frame = canary()
    info = examine(frame.data, PictureLimits())
    assert (info.media_type, info.width, info.height) == ("image/png", *SIZE)
    assert frame.ref.digest == canary().ref.digest


def test_the_request_goes_through_the_real_chat_route() -> None:
    request = run(chat_reply(MODEL, amounts()), token="secret").requests[0]
    assert request.url == f"{URL}/v1/chat/completions"
    assert request.deadline == 77.0
    assert request.headers["Authorization"] == "Bearer secret"
    body = json.loads(request.body or b"")
    assert body["model"] == MODEL
    url = body["messages"][0]["content"][1]["image_url"]["url"]
    assert base64.b64decode(url.partition(",")[2]) == canary().data
    assert list(body["response_format"]["json_schema"]["schema"]["properties"]) == ["vision_ocr"]


@pytest.mark.parametrize("text", ["$1,234.56", "1,234.56", "1234.56", "USD 1,234.56"])
def test_the_right_amount_in_any_form(text: str) -> None:
    run(chat_reply(MODEL.upper(), amounts(text)))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (chat_reply(MODEL, amounts("$1,234.50")), "does not read"),
        (chat_reply(MODEL, amounts(None)), "answered 'None'"),
        (chat_reply(MODEL, amounts("GRAND")), "is it a vision model"),
        (chat_reply("google/gemma-3-4b", amounts()), "'google/gemma-3-4b' answered"),
        (chat_reply(MODEL, "I see a screen."), "not JSON"),
        (chat_reply(MODEL, ""), "empty"),
        (chat_reply(MODEL, {"vision_state": {"state": "idle"}}), "did not pass the warm-up"),
        (reply({"error": "The model has crashed without additional information. (Exit code: null)"}, 400), "crashed"),
        (unexpected("POST", "/v1/chat/completions"), "no such route"),
        (THINKING, "its thinking used up"),
        (
            reply({"error": {"message": "Vision add-on is not loaded, but images were provided"}, "message": "x"}),
            "picture",
        ),
    ],
)
def test_answers_that_do_not_count(answer: HttpReply, words: str) -> None:
    with pytest.raises(ModelLoadFailed) as caught:
        run(answer)
    assert words in str(caught.value) and MODEL in str(caught.value)


def test_a_model_that_need_not_read_must_still_answer() -> None:
    state = {"vision_state": {"state": "unknown", "confidence": None}}
    run(chat_reply(MODEL, state), task=Task.STATE)
    with pytest.raises(ModelLoadFailed):
        run(chat_reply(MODEL, {"vision_state": {"state": "sunny"}}), task=Task.STATE)


def test_other_errors_keep_their_kind() -> None:
    with pytest.raises(RequestTimeout):
        run(RequestTimeout("late"))
    with pytest.raises(ServerRefused):
        run(reply({"error": {"message": "no", "code": "invalid_api_key"}}, 401))


@pytest.mark.parametrize(
    ("tasks", "asked"),
    [
        ([Task.STATE, Task.OCR], Task.OCR),  # its answer can be checked
        ([Task.ERROR], Task.ERROR),
        ([Task.ANIMATION, Task.STATE], Task.ANIMATION),
    ],
)
def test_what_a_model_is_asked(tasks: list[Task], asked: Task) -> None:
    assert warm_up_task(tasks) is asked


@pytest.mark.parametrize(
    ("reasons", "kind", "configured", "sent"),
    [
        (True, "lm_studio", None, "none"),
        (True, "lm_studio", "low", "low"),  # what the user has set stands
        (False, "lm_studio", None, None),
        (True, "vllm", None, None),  # not known there
    ],
)
def test_a_model_that_thinks_aloud_is_told_not_to(
    reasons: bool, kind: Kind, configured: str | None, sent: str | None
) -> None:
    http = ScriptedHttp({CHAT: chat_reply(MODEL, amounts())})
    settings = InferenceSettings.model_validate({"reasoning_effort": configured})
    at = server_at(URL, DIALECTS[kind])
    warm_up(http, at, MODEL, task=Task.OCR, settings=settings, seconds=77.0, reasons=reasons)
    assert json.loads(http.requests[0].body or b"").get("reasoning_effort") == sent
