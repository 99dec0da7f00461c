"""One step of a screen: joined frame in, readings and changes out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from foureyes_actors.messages import EventKind, Field, Reading, ReadingStatus, Task, TaskAnswer
from foureyes_actors.readings.fusion import Joined, Part
from foureyes_actors.readings.screen import Screen, read, stale
from foureyes_actors.settings import ReadingsSettings
from tests.readings.support import failure, frame, motion, ocr, popup, state

SETTINGS = ReadingsSettings()


def joined(number: int, *answers: TaskAnswer, **more: Any) -> Joined:
    failures = more.pop("failures", ())
    return Joined(frame(number), (Part("vl", answers, failures),), **more)


def by_field(readings: tuple[Reading, ...]) -> dict[Field, Reading]:
    return {r.field: r for r in readings}


def test_all_fields_of_a_frame_are_read() -> None:
    answers = (ocr(grand="$100.00", balance="$5.00"), state("idle"), motion("stopped"), popup("none"))
    screen, readings, found = read(Screen(), joined(1, *answers), SETTINGS)
    assert [r.field for r in readings] == list(Field)
    assert by_field(readings)[Field.GRAND].value == Decimal("100.00")
    assert by_field(readings)[Field.STATE].reason == "1 of 2"
    _, readings, _ = read(screen, joined(2, *answers), SETTINGS)
    assert by_field(readings)[Field.STATE].status is ReadingStatus.ACCEPTED
    assert found == ()


def test_a_failed_task_makes_its_fields_stale_with_its_reason() -> None:
    screen, _, _ = read(Screen(), joined(1, ocr(grand="$100.00")), SETTINGS)
    _, readings, _ = read(screen, joined(2, state("idle"), failures=(failure(Task.OCR, "it is missing"),)), SETTINGS)
    grand = by_field(readings)[Field.GRAND]
    assert (grand.status, grand.value, grand.reason) == (ReadingStatus.STALE, Decimal("100.00"), "it is missing")


def test_a_contradiction_is_told_in_the_states_reason_and_its_event() -> None:
    screen = Screen()
    for number, word in enumerate(["idle", "idle", "spinning", "spinning"]):
        screen, readings, found = read(screen, joined(number, state(word), motion("stopped")), SETTINGS)
    reading = by_field(readings)[Field.STATE]
    assert (reading.value, reading.status) == ("spinning", ReadingStatus.ACCEPTED)
    assert reading.reason == "seen 2 times in a row; animation_detection sees reels rest"
    assert [(c.kind, c.before, c.after, c.reason) for c in found] == [
        (EventKind.STATE_CHANGED, "idle", "spinning", reading.reason)
    ]


def test_a_supplement_reads_only_what_it_adds() -> None:
    screen, _, _ = read(Screen(), joined(1, state("idle")), SETTINGS)
    screen, readings, _ = read(screen, joined(1, motion("stopped"), supplement=1), SETTINGS)
    assert [r.field for r in readings] == [Field.MOTION]
    assert (readings[0].status, readings[0].reason) == (ReadingStatus.HELD, "1 of 2")


def test_a_late_supplement_gives_a_value_where_there_is_nothing_newer() -> None:
    """A model that is always slower than the timeout is still read."""
    screen = Screen()
    for number in (1, 2, 3):
        screen, _, _ = read(screen, joined(number, state("idle")), SETTINGS)
    screen, readings, _ = read(screen, joined(1, ocr(grand="$100.00"), supplement=1, late=True), SETTINGS)
    assert by_field(readings)[Field.GRAND].status is ReadingStatus.ACCEPTED
    _, readings, _ = read(screen, joined(2, state("win"), supplement=1, late=True), SETTINGS)
    assert by_field(readings)[Field.STATE].value == "idle"


def test_stale_keeps_what_was_accepted() -> None:
    screen, _, _ = read(Screen(), joined(1, ocr(grand="$100.00")), SETTINGS)
    readings = by_field(stale(screen, "no answer for 10 s"))
    assert set(readings) == set(Field)
    assert {r.status for r in readings.values()} == {ReadingStatus.STALE}
    assert (readings[Field.GRAND].value, readings[Field.GRAND].currency) == (Decimal("100.00"), "$")
