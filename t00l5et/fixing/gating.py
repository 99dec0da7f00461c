"""The border to the gate: how it is asked, what a fixer is told of its rules, and which bytes it has understood."""

from __future__ import annotations

from pathlib import Path

from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.process import ProcessPort
from t00l5et.fixing.attempts import Gate, Report, Say
from t00l5et.gate.diff import MAX_CHANGED, MAX_FILES, PRODUCT, PROTECTED, changes_of, text_of
from t00l5et.gate.gate import Case, Suite, examine
from t00l5et.gate.sources import need_packages
from t00l5et.sandbox import Sandbox


def gate_of(
    case: Case, paths: tuple[str, ...], cache: Path, sandbox: Sandbox, processes: ProcessPort, clock: Clock
) -> Gate:
    """``paths``: of the suite; empty: its own. ``cache``: for what is the same in all attempts. Raises
    MissingExtraError, before anybody is asked for a patch."""
    need_packages()
    suite = Suite(paths=paths) if paths else Suite()

    def gate(patch: bytes, say: Say) -> Report:
        return examine(case, patch, suite, processes, clock, progress=say, sandbox=sandbox, cache=cache)

    return gate


def understood(patch: bytes) -> bytes:
    """The diff as the gate has read and tried it, written anew: that, and never the bytes that came, is what a branch
    gets. Raises Stopped."""
    return "".join(change.text for change in changes_of(text_of(patch))).encode()


def rules() -> tuple[str, ...]:
    """In words, for whoever writes a patch."""
    protected = ", ".join(name.removeprefix(PRODUCT) for name in PROTECTED)
    return (
        f"it changes lines of files that are there, below {PRODUCT}, and there none of: {protected}",
        f"at most {MAX_FILES} files and {MAX_CHANGED} lines added and removed",
        "no new, deleted, renamed or linked files, no modes, nothing binary",
        "no value of the recorded data in the code",
        "ruff, bandit and the whole test suite find nothing new",
    )
