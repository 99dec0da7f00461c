"""Which settings may be changed for a while, and for which failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from foureyes_actors.errors import ConnectionBroken, ReplyTooLarge
from foureyes_actors.forgewright.knobs import KNOBS, NO_PROOF, SILENCE, Change, candidates, value_of
from foureyes_actors.forgewright.latencies import Observed
from foureyes_actors.replay.codec import dumps, loads
from foureyes_actors.settings import Settings
from foureyes_actors.settings.schema import all_keys, section
from t00l5et.wire.replay import DEADLINES
from tests.inference.support import completion
from tests.replay import live_obs, live_store
from tests.replay.make import failure, record_of
from tests.replay.scenarios import asked, joined
from tests.t00l5et.test_wire_replay import analysed, silent

SAFETY = (  # what is refused by one of these is not mended by a higher one
    "source.limits.max_bytes",
    "source.limits.max_pixels",
    "source.rate",
    "model_server.reload_above",
    "model_server.restart_foreign",
    "model_server.stop_grace",
    "forgewright.platforms_per_day",
    "resource.pressure",
    "bug.condition",
)


def document_of(act: Callable[[], object]) -> dict[str, Any]:
    document: dict[str, Any] = loads(dumps(record_of(failure(act)).document))
    return document


def changes(act: Callable[[], object], observed: Observed | None = None, **parts: Any) -> dict[str, Change]:
    found = candidates(document_of(act), Settings.model_validate(parts), observed)
    assert all(KNOBS[change.key].admits(change.value) for change in found)
    return {change.key: change for change in found}


def test_every_knob_is_a_setting_that_takes_all_its_values() -> None:
    keys = {".".join(key) for key in all_keys(section(Settings))}
    for key, knob in KNOBS.items():
        assert key == knob.key and key in keys and knob.why
        assert knob.lowest <= value_of(Settings(), key) <= knob.highest, "what is shipped is within the bounds"
        assert list(knob.steps) == sorted(knob.steps) and all(knob.admits(step) for step in knob.steps)
        for value in (knob.lowest, knob.highest):
            *path, name = key.split(".")
            part: Any = {name: int(value) if knob.whole else value}
            for each in reversed(path):
                part = {each: part}
            assert value_of(Settings.model_validate(part), key) == value


def test_the_bounds_of_the_reference_hold() -> None:
    assert KNOBS["inference.deadline"].highest == 60 and KNOBS["inference.attempts"].highest == 5
    assert all(knob.highest <= 60 for knob in KNOBS.values() if "deadline" in knob.key or "timeout" in knob.key)


def test_no_knob_is_a_safety_limit() -> None:
    for key in KNOBS:
        assert not key.startswith(SAFETY), key
        assert not any(word in key for word in ("limits", "max_bytes", "max_pixels", "max_reply", "memory", "per_day"))


def test_what_can_be_replayed_is_what_the_wire_replay_knows() -> None:
    assert {key for key, knob in KNOBS.items() if knob.replayed} == set(DEADLINES)


@pytest.mark.parametrize("value", [0.99, 60.01, float("nan"), float("inf"), -1, True, "45", None, [45], 10**400])
def test_values_that_a_knob_does_not_admit(value: object) -> None:
    assert not KNOBS["inference.deadline"].admits(value)
    assert not KNOBS["inference.attempts"].admits(value if isinstance(value, float) else 6)


def test_whole_numbers_where_they_must_be() -> None:
    assert KNOBS["inference.attempts"].admits(4) and not KNOBS["inference.attempts"].admits(4.0)


# --- which change for which failure ---

TIMEOUT = analysed(silent, 30.0)


def test_a_timeout_with_late_answers_seen_may_be_answered_by_itself() -> None:
    found = changes(TIMEOUT, Observed((31.0, 2.0)))
    assert list(found) == ["inference.deadline", "inference.attempts"], "the cheapest first"
    longer = found["inference.deadline"]
    assert (longer.was, longer.value, longer.late, longer.by_itself) == (30.0, 45.0, 31.0, True)
    assert "took longer than 30 s" in longer.reason
    assert found["inference.attempts"] == Change("inference.attempts", 3, 4, NO_PROOF)


def test_a_reply_after_50_s_gets_a_longer_deadline_and_one_after_58_s_founds_none() -> None:
    assert changes(TIMEOUT, Observed((50.0,)))["inference.deadline"].value == 60.0
    found = changes(TIMEOUT, Observed((58.0,)))["inference.deadline"]
    assert (found.by_itself, found.value) == (False, 45.0), "another reply than that one may be meant"
    assert "longer than any allowed deadline has room for" in found.reason


def test_a_timeout_about_which_nothing_is_known_is_only_proposed() -> None:
    for observed in (None, Observed((2.0,) * 500)):
        longer = changes(TIMEOUT, observed)["inference.deadline"]
        assert (longer.value, longer.by_itself) == (45.0, False)
        assert longer.late == pytest.approx(33.0) and "after 33 s is an assumption: " in longer.reason


def test_a_deadline_that_the_user_has_made_longer_counts() -> None:
    longer = changes(TIMEOUT, Observed((46.0,)), inference={"deadline": 45})["inference.deadline"]
    assert (longer.was, longer.value) == (45.0, 60.0)
    assert "inference.deadline" not in changes(TIMEOUT, Observed((46.0,)), inference={"deadline": 60})
    assert "inference.deadline" not in changes(TIMEOUT, inference={"deadline": 300})


def test_an_exchange_that_breaks_is_tried_more_often() -> None:
    assert changes(asked(ConnectionBroken("gone"))) == {
        "inference.attempts": Change("inference.attempts", 3, 4, NO_PROOF)
    }
    assert changes(asked(ConnectionBroken("gone")), inference={"attempts": 5}) == {}


def test_an_answer_that_was_cut_off_gets_more_tokens() -> None:
    found = changes(asked(completion('{"vision_ocr": {', finish="length")))
    assert found == {"inference.max_tokens": Change("inference.max_tokens", 500, 1000, NO_PROOF)}


def test_silence_of_obs_and_of_the_store() -> None:
    obs, store = ({s.name: s for s in module.failures()} for module in (live_obs, live_store))
    found = changes(obs["no reply until the deadline"].act)
    assert found == {"source.obs.deadline": Change("source.obs.deadline", 2.0, 4.0, SILENCE)}
    found = changes(store["write: no answer until the deadline"].act)
    assert found == {"store.timeout": Change("store.timeout", 3.0, 6.0, SILENCE)}


@pytest.mark.parametrize(
    "act",
    [
        asked(ReplyTooLarge("9437184 bytes, at most 1048576 are read")),
        asked(completion("{}", model="another")),
        asked(completion("no JSON")),
        joined({"grand": "1.00"}),
        next(s.act for s in live_obs.failures() if s.name == "reset"),
    ],
    ids=["too large", "wrong model", "no JSON", "a defect", "OBS resets"],
)
def test_for_most_failures_no_setting_helps(act: Callable[[], object]) -> None:
    assert changes(act, Observed((31.0,))) == {}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"exceptions": []},
        {"exceptions": 3, "entry": []},
        {"exceptions": [{"type": "foureyes_actors.errors.SourceUnavailable", "text": ""}], "entry": "x", "tape": 1},
        {
            "exceptions": [{"type": "foureyes_actors.errors.StoreUnavailable", "text": ""}],
            "entry": "foureyes_actors.recorder.store_calls:write",
            "tape": [{"raised": {"attributes": [["wire"], 3]}}],
        },
    ],
)
def test_a_record_that_makes_no_sense_has_none(document: dict[str, Any]) -> None:
    assert candidates(document, Settings()) == ()
