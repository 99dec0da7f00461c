"""Every message that crosses an actor's border, and the values they carry: frozen, immutable all the way down.

``conflation_key`` marks messages of which only the newest counts: the inbox replaces an older one that was not
started yet, and counts it. All times are UTC (aware ``datetime``) for people and the store, monotonic seconds for
durations. Text that came from a model, a screen or an exception is untrusted data and is carried as data only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar

from foureyes_actors.errors import ErrorClass
from foureyes_actors.replay.capture import Capture
from supervisors.messages import Tick as Tick

FieldValue = Decimal | str | bool | None
Document = Mapping[str, Any]
EMPTY: Mapping[str, Any] = MappingProxyType({})


class Task(StrEnum):
    """A question about a frame. The names are the keys of huggingface_models.json."""

    OCR = "vision_ocr"
    STATE = "vision_state"
    ANIMATION = "animation_detection"
    ERROR = "error_detection"


class GameState(StrEnum):
    """``unknown`` is an answer too: never replaced by a guess."""

    IDLE = "idle"
    SPINNING = "spinning"
    WIN = "win"
    BONUS = "bonus"
    ERROR = "error"
    DISCONNECTED = "disconnected"
    UNKNOWN = "unknown"


class Motion(StrEnum):
    SPINNING = "spinning"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


class PopupKind(StrEnum):
    NONE = "none"
    INFO = "info"
    ERROR = "error"
    DISCONNECTED = "disconnected"
    UNKNOWN = "unknown"


class Field(StrEnum):
    """What FourEyes holds a value for. The first five are money."""

    GRAND = "grand"
    MAJOR = "major"
    MINOR = "minor"
    MINI = "mini"
    BALANCE = "balance"
    STATE = "state"
    MOTION = "motion"
    POPUP = "popup"


MONEY_FIELDS = (Field.GRAND, Field.MAJOR, Field.MINOR, Field.MINI, Field.BALANCE)


class Collection(StrEnum):
    """The store's collections (names as in the seed)."""

    READINGS = "readings"
    EVENTS = "events"
    ERRORS = "ERR0R"
    DECISIONS = "decisions"


# --- frames ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FrameRef:
    """Which frame: everything but the picture, so that it can be kept."""

    source: str
    sequence: int
    captured_at: datetime
    captured_monotonic: float
    digest: str  # SHA-256 of the picture's bytes, hex
    media_type: str  # "image/jpeg" or "image/png"
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture, as the source delivered it (never re-encoded on its way)."""

    ref: FrameRef
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FrameCaptured:
    conflation_key: ClassVar[str] = "frame"
    frame: Frame


class StreamCondition(StrEnum):
    STARTING = "starting"
    HEALTHY = "healthy"
    DOWN = "down"  # no frame for more than 5 s
    FROZEN = "frozen"  # the same picture for more than 30 s
    BLACK = "black"  # nothing but black


@dataclass(frozen=True, slots=True)
class StreamHealthChanged:
    """Sent on an edge only."""

    source: str
    before: StreamCondition
    after: StreamCondition
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class SourceExhausted:
    """The source has no more frames (a video file, a folder of pictures); a clean end, not a failure."""

    source: str
    frames: int


# --- answers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TaskAnswer:
    """One task's checked answer. ``values``: JSON values as the model gave them; ``confidence``: given, or None."""

    task: Task
    values: Mapping[str, Any]
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class TaskFailure:
    """One task of a reply whose answer cannot be used; the reply's other tasks stand."""

    task: Task
    error_type: str
    reason: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """One model's checked answer about one frame. ``failures``: the tasks of the same reply that broke the contract."""

    frame: FrameRef
    model: str
    answers: tuple[TaskAnswer, ...]
    latency: float  # seconds from the request's start to the checked answer
    cached: bool = False
    degraded: bool = False
    failures: tuple[TaskFailure, ...] = ()


@dataclass(frozen=True, slots=True)
class AnalysisFailed:
    """One model could not answer about one frame; the fault itself goes to the BugActor."""

    frame: FrameRef
    model: str
    tasks: tuple[Task, ...]
    error_type: str
    reason: str


# --- model server ---------------------------------------------------------------------------------------------------


