"""The journal: nothing that was accepted is lost, nothing comes twice, and what is broken costs itself alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foureyes_actors.errors import DocumentRefused, JournalFull, StoreInUse
from foureyes_actors.messages import Collection, CountError, StoreDocuments
from foureyes_actors.recorder.journal import Journal, Recovery
from foureyes_actors.recorder.journal_records import (
    MAGIC,
    Entry,
    entry_bytes,
    entry_from,
    framed,
    merged,
    scan,
)

T0 = datetime(2026, 3, 1, tzinfo=UTC)
PROJECT = Path(__file__).parents[2]


def readings(*names: str, **fields: Any) -> StoreDocuments:
    return StoreDocuments(Collection.READINGS, tuple({"_id": name, "at": T0, **fields} for name in names))


def error(name: str) -> CountError:
    return CountError({"_id": name, "at": T0, "fingerprint": "f"})


def everything(journal: Journal) -> list[Entry]:
    """All entries, acknowledged as they come."""
    found = []
    while entries := journal.oldest(3):
        found += entries
        journal.acknowledge(len(entries))
    return found


def opened(folder: Path, **options: Any) -> tuple[Journal, Recovery]:
    journal = Journal(folder, **options)
    return journal, journal.open()


ENTRIES: list[Entry] = [readings("a", "b"), error("e"), readings("c", money=Decimal("1.10"), deep={"$a.b": [1]})]


# --- records


def test_an_entry_comes_back_as_it_was() -> None:
    for entry in ENTRIES:
        assert entry_from(entry_bytes(entry)) == entry


def test_a_document_that_no_store_takes_is_refused() -> None:
    with pytest.raises(DocumentRefused, match="'b'"):
        entry_bytes(StoreDocuments(Collection.EVENTS, ({"_id": "a", "at": T0}, {"_id": "b", "at": T0, "x": {1}})))


@pytest.mark.parametrize("payload", [b"", b"x", entry_bytes(ENTRIES[0])[:-1], b"\x05\x00\x00\x00\x00"])
def test_what_is_no_entry_is_a_value_error(payload: bytes) -> None:
    with pytest.raises(ValueError, match="not a journal entry"):
        entry_from(payload)


@given(st.lists(st.binary(max_size=40), max_size=4), st.integers(min_value=0, max_value=300))
def test_any_cut_keeps_the_whole_records_before_it(payloads: list[bytes], cut: int) -> None:
    ends = [0]
    for payload in payloads:
        ends.append(ends[-1] + len(framed(payload)))
    data = b"".join(framed(payload) for payload in payloads)[:cut]
    found = scan(data)
    whole = sum(end <= len(data) for end in ends) - 1
    assert (found.payloads, found.end, found.damaged) == (tuple(payloads[:whole]), ends[whole], 0)


@given(st.lists(st.binary(max_size=40), min_size=2, max_size=5), st.data())
def test_one_wrong_byte_costs_one_record(payloads: list[bytes], data: st.DataObject) -> None:
    records = [framed(payload) for payload in payloads]
    broken = data.draw(st.integers(0, len(records) - 2))
    at = data.draw(st.integers(0, len(records[broken]) - 1))
    spoilt = bytearray(records[broken])
    spoilt[at] ^= 0xFF
    found = scan(b"".join([*records[:broken], bytes(spoilt), *records[broken + 1 :]]))
    assert found.payloads == tuple(payloads[:broken] + payloads[broken + 1 :])
    assert found.damaged == len(spoilt)


def test_text_cannot_look_like_a_record() -> None:
    with pytest.raises(UnicodeDecodeError):
        MAGIC.decode()


def test_neighbours_are_merged_in_order() -> None:
    events = StoreDocuments(Collection.EVENTS, ({"_id": "v", "at": T0},))
    entries: list[Entry] = [
        readings("a"),
        readings("b", "c"),
        events,
        readings("d"),
        error("e"),
        error("f"),
        readings("g"),
    ]
    assert merged(entries) == [
        (readings("a", "b", "c"), 2),
        (events, 1),
        (readings("d"), 1),
        (error("e"), 1),
        (error("f"), 1),
        (readings("g"), 1),
    ]
    assert merged([readings("a"), readings("b"), readings("c")], most=2) == [
        (readings("a", "b"), 2),
        (readings("c"), 1),
    ]
    assert merged([]) == []


# --- the journal


def test_entries_come_back_in_order_and_the_files_go(tmp_path: Path) -> None:
    journal, found = opened(tmp_path)
    assert found == Recovery(0, 0, 0)
    for entry in ENTRIES:
        journal.append(entry)
    assert (journal.pending, journal.size > 100) == (3, True)
    assert everything(journal) == ENTRIES
    assert (journal.pending, journal.size) == (0, 0)
    assert list(tmp_path.glob("*.journal")) == []
    journal.close()


def test_it_outlives_its_process_object(tmp_path: Path) -> None:
    for number in range(3):
        journal, found = opened(tmp_path)
        assert found == Recovery(number, 0, 0)
        journal.append(ENTRIES[number])
        journal.close()
    journal, found = opened(tmp_path)
    assert everything(journal) == ENTRIES
    journal.close()


def test_what_was_not_acknowledged_comes_again(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path, segment=1)  # one entry a file
    for entry in ENTRIES:
        journal.append(entry)
    assert journal.oldest(5) == ENTRIES[:1]
    assert journal.oldest(5) == ENTRIES[:1]
    journal.acknowledge(1)
    journal.close()
    journal, found = opened(tmp_path)
    assert found.entries == 2
    assert everything(journal) == ENTRIES[1:]
    journal.close()


def test_entries_that_come_while_it_is_replayed_go_behind(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path)
    journal.append(readings("a"))
    journal.append(readings("b"))
    assert journal.oldest(1) == [readings("a")]
    journal.append(readings("c"))
    assert journal.pending == 3
    journal.acknowledge(1)
    assert (journal.pending, everything(journal)) == (2, [readings("b"), readings("c")])
    journal.append(readings("d"))
    assert everything(journal) == [readings("d")]
    journal.close()


def test_new_files_never_take_the_place_of_old_ones(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path, segment=1)
    journal.append(readings("a"))
    journal.append(readings("b"))
    journal.oldest(1)
    journal.acknowledge(1)
    journal.close()
    journal, _ = opened(tmp_path, segment=1)
    journal.append(readings("c"))
    assert everything(journal) == [readings("b"), readings("c")]
    journal.close()


@pytest.mark.parametrize("left", [1, 5, 11, 12, 13, 40])
def test_a_torn_tail_is_cut_off_and_told(tmp_path: Path, left: int) -> None:
    journal, _ = opened(tmp_path)
    for entry in ENTRIES[:2]:
        journal.append(entry)
    journal.close()
    (file,) = tmp_path.glob("*.journal")
    file.write_bytes(file.read_bytes() + framed(entry_bytes(ENTRIES[2]))[:left])
    journal, found = opened(tmp_path)
    assert found == Recovery(2, left, 0)
    journal.append(ENTRIES[2])
    assert everything(journal) == ENTRIES
    journal.close()


def test_damage_in_the_middle_costs_one_entry_and_the_file_is_kept(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path)
    for entry in ENTRIES:
        journal.append(entry)
    journal.close()
    (file,) = tmp_path.glob("*.journal")
    data = bytearray(file.read_bytes())
    middle = len(framed(entry_bytes(ENTRIES[0]))) + 20
    data[middle] ^= 1
    file.write_bytes(data)
    journal, found = opened(tmp_path)
    assert found == Recovery(2, 0, len(framed(entry_bytes(ENTRIES[1]))))
    assert everything(journal) == [ENTRIES[0], ENTRIES[2]]
    assert [path.read_bytes() for path in tmp_path.glob("*.damaged")] == [bytes(data)]
    assert list(tmp_path.glob("*.journal")) == []
    journal.append(readings("new"))
    journal.close()
    assert len(list(tmp_path.glob("*.damaged"))) == 1


def test_an_entry_of_a_newer_version_does_not_block_the_rest(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path)
    journal.append(ENTRIES[0])
    journal.close()
    (file,) = tmp_path.glob("*.journal")
    file.write_bytes(framed(b"of another kind") + file.read_bytes())
    journal, _ = opened(tmp_path)
    assert everything(journal) == ENTRIES[:1]
    assert journal.pending == 0
    assert len(list(tmp_path.glob("*.damaged"))) == 1
    journal.close()


def test_an_empty_file_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "00000007.journal").write_bytes(b"")
    (tmp_path / "notes.journal").write_bytes(b"")
    journal, found = opened(tmp_path)
    assert found == Recovery(0, 0, 0)
    journal.append(ENTRIES[0])
    assert everything(journal) == ENTRIES[:1]
    journal.close()


def test_the_budget(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path, budget=1000, segment=300)
    kept: list[Entry] = []
    with pytest.raises(JournalFull, match=r"has used \d+ of its 1000 bytes"):
        for number in range(100):
            journal.append(readings(f"r{number}"))
            kept.append(readings(f"r{number}"))
    assert 5 < len(kept) < 20
    assert journal.size <= 1000
    with pytest.raises(JournalFull):
        journal.append(readings("large", text="x" * 1000))
    while len(tuple(tmp_path.glob("*.journal"))) > 1:  # replaying gives room
        kept.remove(journal.oldest(1)[0])
        journal.acknowledge(1)
    journal.append(readings("late"))
    assert everything(journal) == [*kept, readings("late")]
    journal.close()


LIMITED = """
import sys, pathlib, resource, datetime
from foureyes_actors.errors import JournalFull
from foureyes_actors.messages import Collection, StoreDocuments
from foureyes_actors.recorder.journal import Journal
journal = Journal(pathlib.Path(sys.argv[1]))
journal.open()
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
at, acked = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC), 0
for number in range(200):
    size = (100, 3000, 6000)[number % 3]  # the last one never fits
    try:
        journal.append(StoreDocuments(Collection.READINGS, ({"_id": str(number), "at": at, "text": "x" * size},)))
        print(number)
    except JournalFull as error:
        assert "cannot be written" in str(error), error
