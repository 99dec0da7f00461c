"""Verdicts: the same failure and nothing else is the same, whatever a record says."""

from __future__ import annotations

import copy
import json
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from foureyes_actors.bug.redact import stand_in
from foureyes_actors.capture import picture
from foureyes_actors.errors import ConnectFailed, RequestTimeout
from foureyes_actors.inference import client
from foureyes_actors.lm_studio.server_calls import list_models
from foureyes_actors.replay.record import Record
from foureyes_actors.replay.replaying import Outcome, Replay, judge
from foureyes_actors.replay.tape import Playback, TapeDivergence
from t00l5et.reproduction import source
from tests.inference.support import good, reply
from tests.replay.make import failure, record_of, verdict_of
from tests.replay.scenarios import LIMITS, TOKEN, asked, joined, scenarios, server


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    document = copy.deepcopy(json.loads(json.dumps(document)))
    at = document
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return document


def no_blob(digest: str) -> bytes:
    raise KeyError(digest)


def verdict(record: Any, document: Any) -> Outcome:
    return judge(document, record.blobs.__getitem__, source).outcome


def test_another_fingerprint_is_another_failure() -> None:
    record = record_of(failure(joined({"grand": "1.00"})))
    assert verdict(record, changed(record.document, ("fingerprints", "strict"), "v2-0")) is Outcome.OTHER
    assert verdict(record, changed(record.document, ("fingerprints", "group"), "v2-0")) is Outcome.OTHER


def test_a_mended_function_no_longer_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    record = record_of(failure(lambda: picture.examine(b"", LIMITS)))
    assert verdict_of(record).outcome is Outcome.SAME
    monkeypatch.setattr(picture, "check_bytes", lambda *_: None)
    assert verdict_of(record).outcome is Outcome.OTHER
    monkeypatch.setattr(picture, "_png", lambda _data: picture.PictureInfo("image/png", 1, 1))
    monkeypatch.setattr(picture, "_PNG", b"")
    assert verdict_of(record).outcome is Outcome.NONE


