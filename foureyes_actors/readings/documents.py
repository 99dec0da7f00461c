"""Readings and events as the store's documents."""

from __future__ import annotations

from typing import Any

from foureyes_actors.messages import Event, FrameRef, Reading, ReadingSet


def reading_set_id(run_id: str, frame: FrameRef, supplement: int = 0) -> str:
    """Unique per run and frame; a supplement to a frame has a number of its own."""
    return f"{run_id}-{frame.source}-{frame.sequence:08d}" + (f"-{supplement}" if supplement else "")


def reading_document(readings: ReadingSet, run_id: str) -> dict[str, Any]:
    """One document per frame in ``readings``."""
    frame = readings.frame
    return {
        "_id": readings.id,
        "run": run_id,
        "at": readings.at,
        "source": frame.source,
        "sequence": frame.sequence,
        "captured_at": frame.captured_at,
        "age_ms": round(readings.age * 1000),
        "digest": frame.digest,
        "models": list(readings.models),
        "latencies_ms": [None if seconds is None else round(seconds * 1000) for seconds in readings.latencies],
        "degraded": readings.degraded,
        "fields": {reading.field.value: _field(reading) for reading in readings.readings},
    }


def _field(reading: Reading) -> dict[str, Any]:
    return {
        "raw": reading.raw,
        "value": reading.value,
        "currency": reading.currency,
        "confidence": reading.confidence,
        "status": reading.status.value,
        "reason": reading.reason,
    }


def event_document(event: Event, run_id: str) -> dict[str, Any]:
    """One document per event in ``events``."""
    frame = event.frame
    return {
        "_id": event.id,
        "run": run_id,
        "at": event.at,
        "kind": event.kind.value,
        "subject": str(event.subject),
        "before": event.before,
        "after": event.after,
        "reason": event.reason,
        "seconds": event.seconds,
        **({"degraded": True} if event.degraded else {}),
        **({"figures": dict(event.figures)} if event.figures else {}),
        "frame": None
        if frame is None
        else {
            "source": frame.source,
            "sequence": frame.sequence,
            "captured_at": frame.captured_at,
            "digest": frame.digest,
        },
    }
