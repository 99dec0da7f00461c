"""LMStudioActor with a recording context: each command is carried out, each change is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from foureyes_actors.bug.faults import TOLD
from foureyes_actors.errors import ConnectFailed, LMStudioTimeoutError, RequestTimeout, ServerStartFailed
from foureyes_actors.lm_studio.actor import LOOK, LMStudioActor
from foureyes_actors.messages import (
    Fault,
    GetStatus,
    ServerPhase,
    ServerState,
    ServerStateWanted,
    ServerSuspect,
    Task,
    Tick,
)
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.http import HttpReply, HttpRequest
from foureyes_actors.settings import ModelServerSettings
from tests.lm_studio.support import FakeProcesses, ScriptedHttp, amounts, chat_reply, reply
from tests.support import FakeContext, eventually

MODEL = "foureyes/screen-reader-tiny"
PORT = 45678
LINE = json.dumps({"listening": {"host": "127.0.0.1", "port": PORT}})
PATIENCE = 20.0


class EmbeddedServer(ScriptedHttp):
    """What the embedded server answers; ``grand``: what its model reads on the canary."""

    def __init__(self, *known: str) -> None:
        super().__init__()
        self.loaded: set[str] = set()
        self.known, self.grand = known, "$1,234.56"
        self.routes = {
            "GET /lmstudio-greeting": reply({"lmstudio": True, "foureyes_embedded": True}),
            "GET /api/v1/models": self._list,
            "POST /api/v1/models/load": self._load,
            "POST /v1/chat/completions": self._chat,
        }

    def _list(self, _: HttpRequest) -> HttpReply:
        rows = [{"key": k, "loaded_instances": [{"id": k}] if k in self.loaded else []} for k in self.known]
        return reply({"models": rows})

    def _load(self, request: HttpRequest) -> HttpReply:
        key = json.loads(request.body or b"")["model"]
        self.loaded.add(key)
        return reply({"instance_id": key, "status": "loaded"})

    def _chat(self, request: HttpRequest) -> HttpReply:
        return chat_reply(json.loads(request.body or b"")["model"], amounts(self.grand))


class Stage:
    """The actor with everything around it. ``pump`` hands it what its worker has sent. The worker is at its first step
    at once: what that meets must be there before (``processes``)."""

    def __init__(
        self,
        http: ScriptedHttp | None = None,
        models: tuple[str, ...] = (MODEL,),
        tasks: Mapping[str, Task] | None = None,
        processes: FakeProcesses | None = None,
        **values: Any,
    ) -> None:
        self.context, self.clock = FakeContext("lm_studio"), ManualClock()
        self.http = http or EmbeddedServer(MODEL)
        self.processes = processes or FakeProcesses([LINE])
        self.actor = LMStudioActor(
            self.context,
            settings=ModelServerSettings.model_validate(values),
            models=models,
            http=self.http,
            processes=self.processes,
            clock=self.clock,
            audience=("inference:x", "console"),
            warm_up_tasks=tasks,
            secrets=("hunter2-hunter2",),
        )
        self.actor.on_start()

    def pump(self) -> None:
        """Until the worker has nothing more to do."""
        while self.actor.on_receive(GetStatus())["busy"]:
            eventually(lambda: bool(self.context.to_self), PATIENCE, "the worker is done")
            self.actor.on_receive(self.context.to_self.pop(0))

    def tick(self, seconds: float = 1.0) -> None:
        self.clock.advance(seconds)
        self.actor.on_receive(Tick(LOOK, 1))
        self.pump()

    def told(self, name: str = "console") -> list[ServerState]:
        return [m for m in self.context.sent_to(name) if isinstance(m, ServerState)]

    def faults(self) -> list[Fault]:
        return [m for m in self.context.sent_to("bug") if isinstance(m, Fault)]


@pytest.fixture
def stage() -> Iterator[Callable[..., Stage]]:
    stages: list[Stage] = []

    def make(*arguments: Any, **values: Any) -> Stage:
        stages.append(Stage(*arguments, **values))
        return stages[-1]

    yield make
    for each in stages:
        each.actor.on_stop()
    assert not [t for t in threading.enumerate() if t.name.startswith("lm_studio")]


def test_each_model_is_asked_in_its_warm_up_what_it_is_there_for(stage: Callable[..., Stage]) -> None:
    answers = {
        MODEL: amounts("$1,234.56"),
        "lab/dit": json.dumps({"vision_state": {"state": "idle"}}),
        "lab/owlvit": json.dumps({"error_detection": {"popup": "none", "text": None}}),
    }

    class Hosts(EmbeddedServer):
        def _chat(self, request: HttpRequest) -> HttpReply:
            model = json.loads(request.body or b"")["model"]
            return chat_reply(model, answers[model])

    http = Hosts(*answers)
    made = stage(http, tuple(answers), {"lab/dit": Task.STATE, "lab/owlvit": Task.ERROR})
    made.pump()
    assert made.told()[-1].phase is ServerPhase.READY
    asked = [json.loads(r.body or b"") for r in http.requests if r.url.endswith("/chat/completions")]
    tasks = {a["model"]: list(a["response_format"]["json_schema"]["schema"]["properties"]) for a in asked}
    assert tasks == {MODEL: ["vision_ocr"], "lab/dit": ["vision_state"], "lab/owlvit": ["error_detection"]}


Make = Callable[..., Stage]


def test_from_start_to_ready(stage: Make) -> None:
    it = stage()
    assert it.context.ticks == [(1.0, "look")]
    it.pump()
    phases = list(dict.fromkeys(state.phase for state in it.told()))
    assert phases == [ServerPhase.STARTING, ServerPhase.LOADING, ServerPhase.WARMING_UP, ServerPhase.READY]
    state = it.told()[-1]
    assert (state.base_url, state.models, state.pid) == (f"http://127.0.0.1:{PORT}", (MODEL,), 4711)
    assert it.told("inference:x") == it.told()
    assert not it.faults()


def test_a_result_of_the_incarnation_before_is_no_result(stage: Make) -> None:
    """It lies in the inbox, which outlives the actor. Taken for its own, it gave the busy worker the next command."""
    dead = stage()
    eventually(lambda: bool(dead.context.to_self), PATIENCE, "its worker is done")
    left = dead.context.to_self.pop(0)
    it = stage()
    it.context.incarnation = 2
    before = it.actor.on_receive(GetStatus())
    it.actor.on_receive(left)
    assert it.actor.on_receive(GetStatus()) == before


def test_who_has_just_started_is_told_where_things_stand(stage: Make) -> None:
    it = stage()
    it.pump()
    it.actor.on_receive(ServerStateWanted("inference:late"))
    assert it.told("inference:late") == [it.told()[-1]]


def test_the_status_is_plain(stage: Make) -> None:
    it = stage()
    it.pump()
    status = it.actor.on_receive(GetStatus())
    json.dumps(status)
    assert (status["phase"], status["models"], status["starts"], status["attached"]) == ("ready", [MODEL], 1, False)


def test_a_dead_server_is_not_called_ready_once_more(stage: Make) -> None:
    """Who asks it notices its death before the actor's next look."""
    it = stage()
    it.pump()
    told = len(it.told())
    it.processes.children[0].code = -9
    it.actor.on_receive(ServerSuspect("nobody listens", MODEL))
    it.pump()
    assert [state.phase for state in it.told()[told:]] == [ServerPhase.FAILED]
    assert "ended by signal 9" in it.told()[-1].detail
    assert [type(error) for error in it.context.health] == [type(None), ServerStartFailed]