class ServerPhase(StrEnum):
    STARTING = "starting"
    LOADING = "loading"
    WARMING_UP = "warming_up"
    READY = "ready"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ServerState:
    """What the model server is doing; sent to every inference actor and to the console on each change. Not conflated:
    who is not to be asked any more learns of it before the frames that are told after it."""

    phase: ServerPhase
    base_url: str = ""
    models: tuple[str, ...] = ()  # the models that passed the warm-up, by the id that requests must use
    detail: str = ""
    pid: int | None = None  # the server's process, when FourEyes started it
    reasoning: tuple[str, ...] = ()  # those models that think aloud unless a request tells them not to
    wanted: tuple[str, ...] = ()  # what the model table calls ``models``, in the same order
    resting: tuple[str, ...] = ()  # wanted ids; ready, not to be asked: a planned reload begins after ModelAtRest
    foreign: bool = False  # somebody else started it
    concurrency: int | None = None  # requests that it works on at a time, all models together; None: not known


@dataclass(frozen=True, slots=True)
class PictureAsked:
    """An inference actor has asked its model about one more picture, well or not. ``patient``: it is only counted, so
    it may wait for the receiver's next tick."""

    model: str
    patient: bool = False


@dataclass(frozen=True, slots=True)
class ModelAtRest:
    """An inference actor's word to LMStudioActor: nothing is in work for this model, and nothing will be while it is
    among ``ServerState.resting``."""

    model: str


@dataclass(frozen=True, slots=True)
class ServerStateWanted:
    """An actor that has just started asks the LMStudioActor to send it the present ServerState."""

    sender: str


@dataclass(frozen=True, slots=True)
class ServerSuspect:
    """An inference actor did not get an answer. What is to be done about the server is in the table of
    ``inference/server_faults.py``, by the error's class. ``model``: as the model table has it."""

    reason: str
    model: str = ""
    error_class: ErrorClass = ErrorClass.TRANSPORT

    @property
    def conflation_key(self) -> str:
        return f"server_suspect:{self.model}:{self.error_class}"


@dataclass(frozen=True, slots=True)
class FallbackChanged:
    """The polling fallback begins or ends: while it is active, frames are read without the model server. Not conflated:
    the readings of who was told of it first must not be taken for those of before."""

    active: bool
    reason: str = ""


# --- readings -------------------------------------------------------------------------------------------------------


class ReadingStatus(StrEnum):
    ACCEPTED = "accepted"
    HELD = "held"  # not confirmed yet: the last accepted value stands
    MISSING = "missing"  # the model saw no value
    REJECTED = "rejected"  # the raw text is not a legal value
    STALE = "stale"  # no answer about this frame: the last accepted value stands


@dataclass(frozen=True, slots=True)
class Reading:
    """What FourEyes holds to be true for one field now, with its evidence."""

    field: Field
    raw: str | None  # as the model wrote it; untrusted text
    value: FieldValue
    confidence: float | None
    status: ReadingStatus
    reason: str
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class ReadingSet:
    """All readings of one frame. ``id`` is unique per run and frame: storing it twice stores it once. ``latencies``:
    for each of ``models``, seconds that its answer took; None: its server was not asked (cache, fallback)."""

    id: str
    frame: FrameRef
    models: tuple[str, ...]
    readings: tuple[Reading, ...]
    at: datetime
    age: float  # seconds from capture to this reading
    degraded: bool = False
    latencies: tuple[float | None, ...] = ()

    def reading(self, name: Field) -> Reading | None:
        return next((r for r in self.readings if r.field is name), None)


class EventKind(StrEnum):
    STATE_CHANGED = "state_changed"
    MOTION_CHANGED = "motion_changed"
    POPUP_SEEN = "popup_seen"
    POPUP_GONE = "popup_gone"
    BALANCE_CHANGED = "balance_changed"
    JACKPOT_RESET = "jackpot_reset"
    STREAM_CHANGED = "stream_changed"
    SERVER_CHANGED = "server_changed"
    ANSWERS_CHANGED = "answers_changed"  # a model's answers cannot be used any more, or can again
    STORE_CHANGED = "store_changed"  # it went away, or is back
    PRESSURE_CHANGED = "pressure_changed"  # less is asked of the machine, or again more
    HEAD_BITTEN = "head_bitten"
    MODE_CHANGED = "mode_changed"  # a part's polling fallback begins or ends
    FAILURE_REPRODUCED = "failure_reproduced"  # or could not be: a recorded failure was run again
    DECISION_CHANGED = "decision_changed"  # what is done about a group of failures has got further
    CONFIGURATION_KEPT = "configuration_kept"  # it was to be read again, and is broken
    CONFIGURATION_READ = "configuration_read"  # it was read again, and has changed
    RUN_STARTED = "run_started"
    RUN_ENDED = "run_ended"


