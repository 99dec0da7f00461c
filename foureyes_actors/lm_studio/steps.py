"""The plan's commands, carried out. They block, so they run in the actor's worker."""

from __future__ import annotations

import threading
from urllib.parse import urlsplit

from foureyes_actors.errors import (
    ConnectFailed,
    FourEyesError,
    LMStudioError,
    PortTaken,
    ServerFault,
    ServerRefused,
    ServerStartFailed,
    TransportError,
)
from foureyes_actors.lm_studio import plan
from foureyes_actors.lm_studio.dialects import DIALECTS, Server, check_alive, server_at
from foureyes_actors.lm_studio.plan import Command, Do
from foureyes_actors.lm_studio.process import ServerProcess, known_url, launch_for
from foureyes_actors.lm_studio.residency import ensure_loaded, ensure_unloaded, on_disk, resident
from foureyes_actors.lm_studio.settling import choose
from foureyes_actors.lm_studio.warmup import warm_up
from foureyes_actors.messages import Task
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.http import HttpPort
from foureyes_actors.ports.process import ProcessPort
from foureyes_actors.settings import InferenceSettings, ModelServerSettings

ANNOUNCE_TIME = 1.0  # seconds in one WAIT for the line that says where it listens
PAUSE = 0.2  # seconds between two looks at a server that does not answer yet


class Steps:
    """``run`` carries out one command. ``quit``: set when the actor ends; no pause goes on after it."""

    def __init__(
        self,
        settings: ModelServerSettings,
        *,
        models: tuple[str, ...],
        ocr_models: tuple[str, ...],
        inference: InferenceSettings,
        http: HttpPort,
        processes: ProcessPort,
        process: ServerProcess,
        clock: Clock,
        quit: threading.Event,
    ) -> None:
        self._settings, self._models, self._ocr_models, self._inference = settings, models, ocr_models, inference
        self._http, self._processes, self._process = http, processes, process
        self._clock, self._quit = clock, quit
        self._dialect = DIALECTS[settings.kind]

    def run(self, command: Command) -> plan.Result:
        """Raises what the command's step raises."""
        match command.do:
            case Do.LAUNCH:
                return self._launch(attach=command.attach)
            case Do.WAIT:
                return self._wait(command.url or known_url(self._settings))
            case Do.LOAD:
                server, seconds = self._server(command.url), self._settings.load_timeout
                return plan.Loaded(ensure_loaded(self._http, server, command.model, seconds))
            case Do.WARM_UP:
                return self._warm_up(command)
            case Do.CHECK:
                server = self._server(command.url)
                check_alive(self._http, server)
                return plan.Healthy(resident(self._http, server, self._models))
            case Do.CHOOSE:
                return choose(command.choices, on_disk(self._http, self._server(command.url), self._models))
            case Do.UNLOAD:
                if self._settings.manage:
                    ensure_unloaded(self._http, self._server(command.url), command.model, self._rest)
                return plan.Unloaded()

    def _rest(self) -> None:
        self._clock.wait(self._quit, PAUSE)

    def _server(self, url: str) -> Server:
        return server_at(url, self._dialect, self._settings.api_token.get_secret_value())

    def _launch(self, *, attach: bool) -> plan.Result:
        self._process.stop(self._settings.stop_grace)  # what is left of a former start
        url = known_url(self._settings)
        if url is not None and self._answers(self._server(url)):
            return plan.Found(url)
        if attach:
            raise ServerStartFailed(
                f"{self._dialect.name} at {url} is gone; FourEyes did not start it, and does not now"
            )
        self._process.start(launch_for(self._settings, self._processes), self._settings.start_timeout)
        return plan.Launched()

    def _answers(self, server: Server) -> bool:
        """False when the port is free. Raises PortTaken when something else has it, ServerRefused (token)."""
        try:
            check_alive(self._http, server)
        except ConnectFailed:
            return False
        except (TransportError, LMStudioError, ServerFault) as error:
            raise PortTaken(f"{server.url} is held by {self._holder(server)}: {error}") from error
        return True

    def _holder(self, server: Server) -> str:
        port = urlsplit(server.url).port
        return (port and self._processes.listener(port)) or "somebody"

    def _wait(self, url: str | None) -> plan.Result:
        """Returns soon: an end of the process, or of the actor, must not wait for a slow start."""
        url = url or self._process.announced(ANNOUNCE_TIME)
        exited = self._process.exit_error()
        if exited is not None:
            raise exited
        if url is None:
            return plan.NotYet("it has not said where it listens")
        try:
            check_alive(self._http, self._server(url))
        except ServerRefused:
            raise
        except (TransportError, FourEyesError) as error:
            self._clock.wait(self._quit, PAUSE)
            return plan.NotYet(self._with_last_words(str(error)))
        return plan.Alive(url)

    def _with_last_words(self, reason: str) -> str:
        words = self._process.last_words()
        return f"{reason}; its last words: {words[-1][:200]}" if words else reason

    def _warm_up(self, command: Command) -> plan.Result:
        warm_up(
            self._http,
            self._server(command.url),
            command.known_as,
            task=Task.OCR if command.model in self._ocr_models else Task.STATE,
            settings=self._inference,
            seconds=self._dialect.warm_up_time,
        )
        return plan.Warm()
