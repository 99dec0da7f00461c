"""The HTTP port on ``requests``: pooled connections, one deadline for the whole exchange, a bound on the reply.

Redirects are not followed, cookies are not kept, ``~/.netrc`` is not read. Proxies of the environment count for
hosts beyond this machine only.

The same few requests go out again and again, with another body each time. So what ``requests`` makes of address,
headers, proxies and certificates is kept as a route, and an exchange uses a connection of the pool it leads to: a third
of the CPU of ``Session.request``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies
from urllib3.exceptions import ProxyError

from foureyes_actors.errors import ConnectionBroken, TransportError
from foureyes_actors.ports.http import HttpReply, HttpRequest
from foureyes_actors.ports.http_connection import DeadlineWatch, Exchange, TrackedAdapter
from foureyes_actors.ports.http_errors import LIBRARY_ERRORS, cut_off, translated
from foureyes_actors.ports.http_reply import read_reply

IDEMPOTENT = ("GET", "HEAD")
ROUTES = 32  # kept; more and all are made anew
_OWN_HEADERS = {"User-Agent": "foureyes", "Accept": "*/*", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class _Route:
    """Where a request goes, all but its body: the pool of connections, the target in the request line, headers."""

    pool: Any  # urllib3's HTTPConnectionPool
    target: str
    headers: dict[str, str]
    tunnel: bool  # through a proxy's CONNECT


class RequestsHttp:
    """Implements HttpPort. Any thread may call; after ``close`` it can be used again, with new connections."""

    def __init__(self, *, connections: int = 10) -> None:
        self._watch = DeadlineWatch()
        self._adapter = TrackedAdapter(pool_connections=4, pool_maxsize=connections, max_retries=0)
        self._routes: dict[Any, _Route] = {}

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
        self._routes.clear()
        self._adapter.close()

    def _attempt(self, request: HttpRequest, exchange: Exchange) -> HttpReply | TransportError:
        """The error is returned, not raised from here: the library's error, its context, holds the headers."""
        with self._watch.watched(exchange):
            try:
                reply = self._send(request, exchange)
            except (*LIBRARY_ERRORS, TransportError) as error:
                return translated(error, request, exchange)
            # A socket that was shut down looks like the reply's end: what was read until then is not complete.
            return cut_off(request, exchange) or reply

    def _send(self, request: HttpRequest, exchange: Exchange) -> HttpReply:
        route = self._route(request)
        connection, whole = route.pool._get_conn(), False
        try:
            connection.timeout = min(request.connect_timeout, exchange.left())
            if route.tunnel and connection.is_closed:
                _open_tunnel(route.pool, connection)
            with contextlib.closing(
                connection.ask(request.method, route.target, request.body, route.headers)
            ) as response:
                reply = read_reply(response, request, exchange.hearing)
            whole = True
            return reply
        finally:  # a reply that was not read to its end closes its connection, else it goes back to the pool
            if not whole:
                connection.close()
            route.pool._put_conn(connection)

    def _route(self, request: HttpRequest) -> _Route:
        proxies = _proxies(request.url)
        verify = _certificates() if request.url[:5].lower() == "https" else True
        key = (request.method, request.url, *request.headers.items(), *proxies.items(), verify)
        route = self._routes.get(key)
        if route is None or route.pool.pool is None:  # closed: the adapter keeps the pools of a few hosts only
            if len(self._routes) >= ROUTES:
                self._routes.clear()
            route = self._routes[key] = self._new_route(request, proxies, verify)
        return route

    def _new_route(self, request: HttpRequest, proxies: dict[str, str], verify: bool | str) -> _Route:
        """Raises what ``requests`` raises for an address or a header that cannot be sent."""
        prepared = requests.Request(request.method, request.url, _headers(request.headers)).prepare()
        assert prepared.url is not None
        pool: Any = self._adapter.get_connection_with_tls_context(prepared, verify, proxies)
        self._adapter.cert_verify(pool, prepared.url, verify, None)  # type: ignore[no-untyped-call]
        headers = {name: value for name, value in prepared.headers.items() if name.lower() != "content-length"}
        target = self._adapter.request_url(prepared, proxies)
        forwarded = pool.proxy is not None and not target.startswith("/")  # a proxy that gets the request itself
        tunnel = pool.proxy is not None and not forwarded
        return _Route(pool, target, {**headers, **(pool.proxy_headers if forwarded else {})}, tunnel)


def _open_tunnel(pool: Any, connection: Any) -> None:
    try:
        pool._prepare_proxy(connection)
    except TimeoutError:
        raise
    except OSError as error:
        raise ProxyError("the proxy opens no tunnel", error) from error


def _certificates() -> bool | str:
    """True: those that come with ``requests``."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True


def _proxies(url: str) -> dict[str, str]:
    """Of the environment, by scheme."""
    try:
        return {} if is_loopback(url) else get_environ_proxies(url)
    except ValueError:  # no address: that is said when the request is prepared
        return {}


def _headers(wanted: Mapping[str, str]) -> dict[str, str]:
    given = {name.lower() for name in wanted}
    return {**{name: value for name, value in _OWN_HEADERS.items() if name.lower() not in given}, **wanted}


@lru_cache(maxsize=64)
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
