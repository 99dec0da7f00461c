"""The thread behind the deadlines of HTTP exchanges is there while anybody asks, and no longer."""

from __future__ import annotations

import threading

import pytest

from foureyes_actors.ports import http_connection
from foureyes_actors.ports.http_connection import DeadlineWatch, Exchange
from tests.support import eventually

NAME = "http-deadlines"


def of(watch: DeadlineWatch) -> threading.Thread | None:
    return watch._thread


def gone(thread: threading.Thread | None) -> None:
    assert thread is not None and thread.name == NAME
    thread.join(30)
    assert not thread.is_alive()


def test_it_ends_by_itself_when_nobody_asks_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after an exchange that was begun a moment after the port was closed for good."""
    monkeypatch.setattr(http_connection, "LONGEST_SLEEP", 0.05)
    watch = DeadlineWatch()
    watch.abort_all()
    for _ in range(2):
        with watch.watched(Exchange(30.0)):
            thread = of(watch)
        gone(thread)
        eventually(lambda: of(watch) is None, 30, "it is forgotten")


def test_it_stays_while_an_exchange_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "LONGEST_SLEEP", 0.01)
    watch = DeadlineWatch()
    exchange = Exchange(0.3)
    with watch.watched(exchange):
        thread = of(watch)
        eventually(lambda: exchange.ended_by == "deadline", 30, "the deadline is seen")
        assert of(watch) is thread is not None and thread.is_alive()
    gone(thread)
