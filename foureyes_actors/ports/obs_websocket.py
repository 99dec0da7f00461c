"""OBS over obs-websocket 5, with obsws-python's clients.

Only what obsws-python leaves open is done here, by overriding it: its request ids are random numbers up to 1000
that nobody compares, its timeout counts anew for every ``recv``, it logs the password, asks HTTP proxies, reads
configuration files of its own, and after a timeout every later call returns the reply of an earlier one. Here a
reply must carry the id of its request, one deadline holds for the whole exchange, and a session about which there
is any doubt is closed for good.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import struct
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pybase64
import websocket
from obsws_python import ReqClient
from obsws_python.baseclient import ObsClient
from obsws_python.error import OBSSDKError, OBSSDKRequestError

from foureyes_actors.errors import FourEyesError, SourceRefused, SourceUnavailable
from foureyes_actors.ports.deadline_socket import DeadlineSocket, Dialer, TooMuchData
from foureyes_actors.ports.obs import ObsAddress, ScreenshotRequest
from foureyes_actors.ports.wire import End, Hearing, causes, end_of, wired

_TEXT, _CLOSE = websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_CLOSE
_MAX_HELLO = 64 * 1024  # bytes; real ones have some 300
_MAX_REPLY = 33 * 1024 * 1024  # bytes: a picture of 24 MiB as base64, and the JSON around it
_MAX_WORDS = 300  # characters of OBS's own comment that are worth repeating
_FAREWELL = 0.2  # seconds for the exchange of close frames that ends a healthy session
_SIGNATURES = {"jpg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n"}
# What obsws-python, websocket-client, json and the socket raise on a broken or foreign peer.
_DOUBT = (
    OBSSDKError,
    websocket.WebSocketException,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)
# Codes of obs-websocket's protocol.md, "RequestStatus": trouble inside OBS that may pass, not a refusal.
_PASSING = {205: "GenericError", 207: "NotReady", 702: "RequestProcessingFailed", 703: "CannotAct"}
# "WebSocketCloseCode": the user must change something.
_REFUSALS = {4009: "the password is wrong", 4010: "it does not speak version 1 of the protocol"}


class _SessionClosed(websocket.WebSocketException):
    """OBS sent a close frame."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"code {code}")
        self.code, self.reason = code, reason


class _Line:
    """One exchange: what was heard, and the id of what was asked."""

    def __init__(self) -> None:
        self.hearing, self.asked = Hearing(), ""


class _WebSocket(websocket.WebSocket):
    """Tells a close frame from a message (``recv`` of the base returns an empty text for it)."""

    sock: DeadlineSocket | None

    def recv(self) -> str:
        opcode, data = self.recv_data()
        if opcode == _CLOSE:
            raise _SessionClosed(*_close_reason(data))
        if opcode != _TEXT:
            raise websocket.WebSocketProtocolException("not a text message")
        return str(data, "utf-8")

    def send_close(self, *arguments: Any, **keywords: Any) -> None:
        """The peer may be gone already; its own close frame, and with it the reason, is worth more."""
        with contextlib.suppress(OSError, websocket.WebSocketException):
            super().send_close(*arguments, **keywords)

    def begin(self, seconds: float, allowed: int) -> Hearing:
        if self.sock is None:
            raise websocket.WebSocketConnectionClosedException("closed")
        self.sock.begin(time.monotonic() + seconds, allowed)
        self.sock.hearing.connected = True
        return self.sock.hearing

    def drop(self) -> None:
        """Close the connection at once, without a word."""
        self.shutdown()  # type: ignore[no-untyped-call]

    def wake(self) -> None:
        """Make the thread that waits for a message fail."""
        self.abort()  # type: ignore[no-untyped-call]


class _Base(ObsClient):  # type: ignore[misc]  # obsws-python has no type hints
    """obsws-python's base client on an open socket. Its own ``__init__`` logs the password and asks proxies."""

    def __init__(self, sock: DeadlineSocket, address: ObsAddress) -> None:
        self.logger = _silent_logger()
        self.password = address.password
        self.subs = 0
        self.line = _Line()
        # Validating UTF-8 in pure Python costs 20 times what all the rest does; the text is decoded strictly anyway.
        self.ws = _WebSocket(skip_utf8_validation=True)
        host = f"[{address.host}]" if ":" in address.host else address.host
        url = f"ws://{host}:{address.port}"
        self.ws.connect(url, socket=sock, redirect_limit=0)  # type: ignore[no-untyped-call]
        self.server_hello = _message(self.ws.recv(), 0)

    def req(self, req_type: str, req_data: Any = None) -> dict[str, Any]:
        self.line.asked = identity = uuid.uuid4().hex
        request = {"requestType": req_type, "requestId": identity, "requestData": req_data or {}}
        self.ws.send(json.dumps({"op": 6, "d": request}))
        reply: dict[str, Any] = _message(self.ws.recv(), 7)["d"]
        if reply["requestId"] != identity or reply["requestType"] != req_type:
            raise ValueError("the reply belongs to another request")
        status = reply["requestStatus"]
        if not isinstance(status["result"], bool) or not isinstance(status["code"], int):
            raise TypeError("the reply has no status")
        return reply