def test_nor_by_a_check_that_was_on_its_way(stage: Make) -> None:
    it = stage()
    it.pump()
    told = len(it.told())
    it.clock.advance(100.0)
    it.actor.on_receive(Tick(LOOK, 1))  # the check
    it.processes.children[0].code = -9
    it.pump()
    assert [state.phase for state in it.told()[told:]] == [ServerPhase.FAILED]


def test_a_dead_process_is_a_reason_to_be_replaced(stage: Make) -> None:
    it = stage()
    it.pump()
    child = it.processes.children[0]
    child.code, child.lines = -9, ("Killed",)
    it.tick()
    assert it.told()[-1].phase is ServerPhase.FAILED
    assert it.told()[-1].models == ()
    assert it.faults()[0].exception_type.endswith("ServerStartFailed")
    assert it.faults()[0].context["output -1"] == "Killed"
    assert [type(error) for error in it.context.health] == [type(None), ServerStartFailed]
    it.tick(100.0)
    assert len(it.processes.children) == 1  # the supervisor decides
    it.actor.on_stop()
    assert child.stopped  # its tree too


def test_what_a_server_repeats_of_the_configured_secrets_is_told_to_nobody(stage: Make) -> None:
    it = stage()
    it.pump()
    it.processes.children[0].lines = ("the key hunter2-hunter2 is wrong",)
    it.processes.children[0].code = 3
    it.tick()
    assert "the key [redacted] is wrong" in it.told()[-1].detail
    assert all("hunter2" not in state.detail for state in it.told())
    assert TOLD in it.faults()[0].context, "the same text, masked"
    assert "hunter2" not in str(it.actor.on_receive(GetStatus())["detail"])


