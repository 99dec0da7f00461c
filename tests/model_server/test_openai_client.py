"""OpenAI's own Python client, unchanged, against the embedded server."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from foureyes_actors.inference.tasks import task_schema
from foureyes_actors.lm_studio.warmup import canary
from foureyes_actors.messages import GameState, Motion, Task
from foureyes_actors.model_server.limits import Limits
from tests.model_server.support import (
    PATIENCE,
    SMALL,
    TINY,
    FakeEngine,
    RunningServer,
    data_uri,
    need_embedded,
    picture,
)
from tests.support import eventually, need

openai: Any = importlib.import_module("openai") if importlib.util.find_spec("openai") else None

GRAND = "$1,234.56"  # on the canary


@pytest.fixture(scope="module", autouse=True)
def _both_are_here() -> None:
    need(modules=("openai",), install="pip install -e '.[test]'")
    need_embedded()


class Amounts(BaseModel):
    model_config = ConfigDict(extra="forbid")

    grand: str | None
    balance: str | None


class State(BaseModel):
    model_config = ConfigDict(extra="forbid")

    state: GameState
    confidence: float | None


class Seen(BaseModel):
    """Not all tasks, and of one task not all values; whatever else came would be refused."""

    model_config = ConfigDict(extra="forbid")

    vision_ocr: Amounts | None
    vision_state: State


class Sent:
    """What the client really sends, by its own public hook."""

    def __init__(self) -> None:
        self.retry_counts: list[str] = []
        self.then: Callable[[int], None] = lambda number: None

    def __call__(self, request: Any) -> None:
        self.retry_counts.append(request.headers["x-stainless-retry-count"])
        self.then(len(self.retry_counts))


class Pair:
    """A server and a client of it."""

    def __init__(self, engine: Any, limits: Limits | None = None) -> None:
        self.server, self.sent = RunningServer(engine, limits), Sent()
        http = openai.DefaultHttpxClient(event_hooks={"request": [self.sent]})
        self.client = openai.OpenAI(base_url=f"{self.server.url}/v1", api_key="not needed", http_client=http)

    def ask(self, **options: Any) -> Any:
        return self.client.chat.completions.create(**{"model": TINY, "messages": question(), **options})

    def close(self) -> None:
        self.client.close()
        self.server.close()


def question(data: bytes | None = None) -> list[dict[str, Any]]:
    image = {"url": data_uri(canary().data if data is None else data), "detail": "high"}
    text = {"type": "text", "text": "What does it show?"}
    return [{"role": "user", "content": [text, {"type": "image_url", "image_url": image}]}]


@pytest.fixture(scope="module")
def real() -> Iterator[Pair]:
    """With the real models."""
    from foureyes_actors.model_server.model_loading import load_model

    pair = Pair(load_model)
    yield pair
    pair.close()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


Make = Callable[..., Pair]


@pytest.fixture
def make(engine: FakeEngine) -> Iterator[Make]:
    made: list[Pair] = []

    def begin(**limits: Any) -> Pair:
        made.append(Pair(engine, Limits(**limits)))
        return made[-1]

    yield begin
    engine.go.set()
    for pair in made:
        pair.close()


# --- models ---


def test_models(real: Pair) -> None:
    assert [model.id for model in real.client.models.list()] == [TINY, SMALL]
    model = real.client.models.retrieve(TINY)
    assert (model.id, model.object) == (TINY, "model")
    assert model.created > 1_700_000_000


# --- chat ---


def test_a_picture(real: Pair) -> None:
    reply = real.ask(max_tokens=500, temperature=0.1, seed=1, stop=["###"])
    assert reply.model == TINY
    assert reply.choices[0].finish_reason == "stop"
    answer = json.loads(reply.choices[0].message.content)
    assert list(answer) == [task.value for task in Task]
    assert answer["vision_ocr"]["grand"] == GRAND
    usage = reply.usage
    assert usage.prompt_tokens > 0 < usage.completion_tokens
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_a_json_schema(real: Pair) -> None:
    schema = {"type": "object", "properties": {Task.ANIMATION.value: task_schema(Task.ANIMATION)}}
    wanted = {"type": "json_schema", "json_schema": {"name": "motion", "strict": True, "schema": schema}}
    answer = json.loads(real.ask(response_format=wanted, user="schema").choices[0].message.content)
    assert list(answer) == [Task.ANIMATION.value]
    assert answer[Task.ANIMATION.value]["motion"] == Motion.UNKNOWN


def test_parse_gives_the_clients_own_model(real: Pair) -> None:
    """Its schema has references, alternatives and no further properties."""
    reply = real.client.chat.completions.parse(model=TINY, messages=question(), response_format=Seen)
    seen = reply.choices[0].message.parsed
    assert isinstance(seen, Seen)
    assert seen.vision_ocr == Amounts(grand=GRAND, balance="$321.09")
    assert seen.vision_state.state in GameState


def test_a_conversation_that_goes_on(real: Pair) -> None:
    before = [{"role": "system", "content": "Be brief."}, {"role": "assistant", "content": None, "refusal": "no"}]
    assert GRAND in real.ask(messages=[*before, *question()]).choices[0].message.content


# --- streams ---


def test_a_stream(real: Pair) -> None:
    with real.ask(stream=True, stream_options={"include_usage": True}) as stream:
        chunks = list(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert json.loads(text)["vision_ocr"]["grand"] == GRAND
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "stop"
    assert chunks[-1].usage.total_tokens > 0


def test_the_stream_helper_parses_too(real: Pair) -> None:
    with real.client.chat.completions.stream(model=TINY, messages=question(), response_format=Seen) as stream:
        kinds = [event.type for event in stream]
        seen = stream.get_final_completion().choices[0].message.parsed
    assert kinds[-1] == "content.done"
    assert isinstance(seen, Seen)
    assert seen.vision_ocr is not None
    assert seen.vision_ocr.grand == GRAND


# --- errors ---


@pytest.mark.parametrize(
    ("options", "kind", "code", "words"),
    [
        ({"model": "gpt-4o"}, "NotFoundError", "model_not_found", TINY),
        ({"messages": [{"role": "user", "content": "Hello?"}]}, "BadRequestError", None, "no picture"),
        ({"messages": question(b"GIF89a")}, "BadRequestError", None, "picture"),
        ({"messages": question() * 2}, "BadRequestError", None, "2 pictures"),
        ({"response_format": {"type": "json_object"}}, "BadRequestError", None, "'json_schema' or 'text'"),
        ({"tool_choice": "required"}, "BadRequestError", None, "calls no tools"),
        ({"n": 2}, "BadRequestError", None, "'n' must be 1"),
        ({"stream": True, "model": "gpt-4o"}, "NotFoundError", "model_not_found", TINY),
    ],
)
def test_what_is_refused_is_sent_once(make: Make, options: Any, kind: str, code: str | None, words: str) -> None:
    pair = make()
    with pytest.raises(getattr(openai, kind)) as caught:
        pair.ask(**options)
    assert (caught.value.code, caught.value.type) == (code, "invalid_request_error")
    assert words in str(caught.value)
    assert pair.sent.retry_counts == ["0"]


def test_a_model_that_is_not_there(make: Make) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        make().client.models.retrieve("gpt-4o")
    assert caught.value.code == "model_not_found"


def test_a_route_that_is_not_there_says_so(make: Make) -> None:
    with pytest.raises(openai.NotFoundError, match="Unexpected endpoint or method") as caught:
        make().client.embeddings.create(model=TINY, input="text")
    assert caught.value.code == "unknown_url"


def test_a_body_that_is_too_large_is_answered(make: Make) -> None:
    """Not cut off in the middle of the upload, which would be a connection error, and sent three times."""
    pair = make(body=100_000)
    with pytest.raises(openai.APIStatusError) as caught:
        pair.ask(messages=question(b"x" * 250_000))
    assert (caught.value.status_code, caught.value.code) == (413, "request_too_large")
    assert pair.sent.retry_counts == ["0"]


def test_an_engine_that_fails_is_asked_again(make: Make, engine: FakeEngine) -> None:
    engine.read_error = RuntimeError("no more memory")
    pair = make()
    with pytest.raises(openai.InternalServerError) as caught:
        pair.ask(messages=question(picture()))
    assert caught.value.code == "engine_failed"
    assert "no more memory" in str(caught.value)
    assert pair.sent.retry_counts == ["0", "1", "2"]


def test_a_busy_server_is_asked_again_until_it_has_time(make: Make, engine: FakeEngine) -> None:
    """503 with retry-after: the client's own retries, and the first one after the place is free gets its answer."""
    pair = make(requests=1)
    with ThreadPoolExecutor(1) as threads:
        held = hold(pair, engine, threads)
        with pytest.raises(openai.InternalServerError) as caught:
            pair.client.with_options(max_retries=1).chat.completions.create(model=TINY, messages=question())
        assert (caught.value.status_code, caught.value.code) == (503, "overloaded")
        assert caught.value.response.headers["retry-after"] == "1"
        assert pair.sent.retry_counts == ["0", "1"]
        pair.sent.retry_counts.clear()
        pair.sent.then = lambda number: let_go(pair, engine, held) if number == 2 else None
        assert pair.ask(messages=question(picture())).choices[0].finish_reason == "stop"
    assert pair.sent.retry_counts == ["0", "1"]


