"""Closing another program's window on an X display, as its user would, with nothing but libX11."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_CLIENT_MESSAGE = 33  # X.h
_Window = ctypes.c_ulong


class _ClientMessage(ctypes.Structure):
    """XClientMessageEvent with 32-bit data, padded to the size of XEvent (Xlib.h)."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", _Window),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("padding", ctypes.c_long * 24),
    )


def close_window(display: str, title: str) -> bool:
    """Send WM_DELETE_WINDOW to the top-level windows whose title begins so; False when there is none.
    Raises OSError without libX11 or without that display."""
    with _opened(display) as (lib, connection):
        root = lib.XDefaultRootWindow(connection)
        found = [window for window in _children(lib, connection, root) if _title(lib, connection, window, title)]
        for window in found:
            _ask_to_close(lib, connection, window)
        lib.XSync(connection, 0)
        return bool(found)


@contextmanager
def _opened(display: str) -> Iterator[tuple[ctypes.CDLL, ctypes.c_void_p]]:
    lib = _library()
    connection = lib.XOpenDisplay(display.encode())
    if not connection:
        raise OSError(f"no X display {display}")
    try:
        yield lib, ctypes.c_void_p(connection)
    finally:
        lib.XCloseDisplay(ctypes.c_void_p(connection))


def _library() -> ctypes.CDLL:
    lib, pointer = ctypes.CDLL("libX11.so.6"), ctypes.POINTER
    lib.XOpenDisplay.restype = ctypes.c_void_p
    lib.XDefaultRootWindow.restype = _Window
    lib.XInternAtom.restype = ctypes.c_ulong
    lib.XInternAtom.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
    lists = (pointer(_Window), pointer(_Window), pointer(pointer(_Window)), pointer(ctypes.c_uint))
    lib.XQueryTree.argtypes = (ctypes.c_void_p, _Window, *lists)
    lib.XFetchName.argtypes = (ctypes.c_void_p, _Window, pointer(ctypes.c_char_p))
    lib.XSendEvent.argtypes = (ctypes.c_void_p, _Window, ctypes.c_int, ctypes.c_long, ctypes.c_void_p)
    return lib


def _children(lib: ctypes.CDLL, connection: ctypes.c_void_p, parent: int) -> list[int]:
    root, above, count = _Window(), _Window(), ctypes.c_uint()
    found = ctypes.POINTER(_Window)()
    references = (ctypes.byref(value) for value in (root, above, found, count))
    lib.XQueryTree(connection, parent, *references)
    return [found[i] for i in range(count.value)]


def _title(lib: ctypes.CDLL, connection: ctypes.c_void_p, window: int, beginning: str) -> bool:
    name = ctypes.c_char_p()
    lib.XFetchName(connection, window, ctypes.byref(name))
    return (name.value or b"").startswith(beginning.encode())


def _ask_to_close(lib: ctypes.CDLL, connection: ctypes.c_void_p, window: int) -> None:
    """ICCCM section 4.2.8.1."""
    message = _ClientMessage(type=_CLIENT_MESSAGE, window=window, format=32)
    message.message_type = lib.XInternAtom(connection, b"WM_PROTOCOLS", 0)
    message.data[0] = lib.XInternAtom(connection, b"WM_DELETE_WINDOW", 0)
    lib.XSendEvent(connection, window, 0, 0, ctypes.byref(message))
