"""The truth about the pixels: what it says is there is there, what it leaves out is not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from PIL import Image, ImageChops

from foureyes_actors.capture.cabinet import THEMES, Cabinet
from foureyes_actors.capture.cabinet.cabinet import ALL_THEMES
from foureyes_actors.capture.cabinet.canvas import Canvas
from foureyes_actors.capture.cabinet.faces import GlyphBook
from foureyes_actors.capture.cabinet.layouts import Box
from foureyes_actors.capture.cabinet.machine import FADE, SETTLE, Machine
from foureyes_actors.capture.cabinet.money_format import FORMATS
from foureyes_actors.capture.cabinet.stage import Stage
from foureyes_actors.capture.cabinet.text import Typesetter
from foureyes_actors.capture.cabinet.theme import Theme
from foureyes_actors.capture.cabinet.timeline import Scene, Segment, Timeline
from foureyes_actors.messages import MONEY_FIELDS, Field, GameState, Motion, PopupKind

SIZE = (640, 360)


def clean(name: str) -> Theme:
    """The theme without what moves by itself or smears pixels over their borders."""
    return replace(ALL_THEMES[name], particles=None, jpeg=None, smear=False, soft=1.0, seconds=False)


def richer(machine: Machine) -> Machine:
    """The same story with other amounts."""
    other, old = Machine(machine.theme, 5), machine.stakes
    seeds = (old.seeds[0] + 54321, old.seeds[1] + 4321, old.seeds[2] + 321, old.seeds[3] + 121)
    other.timeline = Timeline(machine.key, replace(old, seeds=seeds, balance=old.balance + 111))
    return other


def scenes(machine: Machine, wanted: set[Scene], rounds: int) -> list[Segment]:
    found: list[Segment] = []
    segment = machine.timeline.at(0.0)
    while segment.round < rounds:
        if segment.scene in wanted:
            found.append(segment)
        segment = machine.timeline.at(segment.end)
    return found


def difference(first: Image.Image, second: Image.Image, box: Box) -> int:
    """The largest difference of a pixel in the box."""
    extrema = ImageChops.difference(first.crop(box), second.crop(box)).convert("L").getextrema()
    assert isinstance(extrema[1], int)
    return extrema[1]


@pytest.mark.parametrize("name", THEMES)
def test_an_amount_has_ink_exactly_where_the_truth_has_it(name: str) -> None:
    machine = Machine(clean(name), 5)
    other = richer(machine)
    stage, altered = Stage(machine, SIZE, "built-in"), Stage(other, SIZE, "built-in")
    boxes = Canvas(SIZE, Typesetter(GlyphBook()))
    hidden = 0
    told = scenes(machine, {Scene.IDLE, Scene.BONUS, Scene.INFO, Scene.ERROR, Scene.LOST}, 80)
    covering = [segment for segment in told if len(machine.visible(segment, segment.start)) < len(machine.layout.cells)]
    for segment in (*told[:12], *covering[:4]):
        time = (segment.start + segment.end) / 2
        twin = other.timeline.at(time)
        one, two = stage.draw(segment, time), altered.draw(twin, time)
        visible = machine.visible(segment, time)
        for field, cell in machine.layout.cells.items():
            changed = difference(one, two, boxes.box(cell.amount.box))
            if field in visible:
                assert machine.shown(visible)[field] != other.shown(other.visible(twin, time))[field]
                assert changed > 25, (segment.scene, field)
            else:
                hidden += 1
                assert changed == 0, (segment.scene, field)
    assert hidden


def test_every_kind_of_cover_is_met() -> None:
    covers: dict[Scene, int] = {}
    for name in THEMES:
        machine = Machine(ALL_THEMES[name], 5)
        for segment in scenes(machine, {Scene.BONUS, Scene.INFO, Scene.ERROR, Scene.LOST}, 30):
            missing = len(machine.layout.cells) - len(machine.visible(segment, segment.start))
            covers[segment.scene] = covers.get(segment.scene, 0) + missing
    assert min(covers.values()) > 5 and len(covers) == 4


@pytest.mark.parametrize("name", ["lucky_gold", "arctic", "vegas_night", "rio"])
def test_the_reels_move_when_the_truth_says_so(name: str) -> None:
    machine = Machine(clean(name), 5)
    stage, canvas = Stage(machine, SIZE, "built-in"), Canvas(SIZE, Typesetter(GlyphBook()))
    left, top, right, bottom = canvas.box(machine.layout.reels)
    width = (right - left) // machine.layout.columns
    last_reel = (left + (machine.layout.columns - 1) * width, top, right, bottom)
    for segment in scenes(machine, {Scene.SPIN, Scene.IDLE, Scene.LOST}, 6):
        moments = [segment.start + 0.3, (segment.start + segment.end) / 2, segment.end - 0.35]
        for time in moments:
            moved = difference(stage.draw(segment, time), stage.draw(segment, time + 0.08), last_reel)
            assert (moved > 10) == (segment.motion is Motion.SPINNING), (segment.scene, time)


def test_a_win_moves_things_without_the_reels() -> None:
    machine = Machine(clean("lucky_gold"), 5)
    stage, canvas = Stage(machine, SIZE, "built-in"), Canvas(SIZE, Typesetter(GlyphBook()))
    reels = canvas.box(machine.layout.reels)
    segment = scenes(machine, {Scene.WIN}, 10)[0]
    first, second = stage.draw(segment, segment.start + 1.0), stage.draw(segment, segment.start + 1.2)
    assert segment.motion is Motion.STOPPED and difference(first, second, reels) > 40
    row = (reels[0], reels[1] + 4, reels[2], reels[1] + (reels[3] - reels[1]) // 4)
    assert difference(first, second, row) == 0


@pytest.mark.parametrize("name", THEMES)
def test_the_shown_text_is_the_amount(name: str) -> None:
    for seed in range(4):
        cabinet = Cabinet(name, seed)
        for number in range(80):
            truth = cabinet.truth(number * 1.37)
            assert set(truth.amounts) == set(truth.shown) <= set(MONEY_FIELDS)
            for field, amount in truth.amounts.items():
                assert amount == read(truth.shown[field], truth.currency)


def read(text: str, currency: str | None) -> Decimal:
    """A reader of its own: the last mark before one or two digits at the end is the decimal one."""
    kept = "".join(char for char in text if char.isdigit() or char in ".,")
    kept = kept.rstrip(".,")
    whole = currency in {None, "JPY"}
    digits = Decimal("".join(char for char in kept if char.isdigit()))
    assert whole or kept[-3] in ".,"
    return digits if whole else digits / 100


@pytest.mark.parametrize("name", THEMES)
def test_states_popups_and_words_belong_together(name: str) -> None:
    cabinet = Cabinet(name, 3)
    popups = {GameState.ERROR: PopupKind.ERROR, GameState.DISCONNECTED: PopupKind.DISCONNECTED}
    for number in range(400):
        truth = cabinet.truth(number * 0.43)
        allowed = {popups.get(truth.state, PopupKind.NONE)}
        if truth.state is GameState.IDLE:
            allowed.add(PopupKind.INFO)
        assert truth.popup in allowed
        assert (truth.popup_text is None) == (truth.popup is PopupKind.NONE)
        assert (truth.motion is Motion.SPINNING) == (truth.state is GameState.SPINNING)


@pytest.mark.parametrize("name", THEMES)
def test_a_settled_moment_has_had_the_same_screen_for_a_while(name: str) -> None:
    cabinet, machine = Cabinet(name, 3), Machine(ALL_THEMES[name], 3)
    settled = 0
    for number in range(600):
        time = 0.5 + number * 0.31
        truth, before = cabinet.truth(time), cabinet.truth(time - SETTLE)
        settled += truth.settled
        if truth.settled:
            assert (truth.state, truth.popup, truth.popup_text) == (before.state, before.popup, before.popup_text)
            assert set(truth.amounts) == set(before.amounts)
            if machine.theme.blend:
                assert {f: truth.amounts.get(f) for f in (Field.MINI,)} == {
                    f: before.amounts.get(f) for f in (Field.MINI,)
                }
        segment = machine.timeline.at(time)
        if segment.text and (time - segment.start < FADE or segment.end - time < FADE):
            assert not truth.settled
    assert settled > 300


def test_a_blended_value_is_never_settled_before_it_is_whole() -> None:
    machine = Machine(clean("prague"), 3)
    assert machine.theme.blend
    seen = 0
    for segment in scenes(machine, {Scene.IDLE, Scene.SPIN}, 12):
        for number in range(int((segment.end - segment.start) * 20)):
            time = segment.start + number / 20
            change = machine.change(segment, Field.MINOR, time)
            if change and time - change.time < machine.theme.blend + SETTLE:
                seen += 1
                assert not machine.settled(segment, time)
    assert seen > 20


def test_every_text_of_every_theme_has_its_glyphs() -> None:
    setter = Typesetter(GlyphBook())
    for theme in ALL_THEMES.values():
        texts = {theme.title, theme.bet, theme.win, theme.lines, theme.button, *theme.labels.values()}
        for text in texts:
            setter.sprite(theme.heading, text, 20, 600)
        for key in theme.formats:
            for style in (theme.amount, theme.grand, theme.meter):
                sprite = setter.sprite(style, FORMATS[key].text(1_234_567_890), 20, 900)
                assert sprite.ink[2] - sprite.ink[0] > 80


def test_a_character_without_a_glyph_is_an_error() -> None:
    with pytest.raises(ValueError, match="no glyph for '漢'"):
        Typesetter(GlyphBook()).sprite(ALL_THEMES["rio"].amount, "漢", 20, 100)
