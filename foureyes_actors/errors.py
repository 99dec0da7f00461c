"""Every error that FourEyes raises on purpose.

    FourEyesError
    ├── ConfigurationError        the user must change something; nothing is restarted for it (exit code 78)
    │   ├── SettingsError         foureyes.yaml, huggingface_models.json or FOUREYES_* is wrong
    │   ├── MissingExtraError     an optional package is not installed
    │   ├── SourceRefused         the source exists but refuses us: wrong password, no such scene
    │   └── ServerRefused         the model server refuses us (class C): the token is missing or wrong
    │       └── ModelUnknown      it does not know the wanted model
    ├── FrameError                no usable frame came from the source
    │   ├── SourceUnavailable     the source is gone or silent; connecting again may help
    │   ├── SourceEnded           the source has no more frames (a video file, a folder)
    │   └── BadPicture            broken, truncated, of an unsupported kind, or too large to decode safely
    ├── TransportError            an HTTP exchange did not complete; trying again may help
    │   ├── ConnectFailed         nobody listens there
    │   ├── RequestTimeout        no complete answer within the deadline (class E: it hangs)
    │   ├── ConnectionBroken      the connection ended in the middle
    │   │   └── RequestCancelled  FourEyes itself gave the request up before it was sent
    │   └── ReplyTooLarge         more bytes than the caller allows (never tried again)
    ├── VisionInferenceError      the server answered, but not with an analysis
    │   ├── ServerFault           an error status or an error body (.status, .excerpt)
    │   │   ├── EngineGone        class A: the model's engine crashed or is gone; it has to be loaded anew
    │   │   ├── ServerError       class A, perhaps: a 5xx that does not say why; it may pass
    │   │   ├── ModelNotLoadable  class B: not enough memory, or no engine for this model
    │   │   ├── RequestRefused    class C: this request can never be answered as it is
    │   │   ├── ModelNotLoaded    class C: the wanted model is not in memory
    │   │   ├── ServerDefect      class D: a bug of the server or of the model's template
    │   │   └── ServerBusy        408, 429, or it is still loading; it will pass
    │   ├── WrongModel            another model answered: the wanted one is not loaded
    │   ├── EmptyAnswer           nothing but white space or thinking
    │   └── AnswerContractError   not the JSON that the schema asks for
    ├── LMStudioError             the model server's process or its models
    │   ├── LMStudioTimeoutError  not ready in time
    │   ├── ServerStartFailed     its process ended or could not be started (.tail: its last lines)
    │   ├── PortTaken             a stranger holds the port
    │   └── ModelLoadFailed       it did not load a wanted model, or the warm-up failed
    ├── StoreError
    │   ├── StoreUnavailable      away; the journal keeps what was accepted
    │   ├── StoreInUse            another process holds it
    │   ├── DocumentRefused       this document can never be stored
    │   └── JournalFull           neither the store nor the journal takes more
    ├── ProcessError              a child process could not be started
    ├── NativeCrash               the run before this one ended in native code; recorded, never raised
    └── EndedItself               the run before this one ended itself (exit code 70); recorded, never raised

Catch the branch, not the leaf. ``retryable`` says whether the same call may succeed later without anybody's help.
``error_class`` says what kind of trouble with the model server it is; what is done about each kind is one table,
``ACTIONS`` in ``inference/server_faults.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from foureyes_actors.invocation import install_command


class ErrorClass(StrEnum):
    """The kinds of trouble with a model server that are treated alike."""

    ENGINE = "engine"  # A: the model's engine is dead or gone
    SERVER_ERROR = "server_error"  # A, perhaps: a 5xx without known words
    LOAD = "load"  # B: the model cannot be loaded
    REQUEST = "request"  # C: somebody must change the request or the configuration
    ABSENT = "absent"  # C: the wanted model is not loaded
    DEFECT = "defect"  # D: a bug of the server or of the model's template
    HANG = "hang"  # E: no answer, no text
    TRANSPORT = "transport"  # no complete exchange
    BUSY = "busy"  # it says that it has no time
    ANSWER = "answer"  # it answered, but not what was asked for
    OTHER = "other"  # not about a model server, or words that nobody knows


class FourEyesError(Exception):
    """Root of the tree. ``retryable``: the same call may succeed later by itself."""

    retryable = False
    error_class = ErrorClass.OTHER


class ConfigurationError(FourEyesError):
    """The user must change something. Never retried, never a reason to restart."""


class SettingsError(ConfigurationError):
    """One or more problems of the settings, each a line that names file, line, key, value and what would be right."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class MissingExtraError(ConfigurationError):
    """An optional package is missing; the message says which command installs it."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the package {package!r}, which is not installed: {install_command(extra)}")
        self.package, self.extra = package, extra


class SourceRefused(ConfigurationError):
    """The source is there but refuses us (wrong password, no such scene or source)."""


class ServerRefused(ConfigurationError):
    """The model server refuses us (token missing or wrong, no pictures)."""

    error_class = ErrorClass.REQUEST


class ModelUnknown(ServerRefused):
    """The model server does not know the wanted model."""

    error_class = ErrorClass.ABSENT


class FrameError(FourEyesError):
    """No usable frame came from the source."""


class SourceUnavailable(FrameError):
    """The source is gone or silent."""

    retryable = True


class SourceEnded(FrameError):
    """The source has no more frames."""


class BadPicture(FrameError):
    """The bytes are not a picture that can be used."""


class TransportError(FourEyesError):
    """An HTTP exchange did not complete."""

    retryable = True
    error_class = ErrorClass.TRANSPORT


class ConnectFailed(TransportError):
    """Nobody listens at the address."""


class RequestTimeout(TransportError):
    """No complete answer within the deadline."""

    error_class = ErrorClass.HANG


class ConnectionBroken(TransportError):
    """The connection ended in the middle of the exchange."""


class RequestCancelled(ConnectionBroken):
    """FourEyes itself gave the request up before it was sent: no failure, so none is recorded."""


class ReplyTooLarge(TransportError):
    """The reply has more bytes than the caller allows."""

    retryable = False
    error_class = ErrorClass.ANSWER


class VisionInferenceError(FourEyesError):
    """The server answered, but not with an analysis."""


class ServerFault(VisionInferenceError):
    """The server answered with an error status, or with an error body in a 200."""

    def __init__(self, message: str, *, status: int, excerpt: str = "", retryable: bool = False) -> None:
        super().__init__(message)
        self.status, self.excerpt, self.retryable = status, excerpt, retryable


class EngineGone(ServerFault):
    """The model's engine crashed or is gone."""

    error_class = ErrorClass.ENGINE


