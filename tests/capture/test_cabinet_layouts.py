"""Where things are: nothing that has a truth is on top of something else, and no popup covers half an amount."""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest

from foureyes_actors.capture.cabinet.layouts import CANVAS, LAYOUTS, Box, contains, covered, overlaps, snapped
from foureyes_actors.messages import Field

WHOLE: Box = (0, 0, *CANVAS)


@pytest.mark.parametrize("name", LAYOUTS)
def test_cells_are_apart_and_clear_of_the_reels(name: str) -> None:
    layout = LAYOUTS[name]
    plates = [cell.plate for cell in (*layout.cells.values(), layout.bet, layout.win)]
    assert all(contains(WHOLE, plate) for plate in plates)
    assert not [pair for pair in combinations([*plates, layout.reels], 2) if overlaps(*pair)]
    for cell in layout.cells.values():
        assert contains(cell.plate, cell.label.box) and contains(cell.plate, cell.amount.box)
        assert not overlaps(cell.label.box, cell.amount.box)


@pytest.mark.parametrize("name", LAYOUTS)
def test_titles_clock_and_small_print_leave_the_amounts_free(name: str) -> None:
    layout = LAYOUTS[name]
    others = [layout.title.box, layout.clock.box, layout.lines.box, layout.button, layout.pays]
    others.append(layout.note.box if layout.note else None)
    for box in others:
        assert box is None or not covered(box, layout.cells), box


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_snapped_box_covers_a_cell_wholly_or_not_at_all(name: str) -> None:
    cells, rng = LAYOUTS[name].cells, Random(name)
    found = 0
    for _ in range(400):
        left, top = rng.randrange(0, 1000), rng.randrange(0, 560)
        box = snapped((left, top, left + rng.randint(260, 900), top + rng.randint(100, 500)), cells)
        found += box is not None
        for field in covered(box, cells) if box else ():
            assert box and contains(box, cells[field].plate)
    assert found > 350


def test_a_box_that_touches_nothing_stays() -> None:
    layout = LAYOUTS["top_row"]
    assert snapped((400, 250, 900, 500), layout.cells) == (400, 250, 900, 500)


def test_one_layout_lacks_a_jackpot() -> None:
    assert Field.MINOR not in LAYOUTS["classic"].cells
