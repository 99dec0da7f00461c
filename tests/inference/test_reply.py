"""Replies from the outside in: error statuses and texts, 200s that are none, the wrong model, no content."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from foureyes_actors.bug.redact import Redactor
from foureyes_actors.errors import (
    AnswerContractError,
    ConnectFailed,
    EmptyAnswer,
    EngineGone,
    ErrorClass,
    FourEyesError,
    ModelLoadFailed,
    ModelNotLoadable,
    ModelNotLoaded,
    ModelUnknown,
    ReplyTooLarge,
    RequestRefused,
    RequestTimeout,
    ServerBusy,
    ServerError,
    ServerFault,
    ServerRefused,
    WrongModel,
)
from foureyes_actors.inference.reply import check_reply, same_model
from foureyes_actors.inference.server_faults import (
    ACTIONS,
    MAX_EXCERPT,
    SIGNS,
    Remedy,
    class_of,
    is_retryable,
    suspected_class,
)
from foureyes_actors.messages import Task
from foureyes_actors.ports.http import HttpReply
from tests.inference.support import ANSWER, MODEL, completion, good, reply

WHOLE = json.dumps(ANSWER)
TOO_LONG = "The number of tokens to keep from the initial prompt is greater than the context length."
NO_ROUTE = "Unexpected endpoint or method. (POST /v1/chat/completions)"


def check(answer: HttpReply) -> Any:
    return check_reply(answer, model=MODEL, tasks=tuple(Task))


def shape_b(message: str, **more: str) -> dict[str, Any]:
    return {"error": {"message": message, "param": None, **more}}


# reply, error, words in its message, retryable, suspect
ERRORS: list[tuple[str, HttpReply, type[FourEyesError], str, bool, bool]] = [
    ("500", reply(b"<html><h1>Internal</h1></html>", 500), ServerError, "HTTP 500", True, True),
    ("502", reply(b"", 502), ServerError, "HTTP 502", True, True),
    ("503 loading", reply(shape_b("Loading model"), 503), ServerBusy, "Loading model", True, False),
    ("408", reply(b"", 408), ServerBusy, "HTTP 408", True, False),
    ("429", reply({"error": "slow down"}, 429), ServerBusy, "slow down", True, False),
    ("400", reply({"error": "what?"}, 400), ServerFault, "what?", False, False),
    ("404", reply({"detail": "Not Found"}, 404), ServerFault, "Not Found", False, False),
    ("302", reply(b"", 302), ServerFault, "HTTP 302", False, False),
    ("401", reply(b"", 401), ServerRefused, "HTTP 401", False, False),
    (
        "401 in LM Studio's words",
        reply(shape_b("An LM Studio API token is required to make requests", code="invalid_api_key"), 401),
        ServerRefused,
        "model_server.api_token",
        False,
        False,
    ),
    ("crash", reply({"error": "The model has crashed. (Exit code: null)"}, 400), EngineGone, "engine", False, True),
    ("engine ended", reply({"error": "terminated"}, 400), EngineGone, "engine", False, True),
    ("no string end", reply({"error": "unterminated string"}, 400), ServerFault, "unterminated", False, False),
    ("channel error", reply({"error": "Channel Error"}, 400), EngineGone, "engine", False, True),
    ("no model", reply({"error": "No models loaded. Please load"}, 400), ModelNotLoaded, "is not loaded", False, True),
    (
        "unknown model",
        reply(shape_b('Invalid model identifier "x".', code="model_not_found"), 400),
        ModelUnknown,
        "does not know the model",
        False,
        True,
    ),
    (
        "memory",
        reply(shape_b("insufficient system resources"), 500),
        ModelNotLoadable,
        "not enough memory",
        False,
        True,
    ),
    (
        "context, 400",
        reply(shape_b("x", type="exceed_context_size_error"), 400),
        RequestRefused,
        "context",
        False,
        False,
    ),
    ("context, 500", reply(shape_b(TOO_LONG, type="internal_error"), 500), RequestRefused, "context", False, False),
    ("no images", reply({"error": "X does not support image inputs."}, 400), RequestRefused, "picture", False, False),
    ("grammar", reply({"error": "failed to parse grammar"}, 400), RequestRefused, "this request", False, False),
    ("200, no route", reply({"error": NO_ROUTE}), RequestRefused, "no such route", False, False),
    ("200, MLX", reply(shape_b("Vision add-on is not loaded")), RequestRefused, "picture", False, False),
    (
        "200, unknown error",
        reply({"error": "hm", "model": MODEL}),
        ServerFault,
        "HTTP 200: an error reply",
        False,
        False,
    ),
    ("200, HTML", reply(b"<html>hello"), ServerFault, "not a chat completion", False, False),
    ("200, empty", reply(b""), ServerFault, "not a chat completion", False, False),
    ("200, list", reply([1]), ServerFault, "not an object", False, False),
    ("200, not UTF-8", reply(b"\xff\xfe{}"), ServerFault, "not a chat completion", False, False),
    ("200, half", reply(b'{"model": "m", "choi'), ServerFault, "not a chat completion", False, False),
    ("200, too deep", reply(b'{"a":' + b"[" * 50_000), ServerFault, "nested too deeply", False, False),
    ("choices null", reply({"model": MODEL, "choices": None}), ServerFault, "no choices", False, False),
    ("choices missing", reply({"model": MODEL}), ServerFault, "no choices", False, False),
    ("choices empty", reply({"model": MODEL, "choices": []}), ServerFault, "no choices", False, False),
    ("choice a text", reply({"model": MODEL, "choices": ["x"]}), ServerFault, "no choices", False, False),
    ("no message", reply({"model": MODEL, "choices": [{}]}), ServerFault, "no message", False, False),
    ("another model", good("google/gemma-3-4b"), WrongModel, "'google/gemma-3-4b' answered", False, True),
    ("no model named", reply({"choices": [{"message": {"content": WHOLE}}]}), WrongModel, "which model", False, True),
    ("content null", completion(None), EmptyAnswer, "is empty", False, False),
    ("content blank", completion(" \n"), EmptyAnswer, "finish_reason 'stop'", False, False),
    (
        "thought only",
        completion("", finish="length", reasoning_content="Let me see..."),
        EmptyAnswer,
        "reasoning_effort: none",
        False,
        False,
    ),
    ("cut off", completion(WHOLE[:200], finish="length"), AnswerContractError, "max_tokens", False, False),
    ("whole, but cut off", completion(WHOLE, finish="length"), AnswerContractError, "max_tokens", False, False),
    ("content a list", completion([{"type": "text"}]), AnswerContractError, "not text", False, False),  # type: ignore[arg-type]
    ("prose", completion("It is idle."), AnswerContractError, "not JSON", False, False),
]


@pytest.mark.parametrize(
    ("answer", "kind", "words", "retryable", "suspect"), [r[1:] for r in ERRORS], ids=[r[0] for r in ERRORS]
)
def test_error_replies(
    answer: HttpReply, kind: type[FourEyesError], words: str, retryable: bool, suspect: bool
) -> None:
    with pytest.raises(FourEyesError) as caught:
        check(answer)
    assert type(caught.value) is kind
    assert words in str(caught.value)
    suspected = suspected_class(caught.value, 3, 3)
    assert (is_retryable(caught.value), suspected is not None) == (retryable, suspect)
    if isinstance(caught.value, ServerFault):
        assert caught.value.retryable == retryable


def test_a_good_reply() -> None:
    assert [a.task for a in check(good()).answers] == list(Task)


def test_a_byte_order_mark_is_no_part_of_the_json() -> None:
    """One in front of the reply, one in front of the answer; a second one is an error."""
    marked = replace(good(), body=b"\xef\xbb\xbf" + good().body)
    assert check(marked) == check(good())
    content = json.loads(good().body)["choices"][0]["message"]["content"]
    assert check(completion("\ufeff" + content)) == check(good())
    with pytest.raises(ServerFault, match="not JSON"):
        check(replace(good(), body=b"\xef\xbb\xbf" * 2 + good().body))


@pytest.mark.parametrize("error", [None, "", {}])
def test_an_empty_error_key_is_no_error(error: Any) -> None:
    document = {**json.loads(good().body), "error": error}
    assert len(check(reply(document)).answers) == 4


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("qwen/qwen3-vl-8b", "Qwen/Qwen3-VL-8B", True),
        ("qwen/qwen3-vl-8b", "qwen/qwen3-vl-8b:2", True),
        ("qwen/qwen3-vl-8b:2", "qwen/qwen3-vl-8b:3", True),
        ("qwen3-vl", "qwen3-vl:latest", True),
        ("lab/tiny-llava", "lab/tiny-llava@main", True),
        ("qwen3-vl-8b@q4_k_m", "qwen3-vl-8b@q8_0", False),
        ("qwen3-vl:8b", "qwen3-vl:4b", False),
        ("qwen/qwen3-vl-8b", "qwen/qwen3-vl-4b", False),
        ("qwen3-vl-8b", "qwen/qwen3-vl-8b", False),
    ],
)
def test_which_ids_are_the_same_model(one: str, other: str, same: bool) -> None:
    assert same_model(one, other) is same_model(other, one) is same


def test_the_excerpt_is_bounded_and_clean_and_shows_no_token() -> None:
    text = "Malformed LM Studio API token provided: sk-bogus-E*****\x1b[2J\r\n" + "x" * 5000
    with pytest.raises(ServerRefused) as refused:
        check(reply({"error": text}, 401))
    assert "sk-bogus" not in str(refused.value) and "\x1b" not in str(refused.value)
    with pytest.raises(ServerFault) as fault:
        check(reply({"error": "Y" * 5000}, 500))
    assert len(fault.value.excerpt) == MAX_EXCERPT
    assert fault.value.status == 500


@pytest.mark.parametrize(
    ("error", "retryable", "suspect"),
    [
        (ConnectFailed("x"), True, True),
        (RequestTimeout("x"), True, True),
        (ReplyTooLarge("x"), False, False),
        (KeyError("x"), False, False),
    ],
)
def test_errors_without_a_reply(error: Exception, retryable: bool, suspect: bool) -> None:
    assert (is_retryable(error), suspected_class(error, 3, 3) is not None) == (retryable, suspect)


def test_what_may_pass_is_only_looked_at_until_the_attempts_are_used_up() -> None:
    for error in (RequestTimeout("x"), ServerError("x", status=500)):
        told = [suspected_class(error, number, 3) for number in (1, 2, 3, 4)]
        assert told == [ErrorClass.TRANSPORT] * 2 + [class_of(error)] * 2
    assert suspected_class(EngineGone("x", status=400), 1, 3) is ErrorClass.ENGINE


def test_every_class_has_an_action_and_only_engines_and_hangs_lead_to_a_reload() -> None:
    assert set(ACTIONS) == set(ErrorClass)
    strong = {c for c, action in ACTIONS.items() if action.server in (Remedy.RELOAD, Remedy.CANARY)}
    assert strong == {ErrorClass.ENGINE, ErrorClass.SERVER_ERROR, ErrorClass.HANG}


def test_a_failed_load_is_of_its_causes_class() -> None:
    error = ModelLoadFailed("x")
    error.__cause__ = EngineGone("y", status=400)
    assert class_of(error) is ErrorClass.ENGINE
    assert class_of(ModelLoadFailed("x")) is ErrorClass.OTHER


def test_no_token_is_repeated_whatever_it_looks_like() -> None:
    token = "my-very-own-secret"
    for status, words in ((401, "Malformed LM Studio API token provided: my-very*****"), (500, f"Bearer {token}")):
        with pytest.raises(FourEyesError) as caught:
            check_reply(reply({"error": words}, status), model=MODEL, tasks=tuple(Task), secret=token)
        assert "my-very" not in str(caught.value) + getattr(caught.value, "excerpt", "")


def test_what_to_change_outlives_the_redaction() -> None:
    """A text such as "token: word" looks like a secret to it."""
    for sign in SIGNS:
        assert Redactor().text(sign.meaning) == sign.meaning


def test_an_answer_without_a_token_is_the_engines_fault() -> None:
    document = {**json.loads(completion("").body), "usage": {"completion_tokens": 0}}
    with pytest.raises(EngineGone):
        check(reply(document))


def test_a_stream_that_ends_with_an_error() -> None:
    body = b'event: error\ndata: {"error":{"message":"The model has crashed (Exit code: null)"}}\n\n'
    with pytest.raises(EngineGone):
        check(reply(body))
