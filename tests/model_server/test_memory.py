"""What readings no longer use goes back to the system: now and then, and after the answer."""

from __future__ import annotations

import asyncio
import json
import sys
import threading

import psutil
import pytest

from foureyes_actors.model_server import host
from foureyes_actors.model_server.chat_request import parse_chat
from foureyes_actors.model_server.host import GIVE_BACK_EVERY, ModelHost, outcome
from foureyes_actors.model_server.limits import Limits
from foureyes_actors.model_server.memory import give_back
from tests.model_server.support import FakeEngine, chat, need_embedded

PIECE, PIECES = 64 * 1024, 1024  # pieces that the C library cuts from its heap, 64 MiB of them


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has the call")
def test_the_holes_of_the_heap_go_back() -> None:
    """In a thread of its own, whose heap no other test has a part in."""
    spent: list[int] = []
    given: list[bool] = []

    def use() -> None:
        pieces = [bytes(PIECE) for _ in range(PIECES)]
        for number, piece in enumerate(pieces):
            pieces[number] = piece.replace(b"\0", b"\1")
        last = pieces[-1]  # the top of the heap stays in use
        del piece, pieces
        spent.append(psutil.Process().memory_info().rss)
        given.append(give_back())
        spent.append(psutil.Process().memory_info().rss)
        assert last[:1] == b"\1"

    thread = threading.Thread(target=use, name="user")
    thread.start()
    thread.join(60)
    assert given == [True] and spent[0] - spent[1] > PIECE * PIECES / 2


def test_it_is_given_back_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    need_embedded()
    now, engine = [100.0], FakeEngine()
    done: list[tuple[int, str]] = []
    monkeypatch.setattr(host, "give_back", lambda: done.append((len(engine.readings), threading.current_thread().name)))
    request = parse_chat(json.dumps(chat()).encode())

    async def frames() -> None:
        house = ModelHost(engine, Limits(), monotonic=lambda: now[0])
        for _ in range(5):
            await outcome(await house.submit(request, "me"))
            now[0] += 0.4 * GIVE_BACK_EVERY
        model = await house.load(request.model)
        house.close()
        model._thread.shutdown(wait=True)

    asyncio.run(asyncio.wait_for(frames(), 60))
    assert done == [(4, "reader-tiny_0")], "once, after a frame that came ten seconds later, in the model's thread"
