"""One frame, one model: ask, check, ask again where that may help. A function of its arguments and ports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from foureyes_actors.errors import BadPicture, RequestCancelled, ServerRefused, TransportError, VisionInferenceError
from foureyes_actors.inference.reply import check_reply
from foureyes_actors.inference.request import RequestTemplate, chat_request, template
from foureyes_actors.inference.server_faults import is_retryable
from foureyes_actors.inference.tasks import merge
from foureyes_actors.messages import Analysis, Frame, Task
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.http import HttpPort
from foureyes_actors.replay.point import replay_point
from foureyes_actors.settings import InferenceSettings, ModelEntry

if TYPE_CHECKING:
    import threading  # an Event goes to the clock's port; nothing here waits by itself


class _GivenUp(Exception):
    """Ends the attempts early; the last attempt's own error is what the caller gets."""


def _never() -> bool:
    return False


def _ignore(*_: object) -> None:
    return None


def analyse(
    frame: Frame,
    *,
    model: str,
    tasks: Sequence[tuple[Task, ModelEntry]],
    http: HttpPort,
    clock: Clock,
    random: Callable[[], float],
    settings: InferenceSettings,
    base_url: str,
    token: str = "",
    cancelled: threading.Event,
    superseded: Callable[[], bool] = _never,
    failed: Callable[[int, BaseException], object] = _ignore,
    retrying: Callable[[], object] = _ignore,
    shape: RequestTemplate | None = None,
) -> Analysis:
    """``model``: the id that the server knows it by; ``shape``: its prepared request, when the caller has one.

    Each attempt has ``settings.deadline`` seconds. What ``server_faults.ACTIONS`` says may pass (a lost connection, a
    timeout, 408, 429, 5xx without a known reason) is tried again, ``settings.attempts`` times in all, after
    ``settings.backoff`` plus jitter; nothing else is.
    ``failed(attempt, error)`` is told before such a wait, ``retrying()`` after it. The wait ends at once when
    ``cancelled`` is set; after it the frame is given up when ``superseded()``: a newer frame tells more than an old
    one, but it too has to wait for a server in trouble.

    Raises the last attempt's error, with a note when it was given up early: TransportError, VisionInferenceError,
    ServerRefused; BadPicture before anything is sent.
    """
    shape = shape or template(model, merge(tasks), settings)
    last: list[tuple[int, BaseException]] = []

    def attempt() -> Analysis:
        if cancelled.is_set():
            raise RequestCancelled("cancelled before anything was sent")
        return ask(
            frame,
            model=model,
            tasks=[task for task, _ in tasks],
            http=http,
            clock=clock,
            settings=settings,
            base_url=base_url,
            token=token,
            shape=shape,
        )

    first: list[BaseException] = []

    def again() -> Analysis:
        if first:
            raise first.pop()
        return attempt()

    def between(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        assert error is not None
        last[:] = [(state.attempt_number, error)]
        failed(state.attempt_number, error)

    def pause(seconds: float) -> None:
        if clock.wait(cancelled, seconds):
            raise _GivenUp("the call was cancelled")
        if superseded():
            raise _GivenUp("a newer frame is waiting")
        retrying()

    try:
        return attempt()  # nearly always all that it takes: what follows costs as much as making the request
    except Exception as caught:
        first.append(caught)
    attempts = Retrying(
        stop=stop_after_attempt(settings.attempts),
        wait=lambda state: backoff(state.attempt_number, settings) + settings.jitter * random(),
        retry=retry_if_exception(is_retryable),
        before_sleep=between,
        sleep=pause,
        reraise=True,
    )
    try:
        return attempts(again)
    except _GivenUp as given_up:
        reason = str(given_up)
    number, error = last[0]
    error.add_note(f"given up after attempt {number} of {settings.attempts}: {reason}")
    raise error


@replay_point(
    ports={"http": "http", "clock": "clock"},
    raises=(TransportError, VisionInferenceError, ServerRefused, BadPicture),
)
def ask(
    frame: Frame,
    *,
    model: str,
    tasks: Sequence[Task],
    http: HttpPort,
    clock: Clock,
    settings: InferenceSettings,
    base_url: str,
    token: str,
    shape: RequestTemplate,
) -> Analysis:
    """One attempt: one exchange. Raises as ``analyse``."""
    began = clock.monotonic()
    reply = http.exchange(chat_request(shape, frame, base_url=base_url, token=token, settings=settings))
    checked = check_reply(reply, model=model, tasks=tasks, secret=token)
    latency = clock.monotonic() - began
    return Analysis(frame.ref, model, checked.answers, latency, failures=checked.failures)


def backoff(failures: int, settings: InferenceSettings) -> float:
    """Seconds to wait after so many failures in a row; 0 when the settings have no backoff."""
    steps = settings.backoff
    return steps[min(failures, len(steps)) - 1] if steps else 0.0
