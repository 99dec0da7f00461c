"""Runs the application: binds the port, says when it accepts connections, ends when it is told to or left alone."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import sys
import threading
from collections.abc import Sequence
from typing import IO, NoReturn

import uvicorn

from foureyes_actors.model_server.app import create_app
from foureyes_actors.model_server.catalog import BUILT_IN, Catalog, CatalogModel
from foureyes_actors.model_server.engines import EngineFactory
from foureyes_actors.model_server.host import ModelHost
from foureyes_actors.model_server.limits import Limits
from foureyes_actors.model_server.protocol import protocol_with_header_time

KEEP_ALIVE = 30  # seconds; longer than FourEyes's own rhythm in polling mode
SHUTDOWN = 1  # seconds for requests in work when the server ends
LAST_RESORT = 3.0  # seconds after which a shutdown that hangs (an engine in an endless loop) ends all the same

logger = logging.getLogger("foureyes.model_server")


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sets TCP_NODELAY only where it is: without it each answer, written in two
    # parts, waits 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # on Windows it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except BaseException:
        listener.close()
        raise
    return listener


class ModelServer:
    """``run`` serves in the calling thread until a signal or ``end``."""

    def __init__(
        self,
        listener: socket.socket,
        engines: EngineFactory,
        limits: Limits,
        *,
        catalog: Catalog = BUILT_IN,
        preload: Sequence[CatalogModel] = (),
    ) -> None:
        self._listener, self._preload = listener, tuple(preload)
        self._host = ModelHost(engines, limits, catalog=catalog)
        config = uvicorn.Config(
            create_app(self._host),
            http=protocol_with_header_time(limits.header_time),
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=SHUTDOWN,
            limit_concurrency=limits.connections,
        )
        self._server = uvicorn.Server(config)

    def run(self, announce: IO[str]) -> None:
        """The first line on ``announce`` comes once requests are answered. Raises ApiError when a model of
        ``preload`` cannot be loaded."""
        asyncio.run(self._run(announce))

    def end(self) -> None:
        """Any thread, and before ``run`` too. Requests in work get a moment to end."""
        self._server.should_exit = True

    async def _run(self, announce: IO[str]) -> None:
        try:
            for model in self._preload:
                await self._host.load(model)
            serving = asyncio.create_task(self._server.serve(sockets=[self._listener]))
            while not self._server.started and not serving.done():
                await asyncio.sleep(0.01)
            if self._server.started:
                host, port = self._listener.getsockname()[:2]
                announce.write(json.dumps({"listening": {"host": host, "port": port}}) + "\n")
                announce.flush()
            await serving
        finally:
            self._listener.close()
            self._host.close()


def end_with(stream: IO[bytes], server: ModelServer) -> None:
    """End ``server`` when ``stream`` does: FourEyes holds the other end of that pipe until it ends, however it ends.
    A shutdown that hangs (an engine in an endless loop) is cut short, and the process with it."""

    def watch() -> None:
        while stream.read(4096):
            pass
        logger.warning("standard input is closed: ending")
        server.end()
        last_resort = threading.Timer(LAST_RESORT, os._exit, (0,))
        last_resort.daemon = True
        last_resort.start()

    threading.Thread(target=watch, name="stdin-watch", daemon=True).start()


def flush_and_exit(code: int) -> NoReturn:
    """At once: a reading in work must not hold the process back."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
