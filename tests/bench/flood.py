"""A flood of failures in a live tree: the frame loop at 3.00 frames a second beside thousands of failures a second,
with the store away and the disk full. For the bench ``fault_flood`` and for a short test."""

from __future__ import annotations

import errno
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pykka

from foureyes_actors.bug.actor import BugActor
from foureyes_actors.bug.faults import fault_from_exception
from foureyes_actors.bug.interception import Interception
from foureyes_actors.bug.keeper import RecordKeeper
from foureyes_actors.bug.leftovers import Leftovers
from foureyes_actors.bug.redact import Redactor
from foureyes_actors.capture.actor import CaptureActor
from foureyes_actors.capture.picture import examine
from foureyes_actors.forgewright.actor import Changed, ForgewrightActor
from foureyes_actors.forgewright.assembly import LOCK_WITHIN
from foureyes_actors.forgewright.forging import Forging
from foureyes_actors.forgewright.ledger import Ledger
from foureyes_actors.forgewright.workshop import LocalWorkshop
from foureyes_actors.messages import Collection, Fault, Flush, FrameCaptured, GetStatus
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.documents import encoded
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.ports.log_folder import LocalLogFolder
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.recorder.actor import RecorderActor
from foureyes_actors.recorder.journal import Journal
from foureyes_actors.settings import PictureLimits, RetentionSettings, Settings, SourceSettings
from foureyes_actors.telling import Teller
from supervisors.actor import SupervisedActor
from supervisors.cerberus import Root
from supervisors.context import Tree
from supervisors.inbox import InboxFull
from supervisors.specs import ChildSpec
from tests.capture.made_pictures import jpeg
from tests.recorder.switched import Switch
from tests.replay.scenarios import joined
from tests.support import FakeContext, start_tree

CLOCK = SystemClock()
SECRET = "c4n4ry-of-the-flood"
RATE = 3.0
THREADS = 4
SLICE = 0.02  # seconds between two bursts of a thread
DISK = 256 * 1024  # bytes; soon full


class FullFolder(LocalLogFolder):
    """A real folder on a disk that has room for so many bytes."""

    def __init__(self, folder: Path, room: int) -> None:
        super().__init__(folder)
        self.room = room

    def append(self, name: str, data: bytes) -> None:
        if self.room < len(data):
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= len(data)
        super().append(name, data)


class FullPrivateFolder(LocalPrivateFolder):
    def __init__(self, folder: Path, room: int) -> None:
        super().__init__(folder)
        self.room = room

    def write(self, name: str, data: bytes) -> None:
        if self.room < len(data):
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= len(data)
        super().write(name, data)


class Sink(SupervisedActor):
    """Notes when frames come."""

    def __init__(self, context: Any, times: list[float]) -> None:
        super().__init__(context)
        self._times = times

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, FrameCaptured):
            self._times.append(time.monotonic())
        return {} if isinstance(message, GetStatus) else None


class Still:
    """A source that gives the same picture again and again."""

    name = "still:one"

    def __init__(self) -> None:
        self._picture = jpeg((640, 360))

    def grab(self) -> bytes:
        return self._picture

    def close(self) -> None: ...


def failures() -> tuple[Callable[[], object], ...]:
    """In replay points of the product, of some kinds: broken pictures, a document, a defect."""
    return (
        lambda: examine(b"\xff\xd8\xff broken " + SECRET.encode(), PictureLimits()),
        lambda: examine(b"no picture", PictureLimits()),
        lambda: encoded({"_id": "x", "at": SECRET}),
        joined({"grand": "1.00"}),
    )


@dataclass
class Figures:
    offered: int = 0  # failures that happened
    seconds: float = 0.0
    told: int = 0  # the bug actor's inbox took
    refused: int = 0  # its inbox was full: counted by who told
    held_back: int = 0  # by the tellers, counted there
    rate: float = 0.0  # frames a second
    longest_gap: float = 0.0  # seconds between two frames
    before: tuple[float, float] = (0.0, 0.0)  # the same before the flood
    cpu: float = 0.0  # seconds of this process
    memory_before: int = 0
    memory_most: int = 0
    bug: dict[str, Any] = field(default_factory=dict)
    recorder: dict[str, Any] = field(default_factory=dict)
    decisions: dict[str, Any] = field(default_factory=dict)
    hooks: dict[str, int] = field(default_factory=dict)
    arrived: int = 0  # occurrences in the store at the end
    threads: tuple[int, int] = (0, 0)


