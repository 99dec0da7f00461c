"""Both sides of the wire: what we ask is what the embedded server reads, and what it answers is what we take."""

from __future__ import annotations

from typing import Any

import pytest

from foureyes_actors.inference.reply import check_reply
from foureyes_actors.inference.request import template
from foureyes_actors.inference.tasks import merge
from foureyes_actors.messages import Task
from foureyes_actors.model_server.catalog import CATALOG
from foureyes_actors.model_server.chat_reply import completion
from foureyes_actors.model_server.chat_request import parse_chat
from foureyes_actors.settings import InferenceSettings
from tests.inference.support import ANSWER, ENTRIES, frame, reply

MODELS = [model.id for model in CATALOG]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("entries", [ENTRIES, ENTRIES[1:2], ENTRIES[::-1]], ids=["all", "one", "backwards"])
def test_the_embedded_server_and_the_client_speak_the_same(model: str, entries: Any) -> None:
    picture = frame(source="cabinet:neon", data=b"\xff\xd8\xff" + bytes(range(256)))
    shape = template(model, merge(entries), InferenceSettings(), session=True)
    request = parse_chat(shape.body(picture))
    assert (request.model.id, request.picture, request.user) == (model, picture.data, "cabinet:neon")
    assert list(request.tasks) == [task for task, _ in entries]
    answer = completion(request, ANSWER, reply_id="chatcmpl-1", created=1)
    checked = check_reply(reply(answer), model=model, tasks=[task for task, _ in entries])
    assert checked.failures == ()
    assert {a.task for a in checked.answers} == {task for task, _ in entries} <= set(Task)
