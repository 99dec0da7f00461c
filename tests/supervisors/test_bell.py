"""A bell is heard by who waits, and by who comes too late to have waited."""

from __future__ import annotations

import threading

from supervisors.bell import Bell


def test_rung_before_the_wait_it_is_heard_at_once_and_only_once() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    assert bell.wait(0.0)
    assert not bell.wait(0.0)


def test_who_waits_is_woken_by_another_thread() -> None:
    bell, heard = Bell(), list[bool]()
    thread = threading.Thread(target=lambda: heard.append(bell.wait(10)), name="waits", daemon=True)
    thread.start()
    bell.ring()
    thread.join(10)
    assert heard == [True]
