"""The routes: OpenAI's, LM Studio's own, and two simple ones (``/health``, ``/v1/models/load``)."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from foureyes_actors.model_server import model_rows as rows
from foureyes_actors.model_server.api_error import ApiError, unexpected_route, unknown_model
from foureyes_actors.model_server.bodies import ClientGone, read_body, wait_until_gone
from foureyes_actors.model_server.catalog import CatalogModel
from foureyes_actors.model_server.chat_reply import completion, events
from foureyes_actors.model_server.chat_request import parse_chat
from foureyes_actors.model_server.host import Answer, ModelHost, outcome
from foureyes_actors.model_server.model_requests import native_load, native_unload, simple_load

CLIENT_CLOSED = 499  # nginx's number for a request that nobody waits for; only the log sees it


def create_app(host: ModelHost) -> Starlette:
    """The ASGI application in front of ``host``."""
    routes = _Routes(host)
    table: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
        ("GET", "/health", routes.health),
        ("POST", "/v1/models/load", routes.simple_load),
        ("GET", "/lmstudio-greeting", routes.greeting),
        ("GET", "/v1/models", routes.openai_models),
        ("POST", "/v1/chat/completions", routes.chat),
        ("GET", "/v1/models/{model:path}", routes.openai_model),
        ("GET", "/api/v0/models", routes.v0_models),
        ("GET", "/api/v0/models/{model:path}", routes.v0_model),
        ("GET", "/api/v1/models", routes.v1_models),
        ("POST", "/api/v1/models/load", routes.native_load),
        ("POST", "/api/v1/models/unload", routes.native_unload),
    ]
    app = Starlette(
        routes=[Route(path, endpoint, methods=[method]) for method, path, endpoint in table],
        exception_handlers={ApiError: _api_error, HTTPException: _no_route, ClientGone: _gone, Exception: _broken},
    )
    app.router.redirect_slashes = False
    return app


class _Routes:
    def __init__(self, host: ModelHost) -> None:
        self._host = host
        self._started = int(time.time())

    async def health(self, _: Request) -> Response:
        """``requests``: those let in; ``queued``: those of them whose reading waits for its model."""
        host = self._host
        body = {"status": "ok", "models": list(self._loaded()), "requests": host.in_work, "queued": host.queued()}
        return JSONResponse(body)

    async def greeting(self, _: Request) -> Response:
        """LM Studio's clients go by the first key; the second one says who really answers."""
        return JSONResponse({"lmstudio": True, "foureyes_embedded": True})

    async def openai_models(self, _: Request) -> Response:
        return JSONResponse(rows.openai_list(self._host.catalog, self._started))

    async def openai_model(self, request: Request) -> Response:
        return JSONResponse(rows.openai_row(self._in_path(request), self._started))

    async def v0_models(self, _: Request) -> Response:
        return JSONResponse(rows.v0_list(self._host.catalog, self._loaded()))

    async def v0_model(self, request: Request) -> Response:
        return JSONResponse(rows.v0_row(self._in_path(request), self._loaded()))

    async def v1_models(self, _: Request) -> Response:
        return JSONResponse(rows.v1_list(self._host.catalog, self._loaded()))

    async def simple_load(self, request: Request) -> Response:
        model = simple_load(await self._small_body(request), self._host.catalog)
        loaded = await self._host.load(model)
        return JSONResponse({"status": "loaded", "model_id": model.id, "load_time_seconds": loaded.load_seconds})

    async def native_load(self, request: Request) -> Response:
        """Unlike LM Studio's, a second load makes no second instance."""
        model, document = native_load(await self._small_body(request), self._host.catalog)
        loaded = await self._host.load(model)
        body = {
            "type": "llm",
            "instance_id": model.id,
            "load_time_seconds": loaded.load_seconds,
            "status": "loaded",
        }
        echo = {"load_config": {"context_length": rows.CONTEXT}} if document.get("echo_load_config") is True else {}
        return JSONResponse({**body, **echo})

    async def native_unload(self, request: Request) -> Response:
        model = native_unload(await self._small_body(request), self._host.catalog)
        if not await self._host.unload(model):
            raise ApiError(
                404, f"{model.id} is not loaded", kind="model_not_found", code="model_not_found", param="instance_id"
            )
        return JSONResponse({"instance_id": model.id})

    async def chat(self, request: Request) -> Response:
        limits = self._host.limits
        body = await read_body(request, limits.body, limits.body_time)
        with self._host.place():
            asked = await run_in_threadpool(parse_chat, body, self._host.catalog)
            del body  # tens of megabytes, while the request waits for its turn
            job = await self._host.submit(asked, _peer(request))
            answer = await _while_wanted(request, outcome(job), job.cancel)
        self._host.answered += 1
        reply_id, created = f"chatcmpl-{uuid.uuid4().hex}", int(time.time())
        if asked.stream:
            return Response(events(asked, answer, reply_id=reply_id, created=created), media_type="text/event-stream")
        return JSONResponse(completion(asked, answer, reply_id=reply_id, created=created))

    async def _small_body(self, request: Request) -> bytes:
        return await read_body(request, self._host.limits.small_body, self._host.limits.body_time)

    def _loaded(self) -> tuple[str, ...]:
        return tuple(model.id for model in self._host.catalog if self._host.loaded(model) is not None)

    def _in_path(self, request: Request) -> CatalogModel:
        name = request.path_params["model"]
        model = self._host.catalog.find(name)
        if model is None:
            raise unknown_model(name, catalog=self._host.catalog)
        return model


async def _while_wanted(request: Request, answer: Awaitable[Answer], cancel: Callable[[], object]) -> Answer:
    """The answer. Raises ClientGone, and drops the work that has not begun, when the client leaves before."""
    working: asyncio.Future[Answer]
    working, leaving = asyncio.ensure_future(answer), asyncio.ensure_future(wait_until_gone(request))
    working.add_done_callback(lambda done: done.cancelled() or done.exception())  # it may end with nobody waiting
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            cancel()
            raise ClientGone
        return working.result()
    finally:
        leaving.cancel()
        working.cancel()


def _peer(request: Request) -> str:
    """The connection: a client that names no screen keeps one as long as it stays connected."""
    client = request.client
    return f"{client.host} {client.port}" if client else ""


async def _api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body(), error.status, error.headers)


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code in (404, 405):
        return await _api_error(request, unexpected_route(request.method, request.url.path))
    return JSONResponse({"error": str(error.detail)}, error.status_code)


async def _gone(_: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED)


async def _broken(_: Request, error: Exception) -> Response:
    """A defect of this server; starlette raises it again after this, so that it is logged."""
    message = f"Internal error: {type(error).__name__}"
    return JSONResponse(ApiError(500, message, kind="internal_error", code="unknown").body(), 500)