def test_a_silent_server_is_a_reason_to_be_replaced_after_three_checks(stage: Make) -> None:
    it = stage()
    it.pump()
    it.http.routes["GET /lmstudio-greeting"] = RequestTimeout("silent")
    it.actor.on_receive(ServerSuspect("no answer"))
    it.pump()
    assert it.told()[-1].phase is ServerPhase.READY
    status = it.actor.on_receive(GetStatus())
    assert (status["failed_checks"], status["check_error"]) == (1, "silent")
    it.tick(2.0)
    it.tick(2.0)
    assert it.told()[-1].phase is ServerPhase.FAILED
    assert [type(error) for error in it.context.health] == [type(None), LMStudioTimeoutError]


def test_each_check_that_passes_says_that_all_is_well(stage: Make) -> None:
    it = stage()
    it.pump()
    assert it.context.health == [None]  # the warm-up
    it.tick(10.0)
    it.tick(10.0)
    assert it.context.health == [None] * 3


def test_an_unloaded_model_is_loaded_again(stage: Make) -> None:
    server = EmbeddedServer(MODEL)
    it = stage(server)
    it.pump()
    server.loaded.clear()
    it.tick(10.0)
    assert it.told()[-1].phase is ServerPhase.READY
    assert server.loaded == {MODEL}
    assert len(it.processes.children) == 1


def test_an_unknown_model_names_the_known_ones(stage: Make) -> None:
    it = stage(models=("foureyes/nothing",))
    it.pump()
    state = it.told()[-1]
    assert state.phase is ServerPhase.FAILED
    assert "'foureyes/nothing'" in state.detail and MODEL in state.detail
    assert it.faults()[0].exception_type.endswith("ModelUnknown")
    for _ in range(3):
        it.tick(60.0)
    assert len(it.processes.children) == 1  # nothing is restarted for it
    assert len(it.faults()) == 1  # and it is said once


def test_one_unknown_model_of_two(stage: Make) -> None:
    it = stage(models=("foureyes/nothing", MODEL))
    it.pump()
    state = it.told()[-1]
    assert (state.phase, state.models) == (ServerPhase.READY, (MODEL,))
    assert "foureyes/nothing" in state.detail


def test_a_model_that_reads_wrongly_is_not_ready(stage: Make) -> None:
    server = EmbeddedServer(MODEL)
    server.grand = "$1,234.65"
    it = stage(server)
    it.pump()
    assert it.told()[-1].phase is ServerPhase.FAILED
    assert "does not read" in it.told()[-1].detail


