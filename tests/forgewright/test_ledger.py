"""Decisions on the disk: several processes at once, an end in the middle of writing, and files from anywhere."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from foureyes_actors.forgewright import ledger as subject
from foureyes_actors.forgewright.decision import Decision, from_json, to_json
from foureyes_actors.forgewright.ledger import FILE, LOCK, MAX_BYTES, Ledger, LedgerBusy, Outdated
from foureyes_actors.forgewright.states import State
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.ports.process_lock import ProcessLock
from tests.forgewright.make import ID, NOW, a_decision, a_ledger, in_state
from tests.support import eventually

ROOT = Path(__file__).parent.parent.parent
HEAD = """
import sys
from pathlib import Path
from foureyes_actors.forgewright.ledger import Ledger, Outdated
from foureyes_actors.forgewright.states import State
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from tests.forgewright.make import a_decision
place, who = Path(sys.argv[1]), sys.argv[2]
ledger = Ledger(LocalPrivateFolder(place), place, SystemClock(), lock_within=30.0)
"""
NOTING = """
print("at work", flush=True)
done = 0
while done < int(sys.argv[3]):
    known = ledger.get("FORGE-2026-001")
    try:
        ledger.save(known.noted(1.0, f"{who} {done}", {who: done}))
        done += 1
    except Outdated:
        pass
"""
OPENING = """
for number in range(10):
    key = a_decision(group=f"g{number}").key
    made = ledger.open(key, 2026, lambda name: a_decision(name, f"g{number}"))
    print(made.id, number, flush=True)
