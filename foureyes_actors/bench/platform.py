"""From an exception to its confirmed platform, in the running system: the embedded server's answer about one picture is
replaced by prose, which the inference actor refuses; then nobody does anything but wait."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from foureyes_actors import wiring
from foureyes_actors.bench.targets import Measured
from foureyes_actors.bench.tree import Listener
from foureyes_actors.bug.actor import BugActor
from foureyes_actors.bug.keeper import RecordKeeper
from foureyes_actors.bug.redact import Redactor
from foureyes_actors.errors import ConfigurationError, FourEyesError
from foureyes_actors.inference.routing import routing_of
from foureyes_actors.messages import Analysis, Event, EventKind
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.http import HttpPort, HttpReply, HttpRequest
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.replay.confirmation import Level, kept_confirmation
from foureyes_actors.resource.actor import Standing
from foureyes_actors.settings import Settings
from supervisors.actor import ActorContext
from supervisors.cerberus import Cerberus, start_root
from supervisors.context import Tree
from supervisors.errors import BootFailed
from supervisors.heads_decider import Listeners
from supervisors.specs import ChildSpec

READY_WITHIN = 180.0  # seconds until the first picture was read
WITHIN = 330.0  # seconds: longer than the target, so that a miss has a figure
STOP_WITHIN = 10.0
LISTENERS = ("console", "readings", "recorder")
PROSE = "I am sorry, but I cannot see any numbers."


class BrokenOnce:
    """``HttpPort``s of which, once asked to, one answer about a picture comes back as prose. Any thread."""

    def __init__(self, real: Callable[[], HttpPort], clock: Clock) -> None:
        self._real, self._clock = real, clock
        self._wanted = threading.Event()
        self.at: float | None = None  # when the answer was given, monotonic seconds

    def ask_for_it(self) -> None:
        self._wanted.set()

    def __call__(self) -> HttpPort:
        return _Breaking(self._real(), self)

    def passed(self, request: HttpRequest, reply: HttpReply) -> HttpReply:
        if not (self._wanted.is_set() and request.url.endswith("/chat/completions") and reply.status == 200):
            return reply
        self._wanted.clear()
        document = json.loads(reply.body)
        document["choices"][0]["message"]["content"] = PROSE
        self.at = self._clock.monotonic()
        return replace(reply, body=json.dumps(document).encode())


class _Breaking:
    def __init__(self, real: HttpPort, broken: BrokenOnce) -> None:
        self._real, self._broken = real, broken

    def exchange(self, request: HttpRequest) -> HttpReply:
        return self._broken.passed(request, self._real.exchange(request))

    def close(self) -> None:
        self._real.close()


def measure_platform(scratch: Path, models: wiring.ModelTasks, world: wiring.World) -> Measured:
    """In minutes. Raises FourEyesError, also when the failure was not confirmed."""
    broken = BrokenOnce(world.http, world.clock)
    heard: queue.Queue[tuple[float, Any]] = queue.Queue()
    config = wiring.Config(Settings.model_validate({"data_dir": str(scratch)}))
    tree = Tree(monotonic=world.clock.monotonic)
    children = _children(config, models, replace(world, http=broken), heard)

    def cerberus(context: ActorContext, tree: Tree) -> Cerberus:
        listeners = Listeners(fatal=lambda _child, error: heard.put((0.0, error)))
        return Cerberus(context, tree=tree, children=children, listeners=listeners, fatal=(ConfigurationError,))

    try:
        root = start_root(cerberus, tree)
    except BootFailed as failure:
        raise FourEyesError(f"could not start: {failure}") from failure
    try:
        _until(heard, world.clock, READY_WITHIN, lambda message: isinstance(message, Analysis), "a picture was read")
        broken.ask_for_it()
        told = _until(heard, world.clock, WITHIN, _is_reproduced, "a platform was made")
    finally:
        root.stop(STOP_WITHIN)
    assert broken.at is not None
    return _row(told[0] - broken.at, told[1])


def _row(seconds: float, event: Event) -> Measured:
    if event.after == Level.UNCONFIRMED:
        raise FourEyesError(f"not confirmed: {event.reason}")
    found = kept_confirmation(LocalPrivateFolder(Path(event.reason)))
    runs = f"{found.runs} runs of {found.seconds:.1f} s in all, sandbox: {found.sandbox}" if found else "no runs kept"
    what = f"{event.before} of a broken answer in the running system, at level {event.after}"
    return Measured(seconds / 60, f"{seconds:.1f} s: {what}; {runs}")


def _children(
    config: wiring.Config, models: wiring.ModelTasks, world: wiring.World, heard: queue.Queue[tuple[float, Any]]
) -> list[ChildSpec]:
    shared, routing, standing = wiring.Shared.of(world), routing_of(models), Standing()
    askers = wiring.askers(models)
    run = wiring.Run("bench", lambda _line: None, lambda _reason: None, lambda: None)

    def bug(context: ActorContext) -> BugActor:
        folder = LocalPrivateFolder(config.settings.records_dir)
        keeper = RecordKeeper(folder, files=world.files, clock=world.clock, redactor=Redactor())
        return BugActor(context, clock=world.clock, keeper=keeper)

    return [
        *(ChildSpec(name, lambda context: Listener(context, heard, world.clock.monotonic)) for name in LISTENERS),
        ChildSpec("bug", bug),
        wiring.forgewright(config, standing, world, run),
        wiring.lm_studio(config, routing, standing, world, audience=("capture", *askers)),
        *(wiring.inference(config, model, routing, standing, world, shared) for model in routing.models),
        wiring.capture(config, world, targets=askers, wait_for=wiring.LM_STUDIO),
    ]


def _until(
    heard: queue.Queue[tuple[float, Any]], clock: Clock, seconds: float, accept: Callable[[Any], bool], what: str
) -> tuple[float, Any]:
    until = clock.monotonic() + seconds
    while (left := until - clock.monotonic()) > 0:
        try:
            at, message = heard.get(timeout=left)
        except queue.Empty:
            break
        if isinstance(message, ConfigurationError):
            raise message
        if accept(message):
            return at, message
    raise FourEyesError(f"not within {seconds:g} s: {what}")


def _is_reproduced(message: Any) -> bool:
    return isinstance(message, Event) and message.kind is EventKind.FAILURE_REPRODUCED
