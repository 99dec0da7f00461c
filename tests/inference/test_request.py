"""The request's bytes: valid JSON whatever the prompt says, the picture untouched."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foureyes_actors.errors import BadPicture
from foureyes_actors.inference.request import chat_request, chat_url, template
from foureyes_actors.inference.tasks import Question, merge
from foureyes_actors.messages import Frame, FrameRef
from foureyes_actors.settings import InferenceSettings
from tests.inference.support import ENTRIES, MODEL, frame

SETTINGS = InferenceSettings()
QUESTION = merge(ENTRIES)


def test_the_body_is_what_lm_studio_takes() -> None:
    picture = frame(data=bytes(range(256)) * 3)
    body = json.loads(template(MODEL, QUESTION, SETTINGS).body(picture))
    text, image = body["messages"][0]["content"]
    assert text == {"type": "text", "text": QUESTION.prompt}
    kind, data = image["image_url"]["url"].split(",")
    assert (image["type"], kind) == ("image_url", "data:image/jpeg;base64")
    assert hashlib.sha256(base64.b64decode(data, validate=True)).digest() == hashlib.sha256(picture.data).digest()
    assert body["response_format"]["type"] == "json_schema"
    assert body["response_format"]["json_schema"]["strict"] is True
    assert body["response_format"]["json_schema"]["schema"] == QUESTION.schema
    assert {k: body[k] for k in ("model", "max_tokens", "temperature", "stream")} == {
        "model": MODEL,
        "max_tokens": 500,
        "temperature": 0.1,
        "stream": False,
    }
    assert set(body) == {"model", "messages", "response_format", "max_tokens", "temperature", "stream"}


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=30), st.binary(min_size=1, max_size=50))
def test_any_prompt_and_source_make_valid_json(prompt: str, model: str, source: str, data: bytes) -> None:
    picture = frame(source=source, data=data)
    body = json.loads(template(model, Question(prompt, {}), SETTINGS, session=True).body(picture))
    assert body["messages"][0]["content"][0]["text"] == prompt
    assert (body["model"], body["user"]) == (model, source)


def test_the_source_is_named_only_to_a_server_that_follows_screens() -> None:
    assert "user" not in json.loads(template(MODEL, QUESTION, SETTINGS).body(frame()))
    body = json.loads(template(MODEL, QUESTION, SETTINGS, session=True).body(frame(source='a "b"')))
    assert body["user"] == 'a "b"'


def test_reasoning_is_asked_for_only_when_set() -> None:
    quiet = InferenceSettings(reasoning_effort="none")
    assert json.loads(template(MODEL, QUESTION, quiet).body(frame()))["reasoning_effort"] == "none"


def test_other_pictures_are_refused_before_anything_is_sent() -> None:
    ref = frame().ref
    webp = Frame(FrameRef(ref.source, 1, ref.captured_at, 0.0, ref.digest, 'image/webp";base64,', 1, 1), b"RIFF")
    with pytest.raises(BadPicture, match="must be JPEG or PNG"):
        template(MODEL, QUESTION, SETTINGS).body(webp)


@pytest.mark.parametrize("base", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/"])
def test_the_base_url_may_be_written_in_any_usual_way(base: str) -> None:
    assert chat_url(base) == "http://h:1/v1/chat/completions"


def test_the_token_goes_into_the_header_and_nowhere_else() -> None:
    shape = template(MODEL, QUESTION, SETTINGS)
    with_token = chat_request(shape, frame(), base_url="http://h:1", token="sk-secret", settings=SETTINGS)
    without = chat_request(shape, frame(), base_url="http://h:1", token="", settings=SETTINGS)
    assert with_token.headers["Authorization"] == "Bearer sk-secret"
    assert "Authorization" not in without.headers
    assert b"sk-secret" not in (with_token.body or b"") and "sk-secret" not in with_token.url
    assert (with_token.method, with_token.deadline) == ("POST", 30.0)


def test_the_digest_changes_with_everything_that_is_asked() -> None:
    shapes = [
        template(MODEL, QUESTION, SETTINGS),
        template("other", QUESTION, SETTINGS),
        template(MODEL, merge(ENTRIES[:1]), SETTINGS),
        template(MODEL, QUESTION, InferenceSettings(max_tokens=100)),
    ]
    assert len({shape.digest for shape in shapes}) == 4
    assert shapes[0].digest == template(MODEL, QUESTION, SETTINGS).digest
