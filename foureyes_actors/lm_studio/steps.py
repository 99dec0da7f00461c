"""The plan's commands, carried out. They block, so they run in the actor's worker."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from pathlib import Path
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
from foureyes_actors.lm_studio.advice import trouble_advice
from foureyes_actors.lm_studio.dialect import Dialect, Server, server_at
from foureyes_actors.lm_studio.dialects import DIALECTS
from foureyes_actors.lm_studio.installation import find_lms
from foureyes_actors.lm_studio.lms import Lms
from foureyes_actors.lm_studio.ours import Ours
from foureyes_actors.lm_studio.plan import Command, Do
from foureyes_actors.lm_studio.process import ServerProcess, is_local, known_url, launch_for
from foureyes_actors.lm_studio.recognise import recognise
from foureyes_actors.lm_studio.reload import reload_model
from foureyes_actors.lm_studio.residency import (
    Loading,
    ensure_loaded,
    ensure_unloaded,
    look,
    on_disk,
    unload_unwanted,
)
from foureyes_actors.lm_studio.server_calls import check_alive
from foureyes_actors.lm_studio.settling import choose
from foureyes_actors.lm_studio.warmup import warm_up
from foureyes_actors.messages import Task
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.files import FilesPort
from foureyes_actors.ports.http import HttpPort
from foureyes_actors.ports.process import ProcessPort
from foureyes_actors.settings import InferenceSettings, ModelServerSettings

ANNOUNCE_TIME = 1.0  # seconds in one WAIT for the line that says where it listens
PAUSE = 0.2  # seconds between two looks at a server that does not answer yet
NOT_YET = 503  # of a server that is there and still loads its model; also of one whose engine is dead

logger = logging.getLogger(__name__)


class Steps:
    """``run`` carries out one command. ``quit``: set when the actor ends; no pause goes on after it. ``ours``: what
    FourEyes has loaded so far. ``files``: to look for LM Studio."""

    def __init__(
        self,
        settings: ModelServerSettings,
        *,
        models: tuple[str, ...],
        warm_up_tasks: Mapping[str, Task],
        inference: InferenceSettings,
        http: HttpPort,
        processes: ProcessPort,
        process: ServerProcess,
        clock: Clock,
        quit: threading.Event,
        ours: Ours | None = None,
        files: FilesPort | None = None,
    ) -> None:
        self._settings, self._models, self._inference = settings, models, inference
        self._warm_up_tasks = warm_up_tasks
        self._http, self._processes, self._process = http, processes, process
        self._clock, self._quit, self._files = clock, quit, files
        self._ours = ours or Ours()
        self._known: Dialect | None = None if settings.kind == "auto" else DIALECTS[settings.kind]

    @property
    def dialect(self) -> Dialect | None:
        """None as long as it has not been recognised."""
        return self._known

    def run(self, command: Command) -> plan.Result:
        """Raises what the command's step raises."""
        match command.do:
            case Do.LAUNCH:
                return self._launch(attach=command.attach)
            case Do.WAIT:
                return self._wait(command.url or known_url(self._settings))
            case Do.LOAD:
                return self._load(command)
            case Do.RELOAD:
                reloaded = reload_model(self._loading(command.url), command.model, command.known_as)
                return plan.Loaded(reloaded.now.known_as, reloaded.now.reasons, reloaded.kept)
            case Do.WARM_UP:
                return self._warm_up(command)
            case Do.CHECK:
                to = self._loading(command.url, by_lms=False)  # looking for lms is not for each check
                check_alive(self._http, to.server)
                return plan.Healthy(look(to, self._models), self._memory(command.url))
            case Do.CHOOSE:
                return choose(command.choices, on_disk(self._http, self._server(command.url), self._models))
            case Do.UNLOAD:
                if self._settings.manage:
                    ensure_unloaded(self._loading(command.url), command.model)
                return plan.Unloaded()

    def _server(self, url: str) -> Server:
        """Raises what ``recognise`` raises."""
        token = self._settings.api_token.get_secret_value()
        if self._known is None:
            self._known = recognise(self._http, url, token)
            logger.info("%s: recognised as %s", url, self._known.name)
        return server_at(url, self._known, token)

    def _load(self, command: Command) -> plan.Result:
        to = self._loading(command.url)
        unload_unwanted(to, self._models)
        found = ensure_loaded(to, command.model)
        return plan.Loaded(found.known_as, found.reasons)

    def _loading(self, url: str, *, by_lms: bool = True) -> Loading:
        return Loading(
            self._http,
            self._server(url),
            self._clock,
            self._quit,
            self._settings.load_timeout,
            self._settings.context_length,
            self._ours,
            self._lms(url) if by_lms else None,
        )

    def _lms(self, url: str) -> Lms | None:
        """It speaks to the LM Studio of this machine alone."""
        if self._known is None or self._known.kind != "lm_studio" or not is_local(url):
            return None
        path = find_lms(self._processes, Path.home(), self._files)
        return None if path is None else Lms(self._processes, path)

    def _memory(self, url: str) -> int | None:
        """Of what FourEyes has started, else of who listens there on this machine; not looked for without need."""
        if not self._settings.reload_above:
            return None
        pid = self._process.pid
        if pid is None and is_local(url):
            pid = self._processes.listening(urlsplit(url).port or 80)
        return None if pid is None else self._processes.memory(pid)

    def _launch(self, *, attach: bool) -> plan.Result:
        self._process.stop(self._settings.stop_grace)  # what is left of a former start
        url = known_url(self._settings)
        if self._settings.kind == "auto":
            self._known = None  # another kind may be there by now
        if url is not None and self._found(url, attach=attach):
            return plan.Found(url)
        # Another FourEyes's embedded server went with it; nobody else would start one again.
        if attach and not self._settings.restart_foreign and self._settings.kind != "embedded":
            raise ServerStartFailed(
                f"{self._name()} at {url} is gone; FourEyes did not start it, and does not now "
                "(model_server.restart_foreign: true allows it)"
            )
        self._ours.forget_all()
        self._process.start(launch_for(self._settings, self._processes, self._files), self._settings.start_timeout)
        return plan.Launched()

    def _found(self, url: str, *, attach: bool) -> bool:
        """False when the port is free. One that hangs, and may be restarted, is stopped."""
        try:
            return self._answers(url)
        except PortTaken:
            if not (attach and self._settings.restart_foreign):
                raise
            if not self._process.stop_foreign(launch_for(self._settings, self._processes, self._files)):
                raise
            return False

    def _name(self) -> str:
        return self._known.name if self._known is not None else "the model server"

    def _answers(self, url: str) -> bool:
        """False when the port is free. A server that is loading its model gets the time of a start. Raises PortTaken
        when something else has it, ServerRefused (token)."""
        until = self._clock.monotonic() + self._settings.start_timeout
        while True:
            try:
                check_alive(self._http, self._server(url))
            except ConnectFailed:
                return False
            except (TransportError, LMStudioError, ServerFault) as error:
                later = isinstance(error, ServerFault) and error.status == NOT_YET
                if later and self._clock.monotonic() < until and not self._clock.wait(self._quit, PAUSE):
                    continue
                token = self._settings.api_token.get_secret_value()
                advice = trouble_advice(self._http, url, token, self._settings.kind, error)
                raise PortTaken(f"{url} is held by {self._holder(url)} ({error}): {advice}") from error
            return True

    def _holder(self, url: str) -> str:
        port = urlsplit(url).port
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
        helper = self._process.helper_ended()
        if helper:
            return f"{helper}; {reason}"
        words = self._process.last_words()
        return f"{reason}; its last words: {words[-1][:200]}" if words else reason

    def _warm_up(self, command: Command) -> plan.Result:
        server = self._server(command.url)
        warm_up(
            self._http,
            server,
            command.known_as,
            task=self._warm_up_tasks.get(command.model, Task.OCR),
            settings=self._inference,
            seconds=server.dialect.warm_up_time,
            reasons=command.reasons,
        )
        return plan.Warm()
