"""What MongoDB did, done again by a stand-in to the real store with the real driver."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import bson
import pymongo

from foureyes_actors.ports.store_mongo import MongoStore
from foureyes_actors.ports.wire import End, WireFault
from foureyes_actors.replay.capture import PortCall
from foureyes_actors.replay.tape import Played
from foureyes_actors.settings import RetentionSettings
from t00l5et.doubles.mongo import FakeMongo, Vice
from t00l5et.doubles.tcp_server import nobody
from t00l5et.wire.http import fault_on
from t00l5et.wire.script import PATIENCE, NotPlayable, of_fault

SHORT = 1.0  # seconds; a driver that finds no server tries until the deadline, whatever the reason
HELLO = "hello"
SOMEBODY = "user:password"  # who logs in; no record has the real one
_LOGIN = ("saslStart", "saslContinue")
_VICES = {End.SILENT: Vice.SILENT, End.RESET: Vice.RESET, End.CLOSED: Vice.CLOSE, End.ANSWERED: Vice.ANSWER}


def check(line: Played) -> None:
    """Raises NotPlayable."""
    fault = fault_on(line)
    if fault is None:
        raise NotPlayable("a call to the store that succeeded")
    of_fault(fault)
    if fault.end is End.ANSWERED and not fault.heard:
        raise NotPlayable("the database's answer was not kept")


def call(line: Played, call: PortCall, timeout: float | None = None) -> Any:
    """Raises what the real store raises. ``timeout``: another one than was recorded."""
    check(line)
    fault = fault_on(line)
    assert fault is not None
    limit = min(timeout or fault.deadline or SHORT, SHORT)
    if call.port == "store_opener":
        with _place(fault, opening=True) as fake:
            uri = fake if isinstance(fake, str) else fake.uri
            _opened(uri.replace("//", f"//{SOMEBODY}@") if fault.asked in _LOGIN else uri, limit).close()
            return None  # it had failed, so nobody wants the store
    with _place(fault, opening=False) as fake:
        assert isinstance(fake, FakeMongo)
        store = _opened(fake.uri, PATIENCE)
        try:
            _begin(fake, fault)
            with pymongo.timeout(limit if _waits(fault) else PATIENCE):
                return getattr(store, call.op)(*call.args)
        finally:
            store.close()


def _opened(uri: str, timeout: float) -> MongoStore:
    return MongoStore(uri, "wire", timeout=timeout, retention=RetentionSettings())


@contextlib.contextmanager
def _place(fault: WireFault, *, opening: bool) -> Iterator[FakeMongo | str]:
    """``opening``: it fails before a store is there."""
    if opening and fault.end is End.REFUSED:
        with nobody() as port:
            yield f"mongodb://127.0.0.1:{port}/"
        return
    no_primary = fault.end is End.NO_PRIMARY
    with FakeMongo("rs0" if no_primary else "", primary=not (no_primary and opening)) as fake:
        if opening and not no_primary:
            fake.misbehave(_LOGIN[0] if fault.asked in _LOGIN else fault.asked or HELLO, *_vice(fault))
        yield fake


def _begin(fake: FakeMongo, fault: WireFault) -> None:
    """The store is open; now it happens."""
    if fault.end is End.REFUSED:
        fake.go_away()
    elif fault.end is End.NO_PRIMARY:
        fake.step_down()
    else:
        fake.misbehave("*" if fault.asked in ("", HELLO) else fault.asked, *_vice(fault))


def _vice(fault: WireFault) -> tuple[Any, ...]:
    answer = (bson.decode(fault.heard),) if fault.end is End.ANSWERED else ()
    return (_VICES[fault.end], *answer)


def _waits(fault: WireFault) -> bool:
    """Until the deadline: for an answer, or with new attempts of the driver's own."""
    return fault.end is End.SILENT or fault.seconds > 0.5 * fault.deadline > 0