class _Client(ReqClient):  # type: ignore[misc]
    """obsws-python's request client around our base client. Its own ``__repr__`` shows the password."""

    def __init__(self, base: _Base) -> None:
        self.logger = _silent_logger()
        self.base_client = base

    def __repr__(self) -> str:
        return "<obs-websocket client>"


class ObsWebsocketPort:
    """Implements ``ObsPort``. One thread may connect at a time.

    ``max_reply``: bytes of one reply. No proxy is asked, whatever the environment says: obs-websocket is a plain
    protocol of the same machine or network.
    """

    def __init__(self, max_reply: int = _MAX_REPLY) -> None:
        self._max_reply = max_reply
        self._dialer = Dialer()

    def connect(self, address: ObsAddress) -> ObsWebsocketConnection:
        """One deadline for name, TCP, upgrade, Hello and Identify together."""
        line = _Line()
        with _worded(address, "connecting", line):
            until = time.monotonic() + address.deadline
            sock = self._dialer.dial(address.host, address.port, until, _MAX_HELLO)
            line.hearing = sock.hearing
            line.hearing.connected = True
            try:
                client = _identified(sock, address)
            except BaseException:
                sock.close()
                raise
        return ObsWebsocketConnection(client, address, self._max_reply)


class ObsWebsocketConnection:
    """Implements ``ObsConnection``. Any thread may call; one request at a time."""

    def __init__(self, client: _Client, address: ObsAddress, max_reply: int) -> None:
        self._client, self._address, self._max_reply = client, address, max_reply
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<obs-websocket session with {_place(self._address)}>"

    def screenshot(self, request: ScreenshotRequest) -> bytes:
        wanted = {
            "sourceName": request.source,
            "imageFormat": request.media,
            "imageWidth": request.width,
            "imageHeight": request.height,
            "imageCompressionQuality": request.quality,
        }
        given = {key: value for key, value in wanted.items() if value is not None}
        with self._exchange("GetSourceScreenshot"):
            reply = self._client.send("GetSourceScreenshot", given, raw=True)
            return _picture(_text(reply, "imageData"), request.media)

    def program_scene(self) -> str:
        with self._exchange("GetCurrentProgramScene"):
            return _text(self._client.send("GetCurrentProgramScene", raw=True), "currentProgramSceneName")

    def version(self) -> str:
        with self._exchange("GetVersion"):
            reply = self._client.send("GetVersion", raw=True)
            return f"OBS {_text(reply, 'obsVersion')}, obs-websocket {_text(reply, 'obsWebSocketVersion')}"

    def close(self) -> None:
        """Idempotent. A request that another thread is waiting for fails with SourceUnavailable."""
        ws = self._client.base_client.ws
        if self._lock.acquire(blocking=False):
            try:
                with contextlib.suppress(*_DOUBT):
                    ws.begin(_FAREWELL, _MAX_HELLO)
                    ws.close()
                ws.drop()
            finally:
                self._lock.release()
        else:
            ws.wake()  # the other thread then closes the session

    @contextlib.contextmanager
    def _exchange(self, what: str) -> Iterator[None]:
        """One request and its reply: within the deadline, alone, and closing the session after any doubt."""
        started = time.monotonic()
        if not self._lock.acquire(timeout=self._address.deadline):
            raise SourceUnavailable(f"{_place(self._address)}: the session is busy with another request")
        base = self._client.base_client
        ws, base.line = base.ws, _Line()
        try:
            with _worded(self._address, what, base.line):
                base.line.hearing = ws.begin(self._address.deadline - (time.monotonic() - started), self._max_reply)
                yield
        except SourceRefused:
            raise
        except BaseException:  # an interrupt leaves a reply on its way, too
            ws.drop()
            raise
        finally:
            self._lock.release()


