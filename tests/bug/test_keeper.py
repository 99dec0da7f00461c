"""Records on the disk: kept in time, in size, in order; and never in anybody's way."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.bug import keeper as keeper_module
from foureyes_actors.bug.actor import BugActor
from foureyes_actors.bug.code_facts import code_facts, revision
from foureyes_actors.bug.faults import fault_from_exception
from foureyes_actors.bug.fingerprint import fingerprint
from foureyes_actors.bug.keeper import DAY, SWEEP_EVERY, RecordKeeper, expired, kept_blob, kept_record
from foureyes_actors.bug.records import MAX_WAITING, PER_GROUP, Kept, Records
from foureyes_actors.bug.redact import Redactor
from foureyes_actors.bug.severity import Severity
from foureyes_actors.errors import BadPicture, RequestTimeout
from foureyes_actors.messages import CountError, Fault, FaultRecorded, GetStatus
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.private_folder import Entry, LocalPrivateFolder
from foureyes_actors.replay.replaying import Outcome, judge
from t00l5et.reproduction import source
from tests.bug.make import a_fault
from tests.inference.support import frame
from tests.replay.make import failure
from tests.replay.scenarios import TOKEN, asked, joined
from tests.support import FakeContext, eventually

JPEG = b"\xff\xd8\xff a picture"


def a_failure(error: Exception | None = None, **context: str) -> Fault:
    """With a picture among its inputs."""
    act = asked(error or RequestTimeout("late"), frame=frame(data=JPEG))
    return fault_from_exception(failure(act), source="inference:vl", clock=ManualClock(), context=context)


def keeper(folder: Path, budget: int = keeper_module.BUDGET, clock: ManualClock | None = None) -> RecordKeeper:
    made = LocalPrivateFolder(folder)
    return RecordKeeper(
        made, files=LocalFiles(), clock=clock or ManualClock(), redactor=Redactor((TOKEN,)), budget=budget
    )


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_a_record_is_kept_and_runs_again(tmp_path: Path) -> None:
    fault = a_failure(frame="cabinet #4", digest="ab" * 32)
    keeper(tmp_path).keep(fault, Severity.MEDIUM)
    folder = LocalPrivateFolder(tmp_path)
    document = kept_record(folder, fault.id)
    assert document is not None and document["fingerprints"]["group"] == fingerprint(fault)
    assert (document["actor"], document["operation"], document["digest"]) == ("inference:vl", "cabinet #4", "ab" * 32)
    assert document["code"]["versions"]["pydantic"] and document["frames"][0]["locals"]["model"]
    assert [name.partition("/")[0] for name in names(tmp_path)].count("frames") == 1, "the picture has its own limit"
    assert judge(document, lambda digest: kept_blob(folder, digest), source).outcome is Outcome.SAME


def test_a_critical_failure_is_kept_for_longer(tmp_path: Path) -> None:
    fault = a_failure()
    keeper(tmp_path).keep(fault, Severity.CRITICAL)
    assert f"critical/{fault.id}.json" in names(tmp_path)
    assert kept_record(LocalPrivateFolder(tmp_path), fault.id) is not None


@pytest.mark.parametrize("wanted", ["", "../x", "errors", "x" * 32])
def test_only_ids_and_digests_are_looked_for(tmp_path: Path, wanted: str) -> None:
    with pytest.raises(ValueError, match="is not the id"):
        kept_record(LocalPrivateFolder(tmp_path), wanted)
    with pytest.raises(KeyError):
        kept_blob(LocalPrivateFolder(tmp_path), wanted)


def entry(name: str, days: float, size: int = 10) -> Entry:
    return Entry(name, size, 1000 * DAY - days * DAY)


def test_time_limits() -> None:
    entries = [
        entry("frames/a", 6.9), entry("frames/b", 7.1), entry("errors/c.json", 29.9), entry("errors/d", 30.1),
        entry("critical/e.json", 89.9), entry("critical/f", 90.1), entry("elsewhere", 0.1),
    ]  # fmt: skip
    assert expired(entries, 1000 * DAY, 10**9) == ["frames/b", "errors/d", "critical/f", "elsewhere"]


def test_what_does_not_fit_goes_pictures_first_then_the_oldest() -> None:
    entries = [entry("errors/old", 5), entry("errors/new", 1), entry("frames/old", 3), entry("frames/new", 2)]
    assert expired(entries, 1000 * DAY, 40) == []
    assert expired(entries, 1000 * DAY, 30) == ["frames/old"]
    assert expired(entries, 1000 * DAY, 10) == ["frames/old", "frames/new", "errors/old"]


def test_it_is_swept_now_and_then(tmp_path: Path) -> None:
    clock = ManualClock(start=ManualClock().utc_now() + timedelta(days=36_500))
    kept = keeper(tmp_path, clock=clock)
    kept.keep(a_failure(), Severity.HIGH)
    assert names(tmp_path) == [], "a hundred years old"
    kept.keep(a_failure(), Severity.HIGH)
    assert names(tmp_path) != []
    clock.advance(SWEEP_EVERY)
    kept.keep(a_failure(), Severity.HIGH)
    assert names(tmp_path) == []


def test_the_revision_of_a_clone_a_worktree_and_nothing(tmp_path: Path) -> None:
    commit, git = "ab" * 20, tmp_path / ".git"
    files = LocalFiles()
    assert revision(files, tmp_path) == "unknown"
    files.write(git / "HEAD", b"ref: refs/heads/main\n")
    files.write(git / "packed-refs", f"# pack-refs\n{commit} refs/heads/main\n".encode())
    assert revision(files, tmp_path) == commit
    files.write(git / "refs/heads/main", b"cd" * 20 + b"\n")
    assert revision(files, tmp_path) == "cd" * 20
    files.write(tmp_path / "tree/.git", f"gitdir: {git}/worktrees/tree\n".encode())
    files.write(git / "worktrees/tree/HEAD", b"ref: refs/heads/main")
    files.write(git / "worktrees/tree/commondir", b"../..")
    assert revision(files, tmp_path / "tree") == "cd" * 20
    assert code_facts(files)["python"].startswith("3.")


# --- the actor ---


class Bench:
    def __init__(self, folder: Path) -> None:
        self.context = FakeContext("bug")
        self.actor = BugActor(self.context, clock=ManualClock(), secrets=(TOKEN,), keeper=keeper(folder))

    def settle(self) -> None:
        """What the worker tells comes in, as it would."""
        eventually(lambda: bool(self.context.to_self), 30, "the worker is done")
        while self.context.to_self:
            self.actor.on_receive(self.context.to_self.pop(0))

    @property
    def documents(self) -> list[Mapping[str, Any]]:
        return [m.document for m in self.context.sent_to("recorder") if isinstance(m, CountError)]

    @property
    def records(self) -> dict[str, Any]:
        counts: dict[str, Any] = self.actor.on_receive(GetStatus())["records"]
        return counts


def test_the_document_names_the_record_that_is_written_beside_it(tmp_path: Path) -> None:
    bench, fault = Bench(tmp_path), a_failure()
    bench.actor.on_receive(fault)
    bench.settle()
    assert bench.documents[0]["context"]["record"] == fault.id
    assert kept_record(LocalPrivateFolder(tmp_path), fault.id) is not None
    assert bench.records == {"kept": 1, "failed": 0, "dropped": 0, "waiting": 0, "last_error": ""}
    (word,) = (m for m in bench.context.sent_to("forgewright") if isinstance(m, FaultRecorded))
    assert word.fault.capture is None, "no picture goes on from here"
    bench.actor.on_stop()


def test_later_documents_of_a_group_name_its_newest_record(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    faults = [a_failure() for _ in range(PER_GROUP + 2)]
    for fault in faults:
        bench.actor.on_receive(fault)
        if fault in faults[:PER_GROUP]:
            bench.settle()
    named = [document["context"]["record"] for document in bench.documents]
    assert named == [fault.id for fault in faults[:PER_GROUP]] and bench.records["kept"] == PER_GROUP
    bench.actor.on_stop()


def test_a_fault_without_inputs_has_no_record(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.actor.on_receive(a_fault())
    assert "record" not in bench.documents[0]["context"] and names(tmp_path) == []


def test_a_disk_that_takes_nothing_is_counted(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    bench = Bench(tmp_path / "file" / "below")
    bench.actor.on_receive(a_failure())
    bench.settle()
    assert bench.records["failed"] == 1 and bench.records["last_error"] in ("NotADirectoryError", "FileExistsError")
    assert len(bench.documents) == 1
    bench.actor.on_stop()


class SlowKeeper(RecordKeeper):
    def __init__(self) -> None:
        self.go = threading.Event()

    def keep(self, fault: Fault, severity: Severity) -> None:
        self.go.wait(30)


def test_a_slow_disk_bounds_what_waits_and_holds_nobody_up() -> None:
    slow, context = SlowKeeper(), FakeContext("bug")
    records = Records(context, slow)
    for number in range(MAX_WAITING + 5):
        records.offer(a_failure(), f"group {number}")
    assert records.waiting <= MAX_WAITING and records.dropped >= 4
    slow.go.set()
    eventually(lambda: Kept() in context.to_self, 30, "the first is written")
    records.stop()


def test_no_secret_reaches_the_disk(tmp_path: Path) -> None:
    """In a token's field, a request's header, a message, a local, a picture's bytes, a context."""
    act = asked(
        BadPicture(f"bad {TOKEN}"), token=TOKEN, frame=frame(data=JPEG + TOKEN.encode() + b"http://u:pw77pw77@h")
    )
    fault = fault_from_exception(failure(act), source="a", clock=ManualClock(), context={"message": TOKEN})
    keeper(tmp_path).keep(fault, Severity.HIGH)
    held = fault_from_exception(failure(joined({"grand": TOKEN})), source="a", clock=ManualClock())
    keeper(tmp_path).keep(held, Severity.HIGH)
    found = b"".join((tmp_path / name).read_bytes() for name in names(tmp_path))
    assert TOKEN.encode() not in found and b"pw77pw77" not in found and b"redacted-" in found
    document = json.loads((tmp_path / f"errors/{fault.id}.json").read_bytes())
    assert document["redacted"]
    verdict = judge(document, lambda digest: kept_blob(LocalPrivateFolder(tmp_path), digest), source)
    assert (verdict.outcome, verdict.redacted) == (Outcome.SAME, True)
