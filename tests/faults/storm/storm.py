"""The storm: strikes what was planned, some at a time, and tells how long each recovery took."""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from foureyes_actors.messages import Collection
from tests.bench.tables import table
from tests.faults.storm.door import Account, account
from tests.faults.storm.faults import Blow, Hit, NotNow, strike
from tests.faults.storm.footprint import Footprint, footprint, measurable
from tests.faults.storm.plan import Section, plan
from tests.faults.storm.program import Program, warm

AT_ONCE = 3  # faults that may be open at the same time
LONGEST_GAP = 0.8  # seconds between two blows
LOOKS, MOST_LOOKS = 5, 20  # at the footprint, one a second
POLL = 0.05  # seconds
LONGEST_RECOVERY = 120.0  # seconds
CALM = 120.0  # seconds until all is green again
MIB = 1024 * 1024


class NoRecovery(AssertionError):
    """Something has not come back by itself."""


@dataclass
class Report:
    seed: int
    seconds: float = 0.0
    hits: list[Hit] = field(default_factory=list)
    calm_after: float = 0.0  # seconds from the last recovery until all was green
    before: Footprint | None = None
    after: Footprint | None = None
    bites: dict[str, int] = field(default_factory=dict)
    exits: int = 0
    spoiled: int = 0  # answers of the model server
    refused: int = 0  # calls of the store
    account: Account | None = None
    code: int | None = None


def storm(
    folder: Path, *, faults: int, seed: int, platforms: int = 10, say: Callable[[str], None] = lambda line: None
) -> Report:
    """The whole of it, with a program of its own. ``platforms``: so many of the failures are run again, five seconds
    apart, which the end waits for. Raises NoRecovery."""
    report = Report(seed)
    measurable()
    warm()
    with Program(folder, platforms) as program:
        sections = plan(seed, faults, tuple(program.children()))
        strikes = Strikes(program, random.Random(seed), say)
        report.before = strikes.settled()
        began = time.monotonic()
        for section in sections:
            strikes.section(section)
            say(said(footprint()))
        report.seconds, report.hits = time.monotonic() - began, strikes.done
        report.calm_after = strikes.calm()
        report.after = strikes.settled(report.before.thread_count)
        report.spoiled, report.refused = program.relay.met, program.weather.met
        report.exits = sum(program.door.exits.values())
        report.code = program.stop()
        with program.store() as store:
            report.account = account(program.door, store, program.journal)
        report.bites = _bites(program)
    return report


class Strikes:
    """One section of the storm."""

    def __init__(self, program: Program, chance: random.Random, say: Callable[[str], None]) -> None:
        self._program, self._chance, self._say = program, chance, say
        self._open: list[Hit] = []
        self.done: list[Hit] = []
        self._pause, self._began = threading.Event(), time.monotonic()

    def section(self, section: Section) -> None:
        source, blows = section
        self._switch(source)
        left, due = list(blows), time.monotonic()
        while left or self._open:
            self._look()
            if left and time.monotonic() >= due and len(self._open) < AT_ONCE and self._strike_one(left):
                due = time.monotonic() + self._chance.uniform(0.0, LONGEST_GAP)
            self._pause.wait(POLL)

    def calm(self) -> float:
        """Wait until all is green. Seconds."""
        began = time.monotonic()
        while trouble := self._program.trouble():
            if time.monotonic() - began > CALM:
                raise NoRecovery(f"not green after {CALM:g} s: {trouble}")
            self._pause.wait(0.2)
        return time.monotonic() - began

    def settled(self, threads: int | None = None) -> Footprint:
        """Of some seconds of quiet work with OBS's pictures (the cabinet needs some 50 MiB more while it makes its next
        stage): what is lowest, for a thread may be ending just then. ``threads``: look longer while there are more.
        A failure that is just being run again has a process and a thread of its own: that is waited for."""
        self._switch("obs")
        began = time.monotonic()
        while self._program.reproducing() and time.monotonic() - began < CALM:
            self._pause.wait(0.2)
        lowest = footprint()
        for number in range(MOST_LOOKS):
            if number >= LOOKS and (threads is None or lowest.thread_count <= threads):
                break
            self._pause.wait(1.0)
            lowest = min(lowest, footprint(), key=lambda each: (each.thread_count, each.files, each.memory))
        self._say(said(lowest))
        return lowest

    def _switch(self, source: str) -> None:
        """A reload that finds another source in the configuration: capture is built from what is in force."""
        program = self._program
        if program.shows(source):
            return
        self.calm()
        program.show(source)
        hit = strike(program, Blow("kill", "capture", "RuntimeError"))
        while hit.recovered is None or not program.stream_healthy():
            self._check(hit)
            hit.look(program)
            self._pause.wait(POLL)

    def _strike_one(self, left: list[Blow]) -> bool:
        """The first one whose target is free."""
        busy = {hit.blow.target for hit in self._open}
        for blow in left:
            if blow.target in busy:
                continue
            try:
                self._open.append(strike(self._program, blow))
            except NotNow:
                busy.add(blow.target)
                continue
            left.remove(blow)
            return True
        return False

    def _look(self) -> None:
        for hit in tuple(self._open):
            hit.look(self._program)
            self._check(hit)
            if hit.recovered is not None:
                self._open.remove(hit)
                self.done.append(hit)
                took = hit.recovered - hit.began
                self._say(f"{len(self.done):4} at {hit.began - self._began:6.1f} s, well in {took:5.1f} s: {hit.blow}")

    def _check(self, hit: Hit) -> None:
        if hit.recovered is None and time.monotonic() - hit.began > LONGEST_RECOVERY:
            tail = "\n".join(self._program.lines[-20:])
            raise NoRecovery(f"{hit.blow} has not recovered: {self._program.trouble()}\n{tail}")


