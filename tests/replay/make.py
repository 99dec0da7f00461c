"""From an exception to its record, and to a verdict, without a process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from foureyes_actors.bug.faults import fault_from_exception
from foureyes_actors.bug.redact import Redactor
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.replay.codec import dumps, loads
from foureyes_actors.replay.platform import folder_of, platform_files
from foureyes_actors.replay.record import Record, make_record
from foureyes_actors.replay.replaying import Verdict, judge
from t00l5et.reproduction import source
from t00l5et.wire.replay import judge_best

CODE = {"revision": "unknown", "versions": {}}


def failure(act: Callable[[], object]) -> Exception:
    try:
        act()
    except Exception as error:
        return error
    raise AssertionError("it did not fail")


def record_of(error: BaseException, secrets: tuple[str, ...] = (), **context: str) -> Record:
    fault = fault_from_exception(error, source="subject", clock=ManualClock(), context=context)
    assert fault.capture is not None, f"{error!r} came through no replay point"
    return make_record(fault, fault.capture, severity="High", redactor=Redactor(secrets), code=CODE, read_source=source)


def verdict_of(record: Record) -> Verdict:
    """At the ports, by way of the text that would be on the disk."""
    return judge(loads(dumps(record.document)), record.blobs.__getitem__, source)


def best_verdict_of(record: Record) -> Verdict:
    """On the wire, where that can be."""
    return judge_best(loads(dumps(record.document)), record.blobs.__getitem__, source)


def written(record: Record, folder: Path) -> Path:
    """As a platform below ``folder``."""
    made = folder / folder_of(record.id)
    for name, data in platform_files(record.document, record.blobs.__getitem__).items():
        LocalPrivateFolder(made).write(name, data)
    return made