@dataclass(frozen=True, slots=True)
class Event:
    """A change worth telling."""

    id: str
    kind: EventKind
    at: datetime
    subject: str  # the field, actor or part that changed
    before: str | None
    after: str | None
    reason: str = ""
    frame: FrameRef | None = None
    seconds: float | None = None  # how long it took, where that is part of the news
    figures: Mapping[str, float | None] = field(default_factory=lambda: EMPTY)  # what it was decided by; None: unknown
    degraded: bool = False  # read in the polling fallback


# --- upkeep ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GpuUsage:
    """Memory in bytes; ``load`` in percent. None: the GPU does not tell."""

    name: str
    memory: int | None
    free_memory: int | None
    load: float | None


@dataclass(frozen=True, slots=True)
class ResourceSample:
    """CPU in percent of one core (this process, server) or of the machine; memory in bytes. None: not known, which is
    never the same as zero. ``gpus`` None: nobody can tell here; empty: there are none."""

    conflation_key: ClassVar[str] = "resource_sample"
    at: datetime
    machine_cpu: float | None
    available_memory: int | None
    own_cpu: float | None
    own_memory: int | None
    server_cpu: float | None
    server_memory: int | None
    gpus: tuple[GpuUsage, ...] | None = None


class PressureLevel(StrEnum):
    """What is asked of the machine, from the most to the least."""

    NORMAL = "normal"
    SMALLER = "smaller models"
    SLOWER = "lower rhythm"  # and smaller models, where there are any


@dataclass(frozen=True, slots=True)
class PressureChanged:
    """The ResourceActor's word to those who ask models, and to those who wait for their answers. ``figures``: what it
    was decided by: ``cpu_percent``, ``free_memory_mb``; None: not known."""

    level: PressureLevel  # not conflated: it comes before the frames that are told after it
    reason: str = ""
    figures: Mapping[str, float | None] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True)
class ModelsWanted:
    """For the LMStudioActor: these models are to be loaded, and no other one of FourEyes's. ``choices``: of each group
    the first one that the server has. ``make_room``: the others are unloaded before one is loaded, not after."""

    conflation_key: ClassVar[str] = "models_wanted"
    choices: tuple[tuple[str, ...], ...]
    make_room: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """Any exception or broken expectation, before it is recorded. Made where it was caught; no traceback is kept."""

    id: str
    at: datetime
    source: str  # the actor's name
    component: str  # module:qualname of the raising frame
    exception_type: str  # module-qualified
    message: str
    stack_trace: str
    context: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    retryable: bool = False
    exception_chain: tuple[str, ...] = ()  # module-qualified types, the caught one first, then its causes
    frames: tuple[str, ...] = ()  # module:qualname of our own frames without the ports, outermost first
    capture: Capture | None = field(default=None, repr=False)  # what the replay point kept that it came through


@dataclass(frozen=True, slots=True)
class FaultRecorded:
    """The BugActor's word to Forgewright: recorded under this id and group. ``recurrence``: why the group recurs, in
    words; empty when it does not. ``record``: the id of the group's newest record, which may still be being written;
    empty: it has none. ``entry``: the replay point that it left, ``module:qualname``, and
    ``port``: the ``port.operation`` that raised; each empty when there was none."""

    fault: Fault
    fingerprint: str
    occurrences: int
    recurrence: str = ""
    record: str = ""
    entry: str = ""
    port: str = ""


@dataclass(frozen=True, slots=True)
class ErrorHistoryWanted:
    """For the recorder: answers ``sender`` with ErrorHistory, as soon as the store is there."""

    sender: str


@dataclass(frozen=True, slots=True)
class ErrorHistory:
    """When the failures of each group happened: fingerprint -> the form of ``ports/error_history.py``."""

    groups: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class StoreDocuments:
    """For the recorder: append these; each has a unique ``_id``."""

    collection: Collection
    documents: tuple[Document, ...]

    @property
    def id(self) -> str:
        """The documents' ids: an exit notice names by it what was in work."""
        return " ".join(str(document.get("_id")) for document in self.documents)


@dataclass(frozen=True, slots=True)
class CountError:
    """For the recorder: one more occurrence of the group ``document["fingerprint"]`` in ERR0R."""

    document: Document

    @property
    def id(self) -> str:
        return str(self.document.get("_id"))


@dataclass(frozen=True, slots=True)
class GetStatus:
    """Ask any actor: it answers a plain dict of counters and conditions at once."""


@dataclass(frozen=True, slots=True)
class Flush:
    """Ask the recorder: answers True once everything that was accepted before is stored or in the journal."""
