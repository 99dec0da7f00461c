"""What happens when: the seeded story of one machine, without a pixel.

The story is a chain of rounds. A round is played from the carry of the one before it and a random generator of its
own, so that any moment can be told again; only sparse carries and the latest rounds are kept.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from cachetools import LRUCache

from foureyes_actors.capture.cabinet.words import ERRORS, INFOS, LOST
from foureyes_actors.messages import Field, GameState, Motion, PopupKind

JACKPOTS = (Field.GRAND, Field.MAJOR, Field.MINOR, Field.MINI)
TICKS_PER_SECOND = (6.0, 0.9, 0.37, 0.15)  # how often each of them grows; at 3 frames a second GRAND does in each
WIN_CHANCE = (0.04, 0.1, 0.3, 0.45)  # in a bonus
ROLL_STEPS = 12.0  # steps a second in which a win is counted up into the balance
CHECKPOINT = 64  # rounds


class Scene(StrEnum):
    """What the machine is doing; finer than the game state."""

    IDLE = "idle"
    SPIN = "spin"
    WIN = "win"
    BONUS = "bonus"
    INFO = "info"
    ERROR = "error"
    LOST = "lost"  # no connection


STATES = {
    Scene.IDLE: GameState.IDLE,
    Scene.SPIN: GameState.SPINNING,
    Scene.WIN: GameState.WIN,
    Scene.BONUS: GameState.BONUS,
    Scene.INFO: GameState.IDLE,
    Scene.ERROR: GameState.ERROR,
    Scene.LOST: GameState.DISCONNECTED,
}
POPUPS = {Scene.INFO: PopupKind.INFO, Scene.ERROR: PopupKind.ERROR, Scene.LOST: PopupKind.DISCONNECTED}
WORDS = {Scene.INFO: INFOS, Scene.ERROR: ERRORS, Scene.LOST: LOST}
BAG = (Scene.WIN, Scene.WIN, Scene.WIN, Scene.BONUS, Scene.ERROR, Scene.INFO, Scene.LOST, Scene.IDLE)
LASTS = {
    Scene.IDLE: (1.2, 2.6),
    Scene.SPIN: (2.2, 3.8),
    Scene.WIN: (2.6, 4.2),
    Scene.BONUS: (4.5, 7.0),
    Scene.INFO: (2.8, 4.5),
    Scene.ERROR: (3.0, 5.0),
    Scene.LOST: (3.0, 5.0),
}


@dataclass(frozen=True, slots=True)
class Stakes:
    """Units. ``growth``: units per tick of each jackpot, at least 1, so that every tick shows."""

    bet: int
    balance: int
    seeds: tuple[int, int, int, int]
    growth: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Meter:
    """A growing jackpot: ``base`` units at tick number ``since``."""

    base: int
    since: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where the reels rest: any number, from which the reels take their positions."""

    noise: int
    winning: bool


@dataclass(frozen=True, slots=True)
class Segment:
    """One scene from ``start`` to ``end`` (seconds). ``balance`` is the one at its start, bet already taken."""

    scene: Scene
    start: float
    end: float
    balance: int
    meters: tuple[Meter, ...]
    bet: int
    outcome: Outcome
    win: int = 0  # counted into the balance from ``start`` to ``counted``
    counted: float = 0.0
    last_win: int = 0
    won: Field | None = None
    jackpot: int = 0  # what the won jackpot stood at; the large ones are paid by hand, not in ``win``
    text: str | None = None
    variant: int = 0
    round: int = 0

    @property
    def state(self) -> GameState:
        return STATES[self.scene]

    @property
    def motion(self) -> Motion:
        return Motion.SPINNING if self.scene is Scene.SPIN else Motion.STOPPED

    @property
    def popup(self) -> PopupKind:
        return POPUPS.get(self.scene, PopupKind.NONE)

    def win_at(self, time: float) -> int:
        """How much of ``win`` is counted at ``time``."""
        if time >= self.counted:
            return self.win
        steps = max(1.0, (self.counted - self.start) * ROLL_STEPS)
        return int(self.win * min(1.0, int((time - self.start) * ROLL_STEPS) / steps))

    def stop(self, reel: int, reels: int) -> float:
        """When this reel comes to rest: one after another, the last one at the segment's end."""
        if self.scene is not Scene.SPIN:
            return self.start
        gap = min(0.14 + self.variant % 20 / 100, (self.end - self.start) * 0.6 / reels)
        return self.end - (reels - 1 - reel) * gap

    def balance_at(self, time: float) -> int:
        return self.balance + self.win_at(time)