def test_a_server_that_was_there_is_not_stopped(stage: Make) -> None:
    it = stage(EmbeddedServer(MODEL), kind="lm_studio", base_url="http://127.0.0.1:1234")
    it.pump()
    state = it.told()[-1]
    assert (state.phase, state.pid) == (ServerPhase.READY, None)
    it.actor.on_stop()
    assert not it.processes.commands and not it.processes.runs


def test_a_stranger_on_the_port_is_named(stage: Make) -> None:
    http = ScriptedHttp({"GET /lmstudio-greeting": reply(b"<html>", 404)})
    processes = FakeProcesses()
    processes.held_by = "nginx (pid 12)"
    it = stage(http, processes=processes, base_url="http://127.0.0.1:8080")
    it.pump()
    it.tick(60.0)
    assert it.told()[-1].phase is ServerPhase.FAILED
    assert "http://127.0.0.1:8080 is held by nginx (pid 12)" in it.told()[-1].detail
    assert it.faults()[-1].exception_type.endswith("PortTaken")
    assert not it.processes.commands


def test_not_managed_and_not_there(stage: Make) -> None:
    http = ScriptedHttp({"GET /lmstudio-greeting": ConnectFailed("refused")})
    it = stage(http, kind="lm_studio", manage=False)
    it.pump()
    assert "model_server.manage is false" in it.told()[-1].detail
    http.routes.update(EmbeddedServer(MODEL).routes)
    it.tick(2.0)
    assert it.told()[-1].phase is ServerPhase.READY
    assert it.context.health == [None]
    assert not it.processes.commands


def test_lm_studio_is_started_by_lms(stage: Make) -> None:
    http = ScriptedHttp({"GET /lmstudio-greeting": ConnectFailed("refused")})
    it = stage(http, processes=FakeProcesses(programs={"lms": "/opt/lms"}), kind="lm_studio", start_timeout=2)
    it.pump()
    assert ("/opt/lms", "server", "start", "--port", "1234") in it.processes.runs


def test_not_in_time(stage: Make) -> None:
    http = ScriptedHttp({"GET /lmstudio-greeting": ConnectFailed("refused")})
    it = stage(http, start_timeout=2)
    it.pump()  # the manual clock moves on by each pause
    assert it.told()[-1].phase is ServerPhase.FAILED
    assert "not ready within 2 s: refused; its last words:" in it.told()[-1].detail
    assert it.faults()[0].context["output -1"] == LINE


def test_stop_ends_the_server_and_says_so(stage: Make) -> None:
    it = stage(stop_grace=2.5)
    it.pump()
    it.actor.on_stop()
    assert it.processes.children[0].stopped == [2.5]
    assert it.told()[-1].phase is ServerPhase.STOPPED
    assert it.http.closed


def test_a_hanging_load_does_not_outlive_the_process(stage: Make) -> None:
    """The worker waits for an answer of a server that is dead: its exchange is cut off."""
    server = EmbeddedServer(MODEL)
    asked, cut = threading.Event(), threading.Event()

    def hang(_: HttpRequest) -> HttpReply:
        asked.set()
        assert cut.wait(PATIENCE)
        raise RequestTimeout("cut off")

    server.routes["POST /api/v1/models/load"] = hang
    server.on_close = cut.set
    it = stage(server)
    while not asked.is_set():
        eventually(lambda: bool(it.context.to_self) or asked.is_set(), PATIENCE, "a step")
        if it.context.to_self:
            it.actor.on_receive(it.context.to_self.pop(0))
    it.processes.children[0].code = -9
    it.actor.on_receive(Tick(LOOK, 1))
    assert cut.is_set()
    assert it.told()[-1].phase is ServerPhase.FAILED
    it.pump()
    assert it.told()[-1].phase is ServerPhase.FAILED


def test_a_defect_of_the_actor_leaves_no_process(stage: Make) -> None:
    it = stage()
    it.pump()
    with pytest.raises(TypeError, match="does not know str") as caught:
        it.actor.on_receive("what?")
    it.actor.on_failure(caught.type, caught.value, caught.tb)
    assert it.processes.children[0].stopped == [0.0]
