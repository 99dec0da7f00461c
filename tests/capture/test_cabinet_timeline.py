"""The story of a machine: gapless, varied, and its values move only as told."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from foureyes_actors.capture.cabinet.timeline import (
    CHECKPOINT,
    JACKPOTS,
    POPUPS,
    TICKS_PER_SECOND,
    Scene,
    Segment,
    Timeline,
    stakes,
)
from foureyes_actors.capture.cabinet.words import ERRORS, INFOS, LOST
from foureyes_actors.messages import GameState, Motion, PopupKind

SEEDS = range(6)


def timeline(seed: int, scale: int = 1) -> Timeline:
    return Timeline(f"test|{seed}", stakes(f"test|{seed}", scale))


def segments(line: Timeline, until: float) -> list[Segment]:
    found, time = [], 0.0
    while time < until:
        found.append(line.at(time))
        time = found[-1].end
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_segments_follow_each_other_without_a_gap(seed: int) -> None:
    story = segments(timeline(seed), 600)
    assert story[0].start == 0.0
    assert all(before.end == after.start for before, after in pairwise(story))
    assert all(1.0 < segment.end - segment.start < 8.0 for segment in story)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_scene_comes_within_two_minutes_and_a_half(seed: int) -> None:
    story = segments(timeline(seed), 150)
    assert {segment.scene for segment in story} == set(Scene)
    assert {segment.state for segment in story} == set(GameState) - {GameState.UNKNOWN}
    assert {segment.popup for segment in story} == set(PopupKind) - {PopupKind.UNKNOWN}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_balance_falls_by_the_bet_and_rises_by_the_win(seed: int) -> None:
    line = timeline(seed)
    story = segments(line, 900)
    for before, after in pairwise(story):
        end = before.balance_at(before.end)
        assert end == before.balance + before.win
        cashier = before.round != after.round and after.balance == line.stakes.balance
        bet = after.bet if after.scene is Scene.SPIN else 0
        assert cashier or after.balance == end - bet
        assert after.balance >= 0
        assert before.win == 0 or before.scene is Scene.WIN


def test_a_win_is_counted_up_and_never_down() -> None:
    for segment in segments(timeline(2), 600):
        times = [segment.start + (segment.end - segment.start) * n / 50 for n in range(50)]
        counted = [segment.win_at(time) for time in times]
        assert counted == sorted(counted)
        assert counted[-1] == segment.win
        assert segment.win == 0 or counted[0] == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_jackpots_grow_until_they_are_won(seed: int) -> None:
    line = timeline(seed)
    story = segments(line, 1500)
    resets = 0
    for before, after in pairwise(story):
        for place, jackpot in enumerate(JACKPOTS):
            times = [before.start + (before.end - before.start) * n / 7 for n in range(8)]
            values = [line.jackpot(before, place, time) for time in times]
            assert values == sorted(values)
            following = line.jackpot(after, place, after.start)
            if following < values[-1]:
                resets += 1
                assert after.won is jackpot and following == line.stakes.seeds[place]
                assert after.jackpot == values[-1]
            else:
                assert after.won is not jackpot
    assert resets > 2


def test_the_grand_moves_in_every_frame_of_a_live_source() -> None:
    line = timeline(1)
    for segment in segments(line, 120):
        times = [segment.start + n / 3 for n in range(int((segment.end - segment.start) * 3))]
        values = [line.jackpot(segment, 0, time) for time in times]
        grows = [after > before for before, after in pairwise(values)]
        assert not any(grows) if segment.scene is Scene.LOST else all(grows)


def test_the_value_before_the_last_tick_is_the_one_that_was_shown() -> None:
    line = timeline(3)
    rng = Random(5)
    for _ in range(300):
        time = rng.uniform(0, 300)
        segment = line.at(time)
        changed = line.last_tick(2, time)
        if segment.start < changed - 1e-6 and segment.scene is not Scene.LOST:
            assert line.jackpot_before(segment, 2, time) == line.jackpot(segment, 2, changed - 1e-6)
            assert line.jackpot(segment, 2, time) > line.jackpot_before(segment, 2, time)


def test_any_moment_can_be_told_first() -> None:
    forward, backward = timeline(4), timeline(4)
    times = [n * 37.7 for n in range(120)]
    told = [forward.at(time) for time in times]
    assert [backward.at(time) for time in reversed(times)] == told[::-1]
    assert forward.at(0.0) == backward.at(0.0)


def test_a_long_run_keeps_little() -> None:
    line = timeline(0)
    rounds = line.at(40_000.0).round
    assert rounds > 20 * CHECKPOINT
    assert len(line._rounds) <= 32
    assert len(line._checkpoints) == rounds // CHECKPOINT + 1


def test_balance_and_jackpots_stay_believable_for_days() -> None:
    line = timeline(5)
    for hour in range(1, 40):
        segment = line.at(hour * 3600.0)
        assert 5 * segment.bet <= segment.balance <= 20_000 * segment.bet
        for place, seed in enumerate(line.stakes.seeds):
            assert seed <= line.jackpot(segment, place, hour * 3600.0) <= 8 * seed


def test_reels_stop_one_after_another_and_the_last_one_ends_the_spin() -> None:
    for segment in segments(timeline(1), 200):
        stops = [segment.stop(reel, 5) for reel in range(5)]
        if segment.scene is not Scene.SPIN:
            assert segment.motion is Motion.STOPPED and stops == [segment.start] * 5
            continue
        assert segment.motion is Motion.SPINNING
        assert segment.start < stops[0] and stops == sorted(set(stops)) and stops[-1] == segment.end


def test_there_are_words_enough() -> None:
    assert len(set(ERRORS)) >= 20 and len(set(INFOS)) >= 10 and len(set(LOST)) >= 5
    assert not set(ERRORS) & set(INFOS)
    assert all("econnect" in text for text in LOST)
    story = segments(timeline(2), 3000)
    assert all((segment.text is None) == (segment.scene not in POPUPS) for segment in story)
    assert len({segment.text for segment in story if segment.scene is Scene.ERROR}) > 8


@pytest.mark.parametrize("scale", [1, 80])
def test_stakes_are_ordered_and_every_tick_shows(scale: int) -> None:
    for seed in range(40):
        told = stakes(str(seed), scale)
        assert list(told.seeds) == sorted(told.seeds, reverse=True)
        assert 0 < told.bet < told.balance
        assert all(growth >= 1 for growth in told.growth)
    assert TICKS_PER_SECOND[0] > 2 * 2.5


def test_a_time_before_the_start_is_refused() -> None:
    with pytest.raises(ValueError, match="time must be 0 or more"):
        timeline(0).at(-1.0)
