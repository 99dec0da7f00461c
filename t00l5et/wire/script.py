"""What a loopback server does in one exchange: which bytes when, and how it ends. Pure but for ``play``."""

from __future__ import annotations

import gzip
import math
import socket
import threading
import zlib
from dataclasses import dataclass, field
from http import HTTPStatus

from foureyes_actors.ports.http import HttpReply
from foureyes_actors.ports.wire import End, WireFault
from t00l5et.doubles.tcp_server import finish, hold, reset

SHORT = 0.5  # seconds; what a deadline that passes is scaled down to
PATIENCE = 20.0  # seconds; for what does not depend on time
MARGIN = 0.15  # seconds, scaled, between a deadline and an answer: less is not told apart
ROOM, AFFORDED = 0.5, 1.5  # seconds, scaled: so far apart, for a busy machine, where no more than that is waited for it
GRACE = 2.0  # seconds that a busy machine may need to see that a deadline has passed
LONGEST = 20.0  # seconds for one exchange
DRIPS = 20  # pieces of what came in drips
_HOP = {"content-length", "transfer-encoding", "connection", "keep-alive"}  # of a connection, not of a reply
_EMPTY = {204, 304}  # these never have a body


class NotPlayable(BaseException):
    """The record does not hold what a wire needs, or this machine cannot do it. No ``except Exception`` may swallow
    it."""


@dataclass(frozen=True, slots=True)
class Script:
    """``pieces``: seconds since the request, and bytes."""

    pieces: tuple[tuple[float, bytes], ...]
    end: End
    heard: bytes = field(default=b"", repr=False)

    @property
    def at(self) -> float | None:
        """Seconds until it is over; None: it never is."""
        return None if self.end is End.SILENT else max((at for at, _ in self.pieces), default=0.0)


@dataclass(frozen=True, slots=True)
class Timing:
    """``deadline``: seconds that the client gets. ``scale``: of the server's seconds to the recorded ones."""

    deadline: float
    scale: float


def timing(allowed: float, script: Script, *, timed: bool, short: float = SHORT) -> Timing:
    """``allowed``: seconds that the code asks for. ``timed`` False: only a deadline that passes takes time. True: when
    the answer comes matters, too. Raises NotPlayable when a deadline and an answer are too close to tell apart."""
    if not (isinstance(allowed, int | float) and 0 < allowed < 1e6):
        raise NotPlayable(f"a deadline of {allowed!r:.40} s")
    if script.at is None:
        deadline = min(allowed, short)
        return Timing(deadline, deadline / allowed)
    if not timed:
        return Timing(PATIENCE, 0.0)
    apart, waited = abs(allowed - script.at), min(allowed, script.at)
    room = min(ROOM / apart, AFFORDED / waited if waited else 1.0) if apart else 0.0
    scale = min(1.0, max(short / allowed, MARGIN / apart if apart else 1.0, room))
    if not waited * scale <= LONGEST or apart * scale < MARGIN * 0.99:
        raise NotPlayable(f"a deadline of {allowed:g} s and an answer after {script.at:g} s are too close")
    return Timing(allowed * scale, scale)


def of_fault(fault: WireFault, never: tuple[End, ...] = ()) -> Script:
    """Raises NotPlayable. What was heard came at once, or in drips. ``never``: ends that this client does not meet."""
    if not _is_sound(fault) or fault.end in never:
        raise NotPlayable("what the record says of the wire makes no sense")
    if fault.end in _WHY:
        raise NotPlayable(_WHY[fault.end])
    first, last = _seconds(fault.first), _seconds(fault.last)
    parts = DRIPS if last - first > 0.1 * _seconds(fault.seconds) else 1
    heard = fault.heard
    size = max(1, math.ceil(len(heard) / parts))
    cut = [heard[at : at + size] for at in range(0, len(heard), size)]
    step = (last - first) / max(1, len(cut) - 1)
    # At most the last moment: the sum of the steps may be a rounding error beyond it.
    pieces = [(min(first + step * number, max(first, last)), piece) for number, piece in enumerate(cut)]
    ended = _seconds(fault.seconds)
    return Script((*pieces, (ended, b"")), fault.end, heard)


def _is_sound(fault: WireFault) -> bool:
    """A record may come from anywhere."""
    times = (fault.first, fault.last, fault.seconds, fault.deadline)
    texts = isinstance(fault.end, End) and type(fault.heard) is bytes and type(fault.asked) is str
    return texts and type(fault.size) is int and all(type(time) in (int, float) for time in times)


_WHY = {
    End.UNRESOLVED: "a name without an address is not played",
    End.OTHER: "what happened on the wire is not known (TLS, a proxy, an address that is none)",
    End.CANCELLED: "it was ended from this side",
}


def of_reply(reply: HttpReply, method: str, after: float = 0.0) -> Script:
    """A reply that came whole, once more as it lies on a wire. ``after``: seconds."""
    given = {name.lower(): str(value) for name, value in reply.headers.items()}
    body = _encoded(reply.body, given)
    chunked = given.get("transfer-encoding", "").lower() == "chunked"
    bare = method.upper() == "HEAD" or (reply.status in _EMPTY and not chunked) or reply.status < 200
    if chunked:  # then the client has read a last chunk, whatever the status
        head, body = (
            {"Transfer-Encoding": "chunked"},
            b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n",
        )
    else:
        head = {} if reply.status in _EMPTY else {"Content-Length": str(len(body))}
    head |= {name: value for name, value in reply.headers.items() if name.lower() not in _HOP}
    lines = [f"HTTP/1.1 {int(reply.status)} {_phrase(reply.status)}", *(f"{n}: {_line(v)}" for n, v in head.items())]
    data = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + (b"" if bare else body)
    return Script(((after, data),), End.CLOSED)


def play(
    sock: socket.socket, script: Script, scale: float, stopping: threading.Event, deadline: float = math.inf
) -> None:
    """``deadline``: scaled seconds, of the other side; what comes after it comes to nobody who keeps to it, however
    late he sees that it has passed. Raises OSError when the other side does not listen any more."""
    before = 0.0
    for at, piece in script.pieces:
        wait, before = max(0.0, at - before) * scale, max(before, at)
        if wait and stopping.wait(min(wait, LONGEST)):
            return
        if at * scale > deadline and _has_left(sock):
            return
        if piece:
            sock.sendall(piece)
    if script.end is End.RESET:
        reset(sock)
    elif script.end in (End.SILENT, End.ANSWERED):
        hold(sock)
    else:
        finish(sock)


def _has_left(sock: socket.socket) -> bool:
    """The other side, which is asked nothing and says nothing; seen as soon as it has."""
    before = sock.gettimeout()
    sock.settimeout(GRACE)
    try:
        return not sock.recv(1)
    except TimeoutError:
        return False
    finally:
        sock.settimeout(before)


def _seconds(value: float) -> float:
    return min(max(float(value), 0.0), 1e6) if value == value else 0.0


def _encoded(body: bytes, headers: dict[str, str]) -> bytes:
    """As it came: the port had unpacked it."""
    match headers.get("content-encoding", "").strip().lower():
        case "gzip" | "x-gzip":
            return gzip.compress(body)
        case "deflate":
            return zlib.compress(body)
    return body


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _line(value: str) -> str:
    """A header is one line."""
    return " ".join(str(value).split("\n")).replace("\r", " ")
