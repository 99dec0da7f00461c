"""Connections of urllib3 that know the exchange they serve, so that another thread can end it at any moment.

A timeout of ``requests`` counts anew with each ``recv``; a peer that drips a byte a second, in the headers too, would
hold a caller for ever. Here one thread watches the deadlines of all exchanges of a port and shuts the socket of an
overdue one down, which wakes whatever call is blocked on it, TLS included.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import io
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from foureyes_actors.ports.names import Lookup
from foureyes_actors.ports.wire import Hearing

IDLE_LIMIT = 4.0  # seconds; LM Studio and uvicorn close after 5 s, and a request must not cross that on its way
LONGEST_SLEEP = 5.0  # seconds; no wait is endless

_MACOS_PIPE = getattr(errno, "EPROTOTYPE", errno.EPIPE)  # what macOS says in a race for EPIPE

_exchange: ContextVar[Exchange | None] = ContextVar("foureyes_http_exchange", default=None)


class Exchange:
    """One exchange in flight. ``ended_by`` says who cut it off: "deadline", "close" or nobody ("")."""

    def __init__(self, deadline: float) -> None:
        self.until = time.monotonic() + deadline
        self.reused = self.answered = False  # on a kept connection; the status line and headers have come
        self.ended_by = ""
        self.hearing = Hearing()
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def left(self) -> float:
        """Seconds until the deadline, never less than a moment (0 would mean a non-blocking socket)."""
        return max(0.001, self.until - time.monotonic())

    def use(self, sock: socket.socket) -> None:
        """From now on ``abort`` ends what happens on ``sock``. Raises OSError when it was aborted before."""
        with self._lock:
            self._socket = sock
            if self.ended_by:
                raise ConnectionAbortedError(f"ended by {self.ended_by}")
        sock.settimeout(self.left())

    def abort(self, by: str) -> None:
        """Any thread. The socket is shut down, not closed: a closed descriptor could be somebody else's by then."""
        with self._lock:
            self.ended_by = self.ended_by or by
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def over(self) -> None:
        """The socket goes back to the pool and is no longer ours to shut down."""
        with self._lock:
            self._socket = None


class DeadlineWatch:
    """The exchanges in flight, and the thread that ends the overdue ones. Any thread may call.

    The thread ends with ``abort_all``, and by itself after LONGEST_SLEEP without an exchange: whoever is just about to
    ask when his port is closed for good would leave it behind.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open: set[Exchange] = set()
        self._wakes_at = 0.0  # monotonic seconds; when the thread looks again by itself
        self._used = False  # since the thread looked last
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def watched(self, exchange: Exchange) -> Iterator[None]:
        """What the calling thread does inside belongs to ``exchange``."""
        with self._changed:
            self._open.add(exchange)
            self._used = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="http-deadlines", daemon=True)
                self._thread.start()
            if exchange.until < self._wakes_at:
                self._changed.notify()
        token = _exchange.set(exchange)
        try:
            yield
        finally:
            _exchange.reset(token)
            exchange.over()
            with self._changed:
                self._open.discard(exchange)

    def abort_all(self) -> None:
        """Their callers get an error now. The thread ends with the last of them."""
        with self._changed:
            for exchange in self._open:
                exchange.abort("close")
            thread, self._thread = self._thread, None
            self._changed.notify_all()
        if thread is not None:
            thread.join(2.0)

    def _run(self) -> None:
        me = threading.current_thread()
        with self._changed:
            while self._thread is me:
                if not (self._used or self._open):
                    self._thread = None
                    return
                self._used = False
                now = time.monotonic()
                for exchange in [e for e in self._open if e.until <= now]:
                    exchange.abort("deadline")
                next_one = min((e.until for e in self._open if not e.ended_by), default=now + LONGEST_SLEEP)
                wait = min(LONGEST_SLEEP, max(0.001, next_one - now))
                self._wakes_at = now + wait
                self._changed.wait(wait)


class _Overheard(io.RawIOBase):
    """A socket's bytes, which its exchange hears too."""

    def __init__(self, raw: Any, hearing: Hearing) -> None:
        super().__init__()
        self._raw, self._hearing = raw, hearing

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        size: int | None = self._raw.readinto(buffer)
        if size:
            self._hearing.add(memoryview(buffer)[:size])
        return size

    def close(self) -> None:
        super().close()
        self._raw.close()


class _Response(http.client.HTTPResponse):
    """Read through ``_Overheard``."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        exchange = _exchange.get()
        if exchange is not None:
            self.fp.close()
            self.fp = io.BufferedReader(_Overheard(sock.makefile("rb", buffering=0), exchange.hearing))


class _Tracked(HTTPConnection):
    """Base of both connection classes: registers its socket with the exchange that uses it."""

    response_class = _Response
    served = 0  # exchanges since it was connected
    idle_since = 0.0

    @property
    def is_connected(self) -> bool:
        """False also after too long a pause: urllib3 then connects anew before it sends anything."""
        return super().is_connected and time.monotonic() - self.idle_since < IDLE_LIMIT

    def _new_conn(self) -> socket.socket:
        exchange = _exchange.get()
        until = time.monotonic() + float(self.timeout or 1.0)
        try:
            return _dial(self._dns_host, self.port, until, exchange)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "not connected in time") from error
        except OSError as error:
            raise NewConnectionError(self, error.strerror or str(error)) from error

    def connect(self) -> None:
        super().connect()
        self.served = 0
        self._register()  # again: TLS has put a socket of its own in place of the first

    def request(self, *args: Any, **options: Any) -> None:
        exchange = _exchange.get()
        if exchange is not None:
            exchange.reused = self.served > 0 and self.sock is not None  # else it connects anew now
            if self.sock is not None:
                self._register()
                self.timeout = exchange.left()  # urllib3 would send the body under the connect timeout
        super().request(*args, **options)
        self.served += 1

    def ask(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        """Send a request; the status line and headers of its reply. As urllib3's pool does it, but without the
        reply's wrapping that only redirects and retries need."""
        try:
            self.request(method, target, body, headers)
        except OSError as error:  # a server that refuses a body may answer and close before it has come
            if error.errno not in (errno.EPIPE, errno.ECONNRESET, _MACOS_PIPE) or self.sock is None:
                raise
        exchange = _exchange.get()
        if exchange is not None:
            self.sock.settimeout(exchange.left())
        response = http.client.HTTPConnection.getresponse(self)
        if exchange is not None:
            exchange.answered = True
        return response

    def _register(self) -> None:
        exchange = _exchange.get()
        if exchange is not None and self.sock is not None:
            exchange.use(self.sock)
            exchange.hearing.connected = True


class _TrackedTls(_Tracked, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Tracked

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.idle_since = time.monotonic()
        super()._put_conn(conn)


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TrackedTls

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.idle_since = time.monotonic()
        super()._put_conn(conn)


class TrackedAdapter(HTTPAdapter):
    """``requests`` over tracked connections. It never tries again by itself."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager


def _dial(host: str, port: int | None, until: float, exchange: Exchange | None) -> socket.socket:
    """A connected socket. Each address of the name gets its share of the time left; raises OSError."""
    addresses = Lookup(host, port, "http-resolver").result(until)
    failure: OSError = socket.gaierror(f"no address for {host!r}")
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if exchange is not None:
                exchange.use(sock)
            sock.settimeout(max(0.001, (until - time.monotonic()) / (len(addresses) - number)))
            sock.connect(address)
            return sock
        except OSError as error:
            failure = error
            sock.close()
    raise failure