journal.close()
"""


@pytest.mark.skipif(os.name != "posix", reason="only POSIX can limit the size of a process's files")
def test_when_the_operating_system_takes_no_more_bytes(tmp_path: Path) -> None:
    """A write that ends in the middle leaves nothing, and the next file takes what comes."""
    command = [sys.executable, "-c", LIMITED, str(tmp_path)]
    run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=True)
    acked = run.stdout.split()
    assert 50 < len(acked) < 140
    assert all(path.stat().st_size for path in tmp_path.glob("*.journal"))
    journal, found = opened(tmp_path)
    assert found == Recovery(len(acked), 0, 0)
    names = [entry.documents[0]["_id"] for entry in everything(journal) if isinstance(entry, StoreDocuments)]
    assert names == acked
    journal.close()


def test_a_second_process_is_told_who_has_it(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path)
    with pytest.raises(StoreInUse, match=r"the journal .* is in use by this process"):
        opened(tmp_path)
    journal.close()
    journal.close()
    second, _ = opened(tmp_path)
    second.close()


def test_opening_again_is_a_fresh_start(tmp_path: Path) -> None:
    """A replaced recorder opens the journal that its predecessor, hung or dead, has not closed."""
    journal, _ = opened(tmp_path)
    for entry in ENTRIES:
        journal.append(entry)
    journal.oldest(2)
    assert journal.open() == Recovery(3, 0, 0)
    assert everything(journal) == ENTRIES
    journal.close()


def test_before_opening_and_after_closing_it_takes_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    with pytest.raises(RuntimeError, match="not open"):
        journal.append(ENTRIES[0])
    journal.open()
    journal.close()
    with pytest.raises(RuntimeError, match="not open"):
        journal.append(ENTRIES[0])


# --- documents that no store takes


class Unprintable:
    def __repr__(self) -> str:
        raise ValueError("no")


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"_id": "a", "x": {1}}, "{'_id': 'a', 'x': {1}}"),
        ({"x": "\ud800\n\0"}, r"{'x': '\ud800\n\x00'}"),
        ({"x": Unprintable()}, "<ValueError while printing it>"),
    ],
)
def test_a_refused_document_is_kept_for_people(tmp_path: Path, document: dict[str, Any], text: str) -> None:
    with closing(Journal(tmp_path)) as journal:
        journal.open()
        assert journal.set_aside(document, "readings", "because", T0)
        assert journal.set_aside({"_id": "second"}, "ERR0R", "so", T0 + timedelta(seconds=1))
    first, second = (json.loads(line) for line in (tmp_path / "refused.jsonl").read_text().splitlines())
    assert first == {"at": T0.isoformat(), "for": "readings", "reason": "because", "document": text}
    assert second["for"] == "ERR0R"


def test_the_file_of_refused_documents_is_bounded(tmp_path: Path) -> None:
    with closing(Journal(tmp_path)) as journal:
        journal.open()
        kept = 0
        while journal.set_aside({"_id": "a", "x": "y" * 10_000_000}, "readings", "z" * 1_000_000, T0):
            kept += 1
        assert kept < 20
    assert (tmp_path / "refused.jsonl").stat().st_size <= 16 * 1024 * 1024
    line = json.loads((tmp_path / "refused.jsonl").read_text().splitlines()[0])
    assert (len(line["document"]), line["cut_after"]) == (64 * 1024, "65536")
