"""A live tree for failures of every kind: a recorder on SQLite, the bug actor with its records, two victims; and the
hooks of the process, installed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pykka

from foureyes_actors.bug.actor import BugActor
from foureyes_actors.bug.interception import Interception
from foureyes_actors.bug.keeper import RecordKeeper
from foureyes_actors.bug.leftovers import Leftovers
from foureyes_actors.bug.redact import Redactor
from foureyes_actors.forgewright.actor import ForgewrightActor
from foureyes_actors.messages import Collection, Flush, GetStatus
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.ports.store_sqlite import SqliteStore
from foureyes_actors.recorder.actor import RecorderActor
from foureyes_actors.recorder.journal import Journal
from foureyes_actors.settings import RetentionSettings, Settings
from foureyes_actors.telling import Teller
from foureyes_actors.upkeep import Upkeep
from foureyes_actors.wiring import Config
from supervisors.actor import SupervisedActor
from supervisors.context import Tree
from supervisors.policy import Backoff
from supervisors.specs import ChildSpec
from tests.support import eventually, start_tree

CLOCK = SystemClock()
Deed = Callable[["Victim"], Any]


class Victim(SupervisedActor):
    """Does what it is told, in its own thread."""

    tree: Tree
    at_stop: Callable[[], None] = staticmethod(lambda: None)
    at_failure: Callable[[], None] = staticmethod(lambda: None)

    def on_receive(self, message: Any) -> Any:
        return message(self) if callable(message) else self.unknown(message)

    def unknown(self, message: object) -> Any:
        raise LookupError(f"nobody knows {type(message).__name__}")

    def on_stop(self) -> None:
        self.at_stop()

    def on_failure(self, *_: Any) -> None:
        self.at_failure()

    def ask(self, name: str, deed: Deed) -> Any:
        return self.tree.directory.ask(name, deed, 30)

    def tell_fault(self, error: BaseException) -> None:
        Teller(self.context, CLOCK).fault(error, {})


class Live:
    """``secrets``: known to all that writes. The caller stops it."""

    def __init__(self, folder: Path, secrets: tuple[str, ...] = ()) -> None:
        self.folder, self.tree = folder, Tree()
        redactor = Redactor(secrets)
        self.hooks = Interception(CLOCK, Leftovers(LocalPrivateFolder(folder / "leftovers"), redactor))
        records = LocalPrivateFolder(folder / "records")
        keeper = RecordKeeper(records, files=LocalFiles(), clock=CLOCK, redactor=redactor)
        upkeep = Upkeep(
            "run",
            config=Config(Settings()),
            directory=self.tree.directory,
            clock=CLOCK,
            fatal=lambda error: None,
            fallback_audience=(),
            deliver=self.hooks.deliver,
        )
        children = (
            ChildSpec("recorder", self._recorder, start_timeout=30.0),
            ChildSpec(
                "bug",
                lambda context: BugActor(context, clock=CLOCK, secrets=secrets, keeper=keeper, hooks=self.hooks.status),
            ),
            ChildSpec("forgewright", ForgewrightActor),
            *(self.victim(name) for name in ("victim", "second", "third")),
        )
        self.hooks.install()
        self.hooks.open(lambda fault: self.tree.directory.tell("bug", fault))
        self.root = start_tree(self.tree, children, on_exit=upkeep.on_exit)
        self.hooks.begin()

    def _recorder(self, context: Any) -> RecorderActor:
        return RecorderActor(
            context,
            open_store=lambda: SqliteStore(self.folder / "foureyes.sqlite3"),
            journal=Journal(self.folder / "journal"),
            clock=CLOCK,
            retention=RetentionSettings(),
        )

    def victim(self, name: str, kind: type[Victim] = Victim) -> ChildSpec:
        bound = type("Bound", (kind,), {"tree": self.tree})
        return ChildSpec(name, bound, backoff=Backoff(first=0.01, longest=0.05))

    def tell(self, deed: Deed, name: str = "victim") -> None:
        assert self.tree.directory.tell(name, deed)

    def ask(self, deed: object, name: str = "victim") -> Any:
        return self.tree.directory.ask(name, deed, 30)

    def bug(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.ask(GetStatus(), "bug")
        return answer

    def replaced(self, *names: str) -> bool:
        return all(child.restarts > 0 for child in self.root.status() if child.name in names)

    def settled(self, faults: int = 1) -> None:
        """The failure has been told, and its record is kept."""
        eventually(lambda: self.bug()["received"] >= faults, 30, "it is told")
        eventually(lambda: self.bug()["records"]["waiting"] == 0 and self.records_are_kept(), 30, "its record is kept")

    def records_are_kept(self) -> bool:
        counts = self.bug()["records"]
        wanted = len(list((self.folder / "records").rglob("*.json"))) if (self.folder / "records").exists() else 0
        return bool(counts["kept"] == wanted)

    def stop(self) -> None:
        self.hooks.settle(10)
        with contextlib.suppress(pykka.ActorDeadError):
            self.ask(Flush(), "recorder")
        self.root.stop(20.0)
        self.hooks.close(10)
        self.hooks.remove()

    def stored(self) -> list[dict[str, Any]]:
        """ERR0R, after ``stop``."""
        store = SqliteStore(self.folder / "foureyes.sqlite3")
        try:
            return store.latest(Collection.ERRORS)
        finally:
            store.close()