def _identified(sock: DeadlineSocket, address: ObsAddress) -> _Client:
    base = _Base(sock, address)
    if "authentication" in base.server_hello["d"] and not address.password:
        raise SourceRefused(f"{_place(address)} asks for a password and none is set")
    base.authenticate()
    base.password = ""  # not needed any more
    return _Client(base)


def _silent_logger() -> logging.Logger:
    """Belongs to no tree of loggers: obsws-python logs a traceback for every refused request."""
    return logging.Logger("obsws_python (silent)", level=logging.CRITICAL + 1)


def _message(text: str, op: int) -> dict[str, Any]:
    message = json.loads(text)
    if not isinstance(message, dict) or message.get("op") != op or not isinstance(message.get("d"), dict):
        raise ValueError(f"not a message of obs-websocket with op {op}")
    return message


def _text(reply: Any, key: str) -> str:
    value = reply[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} is not a text")
    return value


def _picture(data_uri: str, media: str) -> bytes:
    """The bytes of ``data:image/jpg;base64,...``. OBS writes the format as it was asked for."""
    head, comma, body = data_uri.partition(",")
    if not comma or head != f"data:image/{media};base64":
        raise ValueError("not a picture of the format that was asked for")
    picture = pybase64.b64decode(body, validate=True)
    if not picture.startswith(_SIGNATURES[media]):
        raise ValueError("not a picture of the format that it claims")
    return picture


def _close_reason(payload: bytes) -> tuple[int, str]:
    """RFC 6455 section 5.5.1: two bytes of code, then UTF-8; 1005 stands for no code at all."""
    if len(payload) < 2:
        return 1005, ""
    return struct.unpack("!H", payload[:2])[0], payload[2:].decode("utf-8", "replace")


def _place(address: ObsAddress) -> str:
    return f"OBS at {address.host}:{address.port}"


@contextlib.contextmanager
def _worded(address: ObsAddress, what: str, line: _Line) -> Iterator[None]:
    """Turn whatever a library raises into our errors. The original is dropped: its text can be a stranger's."""
    try:
        yield
    except FourEyesError as error:
        wired(error, line.hearing.fault(End.ANSWERED, deadline=address.deadline, asked=line.asked))
        raise
    except _DOUBT as error:
        own, end = _own(error, address, what)
        raise wired(own, line.hearing.fault(end, deadline=address.deadline, asked=line.asked)) from None


def _own(error: BaseException, address: ObsAddress, what: str) -> tuple[SourceUnavailable | SourceRefused, End]:
    place = _place(address)
    if isinstance(error, OBSSDKRequestError):
        words = str(error)[:_MAX_WORDS]
        if error.code in _PASSING:
            return SourceUnavailable(f"{place}: {words} ({_PASSING[error.code]})"), End.ANSWERED
        return SourceRefused(f"{place}: {words}"), End.ANSWERED
    if isinstance(error, _SessionClosed):
        if error.code in _REFUSALS:
            return SourceRefused(f"{place} refuses us: {_REFUSALS[error.code]} (code {error.code})"), End.CLOSED
        return SourceUnavailable(f"{place} closed the session: {_closed_words(error)}"), End.CLOSED
    found = end_of(causes(error))
    words = _words(error, address.deadline)
    return SourceUnavailable(f"{place}: {what}: {words}"), End.CLOSED if found is End.OTHER else found


def _closed_words(error: _SessionClosed) -> str:
    known = {1001: "it is going away", 4011: "the session was ended by its user (kick)"}
    return f"{known.get(error.code, 'no reason that we know')} (code {error.code} {error.reason!r})"


def _words(error: BaseException, deadline: float) -> str:
    """Ours for what is known, else only the exception's class."""
    if isinstance(error, TimeoutError | websocket.WebSocketTimeoutException):
        return f"no complete answer within {deadline:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there (is OBS running, with its WebSocket server enabled?)"
    if isinstance(error, socket.gaierror):
        return "the host name is unknown"
    if isinstance(error, TooMuchData):
        return "the reply is larger than allowed; ask for a smaller picture or another format"
    if isinstance(error, websocket.WebSocketBadStatusException):
        return f"what listens there is not OBS (HTTP status {error.status_code})"
    if isinstance(error, ConnectionError | websocket.WebSocketConnectionClosedException):
        return "the connection is gone"
    if isinstance(error, OSError):
        return f"{type(error).__name__} {error.errno}: {error.strerror}"
    return f"the answer is not what obs-websocket sends ({type(error).__name__})"
