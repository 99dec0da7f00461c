"""Documents as both stores take them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from foureyes_actors.messages import Event, EventKind, Field, Reading, ReadingSet, ReadingStatus
from foureyes_actors.ports.documents import body, decoded, encoded, parsed
from foureyes_actors.readings.documents import event_document, reading_document, reading_set_id
from tests.readings.support import frame

REF = frame(7)


def test_a_reading_set() -> None:
    at = REF.captured_at + timedelta(seconds=0.5)
    readings = (
        Reading(Field.GRAND, "$12,345.67", Decimal("12345.67"), 0.9, ReadingStatus.ACCEPTED, "", "$"),
        Reading(Field.STATE, "idle", "idle", None, ReadingStatus.HELD, "1 of 2"),
    )
    found = ReadingSet("run-a-1", REF, ("vl", "ocr"), readings, at, 0.1234, degraded=True, latencies=(0.1204, None))
    document = reading_document(found, "run")
    assert document == {
        "_id": "run-a-1",
        "run": "run",
        "at": at,
        "source": "cabinet:plain",
        "sequence": 7,
        "captured_at": REF.captured_at,
        "age_ms": 123,
        "digest": REF.digest,
        "models": ["vl", "ocr"],
        "latencies_ms": [120, None],
        "degraded": True,
        "fields": {
            "grand": {
                "raw": "$12,345.67",
                "value": Decimal("12345.67"),
                "currency": "$",
                "confidence": 0.9,
                "status": "accepted",
                "reason": "",
            },
            "state": {
                "raw": "idle",
                "value": "idle",
                "currency": None,
                "confidence": None,
                "status": "held",
                "reason": "1 of 2",
            },
        },
    }
    assert decoded(parsed(body(encoded(document)))) == document


def test_an_event() -> None:
    event = Event("run-e-1", EventKind.POPUP_SEEN, REF.captured_at, Field.POPUP, None, "error: No", "", REF)
    document = event_document(event, "run")
    assert document["frame"] == {
        "source": "cabinet:plain",
        "sequence": 7,
        "captured_at": REF.captured_at,
        "digest": REF.digest,
    }
    assert (document["_id"], document["kind"], document["subject"], document["run"]) == (
        "run-e-1", "popup_seen", "popup", "run",
    )  # fmt: skip
    assert decoded(parsed(body(encoded(document)))) == document
    assert event_document(Event("x", EventKind.RUN_STARTED, event.at, "run", None, "a"), "run")["frame"] is None


def test_ids_are_unique_per_run_frame_and_supplement() -> None:
    ids = {
        reading_set_id(run, frame(n, source=source), supplement)
        for run in ("r1", "r2")
        for n in (1, 12)
        for source in ("a", "b")
        for supplement in (0, 1, 2)
    }
    assert len(ids) == 24
    assert "r1-a-00000012" in ids
