"""What of pymongo's errors a record of the failure holds: which command, and what the server did."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Mapping
from typing import Any

import bson
import pymongo
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from foureyes_actors.ports.wire import End, WireFault, causes, end_of

_NUMBER = re.compile(r"\[(?:Errno|WinError) (-?\d{1,6})\]")
_REFUSED = {errno.ECONNREFUSED, 10061}  # and Windows's numbers
_RESET = {errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, 10053, 10054}
_NO_ADDRESS = {getattr(socket, name) for name in dir(socket) if name.startswith("EAI_")}
HELLO = "hello"  # stands for the handshake, before any command
_NOT_REACHED = (End.REFUSED, End.UNRESOLVED)
_OF_A_REPLY = ("ok", "code", "codeName", "errmsg", "n", "writeErrors", "writeConcernError", "errorLabels")
_OF_AN_ERROR = ("index", "code", "errmsg")


class LastCommand(CommandListener):
    """The name of the command that was sent last; empty: none since it was emptied. Of pymongo's listeners the
    cheapest: it looks at nothing else."""

    def __init__(self) -> None:
        self.name = ""

    def started(self, event: CommandStartedEvent) -> None:
        self.name = event.command_name

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...


def wire_fault(
    error: PyMongoError, client: pymongo.MongoClient[Any], command: str, *, seconds: float, timeout: float
) -> WireFault:
    """``seconds``: since the call began, which had ``timeout``."""
    if isinstance(error, ServerSelectionTimeoutError):
        end, command, reply = _unselected(client), HELLO, b""
    else:
        end, reply = _end(error), _reply(error)
    connected = end not in _NOT_REACHED
    return WireFault(end, connected, reply, len(reply), seconds=seconds, deadline=timeout, asked=command)


def _unselected(client: pymongo.MongoClient[Any]) -> End:
    """Why no server could be had, by what the driver's monitors saw."""
    servers = client.topology_description.server_descriptions().values()
    errors = [server.error for server in servers if server.error is not None]
    if errors:
        return _broken(errors[0])
    return End.NO_PRIMARY if any(server.server_type_name != "Unknown" for server in servers) else End.SILENT


def _end(error: PyMongoError) -> End:
    if isinstance(error, OperationFailure | NotPrimaryError):
        return End.ANSWERED
    return _broken(error) if isinstance(error, AutoReconnect) else End.OTHER


def _broken(error: BaseException) -> End:
    if isinstance(error, NetworkTimeout):
        return End.SILENT
    found = end_of(causes(error))
    return _numbered(str(error)) if found is End.OTHER else found


def _numbered(text: str) -> End:
    """By the number in the driver's words: its monitors take the causes off their errors."""
    number = int(found[1]) if (found := _NUMBER.search(text)) else 0
    if number in _REFUSED:
        return End.REFUSED
    if number in _RESET:
        return End.RESET
    return End.UNRESOLVED if number in _NO_ADDRESS else End.CLOSED


def _reply(error: PyMongoError) -> bytes:
    """The server's answer again, as BSON, without what it says of the documents."""
    details = getattr(error, "details", None)
    if not isinstance(details, Mapping):
        return b""
    reply = {"ok": 0, **{key: value for key, value in details.items() if key in _OF_A_REPLY}}
    if isinstance(error, BulkWriteError):
        reply |= {"ok": 1, "n": details.get("nInserted", 0)}
        concerns = details.get("writeConcernErrors") or [None]
        reply |= {} if concerns[0] is None else {"writeConcernError": concerns[0]}
        reply["writeErrors"] = [_only(each) for each in details.get("writeErrors", ())]
    try:
        return bson.encode(reply)
    except (bson.errors.BSONError, ValueError, TypeError, OverflowError):
        return b""


def _only(write_error: Mapping[str, Any]) -> dict[str, Any]:
    return {key: write_error[key] for key in _OF_AN_ERROR if key in write_error}