def _bites(program: Program) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for event in program.kept(Collection.EVENTS):
        if event["kind"] == "head_bitten":
            found[str(event["after"]).partition(":")[0]] += 1
    return dict(found)


# --- telling ---


def said(held: Footprint) -> str:
    memory = held.memory / MIB
    return f"{held.thread_count} threads, {held.files} files, {memory:.1f} MiB, {held.processes} child processes"


def told(report: Report) -> Iterator[str]:
    """The tables, for people."""
    assert report.before is not None and report.after is not None and report.account is not None
    yield table(
        f"seed {report.seed}: {len(report.hits)} faults in {report.seconds:.0f} s, at most {AT_ONCE} at once. "
        "Seconds from the fault until its part is well, and until newer frames are read too",
        ("fault", "times", "lasted", "part: median", "worst", "readings: median", "worst"),
        [*_rows(report.hits)],
    )
    yield f"all green {report.calm_after:.1f} s after the last recovery; exit notices with an error: {report.exits}"
    yield f"answers of the model server spoiled: {report.spoiled}; calls of the store refused or held: {report.refused}"
    yield f"heads: {', '.join(f'{head} {times}' for head, times in sorted(report.bites.items()))}"
    yield f"before: {said(report.before)}"
    yield f"after:  {said(report.after)}; more threads: {more_threads(report) or 'none'}"
    found = report.account
    yield f"accepted by the recorder: {found.accepted}; in the store: {found.stored}"
    yield f"named in the recorder's exit notices: {found.named}; set aside: {found.set_aside}"
    yield f"errors told to the bug actor and counted by it, not recorded one by one: {found.held_back}"
    yield f"missing: {found.missing or 'none'}; doubled: {found.twice or 'none'}; strange: {found.strange or 'none'}"
    yield f"exit code {report.code}"


def more_threads(report: Report) -> dict[str, int]:
    """By name, those of which there are more than before."""
    assert report.before is not None and report.after is not None
    before, after = report.before.threads, report.after.threads
    return {name: n - before.get(name, 0) for name, n in after.items() if n > before.get(name, 0)}


def _rows(hits: list[Hit]) -> Iterator[tuple[object, ...]]:
    by_name: dict[str, list[Hit]] = defaultdict(list)
    for hit in hits:
        by_name[f"{hit.blow.kind} {hit.blow.target if hit.blow.kind in ('kill', 'hang') else hit.blow.variant}"].append(
            hit
        )
    for name, group in [*sorted(by_name.items()), ("all", hits)]:
        lasted = statistics.median(hit.blow.lasts for hit in group)
        part = [hit.part_well - hit.began for hit in group if hit.part_well is not None]
        read = [hit.recovered - hit.began for hit in group if hit.recovered is not None]
        yield name, len(group), lasted, statistics.median(part), max(part), statistics.median(read), max(read)
