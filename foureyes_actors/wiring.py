"""The whole tree, top to bottom: who is there, in which order they start, and who tells what to whom.

    capture --FrameCaptured--> inference:<model> --Analysis--> readings --StoreDocuments--> recorder
                                    |   ^                          \\--ReadingSet, Event--> console
                                    v   |ServerState
                                  lm_studio --(process, HTTP)--> model server

resource tells lm_studio which models are wanted, and the inference actors and readings how much may be asked of the
machine (inference/routing.py says what follows). Everybody tells faults to bug, who counts them at the recorder and
hands them to forgewright. Children start in the order of the list and stop in reverse, each after what it had
accepted: the recorder is the first and the last.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from foureyes_actors.bug.actor import BugActor
from foureyes_actors.bug.keeper import RecordKeeper
from foureyes_actors.bug.redact import Redactor
from foureyes_actors.capture.actor import CaptureActor
from foureyes_actors.capture.numbering import FrameNumbers
from foureyes_actors.capture.sources import open_source
from foureyes_actors.console.actor import ConsoleActor
from foureyes_actors.forgewright.actor import ForgewrightActor
from foureyes_actors.forgewright.assembly import forgewright_actor
from foureyes_actors.forgewright.triage import Rule
from foureyes_actors.forgewright.triage_table import load_rules
from foureyes_actors.inference.actor import InferenceActor
from foureyes_actors.inference.call import Counts
from foureyes_actors.inference.in_process import FallbackReader, InProcessReader, SharedEngine, prospect
from foureyes_actors.inference.places import Places
from foureyes_actors.inference.routing import Routing, routing_of
from foureyes_actors.lm_studio.actor import History, LMStudioActor
from foureyes_actors.lm_studio.warmup import warm_up_task
from foureyes_actors.messages import PressureLevel, Task
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.readings.actor import ReadingsActor
from foureyes_actors.recorder.actor import RecorderActor
from foureyes_actors.recorder.journal import Journal
from foureyes_actors.resource.actor import Listeners, ResourceActor, Standing
from foureyes_actors.resource.pressure import ALL_LEVELS, Levels
from foureyes_actors.settings import ModelEntry, Settings
from foureyes_actors.settings.config import Config as Config
from foureyes_actors.settings.file import secrets_of
from foureyes_actors.world import World as World
from foureyes_actors.world import real_world as real_world
from supervisors.actor import ActorContext
from supervisors.policy import Backoff
from supervisors.specs import ChildSpec


@dataclass(frozen=True)
class Run:
    """What one run asks for. The callbacks come from actor threads and must not block."""

    id: str
    write: Callable[[str], None]
    finish: Callable[[str], None]
    exhausted: Callable[[], None]
    frames: int | None = None
    hooks: Callable[[], Mapping[str, int]] = dict  # counters of what is caught outside of actors
    rules: tuple[Rule, ...] | None = None  # of triage; None: those that the configuration names are read


@dataclass(frozen=True)
class Shared:
    """One for all models and incarnations. ``engine``: loaded only while the polling fallback is active. ``places``:
    they all ask one server."""

    engine: SharedEngine
    places: Places

    @classmethod
    def of(cls, world: World) -> Shared:
        return cls(SharedEngine(), Places(world.clock.monotonic))


ModelTasks = dict[str, tuple[tuple[Task, ModelEntry], ...]]


LM_STUDIO = "lm_studio"


def inference_name(model: str) -> str:
    return f"inference:{model}"


def askers(models: ModelTasks) -> tuple[str, ...]:
    """The inference actors: one for each model, the alternatives too."""
    return tuple(inference_name(model) for model in routing_of(models).models)


def children(config: Config, models: ModelTasks, world: World, run: Run) -> list[ChildSpec]:
    """In start order. ``depends_on``: whose reload brings a child back too, with fresh handles."""
    routing, names = routing_of(models), askers(models)
    finite_source = finite(config.settings)
    shared, standing = Shared.of(world), Standing()
    return [
        recorder(config, world),
        bug(config, world, run),
        forgewright(config, standing, world, run),
        console(config, world, run),
        readings(config, routing, standing, world, run),
        resource(config, routing, standing, world, run, pressed=(*names, "readings", "forgewright")),
        lm_studio(config, routing, standing, world, (*names, "readings", "resource", "console", *finite_source)),
        *(inference(config, model, routing, standing, world, shared) for model in routing.models),
        capture(config, world, targets=names, wait_for=LM_STUDIO if finite_source else ""),
    ]


def recorder(config: Config, world: World) -> ChildSpec:
    journal = Journal(config.settings.data_dir / "journal")  # one for all incarnations: a hung one would keep it locked
    return ChildSpec(
        "recorder",
        lambda context: RecorderActor(
            context,
            open_store=world.store,
            journal=journal,
            clock=world.clock,
            retention=config.settings.store.retention,
            audience=("console",),
        ),
        start_timeout=15.0,
        stop_timeout=2.5,
    )


def bug(config: Config, world: World, run: Run) -> ChildSpec:
    def make(context: ActorContext) -> BugActor:
        secrets = secrets_of(config.settings)
        folder = LocalPrivateFolder(config.settings.records_dir)
        keeper = RecordKeeper(folder, files=world.files, clock=world.clock, redactor=Redactor(secrets))
        return BugActor(
            context,
            clock=world.clock,
            secrets=secrets,
            keeper=keeper,
            settings=config.settings.bug,
            hooks=run.hooks,
        )

    return ChildSpec("bug", make)


def forgewright(config: Config, standing: Standing, world: World, run: Run) -> ChildSpec:
    """Raises SettingsError for a triage table that makes no sense."""
    rules = load_rules(world.files, config.settings.forgewright.triage_file) if run.rules is None else run.rules
    began = world.clock.utc_now().timestamp()

    def make(context: ActorContext) -> ForgewrightActor:
        return forgewright_actor(
            context,
            config.settings,
            world,
            rules,
            run_id=run.id,
            audience=("console",),
            level=standing.level,
            run_began=began,
            current=lambda: config.settings,
        )

    return ChildSpec("forgewright", make)


def console(config: Config, world: World, run: Run) -> ChildSpec:
    return ChildSpec(
        "console",
        lambda context: ConsoleActor(
            context,
            clock=world.clock,
            write=run.write,
            finish=run.finish,
            exhausted=run.exhausted,
            frames=run.frames,
            fallback=prospect(config.settings.inference.fallback_every, finite=bool(finite(config.settings))),
            degraded=config.degraded,
        ),
    )


def readings(config: Config, routing: Routing, standing: Standing, world: World, run: Run) -> ChildSpec:
    return ChildSpec(
        "readings",
        lambda context: ReadingsActor(
            context,
            run_id=run.id,
            settings=config.settings.readings,
            models=(),
            clock=world.clock,
            audience=("console",),
            degraded=config.degraded,
            routing=routing,
            level=standing.level,
        ),
    )


def resource(
    config: Config, routing: Routing, standing: Standing, world: World, run: Run, pressed: tuple[str, ...]
) -> ChildSpec:
    """``standing``: one for all incarnations, and what other actors that are built anew begin with. ``pressed``: who
    asks less of the machine when it is short of something."""
    return ChildSpec(
        "resource",
        lambda context: ResourceActor(
            context,
            processes=world.processes,
            clock=world.clock,
            settings=config.settings.resource,
            own_pid=os.getpid(),
            listeners=Listeners(pressure=pressed, events=("console",), documents=("recorder",), models=(LM_STUDIO,)),
            machine=world.machine,
            run_id=run.id,
            levels=levels(config.settings, routing),
            choices=routing.choices,
            standing=standing,
        ),
    )


def levels(settings: Settings, routing: Routing) -> Levels:
    """Without alternatives, or where nothing is to be loaded, there are no smaller models to move to."""
    if routing.has_alternatives and settings.model_server.manage:
        return ALL_LEVELS
    return tuple(level for level in ALL_LEVELS if level is not PressureLevel.SMALLER)


def lm_studio(
    config: Config, routing: Routing, standing: Standing, world: World, audience: tuple[str, ...]
) -> ChildSpec:
    history = History()  # one for all incarnations: what somebody else started is never started from here

    def make(context: ActorContext) -> LMStudioActor:
        own = tuple(model for model in routing.models if model not in routing.alternatives)
        normal = standing.level is PressureLevel.NORMAL or not config.settings.model_server.manage
        return LMStudioActor(
            context,
            settings=config.settings.model_server,
            models=own,
            http=world.http(),
            processes=world.processes,
            clock=world.clock,
            audience=audience,
            warm_up_tasks={m: warm_up_task([task for task, _ in routing.possible(m)]) for m in routing.models},
            inference=config.settings.inference,
            history=history,
            alternatives=routing.alternatives,
            choices=() if normal else routing.choices(standing.level),
            files=world.files,
            groups=routing.groups,
            secrets=secrets_of(config.settings),
        )

    return ChildSpec(
        LM_STUDIO,
        make,
        stop_timeout=config.settings.model_server.stop_grace + 1.5,
        backoff=Backoff(first=1.0),
        proves=True,
    )


def inference(
    config: Config,
    model: str,
    routing: Routing,
    standing: Standing,
    world: World,
    shared: Shared,
) -> ChildSpec:
    tasks, counts = routing.possible(model), Counts()  # of the whole run: each reload of the server makes a new actor

    def make(context: ActorContext) -> InferenceActor:
        settings = config.settings
        return InferenceActor(
            context,
            model=model,
            tasks=tasks,
            settings=settings.inference,
            http=world.http(),
            clock=world.clock,
            random=random.random,
            token=settings.model_server.api_token.get_secret_value(),
            audience=("readings",),
            session=settings.model_server.kind == "embedded",
            open_reader=open_reader,
            degraded=config.degraded,
            routing=routing,
            level=standing.level,
            places=shared.places,
            patient=not settings.model_server.reload_after,
            counts=counts,
        )

    def open_reader() -> FallbackReader:
        limits, questions = config.settings.source.limits, [task for task, _ in tasks]
        return InProcessReader(shared.engine.get(), questions, limits=limits, monotonic=world.clock.monotonic)

    return ChildSpec(inference_name(model), make, depends_on=(LM_STUDIO,))


def capture(config: Config, world: World, targets: tuple[str, ...], wait_for: str) -> ChildSpec:
    numbers = FrameNumbers()

    def make(context: ActorContext) -> CaptureActor:
        source = config.settings.source
        return CaptureActor(
            context,
            settings=source,
            source=lambda: open_source(source, world.clock, world.files, world.obs),
            clock=world.clock,
            targets=targets,
            audience=("readings",),
            wait_for=wait_for,
            numbers=numbers,
        )

    return ChildSpec("capture", make)


def finite(settings: Settings) -> tuple[str, ...]:
    """capture, when its source has an end: then nothing of it may pass by before the models are ready."""
    return ("capture",) if settings.source.kind in ("pictures", "video") else ()
