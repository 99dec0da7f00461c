"""The hard gate for a patch that nobody of us wrote: cheap rules first, nothing of it is run before all that only reads
it has passed, and what is run is run in the strong sandbox or not at all.

What passed is worth a person's look. It is no proof: see docs/gate.md.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from foureyes_actors.bug.redact import Redactor
from foureyes_actors.errors import FourEyesError
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.process import ProcessPort
from foureyes_actors.text import one_line
from t00l5et.gate import variants
from t00l5et.gate.diff import Change, changes_of, check_paths, check_size, text_of
from t00l5et.gate.leaves import Blobs
from t00l5et.gate.literals import captured_of, known_literals, texts_of
from t00l5et.gate.mutations import Variant, mutations
from t00l5et.gate.report import MAX_REASON, GateReport, Step, Steps, Stopped
from t00l5et.gate.runs import MAX_SIBLINGS, Record, Runs, Seen, World, record_in
from t00l5et.gate.smells import smells
from t00l5et.gate.sources import Source, need_packages, new_findings, sources_of
from t00l5et.gate.strategies import generated
from t00l5et.gate.suite import Suite, base_suite, compared, run_suite
from t00l5et.gate.trees import Base, base_tree, drop, patched_tree
from t00l5et.sandbox import Sandbox, best_sandbox, may_run_foreign_code

__all__ = ["RUNS", "Case", "GateReport", "Step", "Suite", "examine"]

RUNS = 3


@dataclass(frozen=True, slots=True)
class Case:
    """``platform``: of the failure. ``repository``: a checkout of FourEyes, only read. ``base``: the commit (full hash)
    that the patch is for. ``siblings``: platforms of the same group that whoever wrote the patch never saw."""

    platform: Path
    repository: Path
    base: str
    siblings: tuple[Path, ...] = ()


def _silent(_step: str) -> None: ...


def examine(
    case: Case,
    patch: bytes,
    suite: Suite,
    processes: ProcessPort,
    clock: Clock,
    *,
    progress: Callable[[str], None] = _silent,
    sandbox: Sandbox | None = None,
    cache: Path | None = None,
) -> GateReport:
    """``progress`` is told each step's name as it begins. ``sandbox`` None: the best one that works here. ``cache``: a
    folder of the caller's, in which the base's tree and results are kept for the next patch. Never raises for what a
    patch is or does; MissingExtraError without the packages of the extra "forge". Call it in a thread that lives as
    long."""
    need_packages()
    with tempfile.TemporaryDirectory(prefix="foureyes-gate-", ignore_cleanup_errors=True) as folder:
        scratch = Path(folder)
        gate = _Gate(case, suite, processes, clock, scratch, cache or scratch / "cache", Steps(clock, progress))
        gate.sandbox = sandbox
        rule, reason = "", ""
        try:
            gate.pass_through(patch)
        except Stopped as stopped:
            rule, reason = stopped.rule, stopped.reason
        except (FourEyesError, OSError) as error:
            rule, reason = gate.at, f"it could not be examined: {error}"
        except Exception as error:  # whatever a patch does to the gate, it has not passed
            rule, reason = gate.at, f"it could not be examined: {type(error).__name__}"
        finally:
            gate.end()
        reason = Redactor(()).text(reason)  # what a fixer printed may be a secret
        ran = str(gate.sandbox) if gate.ran and gate.sandbox else ""
        return GateReport(not rule, rule, one_line(reason, MAX_REASON), tuple(gate.steps.done), one_line(ran, 300))


class _Gate:
    def __init__(
        self, case: Case, suite: Suite, processes: ProcessPort, clock: Clock, scratch: Path, cache: Path, steps: Steps
    ) -> None:
        self.case, self.suite, self.processes, self.clock = case, suite, processes, clock
        self.scratch, self.cache, self.steps = scratch, cache, steps
        self.sandbox: Sandbox | None = None
        self.ran = False
        self._base: Base | None = None

    @property
    def at(self) -> str:
        return self.steps.done[-1].name if self.steps.done else "gate"

    def end(self) -> None:
        if self._base is not None:
            drop(self._base, self.scratch / "patched", self.processes)

    def pass_through(self, patch: bytes) -> None:
        changes = self._read(patch)
        with self.steps.step("applies"):
            self._base = base = base_tree(self.case.repository, self.case.base, self.cache, self.processes)
            patched = patched_tree(base, changes, self.scratch, self.processes)
        with self.steps.step("parses"):
            sources = sources_of(changes, base.folder, patched)
        with self.steps.step("platform"):
            record = record_in(self.case.platform)
            siblings = [record_in(folder) for folder in self.case.siblings[:MAX_SIBLINGS]]
        self._look(sources, changes, record, siblings, base, patched)
        world = World(self._strong(), self.processes, self.clock)
        self.ran = True
        self._run(Runs(self.scratch, world), record, siblings, base, patched)
        with self.steps.step("suite") as words:
            before = base_suite(self.suite, base, self.scratch, self.cache, world)
            words.append(compared(before, run_suite(self.suite, base, patched, self.scratch, world)))

    # --- read ---

    def _read(self, patch: bytes) -> tuple[Change, ...]:
        with self.steps.step("encoding"):
            text = text_of(patch)
        with self.steps.step("diff"):
            changes = changes_of(text)
        with self.steps.step("paths") as words:
            check_paths(changes)
            words.append(", ".join(change.path for change in changes))
        with self.steps.step("size") as words:
            words.append(check_size(changes))
        return changes

    def _look(
        self,
        sources: Sequence[Source],
        changes: Sequence[Change],
        record: Record,
        siblings: Sequence[Record],
        base: Base,
        patched: Path,
    ) -> None:
        with self.steps.step("smells"):
            found = smells(sources, _failed(record))
            contract = [words for kind, words in found if kind == "contract"]
            if contract:
                raise Stopped(_several(contract), "contract")
            if found:
                raise Stopped(_several([f"{kind}: {words}" for kind, words in found]))
        with self.steps.step("literals"):
            for number, each in enumerate((record, *siblings)):
                known = known_literals(sources, captured_of(each.document, each.blobs), lambda: _ours(base))
                if known:  # of a sibling nothing is told: it would not be withheld any more
                    raise Stopped(_several(known) if number == 0 else "data of a withheld sibling")
        with self.steps.step("lint"):
            new = new_findings(changes, base.folder, patched, self.scratch, self.processes)
            if new:
                raise Stopped(_several([f"{path}: {rule} {words}" for path, rule, words in new]))

    def _strong(self) -> Sandbox:
        with self.steps.step("sandbox") as words:
            self.sandbox = sandbox = self.sandbox or best_sandbox(self.processes, self.clock)
            if not may_run_foreign_code(sandbox):
                raise Stopped(f"a patch is run in a strong sandbox alone, and this one is {sandbox}")
            words.append(str(sandbox))
        return sandbox

    # --- run ---

    def _run(self, runs: Runs, record: Record, siblings: Sequence[Record], base: Base, patched: Path) -> None:
        blobs = Blobs(record.blobs)
        changed = [*mutations(record.document, blobs), *generated(record.document, blobs, self.scratch / "hypothesis")]
        write = runs.prepare(record, siblings, changed, blobs)
        with self.steps.step("contract"):
            before = self._of_base(runs, write, base)
            variants.check_before(before)
            write(before.raises)
            after = [runs.run(patched, (0,))]
            variants.check_after(before, after[0])
        with self.steps.step("variants") as words:
            self._compare(runs, before, after[0], changed, len(siblings), patched)
            words.append(variants.counted(before))
        with self.steps.step("runs"):
            after += [runs.run(patched) for _ in range(RUNS - 1)]
            variants.same_each_time(after)

    def _of_base(self, runs: Runs, write: Callable[[tuple[str, ...] | None], None], base: Base) -> Seen:
        write(None)
        kept = self.cache / f"seen-{hashlib.sha256(f'{base.commit}{runs.digest()}'.encode()).hexdigest()[:32]}.json"
        if kept.exists():
            found = json.loads(kept.read_bytes())
            return Seen(tuple(found["results"]), tuple(found["raises"]), {0: found["words"]})
        seen = runs.run(base.folder, (0,))
        document = {"results": seen.results, "raises": seen.raises, "words": seen.words.get(0, "")}
        kept.write_text(json.dumps(document), encoding="utf-8")
        return seen

    def _compare(
        self, runs: Runs, before: Seen, after: Seen, changed: Sequence[Variant], siblings: int, patched: Path
    ) -> None:
        found = variants.broken(before, after, siblings)
        if not found:
            return
        number, why = found[0]
        if number <= siblings:
            raise Stopped(why)
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise Stopped(f"an input with {changed[number - siblings - 1].what}: {why}{more}")


def _failed(record: Record) -> set[str]:
    """The names of the recorded types and of their bases."""
    from foureyes_actors.replay.registry import registry

    found: set[str] = set()
    for raised in record.document.get("exceptions") or ():
        name = str(raised.get("type"))
        kind = registry().exceptions.get(name) or _DECIMAL.get(name)
        found |= {each.__name__ for each in kind.__mro__} if kind else {name.rpartition(".")[2]}
    return found - {"object"}


def _decimal_errors() -> dict[str, type[BaseException]]:
    import decimal

    found = {f"decimal.{name}": value for name, value in vars(decimal).items() if isinstance(value, type)}
    return {name: value for name, value in found.items() if issubclass(value, BaseException)}


_DECIMAL = _decimal_errors()


def _ours(base: Base) -> frozenset[str | bytes]:
    return texts_of(base.folder / "foureyes_actors")


def _several(words: Sequence[str]) -> str:
    more = f" (and {len(words) - 3} more)" if len(words) > 3 else ""
    return "; ".join(words[:3]) + more
