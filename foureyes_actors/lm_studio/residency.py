"""Which models are in the server's memory, and how a wanted one gets there: listed first, never loaded twice."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from foureyes_actors.errors import (
    ConnectFailed,
    FourEyesError,
    LMStudioError,
    LMStudioTimeoutError,
    ModelLoadFailed,
    ModelUnknown,
    ServerFault,
    ServerRefused,
    TransportError,
)
from foureyes_actors.inference.reply import same_model
from foureyes_actors.lm_studio.dialect import ListedModel, ModelList, Server
from foureyes_actors.lm_studio.lms import Lms
from foureyes_actors.lm_studio.ours import LATE, Ours
from foureyes_actors.lm_studio.replies import RouteMissing
from foureyes_actors.lm_studio.server_calls import (
    UNLOAD_TIME,
    describe,
    known_models,
    list_models,
    load_model,
    unload_model,
)
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.http import HttpPort

logger = logging.getLogger(__name__)

LOAD_TARGET = 10.0  # seconds; a slower load is told in the log
LOOK_AGAIN = 0.5  # seconds between two looks at a server that loads behind its answer
IDLE_LOOKS = 4  # that may find a load of this kind not begun yet
UNLOAD_TRIES = 3
LET_IN = 0.2  # seconds for a request on its way to a model that is to be unloaded


@dataclass(frozen=True, slots=True)
class Loading:
    """What a load needs. ``seconds``: for one model. ``context``: tokens wanted; None: the server's own."""

    http: HttpPort
    server: Server
    clock: Clock
    quit: threading.Event
    seconds: float
    context: int | None = None
    ours: Ours = field(default_factory=Ours)
    lms: Lms | None = None


@dataclass(frozen=True, slots=True)
class InMemory:
    """``known_as``: the id that requests must use. ``reasons``: it thinks aloud unless it is told not to."""

    known_as: str
    reasons: bool = False


def ensure_loaded(to: Loading, model: str) -> InMemory:
    """A server without a route to load (plain OpenAI ones) loads by the first request, which the warm-up is.

    Raises ModelUnknown when the server does not have the model, ServerRefused when it takes no pictures,
    ModelLoadFailed when it could not be loaded, LMStudioTimeoutError, and what the steps of ``server_calls`` raise.
    """
    if not to.ours.lock.acquire(timeout=to.seconds):
        raise LMStudioTimeoutError(f"another load goes on for more than {to.seconds:g} s")
    try:
        listed, row = _wanted(to, model)
        if row.loading:
            row = _loaded_row(to, row.key)
        row = without_late(to, listed, row)
        unknown = row.instances is None and not to.ours.has(to.server, row.key)
        if (row.instances == () or unknown) and _loads(to, listed):
            row = replace(_load(to, listed, row), reasons=row.reasons)
        _tell_context(to, row)
        return InMemory(request_id(row), row.reasons)
    finally:
        to.ours.lock.release()


def unload_unwanted(to: Loading, wanted: Sequence[str]) -> tuple[str, ...]:
    """What FourEyes had loaded and nobody wants any more. The ids of the instances."""
    unwanted = [
        instance
        for (url, instance), key in tuple(to.ours.instances.items())
        if url == to.server.url and not any(_same(name, model) for name in (key, instance) for model in wanted)
    ]
    if not unwanted:
        return ()
    listed = list_models(to.http, to.server)
    present = {instance for row in listed.models for instance in row.instances or ()}
    gone = tuple(instance for instance in unwanted if instance in present)
    for instance in gone:
        unload_instance(to, listed, instance)
    for instance in unwanted:
        to.ours.drop(to.server, instance)
    return gone


def look(to: Loading, models: Sequence[str]) -> tuple[str, ...]:
    """``resident``; and what a load that was given up has brought since then is unloaded, unless it is of use."""
    listed = list_models(to.http, to.server)
    for url, key in tuple(to.ours.given_up):
        row = find(listed.models, key)
        if url == to.server.url and row is not None:
            without_late(to, listed, row)
    return _resident(listed.models, models)


def without_late(to: Loading, listed: ModelList, row: ListedModel) -> ListedModel:
    """The row without the second instances that loads have brought which were given up. Where there is no other one,
    that which requests will ask for stays."""
    late = to.ours.late(to.server, row.key, row.instances or (), to.clock.monotonic())
    others = any(instance not in late for instance in row.instances or ())
    surplus = [instance for instance in late if others or instance != request_id(row)]
    for instance in surplus:
        logger.warning("%s was loaded late, by a load that was given up: %s is unloaded again", row.key, instance)
        try:
            unload_instance(to, listed, instance)
        except FourEyesError as error:  # no reason to do without the one that is of use
            logger.warning("%s stays in memory beside %s: %s", instance, row.key, error)
    left = tuple(instance for instance in row.instances or () if instance not in surplus)
    return replace(row, instances=left) if surplus else row