class ServerError(ServerFault):
    """A 5xx that does not say why."""

    error_class = ErrorClass.SERVER_ERROR


class ModelNotLoadable(ServerFault):
    """The server has not enough memory for the model, or no engine that takes it."""

    error_class = ErrorClass.LOAD


class RequestRefused(ServerFault):
    """This request can never be answered as it is."""

    error_class = ErrorClass.REQUEST


class ModelNotLoaded(ServerFault):
    """The wanted model is not in the server's memory."""

    error_class = ErrorClass.ABSENT


class ServerDefect(ServerFault):
    """A bug of the server, or of the model's chat template."""

    error_class = ErrorClass.DEFECT


class ServerBusy(ServerFault):
    """The server has no time now."""

    error_class = ErrorClass.BUSY


class WrongModel(VisionInferenceError):
    """Another model than the wanted one answered."""

    error_class = ErrorClass.ABSENT


class EmptyAnswer(VisionInferenceError):
    """The answer holds nothing but white space or thinking."""

    error_class = ErrorClass.ANSWER


class AnswerContractError(VisionInferenceError):
    """The answer is not the JSON that the schema asks for."""

    error_class = ErrorClass.ANSWER


class LMStudioError(FourEyesError):
    """The model server's process or its models."""

    retryable = True


class LMStudioTimeoutError(LMStudioError):
    """The server or a model was not ready in time."""


class ServerStartFailed(LMStudioError):
    """The server's process ended or could not be started."""

    def __init__(self, message: str, tail: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.tail = tuple(tail)


class PortTaken(LMStudioError):
    """A stranger holds the port."""

    retryable = False


class ModelLoadFailed(LMStudioError):
    """The server did not load a wanted model, or the warm-up failed. Its class is that of its cause."""


class StoreError(FourEyesError):
    """The store."""


class StoreUnavailable(StoreError):
    """The store is away; what was accepted stays in the journal."""

    retryable = True


class StoreInUse(StoreError):
    """Another process holds the store."""


class DocumentRefused(StoreError):
    """This document can never be stored as it is."""


class JournalFull(StoreError):
    """The journal has used up its budget, or the disk takes no more; the document was not kept."""

    retryable = True


class ProcessError(FourEyesError):
    """A child process could not be started or ended."""


class NativeCrash(FourEyesError):
    """The run before this one ended in native code (SIGSEGV and the like). Recorded by its name, never raised."""


class EndedItself(FourEyesError):
    """The run before this one ended itself: its last line of defence (exit code 70). Recorded by its name, never
    raised."""
