"""The server's half of RFC 6455, as far as a stand-in for a WebSocket server needs it."""

from __future__ import annotations

import base64
import hashlib
import socket
import struct

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


class PeerGone(Exception):
    """The client closed the connection."""


def read_head(sock: socket.socket) -> bytes:
    """An HTTP request's head. Raises PeerGone."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += _some(sock, 4096)
    return head


def upgrade_reply(head: bytes) -> bytes:
    """The answer that turns the connection into a WebSocket (section 4.2.2)."""
    headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    accept = base64.b64encode(hashlib.sha1(headers[b"Sec-WebSocket-Key"] + _GUID).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def frame(opcode: int, payload: bytes, final: bool = True) -> bytes:
    """One unmasked frame (section 5.2)."""
    first = (0x80 if final else 0) | opcode
    if len(payload) < 126:
        return struct.pack("!BB", first, len(payload)) + payload
    if len(payload) < 1 << 16:
        return struct.pack("!BBH", first, 126, len(payload)) + payload
    return struct.pack("!BBQ", first, 127, len(payload)) + payload


def close_frame(code: int, reason: str) -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason.encode())


def read_frame(sock: socket.socket) -> tuple[int, bytes]:
    """Opcode and payload of a client's frame, which is always masked. Raises PeerGone."""
    first, second = _exactly(sock, 2)
    length = second & 0x7F
    if length >= 126:
        size = 2 if length == 126 else 8
        length = int.from_bytes(_exactly(sock, size), "big")
    mask = _exactly(sock, 4)
    payload = _exactly(sock, length)
    return first & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += _some(sock, size - len(data))
    return data


def _some(sock: socket.socket, size: int) -> bytes:
    try:
        data = sock.recv(size)
    except OSError as error:
        raise PeerGone from error
    if not data:
        raise PeerGone
    return data
