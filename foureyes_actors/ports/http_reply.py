"""One reply as it comes from a connection, read to its end within bounds."""

from __future__ import annotations

import http.client
import zlib

from foureyes_actors.errors import ConnectionBroken, ReplyTooLarge
from foureyes_actors.ports.http import HttpReply, HttpRequest
from foureyes_actors.ports.http_errors import request_name
from foureyes_actors.ports.wire import Hearing

CHUNK = 64 * 1024


def read_reply(response: http.client.HTTPResponse, request: HttpRequest, hearing: Hearing) -> HttpReply:
    """With the decoded body; a compressed bomb is never unfolded beyond ``max_reply``. Raises ReplyTooLarge,
    ConnectionBroken and what ``http.client`` and the socket raise."""
    inflate = _decompressor(response, request)
    announced = response.getheader("Content-Length") or ""
    if announced.isdecimal() and int(announced) > request.max_reply and request.method.upper() != "HEAD":
        raise _too_large(request)
    parts, room = [], request.max_reply
    while chunk := response.read(CHUNK):
        part = chunk if inflate is None else inflate.decompress(chunk, room + 1)
        room -= len(part)
        if room < 0:
            raise _too_large(request)
        parts.append(part)
    if response.length:  # of Content-Length, that did not come
        raise http.client.IncompleteRead(b"", response.length)
    if inflate is not None and not inflate.eof and parts:
        raise ConnectionBroken(f"{request_name(request)}: the compressed reply ends too early")
    return HttpReply(response.status, _headers(response), b"".join(parts), hearing.elapsed())


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    """A header that came several times is one, with its values in a row (RFC 9110, 5.3)."""
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _decompressor(response: http.client.HTTPResponse, request: HttpRequest) -> zlib._Decompress | None:
    """We ask for plain replies; servers that compress all the same use gzip or deflate."""
    encoding = (response.getheader("Content-Encoding") or "").strip().lower()
    if encoding in ("", "identity"):
        return None
    if encoding in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: gzip or zlib, by its header
    raise ConnectionBroken(f"{request_name(request)}: the reply is encoded with {encoding[:40]!r}, never asked for")


def _too_large(request: HttpRequest) -> ReplyTooLarge:
    return ReplyTooLarge(f"{request_name(request)}: the reply has more than {request.max_reply} bytes")