"""


def started(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HEAD + code, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return a_ledger(tmp_path)


def test_what_is_saved_is_there_for_others(ledger: Ledger, tmp_path: Path) -> None:
    first = ledger.open("k", 2026, a_decision)
    assert (first.id, first.revision) == (ID, 1)
    second = ledger.save(first.to(State.TRIAGED, NOW))
    assert second.revision == 2 and a_ledger(tmp_path).get(ID) == second == ledger.get(ID)
    assert a_ledger(tmp_path).page().decisions == (second,)


def test_a_pattern_has_one_decision_and_ids_go_on(ledger: Ledger) -> None:
    def key(name: str) -> str:
        return a_decision(name, name).key

    first = ledger.open(key("a"), 2026, lambda name: a_decision(name, "a"))
    assert ledger.open(first.key, 2026, lambda name: a_decision(name, "a")) == first
    assert ledger.open("b", 2026, lambda name: a_decision(name, "b")).id == "FORGE-2026-002"
    assert ledger.open("c", 2027, lambda name: a_decision(name, "c")).id == "FORGE-2027-001"


def test_after_nine_hundred_and_ninety_nine_comes_a_thousand(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (2, 998, 999, 1000):
        ledger.save(a_decision(f"FORGE-2026-{number:03d}", str(number)))
    assert ledger.open("k", 2026, a_decision).id == "FORGE-2026-1001"
    monkeypatch.setattr(subject, "MAX_DECISIONS", 2)
    assert [each.id for each in ledger.page().decisions] == ["FORGE-2026-1000", "FORGE-2026-1001"], "the newest"


def test_who_saves_onto_another_revision_is_told(ledger: Ledger) -> None:
    first = ledger.open("k", 2026, a_decision)
    ledger.save(first.to(State.TRIAGED, NOW))
    with pytest.raises(Outdated, match="FORGE-2026-001 was changed meanwhile: it is triaged now"):
        ledger.save(first.to(State.DUPLICATE, NOW))
    found = ledger.get(ID)
    assert found is not None and found.state is State.TRIAGED


def test_two_processes_that_save_at_once_lose_nothing(ledger: Ledger, tmp_path: Path) -> None:
    ledger.open("k", 2026, a_decision)
    both = [started(NOTING, tmp_path, who, 15) for who in ("left", "right")]
    assert [each.communicate(timeout=60)[0] for each in both] == ["at work\n"] * 2
    found = ledger.get(ID)
    assert found is not None and found.revision == 31
    notes = [step.note for step in found.history[1:]]
    assert sorted(notes) == sorted(f"{who} {n}" for who in ("left", "right") for n in range(15))


def test_two_processes_that_open_at_once_open_one_for_each_pattern(ledger: Ledger, tmp_path: Path) -> None:
    both = [started(OPENING, tmp_path, who) for who in ("left", "right")]
    said = [set(each.communicate(timeout=60)[0].splitlines()) for each in both]
    assert said[0] == said[1] and len(said[0]) == 10
    groups = [each.group for each in ledger.page().decisions]
    assert sorted(groups) == sorted(f"g{number}" for number in range(10))


@pytest.mark.parametrize("kills", [6, pytest.param(20, marks=pytest.mark.slow)])
def test_a_kill_in_the_middle_of_writing_leaves_a_whole_file_and_no_lock(
    ledger: Ledger, tmp_path: Path, kills: int
) -> None:
    ledger.open("k", 2026, a_decision)
    before = 0
    for number in range(kills):
        child = started(NOTING, tmp_path, f"child{number}", 10**6)
        assert child.stdout is not None and child.stdout.readline() == "at work\n"
        eventually(lambda now=before: revision(ledger) > now, 30.0, "it writes")  # type: ignore[misc]
        child.kill()
        child.wait(20)
        child.stdout.close()
        page = ledger.page()
        assert page.broken == () and len(page.decisions) == 1
        before = ledger.save(page.decisions[0].noted(NOW, "and on", {})).revision
    assert len(ledger.page().decisions) == 1


def revision(ledger: Ledger) -> int:
    found = ledger.get(ID)
    assert found is not None
    return found.revision


def test_a_lock_that_somebody_holds_is_not_waited_for_long(tmp_path: Path) -> None:
    clock = ManualClock()
    ledger = a_ledger(tmp_path, clock, lock_within=0.5)
    made = ledger.open("k", 2026, a_decision)
    lock, began = ProcessLock(tmp_path / LOCK), clock.monotonic()
    with pytest.raises(LedgerBusy, match="the decisions are held by this process"):
        ledger.save(made)
    assert 0.5 <= clock.monotonic() - began < 0.6 and ledger.get(ID) == made, "who only reads needs no lock"
    lock.release()
    assert ledger.save(made).revision == 2


class Sick(LocalPrivateFolder):
    def __init__(self, folder: Path, code: int) -> None:
        super().__init__(folder)
        self.code = code

    def write(self, name: str, data: bytes) -> None:
        raise OSError(self.code, os.strerror(self.code))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_takes_nothing_loses_nothing(tmp_path: Path, code: int) -> None:
    made = a_ledger(tmp_path).open("k", 2026, a_decision)
    sick = Ledger(Sick(tmp_path, code), tmp_path, ManualClock())
    with pytest.raises(OSError, match=r"."):
        sick.save(made)
    with pytest.raises(OSError, match=r"."):
        sick.open("other", 2026, a_decision)
    assert sick.page().decisions == (made,)
    assert a_ledger(tmp_path).save(made).revision == 2, "the lock was given back"


FULL = """
import resource
room = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, room[1]))
for _ in range(3):
    try:
        ledger.open("k", 2026, a_decision)
    except OSError as error:
        print(type(error).__name__)
resource.setrlimit(resource.RLIMIT_FSIZE, room)
print(ledger.open("k", 2026, a_decision).id)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
def test_a_disk_that_is_full_uses_up_no_numbers(tmp_path: Path) -> None:
    with started(FULL, tmp_path, "who") as process:
        out, _ = process.communicate(timeout=60)
    assert out.split() == ["OSError", "OSError", "OSError", ID]
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [ID]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="modes do not bind this user")
def test_a_folder_that_is_read_only(tmp_path: Path) -> None:
    made = a_ledger(tmp_path).open("k", 2026, a_decision)
    (tmp_path / made.id).chmod(0o500)
    try:
        with pytest.raises(OSError, match=r"."):
            a_ledger(tmp_path).save(made)
    finally:
        (tmp_path / made.id).chmod(0o700)
    assert a_ledger(tmp_path).get(ID) == made


