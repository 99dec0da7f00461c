"""A stream that never keeps its writers waiting: on real pipes, that nobody reads, that break, that cannot write."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from typing import TextIO

import pytest

from foureyes_actors.ports.patient_stream import WAITING, PatientStream
from tests.support import eventually


class Pipe:
    def __init__(self, encoding: str = "utf-8") -> None:
        reading, writing = os.pipe()
        self.end = os.fdopen(reading, "rb", buffering=0)
        self.target: TextIO = os.fdopen(writing, "w", encoding=encoding)

    def close(self) -> None:
        self.target.close()
        self.end.close()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    it = Pipe()
    yield it
    it.close()


def test_lines_come_out_in_order(pipe: Pipe) -> None:
    stream = PatientStream(pipe.target, "a test's")
    for number in range(100):
        stream.line(f"line {number}")
    assert stream.close(10)
    pipe.target.close()
    assert pipe.end.read().decode().split() == " ".join(f"line {n}" for n in range(100)).split()


def test_nobody_reads_and_nobody_waits(pipe: Pipe) -> None:
    stream = PatientStream(pipe.target, "a test's")
    for _ in range(3 * WAITING):
        stream.line("x" * 1000)  # more than any pipe holds
    assert not stream.close(0.1)
    assert sum(t.name == "a test's" for t in threading.enumerate()) == 1
    reader = threading.Thread(target=pipe.end.readall, name="reader")
    reader.start()
    assert stream.close(10)
    pipe.target.close()
    reader.join(10)


def test_what_was_left_out_is_said(pipe: Pipe) -> None:
    stream = PatientStream(pipe.target, "a test's")
    for _ in range(2 * WAITING):
        stream.line("x" * 1000)
    heard: list[bytes] = []
    reader = threading.Thread(target=lambda: heard.append(pipe.end.readall()), name="reader")
    reader.start()
    assert stream.close(10)
    pipe.target.close()
    reader.join(10)
    assert b"lines are left out" in heard[0]


def test_a_broken_pipe_ends_the_printing_alone(pipe: Pipe) -> None:
    stream = PatientStream(pipe.target, "a test's")
    pipe.end.close()
    stream.line("nobody")
    eventually(lambda: stream.close(0.1), 30, "its thread ends")
    stream.line("still nobody")


def test_what_the_encoding_does_not_have_is_escaped() -> None:
    it = Pipe(encoding="ascii")
    stream = PatientStream(it.target, "a test's")
    stream.line("10 \N{EURO SIGN} \udcff")
    assert stream.close(10)
    it.target.close()
    assert it.end.read().decode().strip() == "10 \\u20ac \\udcff"
    it.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")  # noqa: PTH110
def test_a_full_disk_is_no_failure() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        stream = PatientStream(full, "a test's")
        stream.line("no room")
        stream.line("no room")
        assert stream.close(10)


def test_a_stream_without_a_descriptor_and_none_at_all() -> None:
    kept = io.StringIO()
    stream = PatientStream(kept, "a test's")
    stream.line("kept")
    assert stream.close(10)
    assert kept.getvalue() == "kept\n"
    nothing = PatientStream(None, "a test's")  # sys.stdout of a program without a console
    nothing.line("gone")
    assert nothing.close(10)


def test_nothing_printed_steers_the_terminal(pipe: Pipe) -> None:
    stream = PatientStream(pipe.target, "a test's")
    stream.line("red \x1b[31m and back \u202e")
    assert stream.close(10)
    pipe.target.close()
    assert pipe.end.read().decode().strip() == "red \\x1b[31m and back \\u202e"
