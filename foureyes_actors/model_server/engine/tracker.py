"""Between full looks: only known boxes are read again, and only when their pixels changed.

A full look comes after twelve frames at the latest, and at once when something says that the screen is another one: a
label no longer looks like itself, an amount does not parse or changes its length, the reels stop, a message's text is
gone, or the picture outside the known amounts changed. Changes that turn out to mean nothing (a win's flashing) make
the tracker patient: it then waits a few frames before it believes the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

import cv2
import numpy as np
from numpy.typing import NDArray

from foureyes_actors.messages import GameState, Motion
from foureyes_actors.model_server.engine.amounts import Amount, amount_of
from foureyes_actors.model_server.engine.detect import Box, Image
from foureyes_actors.model_server.engine.habits import misfit
from foureyes_actors.model_server.engine.meters import metered
from foureyes_actors.model_server.engine.motion import REGION, Gray
from foureyes_actors.model_server.engine.patches import Patch, outline, patch, same_label, unchanged
from foureyes_actors.model_server.engine.screen import WANTED, Eyes, Screen, in_doubt
from foureyes_actors.model_server.engine.words import WordsSeen

FULL_EVERY = 12  # frames
SOON = 3  # frames
SETTLED = 2  # frames
CELLS = (16, 9)  # columns, rows of the grid that watches the rest of the picture
CHANGED_LEVEL = 22  # gray levels
CHANGED_SHARE = 0.12  # of a cell
CHANGED_CELLS = 4
SAME_WORDS = 0.75  # part of the characters that agree
MOST_PATIENCE = 3  # frames


@dataclass(frozen=True, slots=True)
class Region:
    """A label and its amount, and how both looked when the amount was read."""

    name: str
    label: Box
    label_patch: Patch
    patch: Patch
    amount: Amount


@dataclass(frozen=True, slots=True)
class Track:
    """What one full look left for the frames after it."""

    screen: Screen
    words: WordsSeen
    evidence: Patch | None  # how the words' box looked
    regions: tuple[Region, ...]
    seen: Gray  # the whole picture's thumbnail at the full look
    amounts: NDArray[np.bool_]  # cells of the grid with amounts in them
    motion: Motion  # at the full look
    incomplete: int = 0  # full looks in a row that found a field's label without its amount
    new_words: bool = False  # this full look found other words than the one before
    frames: int = 0  # since the full look
    patience: int = 0  # frames to wait before a change of the picture is believed again
    boxes_read: int = 0  # in the last frame


def track_of(screen: Screen, words: WordsSeen, image: Image, seen: Gray, motion: Motion, before: Track | None) -> Track:
    """What to follow after a full look. ``before``: the track that this look ended."""
    regions = tuple(
        Region(name, p.label.box, outline(image, p.label.box), patch(image, p.amount.box), p.amount)
        for name, p in screen.pairs.items()
        if name in WANTED and misfit(p.amount, screen.habit) is None
    )
    evidence = patch(image, words.evidence) if words.evidence else None
    boxes = [p.amount.source for p in screen.pairs.values()]
    mask = _mask(boxes, image.shape[1], image.shape[0])
    patience = _patience(words, before)
    incomplete = (before.incomplete if before else 0) + 1 if _incomplete(screen, regions) else 0
    new = words.text != (before.words.text if before else "")
    return Track(screen, words, evidence, regions, seen, mask, motion, incomplete, new, 0, patience, screen.boxes_read)


def _incomplete(screen: Screen, regions: Sequence[Region]) -> bool:
    return bool({x.name for x in screen.labels if x.name in WANTED} - {r.name for r in regions})


def _full_after(track: Track) -> int:
    """Frames until the next full look: soon after one that missed an amount, less soon when that goes on; at once
    after one that found new words, for they may have been fading in."""
    if track.new_words:
        return SETTLED
    return min(FULL_EVERY, SOON * 2 ** (track.incomplete - 1)) if track.incomplete else FULL_EVERY


def recovered(track: Track, before: Track, eyes: Eyes, image: Image) -> Track:
    """``track`` with amounts that this full look missed, where the label of the look before still stands."""
    names = {r.name for r in track.regions}
    lost = [r for r in before.regions if r.name not in names and same_label(r.label_patch, outline(image, r.label))]
    for region in lost:
        found = _read_again([region], eyes, image, track.screen)
        if found is not None:
            track = replace(track, regions=(*track.regions, *found))
    return track


def _patience(words: WordsSeen, before: Track | None) -> int:
    """Longer after each full look that a change of the picture caused and that found the same words again."""
    if before is None or before.frames >= FULL_EVERY:
        return 0
    same = words.state is before.words.state and (words.popup is None) == (before.words.popup is None)
    return min(MOST_PATIENCE, before.patience + 1) if same else 0


def follow(track: Track, eyes: Eyes, image: Image, seen: Gray, motion: Motion) -> Track | None:
    """The track one frame on, or None when a full look is due."""
    track = replace(track, frames=track.frames + 1, patience=max(0, track.patience - 1))
    if track.frames >= _full_after(track) or not track.regions:
        return None
    if _another_screen(track, _words_stand(track, eyes, image), image, seen, motion):
        return None
    changed = [r for r in track.regions if not unchanged(r.patch, patch(image, r.amount.box))]
    read = _read_again(changed, eyes, image, track.screen)
    if read is None:
        return None
    fresh = {r.name: r for r in read}
    return replace(track, regions=tuple(fresh.get(r.name, r) for r in track.regions), boxes_read=len(changed))


def _read_again(regions: Sequence[Region], eyes: Eyes, image: Image, screen: Screen) -> list[Region] | None:
    """The regions with what they say now; None when one says nothing that its box can hold."""
    texts = eyes.recogniser.read(image, [r.amount.box for r in regions])
    amounts = [amount_of(t) for t in texts]
    found = [_metered(r, a, image) for r, a in zip(regions, amounts, strict=True) if a is not None]
    if len(found) < len(amounts):
        return None
    doubtful = [a for a in found if in_doubt(a, screen.habit)]
    again = iter(eyes.second_opinions(image, doubtful, screen.habit))
    settled = [next(again) if in_doubt(a, screen.habit) else a for a in found]
    for region, amount in zip(regions, settled, strict=True):
        if misfit(amount, screen.habit) or _length(amount.text) != _length(region.amount.text):
            return None
    return [
        replace(r, amount=replace(a, box=r.amount.box), patch=patch(image, r.amount.box))
        for r, a in zip(regions, settled, strict=True)
    ]


def _metered(region: Region, amount: Amount, image: Image) -> Amount:
    return (metered(amount, image) if region.amount.metered else None) or amount


def _length(text: str) -> int:
    return sum(not c.isspace() for c in text)


def _words_stand(track: Track, eyes: Eyes, image: Image) -> bool | None:
    """Whether the words that tell the state are still there; None when there were none."""
    if track.evidence is None or track.words.evidence is None:
        return None
    if unchanged(track.evidence, patch(image, track.words.evidence)):
        return True
    now = eyes.recogniser.read(image, [track.words.evidence])[0].text
    if now == track.words.text:
        return True
    # Nearly the same: a message that fades in, or a particle on it.
    return track.patience > 0 and SequenceMatcher(None, now, track.words.text).ratio() >= SAME_WORDS


def _another_screen(track: Track, words_stand: bool | None, image: Image, seen: Gray, motion: Motion) -> bool:
    if any(not same_label(r.label_patch, outline(image, r.label)) for r in track.regions):
        return True
    if words_stand:
        return False  # the message still stands: what moves behind it does not matter
    if words_stand is False and track.words.state is not GameState.WIN:
        return True  # a win's headline pulses; patience decides
    if track.motion is Motion.SPINNING and motion is Motion.STOPPED:
        return True
    return not track.patience and _changed_cells(track, seen, motion) >= CHANGED_CELLS


def _changed_cells(track: Track, seen: Gray, motion: Motion) -> int:
    """Cells of the picture, without amounts and moving reels, that are not as at the full look."""
    changed = (cv2.absdiff(track.seen, seen) > CHANGED_LEVEL).astype(np.float32)
    cells = cv2.resize(changed, CELLS, interpolation=cv2.INTER_AREA) > CHANGED_SHARE
    cells &= ~track.amounts
    if Motion.SPINNING in (motion, track.motion):
        x1, y1, x2, y2 = REGION
        columns, rows = CELLS
        cells[int(y1 * rows) : int(y2 * rows) + 1, int(x1 * columns) : int(x2 * columns) + 1] = False
    return int(cells.sum())


def _mask(boxes: Sequence[Box], width: int, height: int) -> NDArray[np.bool_]:
    columns, rows = CELLS
    mask = np.zeros((rows, columns), np.bool_)
    for box in boxes:
        x1, x2 = box.left * columns // width, (box.right - 1) * columns // width
        y1, y2 = box.top * rows // height, (box.bottom - 1) * rows // height
        mask[y1 : y2 + 1, x1 : x2 + 1] = True
    return mask
