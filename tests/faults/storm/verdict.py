"""What must hold after a storm."""

from __future__ import annotations

from foureyes_actors.headless import INTERRUPTED
from tests.faults.storm.storm import MIB, Report, more_threads

MORE_FILES = 4  # connections that are open or not at the moment of the look
MORE_MEMORY = 48 * MIB  # code that ran for the first time, the allocator's slack, the account of this test


def verdict(report: Report) -> list[str]:
    """What does not; that all is green again was waited for already."""
    before, after, kept = report.before, report.after, report.account
    assert before is not None and after is not None and kept is not None
    found = []
    if not (report.spoiled and report.refused):
        found.append(
            f"a storm in a glass: {report.spoiled} answers spoiled, {report.refused} calls of the store refused"
        )
    if after.thread_count > before.thread_count:
        found.append(f"threads: {before.thread_count} before, {after.thread_count} after: {more_threads(report)}")
    if after.files > before.files + MORE_FILES:
        found.append(f"open files: {before.files} before, {after.files} after")
    if after.memory > before.memory + MORE_MEMORY:
        found.append(f"memory: {before.memory / MIB:.0f} MiB before, {after.memory / MIB:.0f} MiB after")
    if after.processes != before.processes:
        found.append(f"child processes: {before.processes} before, {after.processes} after")
    if not kept.right:
        found.append(f"missing {kept.missing}, doubled {kept.twice}, strange {kept.strange}")
    if report.code != INTERRUPTED:
        found.append(f"exit code {report.code}, wanted {INTERRUPTED}")
    return found
