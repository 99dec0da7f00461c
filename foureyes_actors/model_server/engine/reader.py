"""The reader of one model: a picture in, a report out; and the report as the JSON answer of a vision model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal

from foureyes_actors.messages import MONEY_FIELDS, Field, GameState, Motion, PopupKind, Task
from foureyes_actors.model_server.engine.detect import Image
from foureyes_actors.model_server.engine.habits import misfit
from foureyes_actors.model_server.engine.lexicon import WIN
from foureyes_actors.model_server.engine.models import Level, load_characters, load_session, model_files
from foureyes_actors.model_server.engine.motion import UNSEEN, Gray, MotionSeen, motion_between, thumbnail
from foureyes_actors.model_server.engine.recognise import Recogniser
from foureyes_actors.model_server.engine.screen import EMPTY_SCREEN, Eyes, without_cells
from foureyes_actors.model_server.engine.tracker import Track, follow, recovered, track_of
from foureyes_actors.model_server.engine.words import WordsSeen, words_of

OLDEST_BEFORE = 3.0  # seconds: an older frame says nothing about motion, and its boxes are not trusted


@dataclass(frozen=True, slots=True)
class AmountRead:
    """``text``: as shown, a legal amount of the money grammar. ``confidence``: 0-1."""

    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Cost:
    """How much work a frame was. ``mode``: full look, known boxes again, or nothing had changed."""

    mode: Literal["full", "tracked", "unchanged"]
    boxes_read: int


@dataclass(frozen=True, slots=True)
class ScreenReport:
    """What one frame shows. ``amounts`` has the visible ones only; ``words``: all texts of the last full look."""

    amounts: Mapping[Field, AmountRead]
    state: GameState
    state_confidence: float
    motion: Motion
    motion_confidence: float
    popup: PopupKind
    popup_text: str | None
    popup_confidence: float
    words: tuple[str, ...]
    cost: Cost


@dataclass(frozen=True, slots=True)
class _Before:
    """The frame before: when, its size, its thumbnail, and what is followed since the last full look."""

    now: float
    shape: tuple[int, ...]
    seen: Gray
    track: Track


class ScreenReader:
    """One per loaded model. Not thread-safe: one thread at a time.

    ``level`` tiny: the tiny networks, with the small recogniser for doubtful amounts; small: the small ones alone.
    ``track`` False: a full look at every frame. Raises MissingExtraError without the packages of the embedded server.
    """

    def __init__(self, level: Level, *, track: bool = True) -> None:
        files = model_files(level)
        recogniser = _recogniser(level)
        second = _recogniser("small") if level == "tiny" else None
        self._eyes = Eyes(load_session(files.detector), recogniser, second)
        self._track = track
        self._before: _Before | None = None

    def read(self, image: Image, now: float) -> ScreenReport:
        """Read ``image`` (height x width x 3, uint8, RGB) taken at ``now`` (monotonic seconds)."""
        before = self._usable(image, now)
        seen = thumbnail(image)
        moved = motion_between(before.seen, seen) if before else UNSEEN
        track = follow(before.track, self._eyes, image, seen, moved.motion) if before and self._track else None
        mode: Literal["full", "tracked", "unchanged"] = "full"
        if track is not None:
            mode = "tracked" if track.boxes_read else "unchanged"
        else:
            track = self._look(image, seen, moved, before)
        self._before = _Before(now, image.shape, seen, track)
        rising = _win_of(track) > _win_of(before.track) if before else False
        return _report(track, moved, rising, Cost(mode, track.boxes_read))

    def forget(self) -> None:
        """Drop what is known of the frame before: the next one comes from another source."""
        self._before = None

    def _usable(self, image: Image, now: float) -> _Before | None:
        before = self._before
        if before is None or before.shape != image.shape or not 0 <= now - before.now <= OLDEST_BEFORE:
            return None
        return before

    def _look(self, image: Image, seen: Gray, moved: MotionSeen, before: _Before | None) -> Track:
        known = before.track.screen if before and self._track else EMPTY_SCREEN
        screen = self._eyes.look(image, known)
        words = self._reworded(words_of(screen, image.shape[1], image.shape[0]), image, before)
        if words.state is GameState.BONUS:
            screen = without_cells(screen)
        track = track_of(screen, words, image, seen, moved.motion, before.track if before else None)
        return recovered(track, before.track, self._eyes, image) if before and self._track else track

    def _reworded(self, words: WordsSeen, image: Image, before: _Before | None) -> WordsSeen:
        """A popup's message in the second recogniser's words; the ones of the frame before while they stand."""
        popup, second = words.popup, self._eyes.second
        if popup is None or second is None:
            return words
        old = before.track.words.popup if before else None
        if old is not None and old.lines == popup.lines:
            return replace(words, popup=old)
        return replace(words, popup=popup.reworded(second.read(image, [t.box for t in popup.lines])))


def _recogniser(level: Level) -> Recogniser:
    files = model_files(level)
    return Recogniser(load_session(files.recogniser), load_characters(files.dictionary))


def _win_of(track: Track) -> Decimal:
    """The win meter's amount; 0 when there is none."""
    return next((r.amount.money.amount for r in track.regions if r.name == WIN and r.amount.money), Decimal(0))


