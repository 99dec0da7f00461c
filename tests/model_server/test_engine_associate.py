"""Labels find their amounts by geometry: panels, rows, ladders, boards and celebrations."""

from __future__ import annotations

from collections.abc import Sequence

from tests.model_server.engine_support import box, text

# ruff: isort: split
from foureyes_actors.model_server.engine.amounts import pieces_of
from foureyes_actors.model_server.engine.associate import pairs_of
from foureyes_actors.model_server.engine.habits import Habit
from foureyes_actors.model_server.engine.recognise import Text
from foureyes_actors.model_server.engine.screen import Screen, without_cells

Placed = tuple[str, int, int, int, int]  # text, left, top, width, height


def found(*placed: Placed) -> dict[str, str]:
    texts: Sequence[Text] = [text(t, box(x, y, w, h)) for t, x, y, w, h in placed]
    pairs = pairs_of([p for t in texts for p in pieces_of(t)], [t.box for t in texts])
    return {str(name): pair.amount.text for name, pair in pairs.items()}


METERS: list[Placed] = [
    ("BALANCE", 30, 600, 100, 26),
    ("$987.65", 30, 630, 130, 36),
    ("BET", 400, 600, 50, 26),
    ("$2.00", 400, 630, 90, 36),
    ("WIN", 800, 600, 50, 26),
    ("$0.00", 800, 630, 90, 36),
]
PANEL: list[Placed] = [
    ("GRAND", 30, 20, 90, 28),
    ("$5,000.00", 30, 52, 180, 40),
    ("MAJOR", 330, 20, 90, 28),
    ("$500.00", 330, 52, 140, 40),
    ("MINOR", 630, 20, 90, 28),
    ("$50.00", 630, 52, 120, 40),
    ("MINI", 930, 20, 70, 28),
    ("$5.00", 930, 52, 100, 40),
]
ALL = {"grand": "$5,000.00", "major": "$500.00", "minor": "$50.00", "mini": "$5.00"}


def test_amounts_below_their_labels() -> None:
    assert found(*PANEL, *METERS) == {**ALL, "balance": "$987.65", "bet": "$2.00", "win": "$0.00"}


def test_amounts_above_their_labels() -> None:
    turned = [(t, x, 110 - y, w, h) for t, x, y, w, h in PANEL]
    assert found(*turned) == ALL


def test_amounts_to_the_right_in_a_stack() -> None:
    rows: list[Placed] = []
    for i, (name, amount) in enumerate(ALL.items()):
        rows += [(name.upper(), 850, 100 + 60 * i, 90, 30), (amount, 1100, 96 + 60 * i, 150, 40)]
    assert found(*rows) == ALL


def test_a_stack_of_labels_each_above_its_amount() -> None:
    rows: list[Placed] = []
    for i, (name, amount) in enumerate(ALL.items()):
        rows += [(name.upper(), 60, 60 + 90 * i, 90, 26), (amount, 40, 90 + 90 * i, 150, 40)]
    assert found(*rows) == ALL


def test_one_jackpot_may_stand_in_another_direction() -> None:
    others = [p for p in PANEL if p[0] not in ("GRAND", "$5,000.00")]
    wide: list[Placed] = [("GRAND", 300, 150, 110, 38), ("$5,000.00", 560, 146, 220, 44)]
    assert found(*others, *wide) == ALL


def test_a_bet_without_a_balance_is_no_balance() -> None:
    without = [p for p in METERS if p[0] != "$987.65"]
    assert "balance" not in found(*without)


def test_a_prize_ladder_gives_no_jackpots() -> None:
    rows = ["MAJOR", "MINOR", "MINI", "$5.00", "$2.50", "$1.25"]
    ladder: list[Placed] = [(t, 600, 200 + 28 * i, 80, 24) for i, t in enumerate(rows)]
    assert found(*ladder) == {}


def test_a_board_of_prizes_gives_no_jackpots() -> None:
    board: list[Placed] = [
        (t, 60 + 240 * column, 140 + 150 * row, 80, 34)
        for row, line in enumerate((("$1.50", "MAJOR", "$7.50", "$7.50"), ("$12.00", "$12.00", "MINI", "$3.00")))
        for column, t in enumerate(line)
    ]
    assert found(*board) == {}


def test_a_celebration_does_not_replace_its_jackpot() -> None:
    party: list[Placed] = [("MINI JACKPOT", 450, 330, 380, 70), ("$460.75", 480, 405, 320, 80)]
    assert found(*PANEL, *party) == ALL


def test_a_celebration_of_a_jackpot_that_the_screen_does_not_have() -> None:
    party: list[Placed] = [("MINOR JACKPOT", 450, 330, 240, 30), ("$81.28", 480, 365, 180, 44)]
    assert found(*[p for p in PANEL if p[0] not in ("MINOR", "$50.00")], *party) == {
        k: v for k, v in ALL.items() if k != "minor"
    }


def test_other_text_between_a_label_and_an_amount_parts_them() -> None:
    row: list[Placed] = [("BALANCE", 30, 600, 110, 30), ("HELP", 180, 600, 70, 30), ("$2.00", 300, 600, 90, 30)]
    assert found(*row) == {}


def on_a_bonus_screen(*placed: Placed) -> dict[str, str]:
    texts = tuple(text(t, box(x, y, w, h)) for t, x, y, w, h in placed)
    pairs = pairs_of([p for t in texts for p in pieces_of(t)], [t.box for t in texts])
    kept = without_cells(Screen(texts, (), pairs, Habit()))
    return {str(name): pair.amount.text for name, pair in kept.pairs.items()}


COINS: list[Placed] = [  # as read from a picture: the comma below the line makes an amount's box taller than a name's
    ("60,00", 333, 134, 94, 40),
    ("MAJOR", 96, 286, 99, 34),
    ("60,00", 330, 282, 94, 41),
    ("x2", 125, 436, 40, 34),
    ("200,00", 826, 430, 110, 41),
    ("20,00", 1084, 134, 90, 41),
    ("20,00", 1084, 430, 90, 41),
]


def test_an_amount_that_lines_up_with_other_prizes_is_no_jackpot() -> None:
    assert found(*COINS) == {"major": "60,00"}  # geometry alone cannot know
    assert on_a_bonus_screen(*COINS) == {}


def test_jackpots_that_stay_in_sight_during_a_bonus_are_read() -> None:
    assert on_a_bonus_screen(*PANEL, *[(t, x, y + 150, w, h) for t, x, y, w, h in COINS if t != "MAJOR"]) == ALL


def test_a_jackpot_beside_one_that_has_lost_its_label_is_read() -> None:
    stack: list[Placed] = []
    for i, (name, amount) in enumerate(ALL.items()):
        label: list[Placed] = [] if name == "major" else [(name.upper(), 854, 120 + 75 * i, 86, 33)]
        stack += [*label, (amount, 1050, 117 + 75 * i, 206, 40)]
    assert on_a_bonus_screen(*stack) == {k: v for k, v in ALL.items() if k != "major"}
