"""The cabinet's contract: pure pictures, clear refusals, every theme in every size."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image, ImageStat

from foureyes_actors.capture.cabinet import THEMES, Cabinet, Truth, encode_jpeg
from foureyes_actors.capture.cabinet.cabinet import ALL_THEMES, SMALLEST, TURN
from foureyes_actors.errors import SettingsError
from foureyes_actors.messages import GameState

SMALL = (640, 360)


def test_there_are_as_many_kinds_as_promised() -> None:
    themes = ALL_THEMES.values()
    assert len(THEMES) == len(set(THEMES)) >= 9
    assert len({theme.layout for theme in themes}) >= 7
    assert len({name for theme in themes for name in theme.formats}) >= 13
    assert len({(theme.amount.face, theme.grand.face) for theme in themes}) >= 12


@pytest.mark.parametrize("theme", ["lucky_gold", "ocean", "vegas_night", "all"])
def test_the_same_arguments_draw_the_same_pixels_in_any_order(theme: str) -> None:
    times = [0.0, 3.4, 3.8, 14.2, 21.0, 33.3, 5.05]
    first, second = Cabinet(theme, 5, SMALL), Cabinet(theme, 5, SMALL)
    forth = {time: first.draw(time) for time in times}
    for time in reversed(times):
        assert second.draw(time).tobytes() == forth[time].tobytes(), time
        assert second.truth(time) == first.truth(time)
    assert first.draw(3.4).tobytes() == forth[3.4].tobytes()


def test_a_drawn_picture_belongs_to_the_caller() -> None:
    cabinet = Cabinet("lucky_gold", 5, SMALL)
    before = cabinet.draw(1.0)
    pixels = before.tobytes()
    before.paste((0, 0, 0), (0, 0, *SMALL))
    assert cabinet.draw(1.0).tobytes() == pixels


def test_another_seed_is_another_machine() -> None:
    one, other = Cabinet("lucky_gold", 1, SMALL), Cabinet("lucky_gold", 2, SMALL)
    assert one.truth(1.0).amounts != other.truth(1.0).amounts
    assert one.draw(1.0).tobytes() != other.draw(1.0).tobytes()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (640, 360)], ids=str)
def test_every_theme_draws_in_every_size(theme: str, size: tuple[int, int]) -> None:
    cabinet = Cabinet(theme, 11, size)
    image = cabinet.draw(1.0)
    assert (image.mode, image.size) == ("RGB", size)
    assert min(ImageStat.Stat(image).stddev) > 15  # neither blank nor flat
    assert cabinet.truth(1.0).theme == theme


@pytest.mark.parametrize("size", [SMALLEST, (500, 1000), (1333, 333)], ids=str)
def test_odd_sizes_draw_too(size: tuple[int, int]) -> None:
    for theme in ("dot_palace", "rio"):
        cabinet = Cabinet(theme, 3, size)
        assert [cabinet.draw(time).size for time in (1.0, 9.0, 17.0)] == [size] * 3


def test_the_truth_does_not_depend_on_the_size() -> None:
    small, large = Cabinet("rio", 3, SMALL), Cabinet("rio", 3, (1920, 1080))
    assert all(small.truth(n * 1.7) == large.truth(n * 1.7) for n in range(60))


def test_all_themes_take_turns_and_go_on_where_they_were() -> None:
    together, alone = Cabinet("all", 9, SMALL), Cabinet(THEMES[1], 9, SMALL)
    turns = [together.truth(TURN * n + 3).theme for n in range(len(THEMES) + 1)]
    assert turns == [*THEMES, THEMES[0]]
    lap = TURN * len(THEMES)
    for within, time in ((2.5, TURN + 2.5), (TURN + 2.5, lap + TURN + 2.5)):
        assert together.truth(time).amounts == alone.truth(within).amounts
        assert together.draw(time).tobytes() == alone.draw(within).tobytes()
    assert not together.truth(TURN).settled and not together.truth(TURN + 0.39).settled


def test_all_states_are_seen_in_one_round_of_all_themes() -> None:
    cabinet = Cabinet("all", 7)
    seen = {cabinet.truth(n * 0.5).state for n in range(int(TURN * len(THEMES) * 2))}
    assert seen == set(GameState) - {GameState.UNKNOWN}


@pytest.mark.parametrize("time", [-0.1, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(time: float) -> None:
    cabinet = Cabinet("lucky_gold", 1, SMALL)
    with pytest.raises(ValueError, match="time must be 0 or more seconds"):
        cabinet.truth(time)
    with pytest.raises(ValueError, match="time must be 0 or more seconds"):
        cabinet.draw(time)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Cabinet("casino", 1, (100, 9000), "fancy")  # type: ignore[arg-type]
    first, second, third = caught.value.problems
    assert "'casino'" in first and "all" in first and THEMES[0] in first
    assert "100 x 9000" in second and "320 x 180" in second
    assert "'fancy'" in third and "system" in third


def test_system_fonts_change_pictures_not_truths() -> None:
    plain, system = Cabinet("pharaoh", 4, SMALL), Cabinet("pharaoh", 4, SMALL, "system")
    assert system.truth(2.0) == plain.truth(2.0)
    assert system.draw(2.0).size == SMALL


def test_jpeg_holds_the_picture() -> None:
    image = Cabinet("arctic", 4, SMALL).draw(2.0)
    small, large = encode_jpeg(image, 40), encode_jpeg(image, 90)
    assert len(small) < len(large)
    back = Image.open(BytesIO(large))
    assert (back.format, back.size) == ("JPEG", SMALL)


def test_a_truth_is_a_plain_value() -> None:
    truth = Cabinet("lucky_gold", 4).truth(2.0)
    assert isinstance(truth, Truth) and truth == Cabinet("lucky_gold", 4).truth(2.0)
    with pytest.raises(AttributeError):
        truth.amounts.clear()  # type: ignore[attr-defined]