def test_a_file_that_cannot_be_read_now_is_not_written_over(tmp_path: Path) -> None:
    made = a_ledger(tmp_path).open("k", 2026, a_decision)

    class Away(LocalPrivateFolder):
        def read(self, name: str) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input"):
        Ledger(Away(tmp_path), tmp_path, ManualClock()).save(made.to(State.TRIAGED, NOW))
    assert a_ledger(tmp_path).get(ID) == made
    assert Ledger(Away(tmp_path), tmp_path, ManualClock()).page().broken == (f"{ID}: OSError",)


# --- what lies there ---


def put(place: Path, name: str, data: bytes) -> None:
    (place / name).mkdir(exist_ok=True)
    (place / name / FILE).write_bytes(data)


def foreign() -> dict[str, bytes]:
    return {
        "FORGE-2026-002": b"",
        "FORGE-2026-003": b"\x00" * 100,
        "FORGE-2026-004": to_json(a_decision("FORGE-2026-005")),  # another one's
        "FORGE-2026-006": b" " * (MAX_BYTES + 1),
        "FORGE-2026-007": json.dumps({"history": "x" * 5000}).encode(),
    }


def test_what_is_no_decision_is_left_out_and_said(ledger: Ledger, tmp_path: Path) -> None:
    made = ledger.open("k", 2026, a_decision)
    for name, data in foreign().items():
        put(tmp_path, name, data)
    put(tmp_path, "FORGE-2026-8", to_json(made))
    put(tmp_path, "something", to_json(made))
    (tmp_path / "decision.json").write_bytes(to_json(made))
    page = ledger.page()
    assert page.decisions == (made,) and page == ledger.page()
    assert [line.partition(":")[0] for line in page.broken] == list(foreign())
    assert page.broken[3].endswith(f"has {MAX_BYTES + 1} bytes, more than {MAX_BYTES}")
    assert all(line.isprintable() and len(line) < 130 for line in page.broken)
    assert all(ledger.get(name) is None for name in foreign())
    assert ledger.open("k2", 2026, lambda name: a_decision(name, "g2")).id == "FORGE-2026-008", "no id is given twice"


@pytest.mark.parametrize("name", ["", "..", "FORGE-2026-001/../FORGE-2026-001", "forge-2026-001", "FORGE-2026-001\n"])
def test_an_id_that_is_none_leads_nowhere(ledger: Ledger, name: str) -> None:
    ledger.open("k", 2026, a_decision)
    assert ledger.get(name) is None
    with pytest.raises(ValueError, match="is not the id of a decision"):
        ledger.work(name, 1)


def link(at: Path, to: Path) -> None:
    try:
        at.symlink_to(to)
    except OSError:
        pytest.skip("links cannot be made here")


def test_links_are_not_followed(ledger: Ledger, tmp_path: Path) -> None:
    place, elsewhere = tmp_path / "decisions", tmp_path / "elsewhere"
    ledger = a_ledger(place)
    made = ledger.open("k", 2026, a_decision)
    put(tmp_path, "elsewhere", to_json(a_decision("FORGE-2026-002", "other")))
    link(place / "FORGE-2026-002", elsewhere)
    (place / "FORGE-2026-003").mkdir()
    link(place / "FORGE-2026-003" / FILE, elsewhere / FILE)
    assert ledger.page().decisions == (made,)
    for name in ("FORGE-2026-002", "FORGE-2026-003"):
        with pytest.raises(OSError, match="is a link"):
            ledger.get(name)
    with pytest.raises(OSError, match="is a link"):
        ledger.save(a_decision("FORGE-2026-002", "other"))
    assert from_json((elsewhere / FILE).read_bytes()).revision == 0
    (place / LOCK).unlink()
    victim = tmp_path / "victim"
    victim.write_text("do not touch", encoding="utf-8")
    link(place / LOCK, victim)
    with pytest.raises(OSError, match="is a link"):
        ledger.save(made)
    assert victim.read_text(encoding="utf-8") == "do not touch"


