"""What ``requests`` and ``urllib3`` raise, as FourEyes's TransportErrors.

Their own texts may hold queries, header values and user names, so messages are composed here from known parts.
"""

from __future__ import annotations

import http.client
import ssl
import zlib
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests
import urllib3.exceptions as urllib3_errors

from foureyes_actors.errors import ConnectFailed, ConnectionBroken, RequestTimeout, TransportError
from foureyes_actors.ports.http import HttpRequest
from foureyes_actors.ports.http_connection import Exchange
from foureyes_actors.ports.wire import End, end_of, wired

# AttributeError: urllib3 trips over a response whose socket was shut down under it.
LIBRARY_ERRORS = (OSError, ValueError, AttributeError, urllib3_errors.HTTPError, http.client.HTTPException, zlib.error)
_CONNECTING = (urllib3_errors.NewConnectionError, urllib3_errors.NameResolutionError, urllib3_errors.ProxyError)
_NO_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    urllib3_errors.LocationValueError,
    urllib3_errors.URLSchemeUnknown,
)


def request_name(request: HttpRequest) -> str:
    """ "GET http://host:1234/path": without user name, password, query and fragment."""
    try:
        parts = urlsplit(request.url)
        host = parts.netloc.rpartition("@")[2]
        return f"{request.method} {parts.scheme}://{host}{parts.path}"[:200]
    except ValueError:
        return f"{request.method} (an address that cannot be parsed)"


def cut_off(request: HttpRequest, exchange: Exchange) -> TransportError | None:
    """The error when the exchange was ended from outside: by its deadline, or by ``close``."""
    if exchange.ended_by == "close":
        return _heard(ConnectionBroken(f"{request_name(request)}: closed from this side"), [], request, exchange)
    if exchange.ended_by:
        return _heard(_timeout(request), [], request, exchange)
    return None


def translated(error: Exception, request: HttpRequest, exchange: Exchange) -> TransportError:
    """``error`` as one of ours, with what was heard. What the deadline or ``close`` caused looks like anything, so that
    comes first."""
    if isinstance(error, TransportError):
        return _heard(error, [], request, exchange)
    ended = cut_off(request, exchange)
    if ended is not None:
        return ended
    chain = list(_chain(error))
    return _heard(_named(error, chain, request), chain, request, exchange)


def _named(error: Exception, chain: list[BaseException], request: HttpRequest) -> TransportError:
    name = request_name(request)
    if any(isinstance(e, _CONNECTING) for e in chain):  # before the next: they are kinds of ConnectTimeoutError
        return ConnectFailed(f"{name}: {_reason(chain)}")
    if any(isinstance(e, urllib3_errors.ConnectTimeoutError) for e in chain):
        if request.connect_timeout >= request.deadline:  # the deadline's watch says so, too, when it is the first
            return _timeout(request)
        return ConnectFailed(f"{name}: no connection within {request.connect_timeout:g} s")
    if any(isinstance(e, ssl.SSLError) for e in chain):
        return ConnectFailed(f"{name}: no TLS connection: {_reason(chain)}")
    if isinstance(error, requests.exceptions.InvalidHeader):
        return ConnectFailed(f"{name}: a header value has a character that it must not have")
    if isinstance(error, (*_NO_ADDRESS, UnicodeError)) or not chain:
        return ConnectFailed(f"{name}: this is no address of an HTTP server")
    if any(isinstance(e, TimeoutError | urllib3_errors.TimeoutError | requests.Timeout) for e in chain):
        return _timeout(request)
    return ConnectionBroken(f"{name}: {_reason(chain)}")


def _heard(own: TransportError, chain: list[BaseException], request: HttpRequest, exchange: Exchange) -> TransportError:
    hearing = exchange.hearing
    return wired(own, hearing.fault(_end(own, chain, exchange), deadline=request.deadline))


def _end(own: TransportError, chain: list[BaseException], exchange: Exchange) -> End:
    if exchange.ended_by == "close":
        return End.CANCELLED
    if isinstance(own, RequestTimeout):
        return End.SILENT
    if any(isinstance(e, ssl.SSLError | urllib3_errors.ProxyError) for e in chain):
        return End.OTHER
    if any(isinstance(e, http.client.RemoteDisconnected) for e in chain):  # a kind of ConnectionResetError
        return End.CLOSED
    found = end_of(chain)
    if found is End.OTHER and any(isinstance(e, urllib3_errors.ConnectTimeoutError) for e in chain):
        return End.SILENT
    return End.CLOSED if found is End.OTHER and exchange.hearing.connected else found


def _timeout(request: HttpRequest) -> RequestTimeout:
    return RequestTimeout(f"{request_name(request)}: no complete reply within {request.deadline:g} s")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """``error`` and the errors inside it: causes, urllib3's ``reason``, errors among the arguments."""
    waiting, seen = [error], set[int]()
    while waiting:
        found = waiting.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        inner = (found.__cause__, found.__context__, getattr(found, "reason", None), *found.args)
        waiting += [e for e in inner if isinstance(e, BaseException)]


def _reason(chain: list[BaseException]) -> str:
    for found in chain:
        if isinstance(found, http.client.RemoteDisconnected):
            return "the server closed the connection without a reply"
        if isinstance(found, http.client.IncompleteRead | urllib3_errors.IncompleteRead):
            return "the reply is incomplete: the connection ended in the middle"
        if isinstance(found, http.client.HTTPException | urllib3_errors.InvalidHeader):
            return f"what came back is not HTTP ({type(found).__name__})"
    known = [e for e in chain if isinstance(e, OSError) and not isinstance(e, requests.RequestException)]
    texts = [e.strerror for e in known if e.strerror]
    return texts[0] if texts else type(chain[-1]).__name__
