"""An HTTP reply, checked from the outside in: status, JSON, error body, model, choice, content."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from foureyes_actors.errors import (
    AnswerContractError,
    EmptyAnswer,
    EngineGone,
    ServerFault,
    ServerRefused,
    WrongModel,
)
from foureyes_actors.inference.answers import Checked, check_content
from foureyes_actors.inference.request import MAX_REPLY
from foureyes_actors.inference.server_faults import error_words, fault_of, has_error
from foureyes_actors.inference.strict_json import JsonError, loads
from foureyes_actors.messages import Task
from foureyes_actors.ports.http import HttpReply
from foureyes_actors.replay.point import replay_point

_INSTANCE = re.compile(r"(:\d+|:latest|@main)$")  # added by LM Studio (a second instance), Ollama, transformers serve
_ERROR_EVENT = "event: error"  # LM Studio's way to end a stream that it cannot go on with
_THINKING_HELP = (
    "; its thinking used up inference.max_tokens: raise it, or set inference.reasoning_effort: none for this model"
)


@replay_point(raises=(ServerFault, ServerRefused, WrongModel, EmptyAnswer, AnswerContractError))
def check_reply(reply: HttpReply, *, model: str, tasks: Sequence[Task], secret: str = "") -> Checked:
    """The answers in a reply of ``/v1/chat/completions``. ``model``: the id that was asked for; ``secret``: the token
    that was sent, which no error repeats.

    Raises ServerFault (error status or error body, or no chat completion at all), ServerRefused, WrongModel,
    EmptyAnswer, AnswerContractError."""
    document = _document(reply, secret)
    _check_model(document, model)
    choice = _choice(document, reply.status)
    content = _content(choice, document.get("usage"))
    if choice.get("finish_reason") == "length":
        raise AnswerContractError("the answer was cut off at inference.max_tokens")
    return check_content(content, tasks)


def text_of(reply: HttpReply, model: str, secret: str = "") -> str:
    """The text in a reply to a question without a schema. Raises as ``check_reply``."""
    document = _document(reply, secret)
    _check_model(document, model)
    choice = _choice(document, reply.status)
    content = _content(choice, document.get("usage"))
    if choice.get("finish_reason") == "length":
        raise AnswerContractError("the answer was cut off at max_tokens")
    return content


def same_model(one: str, other: str) -> bool:
    """Case does not matter, nor which instance of the model it is (``key`` and ``key:2``)."""
    return one.casefold() == other.casefold() or _key(one) == _key(other)


def _key(model: str) -> str:
    return _INSTANCE.sub("", model.casefold())


def _document(reply: HttpReply, secret: str) -> Mapping[str, Any]:
    text = reply.body.decode("utf-8", "replace")
    document, problem = None, "the reply is not an object"
    try:
        document = loads(text, max_length=MAX_REPLY, max_brackets=MAX_REPLY)
    except JsonError as error:
        problem = f"the reply is {error}"
    if not 200 <= reply.status < 300 or has_error(document):
        raise fault_of(reply.status, error_words(document, text, secret))
    if text.startswith(_ERROR_EVENT):
        raise fault_of(reply.status, error_words(None, text, secret))
    if not isinstance(document, dict):
        raise _no_completion(reply.status, problem, error_words(None, text, secret))
    return document


def _check_model(document: Mapping[str, Any], model: str) -> None:
    answered = document.get("model")
    if not isinstance(answered, str) or not answered:
        raise WrongModel(f"the reply does not say which model answered; {model!r} was asked")
    if not same_model(answered, model):
        raise WrongModel(f"{answered[:200]!a} answered; {model!r} was asked")


def _choice(document: Mapping[str, Any], status: int) -> Mapping[str, Any]:
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise _no_completion(status, "the reply has no choices", "")
    choice: Mapping[str, Any] = choices[0]
    return choice


def _content(choice: Mapping[str, Any], usage: object) -> str:
    message = choice.get("message")
    if not isinstance(message, dict):
        raise _no_completion(200, "the reply's choice has no message", "")
    content = message.get("content")
    if content is not None and (not isinstance(content, str)):
        raise AnswerContractError("the answer's content is not text")
    if content is None or not content.strip():
        if isinstance(usage, Mapping) and usage.get("completion_tokens") == "0":
            raise EngineGone("the answer is empty: the model's engine made no token", status=200)
        thought = message.get("reasoning_content") or message.get("reasoning")
        used_up = thought or choice.get("finish_reason") == "length"  # not every server passes the thoughts on
        help_text = _THINKING_HELP if used_up else f" (finish_reason {ascii(choice.get('finish_reason'))[:40]})"
        raise EmptyAnswer("the answer is empty" + help_text)
    return content


def _no_completion(status: int, problem: str, words: str) -> ServerFault:
    message = f"HTTP {status}: not a chat completion: {problem}" + (f" ({words})" if words else "")
    return ServerFault(message, status=status, excerpt=words)
