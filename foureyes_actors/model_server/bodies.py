"""Request bodies: bounded in size and in time."""

from __future__ import annotations

import asyncio
import time

from starlette.requests import ClientDisconnect, Request

from foureyes_actors.model_server.api_error import ApiError

_CLEAR_TIME = 2.0  # seconds for which the rest of a refused body is read and dropped
_CLEAR_FACTOR = 4  # of the limit


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


async def read_body(request: Request, limit: int, seconds: float) -> bytes:
    """Raises ApiError 413 or 408, ClientGone."""
    try:
        async with asyncio.timeout(seconds):
            return await _read(request, limit)
    except TimeoutError:
        raise ApiError(
            408, f"The body did not come within {seconds:g} s", kind="invalid_request_error", code="timeout"
        ) from None
    except ClientDisconnect:
        raise ClientGone from None


async def wait_until_gone(request: Request) -> None:
    """Returns when the client has closed its connection. The body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _read(request: Request, limit: int) -> bytes:
    parts, size = [], 0
    announced = request.headers.get("content-length", "")
    refused = announced.isdecimal() and int(announced) > limit
    until = 0.0
    async for part in request.stream():
        size += len(part)
        if not refused and size > limit:
            refused = True
        if not refused:
            parts.append(part)
            continue
        # A server that answers and closes in the middle of a body resets the connection: the client sees no answer.
        parts.clear()
        until = until or time.monotonic() + _CLEAR_TIME
        if size > _CLEAR_FACTOR * limit or time.monotonic() > until:
            break
    if refused:
        raise ApiError(
            413, f"The body has more than {limit} bytes", kind="invalid_request_error", code="request_too_large"
        )
    return b"".join(parts)