def unload_instance(to: Loading, listed: ModelList, instance: str, seconds: float = UNLOAD_TIME) -> None:
    """Nothing when the server has no way to unload and load. Raises what ``server_calls`` raise."""
    if not unloads(to, listed):
        return
    logger.info("unloading %s", instance)
    if listed.listing.unload is not None:
        unload_model(to.http, to.server, listed.listing.unload, instance, seconds)
    elif to.lms is not None:
        to.lms.unload(instance)
    to.ours.drop(to.server, instance)


def resident(http: HttpPort, server: Server, models: Sequence[str]) -> tuple[str, ...]:
    """Those of ``models`` that are loaded, as far as the server tells."""
    return _resident(list_models(http, server).models, models)


def _resident(listed: Sequence[ListedModel], models: Sequence[str]) -> tuple[str, ...]:
    rows = ((model, find(listed, model)) for model in models)
    return tuple(model for model, row in rows if row is not None and row.instances != ())


def on_disk(http: HttpPort, server: Server, models: Sequence[str]) -> tuple[str, ...]:
    """Those of ``models`` that the server lists, loaded or not."""
    listed = list_models(http, server).models
    return tuple(model for model in models if find(listed, model) is not None)


def ensure_unloaded(to: Loading, model: str) -> None:
    """No instance of it that FourEyes had loaded is left. Each look comes after a pause: a request on its way is let in
    first, and one that came too late has loaded the model anew, by the same id. Nothing is done at a server that has no
    way to unload. Raises LMStudioError when it stays, and what ``server_calls`` raise."""
    mine = _mine(to, model)
    for _ in range(UNLOAD_TRIES):
        to.clock.wait(to.quit, LET_IN)
        listed = list_models(to.http, to.server)
        row = find(listed.models, model)
        there = () if row is None else row.instances or ()
        if not unloads(to, listed):
            return
        left = tuple(instance for instance in there if instance in mine)
        if not left:
            _let_be(to, model, mine, there)
            return
        for instance in left:
            unload_instance(to, listed, instance)
    raise LMStudioError(f"{model} is loaded again each time it is unloaded: does somebody else ask it?")


def _mine(to: Loading, model: str) -> frozenset[str]:
    ours = tuple(to.ours.instances.items())
    return frozenset(
        instance
        for (url, instance), key in ours
        if url == to.server.url and any(_same(name, model) for name in (key, instance))
    )


def _let_be(to: Loading, model: str, mine: frozenset[str], there: Sequence[str]) -> None:
    for instance in mine:
        to.ours.drop(to.server, instance)
    if there:
        logger.info("%s stays in memory: FourEyes did not load %s", model, ", ".join(there))


def find(models: Sequence[ListedModel], wanted: str) -> ListedModel | None:
    """By key, or by the id of a loaded instance: users may give a model an identifier of their own."""
    by_key = next((m for m in models if _same(m.key, wanted)), None)
    return by_key or next((m for m in models if any(same_model(i, wanted) for i in m.instances or ())), None)


def request_id(row: ListedModel) -> str:
    """The key where an instance goes by it, else the first instance ("key:2" after others were unloaded)."""
    instances = row.instances or ()
    return row.key if not instances or row.key in instances else instances[0]


def _same(key: str, wanted: str) -> bool:
    """Ollama calls a model without a tag "name:latest"."""
    return key.casefold() in (wanted.casefold(), f"{wanted.casefold()}:latest")


def _wanted(to: Loading, model: str) -> tuple[ModelList, ListedModel]:
    listed = list_models(to.http, to.server)
    row = find(listed.models, model)
    if row is None:
        raise ModelUnknown(
            f"{to.server.dialect.name} at {to.server.url} has no model {model!a}; it has: {known_models(listed.models)}"
        )
    row = describe(to.http, to.server, listed, row)
    if row.vision is False:
        hint = f" ({to.server.dialect.hint})" if to.server.dialect.hint else ""
        raise ServerRefused(f"{model!a} takes no pictures: a model that does is needed{hint}")
    return listed, row