class Flood:
    """``disk``: a folder on a small disk of its own; None: doubles of folders that are full after ``room`` bytes."""

    def __init__(self, folder: Path, disk: Path | None = None, room: int = DISK, *, decisions: bool = False) -> None:
        self.tree, self.switch, self.times = Tree(), Switch(folder / "foureyes.sqlite3"), list[float]()
        place = self._place = disk or folder
        self._on_disk, self._room = disk is not None, room
        self._decisions = self._forging if decisions else None
        opener = LocalLogFolder if disk else lambda path: FullFolder(path, room)
        self._journal = Journal(place / "journal", open_folder=opener)
        records = LocalPrivateFolder(place / "records") if disk else FullPrivateFolder(place / "records", room)
        redactor = Redactor((SECRET,))
        self._keeper = RecordKeeper(records, files=LocalFiles(), clock=CLOCK, redactor=redactor)
        self.hooks = Interception(CLOCK, Leftovers(LocalPrivateFolder(place / "leftovers"), redactor))
        self.root: Root | None = None

    def __enter__(self) -> Flood:
        self.hooks.install()
        self.hooks.open(lambda fault: self.tree.directory.tell("bug", fault))
        self.root = start_tree(
            self.tree,
            (
                ChildSpec("recorder", self._recorder, start_timeout=30.0),
                ChildSpec(
                    "bug",
                    lambda context: BugActor(
                        context, clock=CLOCK, secrets=(SECRET,), keeper=self._keeper, hooks=self.hooks.status
                    ),
                ),
                ChildSpec("forgewright", lambda context: ForgewrightActor(context, forging=self._decisions)),
                ChildSpec("sink", lambda context: Sink(context, self.times)),
                ChildSpec("capture", self._capture),
            ),
        )
        self.hooks.begin()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.root is not None
        self.root.stop(20.0)
        self.hooks.close(10)
        self.hooks.remove()

    def _forging(self, context: Any, changed: Changed) -> Forging:
        """Its decisions lie on the full disk too; nobody writes patches."""
        place = self._place / "decisions"
        opener = LocalPrivateFolder(place) if self._on_disk else FullPrivateFolder(place, self._room)
        ledger = Ledger(opener, place, CLOCK, lock_within=LOCK_WITHIN)
        settings = Settings(data_dir=self._place)
        shop = LocalWorkshop(settings, ledger, LocalProcesses(), CLOCK)
        return Forging(
            context, ledger=ledger, workshop=shop, clock=CLOCK, settings=settings.forgewright, changed=changed
        )

    def _recorder(self, context: Any) -> RecorderActor:
        return RecorderActor(
            context,
            open_store=self.switch.open,
            journal=self._journal,
            clock=CLOCK,
            retention=RetentionSettings(),
            probe_every=0.25,
        )

    def _capture(self, context: Any) -> CaptureActor:
        settings = SourceSettings(rate=RATE)
        return CaptureActor(
            context, settings=settings, source=Still, clock=CLOCK, targets=("sink",), audience=(), wait_for=""
        )

    def status(self, name: str) -> dict[str, Any]:
        """Its inbox may be full for a moment."""
        deadline = time.monotonic() + 60
        while True:
            try:
                found: dict[str, Any] = self.tree.directory.ask(name, GetStatus(), 60)
                return found
            except (InboxFull, pykka.Timeout):
                if time.monotonic() > deadline:
                    raise

    def run(self, seconds: float, rate: float, calm: float) -> Figures:
        """So many calm ``seconds``, then the flood, with the store away, and the store's return."""
        figures, process, pause = Figures(seconds=seconds), psutil.Process(), threading.Event()
        pause.wait(1.0)
        began = time.monotonic()
        pause.wait(calm)
        figures.before = self._rhythm(began, time.monotonic())
        self.switch.away = True
        figures.memory_before = figures.memory_most = process.memory_info().rss
        before, began, cpu = threading.active_count(), time.monotonic(), time.process_time()
        sources = [_Source(self.tree, self.hooks, number, rate / THREADS) for number in range(THREADS)]
        for source in sources:
            source.start()
        while time.monotonic() - began < seconds:
            figures.memory_most = max(figures.memory_most, process.memory_info().rss)
            pause.wait(0.1)
        for source in sources:
            source.end.set()
        for source in sources:
            source.join(30)
        ended = time.monotonic()
        figures.seconds, figures.cpu = ended - began, time.process_time() - cpu
        figures.rate, figures.longest_gap = self._rhythm(began, ended)
        figures.offered = sum(source.happened for source in sources)
        figures.told = sum(source.told for source in sources)
        figures.refused = sum(source.refused for source in sources)
        figures.held_back = sum(source.held_back for source in sources)
        self._afterwards(figures, pause)
        figures.threads = (before, threading.active_count())
        return figures

    def _rhythm(self, began: float, ended: float) -> tuple[float, float]:
        """Frames a second, and the longest time between two."""
        frames = [at for at in self.times if began <= at <= ended]
        gaps = [later - earlier for earlier, later in pairwise(frames)]
        return (len(gaps) / sum(gaps) if gaps else 0.0), max(gaps, default=ended - began)

    def _afterwards(self, figures: Figures, pause: threading.Event) -> None:
        self.hooks.settle(60)
        deadline = time.monotonic() + 60
        while self.status("bug")["waiting"] and time.monotonic() < deadline:
            pause.wait(0.1)
        self.switch.away = False
        while self.status("recorder")["condition"] != "stored" and time.monotonic() < deadline:
            pause.wait(0.1)
        self.tree.directory.ask("recorder", Flush(), 60)
        figures.bug, figures.recorder = self.status("bug"), self.status("recorder")
        figures.decisions = self.status("forgewright")["decisions"]
        figures.hooks = self.hooks.status()

    def arrived(self) -> int:
        """Occurrences in the store; after the end."""
        store = self.switch.look()
        try:
            return sum(group["occurrences"] for group in store.latest(Collection.ERRORS, 1000))
        finally:
            store.close()


