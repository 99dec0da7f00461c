"""Which failures become faults."""

from __future__ import annotations

from foureyes_actors.capture.reporting import MAX_REPORTS, Reports, after_failure, after_good


def told(script: list[tuple[float, str]]) -> list[tuple[float, int]]:
    """Time and count of each report. An empty kind is a good grab."""
    reports, seen = Reports(), []
    for at, kind in script:
        if not kind:
            reports = after_good(reports)
            continue
        reports, count = after_failure(reports, at, kind)
        if count:
            seen.append((at, count))
    return seen


def test_an_outage_is_told_at_its_beginning_and_then_once_a_minute_with_its_count() -> None:
    outage = [(float(n) / 2, "SourceUnavailable") for n in range(260)]
    assert told(outage) == [(0.0, 1), (60.0, 120), (120.0, 120)]


def test_each_new_outage_is_an_edge() -> None:
    assert told([(0, "A"), (1, "A"), (2, ""), (3, "A"), (4, "A")]) == [(0, 1), (3, 2)]


def test_another_kind_of_failure_is_an_edge() -> None:
    assert told([(0, "A"), (1, "A"), (2, "B"), (3, "B")]) == [(0, 1), (2, 2)]


def test_a_source_that_comes_and_goes_cannot_flood() -> None:
    flapping = [(n / 3, "A" if n % 2 else "") for n in range(3 * 60)]
    assert len(told(flapping)) == MAX_REPORTS
    longer = [(n / 3, "A" if n % 2 else "") for n in range(3 * 600)]
    reports = told(longer)
    assert len(reports) <= MAX_REPORTS * 10
    unreported = 900 - sum(count for _, count in reports)
    assert 0 <= unreported < 90  # every failure is in some report's count, but for the last ones
