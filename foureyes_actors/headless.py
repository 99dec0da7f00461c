"""One headless run: build the tree, wait until it is asked to end, stop it in order, say what was seen.

Runs in the main thread. Exit codes: 0 ended as asked, 69 a needed part was not available, 70 an internal error, 74
nothing of it was kept, 78 the configuration must be changed, 130 interrupted by Ctrl-C.
"""

from __future__ import annotations

import contextlib
import os
import platform
import random
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any, cast

import pykka

from foureyes_actors import wiring
from foureyes_actors.bug.interception import MAIN, Interception
from foureyes_actors.capture.sources import check_source
from foureyes_actors.console.summary import summary_lines
from foureyes_actors.defence import Defence
from foureyes_actors.errors import ConfigurationError
from foureyes_actors.exit_codes import BAD_CONFIGURATION as BAD_CONFIGURATION
from foureyes_actors.exit_codes import INTERNAL as INTERNAL
from foureyes_actors.exit_codes import INTERRUPTED as INTERRUPTED
from foureyes_actors.exit_codes import OK as OK
from foureyes_actors.exit_codes import UNAVAILABLE as UNAVAILABLE
from foureyes_actors.forgewright.triage import Rule
from foureyes_actors.messages import EventKind, Flush, GetStatus
from foureyes_actors.run_verdict import trouble_of
from foureyes_actors.settings import Settings
from foureyes_actors.text import one_line
from foureyes_actors.upkeep import Upkeep
from supervisors.actor import ActorContext
from supervisors.cerberus import CERBERUS, Cerberus, Root, start_root
from supervisors.context import Tree
from supervisors.errors import BootFailed
from supervisors.heads import Heads
from supervisors.inbox import InboxFull
from supervisors.schedule import Schedule

STOP_WITHIN = 5.0  # seconds for the whole tree
POLL = 0.25  # seconds between looks at whether the last frames are done; how fast a signal is seen on Windows
LOOK = 0.25 if sys.platform == "win32" else 1.0  # seconds between looks at what tells nobody
ASK = 2.0  # seconds for an actor's answer
SETTLE = 1.0  # seconds for what was caught outside of actors to be told


@dataclass
class Ending:
    """Why the run ends; the first reason stands. Any thread may set it."""

    asked: threading.Event
    exhausted: threading.Event
    news: threading.Event  # one of the two has been set
    reason: str = ""
    code: int = OK
    time_is_over: bool = False  # nobody ended it before
    interrupted: bool = False  # by Ctrl-C, also one that came while the run was ending for another reason

    def set(self, reason: str, code: int = OK) -> None:
        if not self.asked.is_set():
            self.reason, self.code = reason, code
            self.asked.set()
            self.news.set()

    def source_exhausted(self) -> None:
        self.exhausted.set()
        self.news.set()


@dataclass(frozen=True)
class Request:
    """What the user asked for on the command line."""

    frames: int | None = None
    seconds: float | None = None
    config: str = "built-in defaults"
    summary: bool = True
    notes: tuple[str, ...] = ()  # lines about the configuration, for the banner
    rules: tuple[Rule, ...] | None = None  # of triage, as they were read; None: they are read with the tree


