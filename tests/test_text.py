"""Untrusted text on one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foureyes_actors.text import one_line


@given(st.text(max_size=500), st.integers(2, 60))
def test_one_line_is_bounded_and_can_be_stored(text: str, limit: int) -> None:
    clean = one_line(text, limit)
    assert len(clean) <= limit
    clean.encode()
    assert not any(ord(c) < 32 or c in "\x7f\x9b\u202e\u2028\ufeff" for c in clean)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\nb", "a b"),
        ("\x1b[2J$5", "[2J$5"),
        ("  a   b ", "a b"),
        ("12\u00a0345", "12\u00a0345"),
        ("123456789", "1234567…"),
    ],
)
def test_what_one_line_keeps(text: str, line: str) -> None:
    assert one_line(text, 8) == line
