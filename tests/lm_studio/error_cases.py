"""The error texts and body shapes that LM Studio is known to send, each with what FourEyes makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from foureyes_actors.errors import (
    AnswerContractError,
    ConnectionBroken,
    EmptyAnswer,
    EngineGone,
    ErrorClass,
    FourEyesError,
    ModelNotLoadable,
    ModelNotLoaded,
    ModelUnknown,
    RequestRefused,
    RequestTimeout,
    ServerBusy,
    ServerDefect,
    ServerError,
    ServerFault,
    ServerRefused,
    WrongModel,
)

TOKEN = "sk-lm-ab12cd34:0123456789abcdefghij"
DEADLINE = 2.0  # seconds, of a request in the cases that hang


@dataclass(frozen=True)
class Case:
    """``then``: what the double does with the frame's first ``times`` requests; the next one is answered.

    ``requests``: so many in all for this frame; ``kind`` None: the last one was answered. ``reloads``: of the model;
    ``canaries``: after that of the start. ``help``: words of the fault that say what to change.
    """

    name: str
    then: dict[str, Any]
    kind: type[FourEyesError] | None
    error_class: ErrorClass
    requests: int = 1
    reloads: int = 0
    loads: int = 0
    canaries: int = 0
    times: int = 1
    help: str = ""
    canary: dict[str, Any] = field(default_factory=dict)  # what the double does with the next canary

    def __str__(self) -> str:
        return self.name

    @property
    def hangs(self) -> bool:
        return self.then.get("do") == "hang"


def _engine() -> Iterator[Case]:
    texts = [
        "The model has crashed without additional information. (Exit code: 18446744072635812000)",
        "The model has crashed without additional information. (Exit code: 18446744072635810000)",
        "The model has crashed without additional information. (Exit code: null)",
        "The model has crashed without additional information. (Exit code: 0)",
        "The model has crashed without additional information. (Exit code: 6)",
        "Channel Error",
        "Error: Channel Error",
        "received prediction-error",
        "terminated",
        "Engine protocol runtime exited unexpectedly. exitCode=1, signal=null",
        "No engine protocol runtime is registered for 'llama.cpp-linux-x86_64-vulkan@2.1.0'",
        "Engine protocol startup was aborted",
        "Model unloaded.",
        "Model is unloaded.",
        "Model reloaded.",
        "Model unloaded by user or API request.",
        'Failed to load model "qwen/qwen3-vl-8b". Error: Operation canceled.',
    ]
    ways: list[tuple[str, dict[str, Any]]] = [(text, {"error": text, "engine": "crashed"}) for text in texts]
    ways += [
        ("Model unloaded., 500", {"error": "Model unloaded.", "status": 500, "engine": "unloaded"}),
        ("crash, shape b", {"error": texts[0], "shape": "b"}),
        ("crash, shape e (stream)", {"error": texts[0], "shape": "e"}),
        ("200 with zero tokens", {"reply": {"content": "", "completion_tokens": 0}}),
    ]
    for name, then in ways:
        reloads = 0 if then.get("engine") == "unloaded" else 1  # it is out of memory already
        yield Case(f"A: {name}", then, EngineGone, ErrorClass.ENGINE, reloads=reloads, loads=1, canaries=1)
    perhaps: list[tuple[str, dict[str, Any]]] = [
        ("fetch failed", {"error": "Engine protocol predict request failed: fetch failed"}),
        ("HTML 500, shape f", {"error": "Internal Server Error", "shape": "f"}),
        ("500 with an object", {"error": "what?", "shape": "b", "status": 500}),
        ("502", {"text": "", "status": 502}),
    ]
    for name, then in perhaps:
        yield Case(f"A: {name}, once", then, None, ErrorClass.SERVER_ERROR, requests=2)
        yield Case(
            f"A: {name}",
            then,
            ServerError,
            ErrorClass.SERVER_ERROR,
            requests=3,
            reloads=1,
            loads=1,
            canaries=1,
            times=3,
        )


def _load() -> Iterator[Case]:
    failed = 'Failed to load model "X". Error: '
    texts = [
        failed + "Model loading was stopped due to insufficient system resources. Under the current settings, this "
        "model requires approximately 14.20 GB of memory, and continuing to load it would likely overload your system",
        failed + "Engine protocol runtime llama-server for llama.cpp exited before becoming healthy. exitCode=1",
        "model_load_failed",
        "Error loading model. (Exit code: 18446744072635812000). Unknown error. Try a different model and/or config.",
        "unable to allocate ROCm0 buffer",
        "failed to allocate buffer for kv cache",
        "error loading model: unknown model architecture: 'deepseek_ocr'",
        "Model type glm_ocr not supported.",
        "No LM Runtime found for format 'safetensors'!",
        "Attempt to pull a snapshot of system resources failed. Error: Cannot read properties of undefined",
    ]
    ways: list[tuple[str, dict[str, Any]]] = [(text[-48:], {"error": text, "shape": "b"}) for text in texts]
    aborted = "Model loading aborted due to insufficient system resources. Overloading the system may freeze it."
    ways.append(("aborted, 404 (0.3.5)", {"error": aborted, "status": 404}))
    for name, then in ways:
        yield Case(f"B: {name}", then, ModelNotLoadable, ErrorClass.LOAD, canaries=1, help="use")


def _caller() -> Iterator[Case]:
    refused: list[tuple[str, dict[str, Any], str]] = [
        (
            "keep the first N tokens",
            {
                "error": "Trying to keep the first 4567 tokens when context the overflows. However, the model is "
                "loaded with context length of only 4096 tokens, which is not enough."
            },
            "larger one",
        ),
        (
            "shape g, llama-server's",
            {
                "error": "request (17398 tokens) exceeds the available context size (8192 tokens), try increasing it",
                "shape": "g",
                "type": "exceed_context_size_error",
            },
            "larger one",
        ),
        ("prompt too long, 400", {"error": _TOO_LONG}, "larger one"),
        ("prompt too long, 500", {"error": _TOO_LONG, "shape": "b", "status": 500}, "larger one"),
        ("url field", {"error": "'url' field must be a base64 encoded image."}, "picture"),
        (
            "no images",
            {"error": "The provided messages contain images, but X does not support image inputs."},
            "vision model",
        ),
        ("no images, older", {"error": "Model does not support images. Please use a model that does."}, "vision model"),
        (
            "MLX, shape d",
            {"error": "Vision add-on is not loaded, but images were provided for processing", "shape": "d"},
            "vision part",
        ),
        ("response_format", {"error": "'response_format.type' must be 'json_schema' or 'text'"}, "this request"),
        ("strict keys", {"error": "Unrecognized key(s) in object: 'ttl'", "shape": "b"}, "this request"),
        (
            "shape c, no route",
            {"error": "Unexpected endpoint or method. (POST /v1/chat/completions)", "shape": "c"},
            "model_server.base_url",
        ),
    ]
    for name, then, words in refused:
        yield Case(f"C: {name}", then, RequestRefused, ErrorClass.REQUEST, help=words)
    for name, text in (
        ("token missing", "An LM Studio API token is required to make requests to this server, but none was provided"),
        ("token malformed, echoed", f"Malformed LM Studio API token provided: {TOKEN[:14]}*****"),
        ("token echoed whole", f"no such token: {TOKEN}"),
    ):
        then = {"error": text, "shape": "b", "status": 401, "code": "invalid_api_key"}
        yield Case(f"C: {name}", then, ServerRefused, ErrorClass.REQUEST, help="model_server.api_token")
    none = "No models loaded. Please load a model in the developer page or use the 'lms load' command."
    several = "Multiple models are loaded. Please specify a model by providing a 'model' field"
    unknown = 'Invalid model identifier "x". Please specify a valid downloaded model (e.g., y).'
    absent = ErrorClass.ABSENT
    yield Case(
        "C: no models loaded", {"error": none, "engine": "unloaded"}, ModelNotLoaded, absent, loads=1, canaries=1
    )
    yield Case("C: multiple models", {"error": several}, ModelNotLoaded, absent)
    yield Case("C: unknown model", {"error": unknown, "shape": "b", "code": "model_not_found"}, ModelUnknown, absent)
    yield Case("C: another model answers", {"reply": {"model": "google/gemma-3-4b"}}, WrongModel, absent)


_TOO_LONG = (
    "The number of tokens to keep from the initial prompt is greater than the context length. Try to load the model "
    "with a larger context length, or provide a shorter input"
)


def _defects() -> Iterator[Case]:
    for text in (
        "Engine protocol predict request returned 500: Jinja Exception: Cannot call something that is not a function",
        "[Server Error] _0x2c9f is not iterable",
        "Failed to find image for token at index 7",
    ):
        yield Case(f"D: {text[-40:]}", {"error": text}, ServerDefect, ErrorClass.DEFECT, help="update")


def _hangs() -> Iterator[Case]:
    hang, kind = ErrorClass.HANG, RequestTimeout
    yield Case("E: hang, once", {"do": "hang"}, None, hang, requests=2)
    yield Case("E: hang, the canary is answered", {"do": "hang"}, kind, hang, requests=3, times=3, canaries=1)
    yield Case(
        "E: hang, the canary is not answered",
        {"do": "hang"}, kind, hang, requests=3, times=3, canaries=2, reloads=1, loads=1,
        canary={"error": "Channel Error"},
    )  # fmt: skip


def _others() -> Iterator[Case]:
    for do in ("reset", "close", "half"):
        yield Case(f"transport: {do}", {"do": do}, ConnectionBroken, ErrorClass.TRANSPORT, requests=3, times=3)
        yield Case(f"transport: {do}, once", {"do": do}, None, ErrorClass.TRANSPORT, requests=2)
    for status in (408, 429, 503):
        then = {"error": "wait", "status": status}
        yield Case(f"busy: {status}", then, ServerBusy, ErrorClass.BUSY, requests=3, times=3)
        yield Case(f"busy: {status}, once", then, None, ErrorClass.BUSY, requests=2)
    answers: list[tuple[str, dict[str, Any], type[FourEyesError]]] = [
        ("shape h, thinking used up the tokens",
         {"reply": {"content": "", "reasoning_content": "Hm.", "finish_reason": "length"}}, EmptyAnswer),
        ("shape h, empty, its tokens used up", {"reply": {"content": "", "finish_reason": "length"}}, EmptyAnswer),
        ("prose", {"reply": {"content": "It is idle."}}, AnswerContractError),
        ("cut off", {"reply": {"finish_reason": "length"}}, AnswerContractError),
    ]  # fmt: skip
    for name, then, kind in answers:
        yield Case(f"answer: {name}", then, kind, ErrorClass.ANSWER, help="max_tokens" if "tokens" in name else "")
    yield Case("unknown words", {"error": "hm"}, ServerFault, ErrorClass.OTHER)
    yield Case("200 and HTML", {"text": "<html>hello"}, ServerFault, ErrorClass.OTHER)


CASES = tuple(case for part in (_engine, _load, _caller, _defects, _hangs, _others) for case in part())
