"""The cache of analyses: exact keys, a time to live, hits and misses counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from foureyes_actors.inference.cache import AnalysisCache
from foureyes_actors.messages import Analysis, Task, TaskFailure
from foureyes_actors.ports.clock import ManualClock
from tests.inference.support import frame

KEYS = st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.sampled_from("12"))


def analysis(number: int = 1) -> Analysis:
    return Analysis(frame(number).ref, "m", (), 0.1)


@given(st.lists(st.tuples(st.sampled_from(["put", "get", "wait"]), KEYS, st.floats(0, 4)), max_size=60))
def test_it_answers_as_a_plain_dictionary_with_times_would(steps: list[tuple[str, tuple[str, ...], float]]) -> None:
    clock = ManualClock()
    cache, model = (
        AnalysisCache(ttl=5.0, size=64, timer=clock.monotonic),
        dict[tuple[str, ...], tuple[float, Analysis]](),
    )
    hits = misses = 0
    for number, (what, key, seconds) in enumerate(steps):
        if what == "wait":
            clock.advance(seconds)
        elif what == "put":
            model[key] = (clock.monotonic() + 5.0, analysis(number))
            cache.put(key, analysis(number))
        else:
            until, known = model.get(key, (0.0, None))
            expected = known if clock.monotonic() < until else None
            assert cache.find(key) == expected
            if expected is None:
                cache.missed()
            hits, misses = hits + (expected is not None), misses + (expected is None)
    assert (cache.hits, cache.misses) == (hits, misses)


def test_the_size_is_bounded() -> None:
    cache = AnalysisCache(ttl=5.0, size=2, timer=ManualClock().monotonic)
    for key in ("a", "b", "c"):
        cache.put((key,), analysis())
    assert [cache.find((key,)) is not None for key in ("a", "b", "c")] == [False, True, True]


def test_an_answer_with_a_failed_task_is_not_kept() -> None:
    cache = AnalysisCache(ttl=5.0, size=2, timer=ManualClock().monotonic)
    cache.put(("a",), Analysis(frame().ref, "m", (), 0.1, failures=(TaskFailure(Task.OCR, "X", "x"),)))
    assert cache.find(("a",)) is None


def test_without_a_time_to_live_there_is_no_cache() -> None:
    cache = AnalysisCache(ttl=0.0, size=2, timer=ManualClock().monotonic)
    cache.put(("a",), analysis())
    assert cache.find(("a",)) is None
    cache.missed()
    assert (cache.hits, cache.misses) == (0, 0)