def hold(pair: Pair, engine: FakeEngine, threads: ThreadPoolExecutor) -> Future[Any]:
    """Another client's request, which is in work until ``engine.go``."""
    engine.go.clear()
    held = threads.submit(pair.server.chat)
    eventually(lambda: len(engine.readings) > 0, PATIENCE, "the engine reads")
    return held


def let_go(pair: Pair, engine: FakeEngine, held: Future[Any]) -> None:
    engine.go.set()
    assert held.result(PATIENCE)[0] == 200
    eventually(lambda: pair.server.get("/health")["requests"] == 0, PATIENCE, "the place is free")


def test_a_client_that_does_not_wait(make: Make, engine: FakeEngine) -> None:
    """Its requests are dropped, and the server has time for others."""
    pair = make()
    engine.go.clear()
    with pytest.raises(openai.APITimeoutError):
        pair.client.with_options(timeout=0.3, max_retries=1).chat.completions.create(model=TINY, messages=question())
    assert pair.sent.retry_counts == ["0", "1"]
    eventually(lambda: pair.server.get("/health")["requests"] == 0, PATIENCE, "nobody waits")
    engine.go.set()
    assert pair.ask().choices[0].finish_reason == "stop"


# --- the asynchronous client ---


def test_the_asynchronous_client(real: Pair) -> None:
    async def ask() -> tuple[list[str], Any, str, Any]:
        async with openai.AsyncOpenAI(base_url=f"{real.server.url}/v1", api_key="not needed") as client:
            models = [model.id async for model in client.models.list()]
            parsed, stream = await asyncio.gather(
                client.chat.completions.parse(model=TINY, messages=question(), response_format=Seen),
                client.chat.completions.create(model=TINY, messages=question(), stream=True),
            )
            text = "".join([c.delta.content or "" async for chunk in stream for c in chunk.choices])
            with pytest.raises(openai.NotFoundError) as caught:
                await client.chat.completions.create(model="gpt-4o", messages=question())
        return models, parsed.choices[0].message.parsed, text, caught.value.code

    models, seen, text, code = asyncio.run(ask())
    assert models == [TINY, SMALL]
    assert seen.vision_ocr.grand == json.loads(text)["vision_ocr"]["grand"] == GRAND
    assert code == "model_not_found"