@dataclass(frozen=True, slots=True)
class Carry:
    """What one round hands to the next."""

    number: int
    time: float
    balance: int
    meters: tuple[Meter, ...]
    outcome: Outcome
    last_win: int


class Timeline:
    """Pure in (key, stakes): the same moment always tells the same. One thread at a time."""

    def __init__(self, key: str, stakes: Stakes) -> None:
        self.key, self.stakes = key, stakes
        rng = Random(f"{key}|start")
        meters = tuple(Meter(int(seed * rng.uniform(1.02, 1.9)), 0) for seed in stakes.seeds)
        first = Carry(0, 0.0, stakes.balance, meters, Outcome(rng.getrandbits(32), False), 0)
        self._checkpoints = [first]
        self._rounds: LRUCache[int, tuple[tuple[Segment, ...], Carry]] = LRUCache(32)

    def at(self, time: float) -> Segment:
        """The segment that ``time`` (seconds, 0 or more) falls into."""
        if time < 0:
            raise ValueError(f"time must be 0 or more, not {time}")
        place = bisect_right(self._checkpoints, time, key=lambda carry: carry.time) - 1
        carry = self._checkpoints[place]
        while True:
            segments, following = self._round(carry)
            if time < following.time:
                return segments[bisect_right(segments, time, key=lambda segment: segment.start) - 1]
            carry = following

    def jackpot(self, segment: Segment, place: int, time: float) -> int:
        """Units of jackpot number ``place``. Without a connection the screen keeps what it last heard."""
        meter, moment = segment.meters[place], segment.start if segment.scene is Scene.LOST else time
        return self._value(meter, place, moment)

    def jackpot_before(self, segment: Segment, place: int, time: float) -> int:
        """Units that it had before its last tick."""
        return self._value(segment.meters[place], place, time, back=1)

    def last_tick(self, place: int, time: float) -> float:
        """When jackpot number ``place`` changed last."""
        return _tick(place, time) / TICKS_PER_SECOND[place]

    def _value(self, meter: Meter, place: int, time: float, back: int = 0) -> int:
        ticks = max(0, _tick(place, time) - back - meter.since)
        return meter.base + int(self.stakes.growth[place] * ticks)

    def _round(self, carry: Carry) -> tuple[tuple[Segment, ...], Carry]:
        known = self._rounds.get(carry.number)
        if known is None:
            known = self._rounds[carry.number] = self._play(carry)
            if known[1].number == len(self._checkpoints) * CHECKPOINT:
                self._checkpoints.append(known[1])
        return known

    def _play(self, carry: Carry) -> tuple[tuple[Segment, ...], Carry]:
        rng = Random(f"{self.key}|{carry.number}")
        special = self._special(carry.number)
        late = rng.random() < 0.4
        scenes = [Scene.IDLE]
        if special in POPUPS and not late:
            scenes += [special, Scene.IDLE]
        scenes.append(Scene.SPIN)
        if (special in POPUPS and late) or special is Scene.WIN:
            scenes.append(special)
        elif special is Scene.BONUS:
            scenes += [special, Scene.WIN]
        segments: list[Segment] = []
        now = self._cashier(carry)
        for scene in scenes:
            segment = self._segment(rng, now, scene, special)
            segments.append(segment)
            now = self._after(segment, now)
        return tuple(segments), replace(now, number=carry.number + 1)

    def _special(self, number: int) -> Scene:
        bag = list(BAG)
        Random(f"{self.key}|bag|{number // len(BAG)}").shuffle(bag)
        return bag[number % len(BAG)]

    def _cashier(self, carry: Carry) -> Carry:
        """Money in when it runs out, money out when it piles up: the balance stays believable for ever."""
        bet = self.stakes.bet
        if not 10 * bet <= carry.balance <= max(2000 * bet, 3 * self.stakes.balance):
            return replace(carry, balance=self.stakes.balance)
        return carry

    def _segment(self, rng: Random, now: Carry, scene: Scene, special: Scene) -> Segment:
        lasts = rng.uniform(*LASTS[scene])
        bet, outcome, won, win, jackpot = self.stakes.bet, now.outcome, None, 0, 0
        balance, last_win, meters = now.balance, now.last_win, now.meters
        if scene is Scene.SPIN:
            balance, last_win = balance - bet, 0
            outcome = Outcome(rng.getrandbits(32), special is Scene.WIN)
        elif scene is Scene.WIN:
            win, won, jackpot, meters = self._win(rng, now, special)
        return Segment(
            scene=scene,
            start=now.time,
            end=now.time + lasts,
            balance=balance,
            meters=meters,
            bet=bet,
            outcome=outcome,
            win=win,
            counted=now.time + lasts * 0.6,
            last_win=last_win,
            won=won,
            jackpot=jackpot,
            text=rng.choice(WORDS[scene]) if scene in WORDS else None,
            variant=rng.getrandbits(32),
            round=now.number,
        )

    def _win(self, rng: Random, now: Carry, special: Scene) -> tuple[int, Field | None, int, tuple[Meter, ...]]:
        rich = now.balance > 500 * self.stakes.bet
        bets = rng.choice((0.4, 0.5, 0.8, 1.2) if rich else (0.5, 0.8, 1.5, 2.5, 4, 8, 15, 31))
        win = max(1, int(self.stakes.bet * bets))
        if special is not Scene.BONUS:
            return win, None, 0, now.meters
        place = self._jackpot_won(rng, now)
        if place is None:
            return win * 3, None, 0, now.meters
        value = self._value(now.meters[place], place, now.time)
        reset = Meter(self.stakes.seeds[place], _tick(place, now.time))
        meters = (*now.meters[:place], reset, *now.meters[place + 1 :])
        paid = value if JACKPOTS[place] in (Field.MINOR, Field.MINI) else 0
        return win * 3 + paid, JACKPOTS[place], value, meters

    def _jackpot_won(self, rng: Random, now: Carry) -> int | None:
        lots = [rng.random() for _ in JACKPOTS]
        for place, (meter, seed) in enumerate(zip(now.meters, self.stakes.seeds, strict=True)):
            due = self._value(meter, place, now.time) > 3 * seed
            if due or lots[place] < WIN_CHANCE[place]:
                return place
        return None

    def _after(self, segment: Segment, now: Carry) -> Carry:
        return replace(
            now,
            time=segment.end,
            balance=segment.balance + segment.win,
            meters=segment.meters,
            outcome=segment.outcome,
            last_win=segment.win or segment.last_win,
        )


def _tick(place: int, time: float) -> int:
    return int(time * TICKS_PER_SECOND[place])


def stakes(key: str, scale: int) -> Stakes:
    """Believable stakes for a machine whose money has ``scale`` units to the US cent."""
    rng = Random(f"{key}|stakes")
    bet = scale * rng.choice((25, 40, 50, 88, 100, 125, 150, 200, 250, 500))
    mini = scale * rng.choice((1000, 1250, 2000, 2500, 5000))
    minor = mini * rng.choice((4, 5, 8, 10))
    major = minor * rng.choice((8, 10, 20))
    grand = major * rng.choice((8, 10, 12, 25))
    growth = (rng.uniform(1.2, 7.7), rng.uniform(1.5, 9.0), rng.uniform(1.2, 5.0), rng.uniform(1.0, 3.0))
    balance = bet * rng.randrange(60, 900) + rng.randrange(100 * scale)
    return Stakes(bet, balance, (grand, major, minor, mini), growth)