def test_a_mended_function_may_ask_the_clock_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way of each answer: the recorded one failed before the clock was asked for the second time."""
    record = record_of(failure_in_parsing(monkeypatch))
    assert record.document["entry"] == "foureyes_actors.inference.client:ask"
    assert [line["port"] for line in record.document["tape"]] == ["clock", "http"]
    found = judge(record.document, record.blobs.__getitem__, source)
    assert (found.outcome, found.reason) == (Outcome.NONE, "it returned")
    result = Replay(record.document, record.blobs.__getitem__).run()
    assert result.latency == 0.0, "time stood still"


def failure_in_parsing(monkeypatch: pytest.MonkeyPatch) -> Exception:
    with monkeypatch.context() as planted:
        planted.setattr(client, "check_reply", lambda *_, **__: [][0])
        return failure(asked(good()))


def test_code_that_changed_since_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    record = record_of(failure(joined({"grand": "1.00"})))
    document = changed(record.document, ("fingerprints", "strict"), "v2-0")
    for one in document["frames"]:
        one["source"] = "0" * 64
    found = judge(document, record.blobs.__getitem__, source)
    assert found.outcome is Outcome.CHANGED and "foureyes_actors.readings.screen was changed" in found.reason


def test_another_question_to_a_port_is_a_divergence() -> None:
    record = record_of(failure(asked(RequestTimeout("late"))))
    other = changed(record.document, ("arguments", "base_url"), "http://elsewhere")
    found = judge(other, record.blobs.__getitem__, source)
    assert found.outcome is Outcome.DIVERGED and "asks something else" in found.reason
    shorter = changed(record.document, ("tape",), record.document["tape"][:1])
    assert verdict(record, shorter) is Outcome.DIVERGED


def test_a_divergence_that_is_swallowed_is_one_whatever_is_raised_instead() -> None:
    """``except BaseException: raise ServerRefused`` would else make a declared failure of it."""
    record = record_of(failure(asked(RequestTimeout("late"))))
    replay = Replay(record.document, record.blobs.__getitem__)

    class Swallowing(Playback):
        def port(self, kind: str) -> Any:
            port = super().port(kind)
            return port if kind != "http" else self

        def exchange(self, request: Any) -> Any:
            try:
                return super().port("http").exchange(request)
            except BaseException:
                raise ConnectFailed("nobody") from None

    with pytest.raises(TapeDivergence, match="is not on the tape"):
        replay.run(Swallowing(replay.tape[:1], replay.asked_form))


def test_a_blob_that_is_gone_or_another_is_a_broken_record() -> None:
    record = record_of(failure(asked(RequestTimeout("late"))))
    assert judge(record.document, no_blob, source).outcome is Outcome.BROKEN
    assert judge(record.document, lambda _digest: b"x", source).outcome is Outcome.BROKEN


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("entry",), "os:system"),
        (("entry",), "foureyes_actors.headless:signals"),
        (("entry",), ["x"]),
        (("schema",), 2),
        (("tape",), 3),
        (("tape", 0, "port"), "process"),
        (("tape", 0, "op"), "close"),
        (("tape", 0, "raised"), {"$": "exception", "type": "SystemExit", "args": [], "attributes": []}),
        (("arguments",), []),
        (("exceptions",), []),
        (("fingerprints",), None),
    ],
)
def test_a_hostile_record_runs_nothing(path: tuple[Any, ...], value: Any) -> None:
    record = record_of(failure(server(list_models, ConnectFailed("x"))))
    assert verdict(record, changed(record.document, path, value)) is Outcome.BROKEN


@pytest.mark.parametrize("document", [None, 3, [], {}, "x", {"schema": 1}])
def test_what_is_no_record_is_broken(document: Any) -> None:
    assert judge(document, no_blob, source).outcome is Outcome.BROKEN


@lru_cache(maxsize=1)
def small_records() -> tuple[Record, ...]:
    quick = (s for s in scenarios() if s.group not in ("document", "HTTP status", "process") and "live" not in s.group)
    records = (record_of(failure(s.act), s.secrets) for s in quick)
    return tuple(r for r in records if len(json.dumps(r.document)) < 20_000)


@settings(max_examples=150, deadline=None, phases=(Phase.generate,))
@given(st.data())
def test_any_damage_to_a_record_gives_a_verdict(data: st.DataObject) -> None:
    """A value replaced anywhere: never an exception."""
    record = data.draw(st.sampled_from(small_records()))
    document = json.loads(json.dumps(record.document))
    at: Any = document
    for _ in range(8):
        keys = list(at) if isinstance(at, dict) else list(range(len(at))) if isinstance(at, list) else []
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if not isinstance(at[key], dict | list) or not at[key] or data.draw(st.booleans()):
            at[key] = data.draw(st.none() | st.integers() | st.text(max_size=5) | st.just({"$": "opaque"}))
            break
        at = at[key]
    judge(document, record.blobs.__getitem__, source)


def test_secrets_are_stand_ins_of_equal_length_and_the_failure_still_the_same() -> None:
    act = server(list_models, reply({"error": {"message": f"bad token {TOKEN} and password=hunter22"}}, 500))
    record = record_of(failure(act), (TOKEN,))
    everything = json.dumps(record.document) + repr(record.blobs)
    assert TOKEN not in everything and "hunter22" not in everything
    assert record.document["arguments"]["server"]["fields"]["token"] == stand_in(len(TOKEN))
    assert "/arguments/server/token" in record.document["redacted"]
    found = verdict_of(record)
    assert (found.outcome, found.redacted) == (Outcome.SAME, True)


def test_a_secret_that_nobody_configured_is_known_by_its_key_everywhere() -> None:
    """The token lies under ``token``, and once more in the middle of what the server said."""
    record = record_of(failure(server(list_models, reply({"error": {"message": f"who is {TOKEN}?"}}, 500))))
    assert TOKEN not in json.dumps(record.document) + repr(record.blobs)


def test_of_what_a_port_was_asked_the_digest_alone_is_kept() -> None:
    """The request holds the picture once more."""
    record = record_of(failure(asked(RequestTimeout("late"))))
    bodies = [blob for blob in record.blobs.values() if b"messages" in blob and b"base64," in blob and len(blob) > 2000]
    assert bodies == []
    line = next(line for line in record.document["tape"] if line["op"] == "exchange")
    assert line["asked"][0]["fields"]["body"]["$"] == "bytes"
    assert line["asked"][0]["fields"]["body"]["sha256"] not in record.blobs


def test_a_record_that_names_another_exception_is_not_confirmed() -> None:
    record = record_of(failure(server(list_models, ConnectFailed("x"))))
    named = changed(record.document, ("exceptions", 0, "type"), "foureyes_actors.errors.StoreInUse")
    found = verdict(record, named)
    assert found is Outcome.OTHER
