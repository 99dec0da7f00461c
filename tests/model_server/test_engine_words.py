"""Popups, bonus screens and wins, from the texts of a screen."""

from __future__ import annotations

import pytest

from tests.model_server.engine_support import HIGH, WIDE, box, text

# ruff: isort: split
from foureyes_actors.messages import GameState, PopupKind
from foureyes_actors.model_server.engine.habits import Habit
from foureyes_actors.model_server.engine.popup import Popup, popup_of
from foureyes_actors.model_server.engine.recognise import Text
from foureyes_actors.model_server.engine.screen import Screen
from foureyes_actors.model_server.engine.words import WordsSeen, words_of


def middle(shown: str, top: int, height: int = 30) -> Text:
    width = round(0.5 * height * len(shown)) + 8
    return text(shown, box((WIDE - width) // 2, top, width, height))


def popup(*lines: str) -> Popup | None:
    return popup_of([middle(shown, 280 + 36 * i) for i, shown in enumerate(lines)], WIDE, HIGH)


def words(*texts: Text) -> WordsSeen:
    return words_of(Screen(tuple(texts), (), {}, Habit()), WIDE, HIGH)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Autoplay has ended.", PopupKind.INFO),
        ("Maintenance is planned for tonight at 02:00.", PopupKind.INFO),
        ("Welcome back! Enjoy the game.", PopupKind.INFO),
        ("You have been playing for 60 minutes.", PopupKind.INFO),
        ("An unexpected error has occurred.", PopupKind.ERROR),
        ("Request failed with status 500.", PopupKind.ERROR),
        ("Your session has expired. Please log in again.", PopupKind.ERROR),
        ("Es ist ein Fehler aufgetreten.", PopupKind.ERROR),
        ("Une erreur est survenue.", PopupKind.ERROR),
        ("Connection to the server was lost.", PopupKind.DISCONNECTED),
        ("You are offline. Reconnecting...", PopupKind.DISCONNECTED),
        ("Die Verbindung wurde unterbrochen.", PopupKind.DISCONNECTED),
        ("La connexion a été perdue.", PopupKind.DISCONNECTED),
    ],
)
def test_kinds(message: str, kind: PopupKind) -> None:
    found = popup(message)
    assert found is not None
    assert (found.kind, found.text) == (kind, message)


def test_the_message_is_its_lines_without_title_code_and_button() -> None:
    texts = [
        middle("SYSTEM ERROR", 220, 38),
        middle("The game round could not be", 290),
        middle("completed. Please retry.", 324),
        middle("Code: E-6675", 372, 22),
        middle("RETRY", 410, 30),
    ]
    found = popup_of(texts, WIDE, HIGH)
    assert found is not None
    assert found.text == "The game round could not be completed. Please retry."


def test_a_title_in_small_letters_is_no_line_of_the_message() -> None:
    found = popup_of([middle("Oops!", 250, 34), middle("Something went wrong with this spin.", 290)], WIDE, HIGH)
    assert found is not None
    assert found.text == "Something went wrong with this spin."


def test_a_last_word_is_no_button() -> None:
    found = popup("The operation timed out. Please", "retry.")
    assert found is not None
    assert found.text == "The operation timed out. Please retry."


def test_an_ellipsis_has_three_dots() -> None:
    found = popup("Connection lost. Please wait..")
    assert found is not None
    assert found.text == "Connection lost. Please wait..."


def test_one_word_says_disconnected() -> None:
    found = popup("Reconnecting...")
    assert found is not None
    assert found.kind is PopupKind.DISCONNECTED


@pytest.mark.parametrize("shown", ["LUCKY GOLD", "MAJOR MUST HIT BY $2400.00", "SPIN", "20 LINES", "5x 100 4x 20 3x 5"])
def test_what_a_screen_always_says_is_no_popup(shown: str) -> None:
    assert popup(shown) is None


def test_small_print_is_no_popup() -> None:
    small = middle("Malfunction voids all pays and plays.", 690, 14)
    assert popup_of([small], WIDE, HIGH) is None
    assert popup_of([middle("Malfunction voids all pays and plays.", 640, 26)], WIDE, HIGH) is None


def test_an_error_popup_is_the_state_too() -> None:
    found = words(middle("Memory error. Machine out of service.", 300))
    assert found.state is GameState.ERROR
    assert found.popup is not None and found.popup.kind is PopupKind.ERROR
    assert found.evidence == found.popup.lines[0].box


def test_an_information_is_no_state() -> None:
    found = words(middle("New feature: hold and spin is now available.", 300))
    assert found.state is None
    assert found.popup is not None and found.popup.kind is PopupKind.INFO


@pytest.mark.parametrize("shown", ["FREE GAMES BONUS", "PICKAPRIZE", "BONUS GANE", "HOLD AND SPIN", "8 FREE SPINS"])
def test_bonus_headlines(shown: str) -> None:
    assert words(middle(shown, 60, 54)).state is GameState.BONUS


@pytest.mark.parametrize("shown", ["BIG WIN", "MEGA HIN", "YOU WON", "MINI JACKPOT", "WIN"])
def test_win_headlines(shown: str) -> None:
    assert words(middle(shown, 330, 70)).state is GameState.WIN


@pytest.mark.parametrize("shown", ["BONUS", "WILD", "SCATTER", "GRAND", "+1 SPIN"])
def test_words_of_reels_are_no_state(shown: str) -> None:
    assert words(middle(shown, 330, 60)).state is None