class Headless:
    """One run of the whole tree."""

    def __init__(
        self,
        settings: Settings,
        models: wiring.ModelTasks,
        world: wiring.World,
        request: Request,
        write: Callable[[str], None],
        reread: Callable[[], Settings] | None = None,
        heads: Heads | None = None,
        defence: Defence | None = None,
        other_models: Callable[[Settings], bool] = lambda _settings: False,
        interception: Interception | None = None,
    ) -> None:
        """``reread``: the configuration as its file and the environment give it now; raises ConfigurationError.
        ``other_models``: whether it gives another table of models now, which is not taken; raises the same.
        ``heads``: Cerberus's limits, when not his own. ``defence``, ``interception``: None where the process is not the
        run's own."""
        self.settings, self.models, self.world, self.request, self.write = settings, models, world, request, write
        self.config = wiring.Config(settings, reread, other_models)
        self._heads, self._defence, self._interception = heads, defence, interception
        self.ending = Ending(threading.Event(), threading.Event(), threading.Event())
        self._frame_actors = {"readings", *map(wiring.inference_name, models), *wiring.askers(models)}
        self.run_id = f"{world.clock.utc_now():%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
        self.tree = Tree(
            schedule=Schedule(world.clock.monotonic), monotonic=world.clock.monotonic, random=random.random
        )
        self.upkeep = Upkeep(
            self.run_id,
            config=self.config,
            directory=self.tree.directory,
            clock=world.clock,
            fatal=self._fatal,
            # readings first: what is read without the server must not reach it before it knows of the fallback
            fallback_audience=sorted(self._frame_actors, key=lambda name: (name != "readings", name)),
            deliver=interception.deliver if interception else None,
        )

    def run(self) -> int:
        """Blocks until the run ends; returns the exit code."""
        self._banner()
        try:
            check_source(self.settings.source, self.world.files)
        except ConfigurationError as error:
            self.write(f"the configuration must be changed: {one_line(str(error), 1000)}")
            return BAD_CONFIGURATION
        if self._interception is None:
            return self._run()
        self._interception.open(lambda fault: self.tree.directory.tell("bug", fault))
        try:
            return self._run()
        finally:
            self._interception.close()

    def _run(self) -> int:
        try:
            root = start_root(self._cerberus, self.tree)
        except BootFailed as failure:
            return self._boot_failed(failure)
        if self._interception is not None:
            self._interception.begin()
        try:
            self.upkeep.event(EventKind.RUN_STARTED, self.run_id, None, "running", self.request.config)
            self._wait(root)
            return self._end(root)
        except Exception as error:
            if self._interception is not None:
                self._interception.caught(error, MAIN)
            raise
        finally:
            if self._interception is not None:
                self._interception.settle(SETTLE)
            fenced = root.stop(STOP_WITHIN)
            if fenced:
                self.write(f"did not stop in time: {', '.join(fenced)}")

    # --- start ---

    def _cerberus(self, context: ActorContext, tree: Tree) -> Cerberus:
        run = wiring.Run(
            self.run_id, self.write, self.ending.set, self.ending.source_exhausted, frames=self.request.frames
        )
        run = replace(run, rules=self.request.rules)
        if self._interception is not None:
            run = replace(run, hooks=self._interception.status)
        return Cerberus(
            context,
            tree=tree,
            children=wiring.children(self.config, self.models, self.world, run),
            on_exit=self.upkeep.on_exit,
            listeners=self.upkeep.listeners,
            fatal=(ConfigurationError,),
            heads=self._heads,
            leaks=self._defence.leaks if self._defence else None,
            lifeline=self._defence.lifeline(self.upkeep.on_held) if self._defence else None,
        )

    def _banner(self) -> None:
        self.write(f"FourEyes {version()} on Python {platform.python_version()}, {platform.system()}")
        for name, text in parts(self.settings, self.models, self.request.config).items():
            self.write(f"  {name:<13} {one_line(text, 1000)}")
        for note in self.request.notes:
            self.write(f"  {one_line(note, 1000)}")

    def _boot_failed(self, failure: BootFailed) -> int:
        self.write(f"FourEyes could not start. {failure}")
        return exit_code(failure.error)

    def _fatal(self, error: BaseException) -> None:
        """In Cerberus's thread."""
        self.ending.set(f"the configuration must be changed: {error}", exit_code(error))

    # --- while it runs ---

    def _wait(self, root: Root) -> None:
        began, clock = self.world.clock.monotonic(), self.world.clock
        watch = self._defence.watch(root) if self._defence else None
        while not self.ending.asked.is_set():
            exhausted = self.ending.exhausted.is_set()
            self._pause(began, exhausted)
            if watch is not None:
                watch.look()
            if self.request.seconds is not None and clock.monotonic() - began >= self.request.seconds:
                self.ending.time_is_over = not self.ending.asked.is_set()
                self.ending.set(f"{self.request.seconds:g} seconds are over")
            elif root.ended:
                self.ending.set("Cerberus himself ended", INTERNAL)
            elif exhausted and self._idle():
                self.ending.set("the source has no more frames")

    def _pause(self, began: float, exhausted: bool) -> None:
        """Until there is news or it is time to look. A wake-up is not for nothing: it costs as much as a message."""
        if exhausted:
            self.world.clock.wait(self.ending.asked, POLL)
            return
        left = LOOK if self.request.seconds is None else began + self.request.seconds - self.world.clock.monotonic()
        self.world.clock.wait(self.ending.news, max(0.0, min(LOOK, left)))
        self.ending.news.clear()

    def _idle(self) -> bool:
        """Nothing is on its way through the models any more. What waits for the store in the journal may wait."""
        return not any(self._works(name) for name in self._frame_actors)

    def _works(self, name: str) -> bool:
        with contextlib.suppress(pykka.Timeout, pykka.ActorDeadError, InboxFull):
            status = self._status(name)
            return bool(status.get("busy") or status.get("pending"))
        return False

    # --- end ---

    def _end(self, root: Root) -> int:
        statuses = self._statuses(root)
        code, ending, trouble = self.ending.code, self.ending, None
        if code == OK:
            trouble = trouble_of(statuses, time_is_over=ending.time_is_over, exhausted=ending.exhausted.is_set())
        if trouble is not None:
            code = trouble.code
            self.write(trouble.line)
        self.write(f"ending: {one_line(ending.reason, 1000)}")
        if self.request.summary and (trouble.summed_up if trouble else code in (OK, INTERRUPTED)):
            for line in summary_lines(statuses):
                self.write(line)
        self.upkeep.event(EventKind.RUN_ENDED, self.run_id, "running", "ended", self.ending.reason)
        return code

    def _statuses(self, root: Root) -> Mapping[str, Mapping[str, Any]]:
        """Of every actor, and of Cerberus who was replaced how often."""
        found: dict[str, Mapping[str, Any]] = {}
        with contextlib.suppress(pykka.Timeout, pykka.ActorDeadError, InboxFull):
            self.tree.directory.ask("recorder", Flush(), ASK)
        for name in self.tree.directory.names():
            with contextlib.suppress(pykka.Timeout, pykka.ActorDeadError, InboxFull):
                found[name] = self._replaced(root) if name == CERBERUS else self._status(name)
        return found

    def _status(self, name: str) -> Mapping[str, Any]:
        return cast("Mapping[str, Any]", self.tree.directory.ask(name, GetStatus(), ASK))

    def _replaced(self, root: Root) -> Mapping[str, Any]:
        return {"replaced": {child.name: child.restarts for child in root.status() if child.restarts}}