class _Source(threading.Thread):
    """A thread of failures: a third is told by a Teller, as an actor does, a third goes the way of the hooks, and a
    third goes as it is into the bug actor's inbox."""

    def __init__(self, tree: Tree, hooks: Interception, number: int, rate: float) -> None:
        super().__init__(name=f"flood {number}", daemon=True)
        self._hooks, self._burst = hooks, max(1, round(rate * SLICE))
        self._teller = Teller(_Telling(tree), CLOCK)
        self.end = threading.Event()
        self.happened = self.told = self.refused = 0
        self._tell = _Telling(tree).tell
        self._fault: Fault | None = None

    @property
    def held_back(self) -> int:
        return self._teller.undelivered["bug"]

    def run(self) -> None:
        deeds = failures()
        due = time.monotonic()
        while not self.end.is_set():
            for _ in range(self._burst):
                self._fail(deeds[self.happened % len(deeds)])
            due = max(due + SLICE, time.monotonic() - 1.0)
            self.end.wait(max(0.0, due - time.monotonic()))

    def _fail(self, deed: Callable[[], object]) -> None:
        self.happened += 1
        try:
            deed()
        except Exception as error:
            self._pass_on(error)

    def _pass_on(self, error: Exception) -> None:
        if self.happened % 3 == 0:
            self._teller.fault(error, {})
        elif self.happened % 3 == 1:
            self._hooks.caught(error, "flood")
        else:
            made = self._fault = self._fault or fault_from_exception(error, source="flood", clock=CLOCK)
            try:
                self._tell("bug", replace(made, id=uuid.uuid4().hex))
                self.told += 1
            except InboxFull:
                self.refused += 1


class _Telling(FakeContext):
    """A context that tells for real."""

    def __init__(self, tree: Tree) -> None:
        super().__init__("flood")
        self._tree = tree

    def tell(self, name: str, message: object) -> bool:
        return self._tree.directory.tell(name, message)