def _report(track: Track, moved: MotionSeen, rising: bool, cost: Cost) -> ScreenReport:
    amounts = {r.name: r.amount for r in track.regions if misfit(r.amount, track.screen.habit) is None}
    state, confidence = _state(track, moved, rising)
    popup = track.words.popup
    shown = {f: AmountRead(amounts[f].text, amounts[f].confidence) for f in MONEY_FIELDS if f in amounts}
    return ScreenReport(
        amounts=MappingProxyType(shown),
        state=state,
        state_confidence=confidence,
        motion=moved.motion,
        motion_confidence=moved.confidence,
        popup=popup.kind if popup else PopupKind.NONE,
        popup_text=popup.text if popup else None,
        popup_confidence=popup.confidence if popup else NO_POPUP_CONFIDENCE,
        words=tuple(t.text for t in track.screen.texts if t.text),
        cost=cost,
    )


NO_POPUP_CONFIDENCE = 0.9
WORDLESS_WIN_CONFIDENCE = 0.8


def _state(track: Track, moved: MotionSeen, rising: bool) -> tuple[GameState, float]:
    """The state by words first, then by motion. A win shows without its words too: its meter counts up, or holds an
    amount while something flashes. A picture without a single amount is no screen that could be idle."""
    words = track.words
    if words.state is not None and not (words.state is GameState.WIN and moved.motion is Motion.SPINNING):
        return words.state, words.confidence
    if moved.motion is Motion.UNKNOWN or not track.screen.pairs:
        return GameState.UNKNOWN, 0.0
    if moved.motion is Motion.SPINNING:
        return GameState.SPINNING, moved.confidence
    flashing = moved.lively and words.popup is None and _win_of(track) > 0  # a popup that comes is no flashing
    return (GameState.WIN, WORDLESS_WIN_CONFIDENCE) if rising or flashing else (GameState.IDLE, moved.confidence)


def answer(report: ScreenReport, tasks: Sequence[Task]) -> dict[str, Any]:
    """The JSON object that a vision model would answer to ``tasks``, keyed by task name."""
    return {task.value: _ANSWERS[task](report) for task in tasks}


def _ocr(report: ScreenReport) -> dict[str, Any]:
    found = report.amounts
    texts: dict[str, Any] = {f.value: found[f].text if f in found else None for f in MONEY_FIELDS}
    sure = [a.confidence for a in found.values()]
    return {**texts, "confidence": _rounded(min(sure)) if sure else None}


def _game_state(report: ScreenReport) -> dict[str, Any]:
    return {"state": report.state.value, "confidence": _rounded(report.state_confidence)}


def _animation(report: ScreenReport) -> dict[str, Any]:
    return {"motion": report.motion.value, "confidence": _rounded(report.motion_confidence)}


def _errors(report: ScreenReport) -> dict[str, Any]:
    return {"popup": report.popup.value, "text": report.popup_text, "confidence": _rounded(report.popup_confidence)}


def _rounded(confidence: float) -> float:
    return round(min(1.0, max(0.0, confidence)), 3)


_ANSWERS = {Task.OCR: _ocr, Task.STATE: _game_state, Task.ANIMATION: _animation, Task.ERROR: _errors}
