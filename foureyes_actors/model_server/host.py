"""The loaded models, and who may use them when: one thread per model, so one reading at a time.

All methods run in the event loop's thread; ``LoadedModel._read`` and what follows it run in the model's own thread.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

from foureyes_actors.model_server.api_error import ApiError, overloaded
from foureyes_actors.model_server.catalog import BUILT_IN, Catalog, CatalogModel
from foureyes_actors.model_server.chat_request import ChatRequest
from foureyes_actors.model_server.engines import Closing, Engine, EngineFactory, Prompted, Screen
from foureyes_actors.model_server.limits import Limits
from foureyes_actors.model_server.memory import give_back
from foureyes_actors.model_server.pictures import decode

logger = logging.getLogger("foureyes.model_server")

GIVE_BACK_EVERY = 10.0  # seconds; measured with frames of the demo cabinet, docs/benchmarks.md

Answer = dict[str, Any]


class LoadedModel:
    """A model with its thread. ``load_seconds``: what loading took."""

    def __init__(self, model: CatalogModel, limits: Limits, monotonic: Callable[[], float]) -> None:
        self.model, self.load_seconds = model, 0.0
        self._limits, self._monotonic = limits, monotonic
        self._thread = ThreadPoolExecutor(
            max_workers=1, thread_name_prefix=f"reader-{model.level or model.architecture}"
        )
        self._engine: Engine | None = None
        self._jobs: set[Future[Answer]] = set()
        self._given_back = monotonic()
        self._screens: OrderedDict[tuple[object, ...], Screen] = OrderedDict()

    async def load(self, engines: EngineFactory) -> None:
        started = self._monotonic()
        self._engine = await asyncio.wrap_future(self._thread.submit(engines, self.model))
        self.load_seconds = self._monotonic() - started

    def submit(self, request: ChatRequest, client: str) -> Future[Answer]:
        """``client``: whose screen it is when the request does not name one."""
        job = self._thread.submit(self._read, request, request.user or client, self._monotonic())
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        if self._monotonic() - self._given_back >= GIVE_BACK_EVERY:
            self._given_back = self._monotonic()
            self._thread.submit(give_back)  # after this answer, and most often before the next frame
        return job

    def queued(self) -> int:
        """Readings that wait for the model's thread."""
        return sum(not (job.running() or job.done()) for job in tuple(self._jobs))

    def close(self) -> None:
        """What waits is cancelled; what is being read is read to its end."""
        for job in tuple(self._jobs):
            job.cancel()
        with suppress(RuntimeError):  # closed before
            self._thread.submit(self._forget)
        self._thread.shutdown(wait=False)

    def _forget(self) -> None:
        """Frees the networks, after the reading that may be in work."""
        engine, self._engine = self._engine, None
        self._screens.clear()
        if isinstance(engine, Closing):
            engine.close()

    def _read(self, request: ChatRequest, user: str, now: float) -> Answer:
        image = decode(request.picture, self._limits.picture)
        key = (user, *image.shape)
        screen = self._screens.pop(key, None)
        if screen is None:
            assert self._engine is not None
            screen = self._engine.screen()
        if isinstance(screen, Prompted):
            screen.prompt(request.text)
        answer = screen.answer(image, now, request.tasks)
        self._screens[key] = screen  # after an exception it is not kept: nobody knows what it remembers
        while len(self._screens) > self._limits.sessions:
            self._screens.popitem(last=False)
        return answer


class ModelHost:
    """Loads, unloads, and lets a bounded number of requests in."""

    def __init__(
        self,
        engines: EngineFactory,
        limits: Limits,
        *,
        catalog: Catalog = BUILT_IN,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits, self.catalog = limits, catalog
        self._engines, self._monotonic = engines, monotonic
        self._loaded: dict[str, LoadedModel] = {}
        self._locks = {model.id: asyncio.Lock() for model in catalog}
        self.in_work = 0
        self.answered = 0

    def loaded(self, model: CatalogModel) -> LoadedModel | None:
        return self._loaded.get(model.id)

    def queued(self) -> int:
        """Readings that wait for their model, over all models."""
        return sum(model.queued() for model in self._loaded.values())

    async def load(self, model: CatalogModel) -> LoadedModel:
        """Loading what is loaded does nothing. Raises ApiError 500 when it cannot be loaded."""
        async with self._locks[model.id]:
            present = self._loaded.get(model.id)
            if present is not None:
                return present
            fresh = LoadedModel(model, self.limits, self._monotonic)
            try:
                await fresh.load(self._engines)
            except Exception as error:
                fresh.close()
                logger.exception("%s could not be loaded", model.id)
                raise _not_loaded(model, error) from error
            self._loaded[model.id] = fresh
            logger.info("%s loaded in %.2f s", model.id, fresh.load_seconds)
            return fresh

    async def unload(self, model: CatalogModel) -> bool:
        """False when it was not loaded."""
        async with self._locks[model.id]:
            present = self._loaded.pop(model.id, None)
        if present is not None:
            present.close()
            logger.info("%s unloaded", model.id)
        return present is not None

    @contextmanager
    def place(self) -> Iterator[None]:
        """One of the places for requests in work and waiting. Raises ApiError 503 when all are taken."""
        if self.in_work >= self.limits.requests:
            raise overloaded(self.limits.requests)
        self.in_work += 1
        try:
            yield
        finally:
            self.in_work -= 1

    async def submit(self, request: ChatRequest, client: str) -> Future[Answer]:
        """Load the model if need be, and queue the reading. Cancelling the future drops it while it waits."""
        return (await self.load(request.model)).submit(request, client)

    def close(self) -> None:
        for present in self._loaded.values():
            present.close()
        self._loaded.clear()


async def outcome(job: Future[Answer]) -> Answer:
    """The answer. Raises ApiError: the picture's own, 503 when the model was unloaded, 500 when its engine failed."""
    try:
        return await asyncio.wrap_future(job)
    except ApiError:
        raise
    except asyncio.CancelledError:
        if not job.cancelled():
            raise
        raise ApiError(503, "Model is unloaded.", kind="model_error", code="model_unloaded", retry_after=1) from None
    except Exception as error:
        logger.exception("the engine failed")
        message = f"The model has crashed: {type(error).__name__}: {str(error)[:300]}"
        raise ApiError(500, message, kind="internal_error", code="engine_failed") from error


def _not_loaded(model: CatalogModel, error: Exception) -> ApiError:
    message = f'Failed to load model "{model.id}". Error: {str(error)[:500] or type(error).__name__}'
    return ApiError(500, message, kind="internal_error", code="model_load_failed", param="model")
