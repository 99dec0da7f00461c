"""The HTTP port on ``requests``: pooled connections, one deadline for the whole exchange, a bound on the reply.

Redirects are not followed, cookies are not kept, ``~/.netrc`` is not read. Proxies of the environment count for
hosts beyond this machine only.
"""

from __future__ import annotations

import os
import zlib
from http.cookiejar import DefaultCookiePolicy
from ipaddress import ip_address
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies

from foureyes_actors.errors import ConnectionBroken, ReplyTooLarge, TransportError
from foureyes_actors.ports.http import HttpReply, HttpRequest
from foureyes_actors.ports.http_connection import DeadlineWatch, Exchange, TrackedAdapter
from foureyes_actors.ports.http_errors import LIBRARY_ERRORS, cut_off, request_name, translated

CHUNK = 64 * 1024
IDEMPOTENT = ("GET", "HEAD")


class RequestsHttp:
    """Implements HttpPort. Any thread may call; after ``close`` it can be used again, with new connections."""

    def __init__(self, *, connections: int = 10) -> None:
        self._watch = DeadlineWatch()
        self._session = _Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, TrackedAdapter(pool_connections=4, pool_maxsize=connections, max_retries=0))

    def exchange(self, request: HttpRequest) -> HttpReply:
        """Raises ConnectFailed, RequestTimeout, ConnectionBroken or ReplyTooLarge.

        A server may close a kept connection in the very moment in which the next request goes out. Nobody knows then
        whether it saw the request, so only GET and HEAD are sent once more; connections that have been idle for
        longer than usual servers keep them are not used at all.
        """
        exchange = Exchange(request.deadline)
        result = self._attempt(request, exchange)
        if isinstance(result, ConnectionBroken) and _was_stale(request, exchange):
            result = self._attempt(request, Exchange(exchange.left()))
        if isinstance(result, TransportError):
            raise result
        return result

    def close(self) -> None:
        """Any thread. Exchanges in flight end now; their callers get ConnectionBroken."""
        self._watch.abort_all()
        self._session.close()

    def _attempt(self, request: HttpRequest, exchange: Exchange) -> HttpReply | TransportError:
        """The error is returned, not raised from here: the library's error, its context, holds the headers."""
        with self._watch.watched(exchange):
            try:
                reply = self._send(request, exchange)
            except LIBRARY_ERRORS as error:
                return translated(error, request, exchange)
            except TransportError as error:
                return error
            # A socket that was shut down looks like the reply's end: what was read until then is not complete.
            return cut_off(request, exchange) or reply

    def _send(self, request: HttpRequest, exchange: Exchange) -> HttpReply:
        prepared = self._session.prepare_request(
            requests.Request(request.method, request.url, dict(request.headers), data=request.body)
        )
        response = self._session.send(
            prepared,
            stream=True,
            allow_redirects=False,
            timeout=(min(request.connect_timeout, exchange.left()), exchange.left()),
            proxies={} if is_loopback(request.url) else get_environ_proxies(request.url),
            verify=os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True,
        )
        try:  # a reply that was not read to its end closes its connection, else it goes back to the pool
            return HttpReply(response.status_code, dict(response.headers), _read(response, request))
        finally:
            response.close()


class _Session(requests.Session):
    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False  # else ~/.netrc would replace our Authorization header
        self.headers.clear()
        self.headers.update({"User-Agent": "foureyes", "Accept": "*/*", "Accept-Encoding": "identity"})
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests would read the whole body of a redirect, unbounded, to prepare a request nobody sends."""
        return


def is_loopback(url: str) -> bool:
    """Whether ``url`` names this machine."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".").lower()
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _was_stale(request: HttpRequest, exchange: Exchange) -> bool:
    unanswered = exchange.reused and not exchange.answered and not exchange.ended_by
    return unanswered and request.method.upper() in IDEMPOTENT


def _read(response: requests.Response, request: HttpRequest) -> bytes:
    """The decoded body; a compressed bomb is never unfolded beyond ``max_reply``."""
    inflate = _decompressor(response, request)
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > request.max_reply and request.method.upper() != "HEAD":
        raise _too_large(request)
    parts, room = [], request.max_reply
    for chunk in response.raw.stream(CHUNK, decode_content=False):
        part = chunk if inflate is None else inflate.decompress(chunk, room + 1)
        room -= len(part)
        if room < 0:
            raise _too_large(request)
        parts.append(part)
    if inflate is not None and not inflate.eof and parts:
        raise ConnectionBroken(f"{request_name(request)}: the compressed reply ends too early")
    return b"".join(parts)


def _decompressor(response: requests.Response, request: HttpRequest) -> zlib._Decompress | None:
    """We ask for plain replies; servers that compress all the same use gzip or deflate."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return None
    if encoding in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: gzip or zlib, by its header
    raise ConnectionBroken(f"{request_name(request)}: the reply is encoded with {encoding[:40]!r}, never asked for")


def _too_large(request: HttpRequest) -> ReplyTooLarge:
    return ReplyTooLarge(f"{request_name(request)}: the reply has more than {request.max_reply} bytes")