def _by_lms(to: Loading, listed: ModelList) -> bool:
    return listed.listing.by_lms and to.lms is not None


def unloads(to: Loading, listed: ModelList) -> bool:
    """Whether there is a way to unload a model and to load it again."""
    return _by_lms(to, listed) or (listed.listing.unload is not None and listed.listing.load is not None)


def _loads(to: Loading, listed: ModelList) -> bool:
    return listed.listing.load is not None or _by_lms(to, listed)


def _load(to: Loading, listed: ModelList, row: ListedModel) -> ListedModel:
    began = to.clock.monotonic()
    context = clamped(to.context, row)
    logger.info("loading %s%s", row.key, f" with a context of {context}" if context else "")
    try:
        instance = _asked_to_load(to, listed, row.key, context)
        later = listed.listing.load is not None and listed.listing.load.listed_later
        fresh = _loaded_row(to, row.key, IDLE_LOOKS if later else 0)
    except ModelLoadFailed:
        raise
    except (ServerFault, LMStudioError) as error:
        raise ModelLoadFailed(f"{row.key} could not be loaded: {error}") from error
    if fresh.instances is not None and instance not in fresh.instances:
        raise ModelLoadFailed(f"{row.key} was loaded as {instance!a}, and is not in the list of loaded models")
    to.ours.keep(to.server, instance, row.key)
    took = to.clock.monotonic() - began
    slow = took > LOAD_TARGET
    logger.log(
        logging.WARNING if slow else logging.INFO,
        "%s was loaded in %.1f s%s",
        row.key,
        took,
        f", the target is {LOAD_TARGET:g} s" if slow else "",
    )
    return _without_twin(to, listed, fresh, instance)


def _asked_to_load(to: Loading, listed: ModelList, key: str, context: int | None) -> str:
    change = listed.listing.load
    if change is None:
        assert to.lms is not None
        to.lms.load(key, context, to.seconds)
        return key
    try:
        return load_model(to.http, to.server, change, key, to.seconds, context if change.takes_context else None)
    except (ConnectFailed, RouteMissing, ServerFault, ServerRefused):
        raise  # it was not asked, or said no
    except (TransportError, LMStudioError):
        to.ours.give_up(to.server, key, to.clock.monotonic() + LATE)
        raise


def _loaded_row(to: Loading, key: str, idle_looks: int = 0) -> ListedModel:
    """The list's row once it is in memory. ``idle_looks``: so many may find it neither loaded nor being loaded.
    Raises ModelLoadFailed, LMStudioTimeoutError."""
    until = to.clock.monotonic() + to.seconds
    while to.clock.monotonic() < until:
        row = find(list_models(to.http, to.server).models, key)
        if row is not None and row.instances != ():
            return row
        if row is None or (not row.loading and idle_looks <= 0):
            raise ModelLoadFailed(f"{key} was to be loaded, and is not in the list of loaded models")
        idle_looks -= not row.loading
        if to.clock.wait(to.quit, LOOK_AGAIN):
            raise LMStudioTimeoutError(f"{key} was still being loaded when FourEyes ended")
    raise LMStudioTimeoutError(f"{key} was not loaded within {to.seconds:g} s")


def _without_twin(to: Loading, listed: ModelList, row: ListedModel, instance: str) -> ListedModel:
    """Somebody else has loaded the same model in the same moment: one is enough, ours goes."""
    instances = row.instances or ()
    if instance == row.key or row.key not in instances or listed.listing.unload is None:
        return row
    logger.warning("%s is loaded already: %s is unloaded again", row.key, instance)
    unload_instance(to, listed, instance)
    return row


def clamped(wanted: int | None, row: ListedModel) -> int | None:
    """LM Studio takes more than the model's maximum without a word, and then answers nonsense."""
    if wanted is None or row.max_context is None or wanted <= row.max_context:
        return wanted
    logger.warning(
        "%s has a context of at most %d tokens: model_server.context_length is more", row.key, row.max_context
    )
    return row.max_context


def _tell_context(to: Loading, row: ListedModel) -> None:
    context = clamped(to.context, row) if to.context is not None else None
    if context is not None and row.context is not None and row.context < context:
        logger.warning(
            "%s is loaded with a context of %d tokens, model_server.context_length is %d: %s",
            row.key, row.context, context, _how_to_set(to.server.dialect.context),
        )  # fmt: skip


def _how_to_set(context: str) -> str:
    ours = context.startswith("model_server.")
    return "unload it there, and FourEyes loads it with that" if ours else f"it is set by {context}"