def test_the_stamp_is_another_one_when_anything_was_written(ledger: Ledger, tmp_path: Path) -> None:
    stamps = [ledger.stamp()]
    made = ledger.open("k", 2026, a_decision)
    for _ in range(5):
        stamps.append(ledger.stamp())
        made = a_ledger(tmp_path).save(made)
    (ledger.work(ID, 1)).mkdir(parents=True)
    (ledger.work(ID, 1) / "big.txt").write_text("x", encoding="utf-8")
    assert len(set(map(str, stamps))) == 6 and ledger.stamp() == ledger.stamp()
    assert ledger.page().decisions == (made,), "what another process wrote is seen"


def test_work_on_a_decision_is_not_walked(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.save(in_state(State.PROPOSED))
    tree = ledger.work(ID, 1) / "worktree" / "deep"
    tree.mkdir(parents=True)
    looked: list[str] = []
    scan: Callable[[str], object] = os.scandir

    def scandir(path: str) -> object:
        looked.append(str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert ledger.stamp() and not looked, "a look whether anything has changed reads no folder at all"
    assert len(ledger.page().decisions) == 1 and looked == [str(tmp_path)]


def opened(ledger: Ledger, group: str) -> Decision:
    return ledger.open(a_decision(group=group).key, 2026, lambda name: a_decision(name, group))


def no_file(place: Path, kind: str) -> None:
    place.mkdir(parents=True)
    folder = place / ID
    match kind:
        case "a link":
            folder.mkdir()
            (folder / FILE).symlink_to(__file__)
        case "a pipe":
            folder.mkdir()
            os.mkfifo(folder / FILE)
        case "a folder":
            (folder / FILE).mkdir(parents=True)
        case "a linked folder":
            folder.symlink_to(place.parent)
        case "a file for the folder":
            folder.write_text("x")


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes need rights there")
@pytest.mark.parametrize("kind", ["a link", "a pipe", "a folder", "a linked folder", "a file for the folder"])
def test_what_lies_in_the_place_of_a_decision_is_told_and_stands_in_nobodys_way(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "decisions"
    no_file(place, kind)
    ledger = a_ledger(place)
    made = [opened(ledger, group) for group in "ab"]
    assert [each.id for each in made] == ["FORGE-2026-002", "FORGE-2026-003"]
    page = a_ledger(place).page()
    assert list(page.decisions) == made
    (told,) = page.broken
    assert told.startswith(f"{ID}: ")


def test_the_last_number_of_a_year_is_not_the_end(tmp_path: Path) -> None:
    ledger = a_ledger(tmp_path)
    (tmp_path / "FORGE-2026-999999").mkdir()
    made = [opened(ledger, group) for group in "ab"]
    assert [each.id for each in made] == ["FORGE-2026-001", "FORGE-2026-002"]
    assert list(a_ledger(tmp_path).page().decisions) == made


def test_one_command_of_a_person_at_a_time(tmp_path: Path) -> None:
    first, second = a_ledger(tmp_path), a_ledger(tmp_path, lock_within=0.0)
    with first.by_hand():
        with pytest.raises(LedgerBusy, match="this process"), second.by_hand():
            pass
        second.save(a_decision())  # FourEyes goes on meanwhile
    with second.by_hand():
        pass


def test_what_is_wrong_with_a_file_is_told(tmp_path: Path) -> None:
    ledger = a_ledger(tmp_path)
    data = json.loads(to_json(ledger.save(a_decision())))
    (tmp_path / ID / FILE).write_text(json.dumps(data | {"priority": "\x1b[2J"}))
    assert a_ledger(tmp_path).page().broken == (
        f"{ID}: priority: Input should be a valid integer, unable to parse string as an integer",
    )
    (tmp_path / ID / FILE).write_text("[" * 100_000)
    (told,) = a_ledger(tmp_path).page().broken
    assert told.startswith(f"{ID}: Invalid JSON") and len(told) < 130