def version() -> str:
    try:
        return metadata.version("foureyes")
    except metadata.PackageNotFoundError:  # run from a folder, not installed
        return "(not installed)"


def parts(settings: Settings, models: wiring.ModelTasks, config: str) -> dict[str, str]:
    """For the banner: which parts are embedded and which are real."""
    source, server, store = settings.source, settings.model_server, settings.store
    where = {
        "cabinet": f"demo cabinet, theme {source.cabinet.theme}, seed {source.cabinet.seed} (embedded)",
        "obs": f"OBS at {source.obs.host}:{source.obs.port}, {source.obs.source or 'the scene on program'}",
        "screen": f"this screen, monitor {source.screen.monitor}",
        "video": f"video {source.video.path}",
        "pictures": f"pictures in {source.pictures.path}",
    }[source.kind]
    kept = str(settings.data_dir / store.path) + " (embedded SQLite)"
    return {
        "configuration": config,
        "source": f"{where}, {source.rate:g} frames a second",
        "model server": f"{server.kind}{'' if server.base_url == 'auto' else ' at ' + server.base_url}: "
        + ", ".join(models),
        "store": kept if store.kind == "sqlite" else f"MongoDB, database {store.database}",
    }


def exit_code(error: BaseException | None) -> int:
    from foureyes_actors.errors import LMStudioError, SourceUnavailable, StoreError

    match error:
        case ConfigurationError():
            return BAD_CONFIGURATION
        case StoreError() | LMStudioError() | SourceUnavailable():
            return UNAVAILABLE
    return INTERNAL


@contextlib.contextmanager
def signals(ending: Ending) -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP end the run in order; a second Ctrl-C ends it at once. Main thread only."""

    def interrupted(_number: int, _frame: object) -> None:
        if ending.interrupted:
            sys.stderr.write("ended at once\n")
            os._exit(INTERRUPTED)
        ending.interrupted = True
        ending.set("interrupted", INTERRUPTED)

    def terminated(_number: int, _frame: object) -> None:
        ending.set("asked to end (SIGTERM)")

    def hung_up(_number: int, _frame: object) -> None:
        ending.set("the terminal was closed (SIGHUP)")

    handlers: dict[int, Any] = {signal.SIGINT: interrupted, signal.SIGTERM: terminated}
    if hasattr(signal, "SIGBREAK"):
        handlers[signal.SIGBREAK] = interrupted
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup's wish stands
        handlers[signal.SIGHUP] = hung_up
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
