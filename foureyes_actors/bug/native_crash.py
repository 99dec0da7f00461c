"""A crash in a C library, as a fault: read from what ``faulthandler`` wrote while the process died. Pure."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime

from foureyes_actors.errors import NativeCrash
from foureyes_actors.messages import Fault
from foureyes_actors.replay.capture import in_app, type_name
from foureyes_actors.text import bounded, bounded_middle

SOURCE = "process"
MAX_TRACE = 16 * 1024  # bytes
_FATAL = re.compile(r"^(?:Fatal Python error|Windows fatal exception): (.+)$", re.MULTILINE)
_THREAD = re.compile(r"^(?:Current thread|Thread) 0x[0-9a-f]+.*$", re.MULTILINE)
_CURRENT = re.compile(r"^Current thread 0x[0-9a-f]+.*$", re.MULTILINE)
_FRAME = re.compile(r'^  File "(.*)", line (?:\d+|\?\?\?) in (.*)$', re.MULTILINE)
_MODULE = re.compile(r"(?:^|[\\/])((?:foureyes_actors|supervisors)[\\/].*)\.py$")
_USUAL = re.compile(r"[A-Z][A-Za-z -]{3,40}")
_SEPARATOR = re.compile(r"[\\/]")


def crash_fault(dump: bytes, at: datetime) -> Fault | None:
    """``at``: when it is found; nobody knows better. None when nothing is in it. The same dump is the same fault."""
    text = dump.decode("utf-8", "replace").strip()
    if not text:
        return None
    kind = type_name(NativeCrash)
    fatal = _FATAL.search(text)
    reason = bounded(fatal[1].strip() if fatal else text.partition("\n")[0], 200)
    frames = frames_of(text)
    return Fault(
        id=hashlib.sha256(dump).hexdigest()[:32],
        at=at,
        source=SOURCE,
        component=frames[-1] if frames else _name(reason),
        exception_type=kind,
        message=f"the run before this one ended in native code: {reason}",
        stack_trace=bounded_middle(text, MAX_TRACE),
        context={"fatal": reason},
        exception_chain=(kind,),
        frames=tuple(dict.fromkeys(frame for frame in frames if in_app(frame.partition(":")[0]))),
    )


def _name(reason: str) -> str:
    """A component is a name, by which failures are grouped, and is stored as it is: no text from outside."""
    return reason if _USUAL.fullmatch(reason) else "native code"


def frames_of(text: str) -> tuple[str, ...]:
    """Our own of the thread that crashed, as ``module:function``, outermost first."""
    current = _CURRENT.search(text)
    if current is None:
        return ()
    rest = text[current.end() :]
    following = _THREAD.search(rest)
    frames = _FRAME.findall(rest[: following.start()] if following else rest)
    named = ((_MODULE.search(file), function) for file, function in reversed(frames))
    return tuple(f"{_SEPARATOR.sub('.', found[1])}:{function}" for found, function in named if found)
