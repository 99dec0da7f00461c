"""The folder of platforms: found again, swept, and whatever lies there is data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foureyes_actors.ports.private_folder import Entry, LocalPrivateFolder
from foureyes_actors.replay.codec import CodecError
from foureyes_actors.replay.platform_folder import (
    KEPT,
    Origin,
    platform_of,
    platforms,
    sweep,
    swept,
    wait,
    wait_no_more,
    waiting,
    write_platform,
)
from tests.replay.make import failure, record_of
from tests.replay.scenarios import joined

A, B = "aa" * 16, "bb" * 16
NOW = 2_000_000_000.0


def an_origin(record: str = A, group: str = "g", at: float = 5.0) -> Origin:
    return Origin(record, group, "readings", at)


def made(folder: Path, at: float = 5.0) -> str:
    record = record_of(failure(joined({"grand": "1.00"})))
    write_platform(LocalPrivateFolder(folder), record.document, record.blobs.__getitem__, an_origin(record.id, at=at))
    return record.id


def test_what_was_made_is_found_again_the_oldest_first(tmp_path: Path) -> None:
    late, early = made(tmp_path, 9.0), made(tmp_path, 2.0)
    folder = LocalPrivateFolder(tmp_path)
    assert [found.origin.record for found in platforms(folder)] == [early, late]
    newest = platform_of(folder, B, "g")
    assert newest is not None and newest.origin.record == late
    assert platform_of(folder, B, "another") is None and platform_of(folder, "../x", "") is None
    assert platforms(LocalPrivateFolder(tmp_path / "nothing")) == []


def test_what_waits_is_found_again_until_it_waits_no_more(tmp_path: Path) -> None:
    folder = LocalPrivateFolder(tmp_path)
    for record, at in ((A, 9.0), (B, 2.0)):
        wait(folder, an_origin(record, at=at))
    assert [each.record for each in waiting(folder)] == [B, A]
    assert waiting(folder)[1] == an_origin(A, at=9.0)
    wait_no_more(folder, B)
    wait_no_more(folder, B)
    assert [each.record for each in waiting(folder)] == [A]
    with pytest.raises(CodecError):
        wait(folder, an_origin("../../x"))


ODD: list[Any] = [None, [], 3, "x", {}, {"record": A}, {"record": "../x"}, {"at": float("nan")}, {"unasked": 1}]
ODD += [{"group": "x" * 1000}, {"at": "now"}, {"source": None}, {"at": 10**400}]


@pytest.mark.parametrize("odd", ODD)
def test_a_file_that_says_nothing_is_left_out(tmp_path: Path, odd: Any) -> None:
    fine = {"record": B, "group": "g", "source": "s", "at": 1.0, "unasked": True}
    document = {**fine, **odd} if isinstance(odd, dict) and odd else odd
    if odd == {"record": A}:  # of another platform than where it lies
        document = {**fine, "record": A}
    folder = LocalPrivateFolder(tmp_path)
    folder.write(f"repro_{B}/origin.json", json.dumps(document).encode())
    folder.write("repro_x/origin.json", json.dumps(fine).encode())
    assert platforms(folder) == []
    folder.write(f"waiting/{B}.json", json.dumps(document).encode())
    assert [each.record for each in waiting(folder)] == ([A] if odd == {"record": A} else [])


@given(st.binary(max_size=200) | st.just(b"[" * 100_000))
def test_whatever_lies_there_is_data(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = LocalPrivateFolder(tmp_path_factory.mktemp("odd"))
    folder.write(f"waiting/{B}.json", data)
    folder.write(f"repro_{B}/origin.json", data)
    folder.write(f"repro_{B}/confirmation.json", data)
    assert waiting(folder) == [] and platforms(folder) == [] and platform_of(folder, B, "g") is None


def test_old_platforms_go_as_a_whole_and_the_oldest_of_too_many() -> None:
    def files(record: str, age: float, size: int) -> list[Entry]:
        return [Entry(f"repro_{record}/{name}", size, NOW - age) for name in ("record.json", "README.md")]

    entries = [*files("a" * 8, KEPT + 1, 10), *files("b" * 8, 50.0, 10), *files("c" * 8, 5.0, 10)]
    entries += [Entry("mine.txt", 10**9, 0.0), Entry("repro_x/record.json", 10**9, 0.0)]
    assert swept(entries, NOW, 1000) == ["repro_aaaaaaaa/record.json", "repro_aaaaaaaa/README.md"]
    assert {name[6:9] for name in swept(entries, NOW, 39)} == {"aaa", "bbb"}
    assert {name[6:9] for name in swept(entries, NOW, 0)} == {"aaa", "bbb", "ccc"}
    assert swept([Entry(f"waiting/{A}.json", 1, NOW - KEPT - 1)], NOW) == [f"waiting/{A}.json"]


def test_one_that_is_used_is_young() -> None:
    old, new = Entry(f"repro_{A}/record.json", 1, 0.0), Entry(f"repro_{A}/confirmation.json", 1, NOW)
    assert swept([old, new], NOW) == []


def test_nothing_is_left_of_a_swept_platform(tmp_path: Path) -> None:
    record = made(tmp_path)
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    sweep(LocalPrivateFolder(tmp_path), 1.0)
    assert (tmp_path / f"repro_{record}").is_dir()
    sweep(LocalPrivateFolder(tmp_path), NOW * 2)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
