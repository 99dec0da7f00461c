"""What the inference tests share: frames, replies, and an HttpPort that plays a script."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

from foureyes_actors.errors import ConnectionBroken
from foureyes_actors.messages import Frame, FrameRef, Task
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.http import HttpReply, HttpRequest
from foureyes_actors.settings import ModelEntry

MODEL = "qwen/qwen3-vl-8b"
ENTRIES = tuple((task, ModelEntry(model_id=MODEL, prompt=f"About {task}.")) for task in Task)
OCR = {"grand": "$12,345.67", "major": "$1,000.00", "minor": None, "mini": "$10.50", "balance": "$99.10"}
ANSWER: dict[str, Any] = {
    "vision_ocr": {**OCR, "confidence": 0.9},
    "vision_state": {"state": "idle", "confidence": 0.8},
    "animation_detection": {"motion": "stopped", "confidence": None},
    "error_detection": {"popup": "error", "text": "Reel tilt. Call attendant.", "confidence": 1},
}


def frame(number: int = 1, *, source: str = "cabinet:plain", data: bytes = b"", at: float | None = None) -> Frame:
    clock = ManualClock()
    data = data or b"\xff\xd8\xff picture %d" % number
    digest = f"{hash(data) & 0xFFFFFFFFFFFFFFFF:064x}"
    captured = 1000.0 + number / 3 if at is None else at
    return Frame(FrameRef(source, number, clock.utc_now(), captured, digest, "image/jpeg", 1280, 720), data)


def completion(content: str | None, *, model: str = MODEL, finish: str | None = "stop", **message: Any) -> HttpReply:
    """What a server answers, in LM Studio's words."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
    return reply({"id": "chatcmpl-1", "object": "chat.completion", "model": model, "choices": [choice], "stats": {}})


def reply(document: Any, status: int = 200) -> HttpReply:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return HttpReply(status, {"content-type": "application/json"}, body)


def good(model: str = MODEL, **change: Any) -> HttpReply:
    return completion(json.dumps({**ANSWER, **change}), model=model)


Step = HttpReply | Exception | Callable[[HttpRequest], HttpReply]


class ScriptedHttp:
    """Answers with the script's next step; the last one repeats. Records the requests."""

    def __init__(self, *script: Step) -> None:
        self.script, self.requests, self.closed = list(script), list[HttpRequest](), threading.Event()

    def exchange(self, request: HttpRequest) -> HttpReply:
        self.requests.append(request)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, HttpReply) else step(request)

    def close(self) -> None:
        self.closed.set()


class Gate(ScriptedHttp):
    """Each exchange waits until ``open`` is set, or the port is closed (then it breaks, as a real one does)."""

    def __init__(self, *script: Step) -> None:
        super().__init__(*script)
        self.open, self.entered = threading.Event(), threading.Event()

    def exchange(self, request: HttpRequest) -> HttpReply:
        self.entered.set()
        while not self.open.wait(0.01):
            if self.closed.is_set():
                raise ConnectionBroken("closed")
        return super().exchange(request)


def bodies(requests: Sequence[HttpRequest]) -> list[dict[str, Any]]:
    return [json.loads(request.body or b"") for request in requests]
