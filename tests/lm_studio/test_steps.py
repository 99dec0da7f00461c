"""The commands carried out: a server found, recognised, waited for, started again, and LM Studio's command line."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from foureyes_actors.errors import ConnectFailed, ModelLoadFailed, PortTaken, RequestTimeout, ServerStartFailed
from foureyes_actors.lm_studio import plan
from foureyes_actors.lm_studio.dialect import server_at
from foureyes_actors.lm_studio.dialects import LM_STUDIO
from foureyes_actors.lm_studio.lms import Lms
from foureyes_actors.lm_studio.plan import Command, Do
from foureyes_actors.lm_studio.process import ServerProcess
from foureyes_actors.lm_studio.residency import ensure_loaded
from foureyes_actors.lm_studio.steps import Steps
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.http import HttpReply, HttpRequest
from foureyes_actors.ports.process import ProcessResult
from foureyes_actors.settings import InferenceSettings, ModelServerSettings
from tests.lm_studio.support import URL, FakeProcesses, ScriptedHttp, loading, reply

LMS = "/home/eye/.lmstudio/bin/lms"
QWEN = "qwen/qwen3-vl-8b"
GREETING = reply({"lmstudio": True})


class Told(FakeProcesses):
    """``says``: the output of a command, by its second word."""

    def __init__(self, says: dict[str, ProcessResult] | None = None) -> None:
        super().__init__(programs={"lms": LMS})
        self.says = says or {}
        self.then: Any = lambda command: None

    def run(self, command: Sequence[str], *, timeout: float) -> ProcessResult:
        super().run(command, timeout=timeout)
        self.then(tuple(command))
        return self.says.get(" ".join(command[1:3]), ProcessResult(0, ("Success!",)))

    def words(self) -> list[str]:
        return [" ".join(command[1:]) for command in self.runs]


def steps(http: ScriptedHttp, processes: FakeProcesses, **settings: Any) -> Steps:
    return Steps(
        ModelServerSettings.model_validate(settings),
        models=(QWEN,),
        warm_up_tasks={},
        inference=InferenceSettings(),
        http=http,
        processes=processes,
        process=ServerProcess(processes),
        clock=ManualClock(),
        quit=threading.Event(),
    )


def launch(it: Steps, attach: bool = False) -> plan.Result:
    return it.run(Command(Do.LAUNCH, 1, attach=attach))


def test_a_server_that_is_loading_its_model_gets_the_time_of_a_start() -> None:
    answers = [reply({"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, 503)] * 5
    http = ScriptedHttp({"GET /health": lambda _: answers.pop() if answers else reply({"status": "ok"})})
    it = steps(http, FakeProcesses(), kind="llama_server", base_url=URL)
    assert launch(it) == plan.Found(URL)
    assert len(http.requests) == 6


def test_one_that_is_never_done_is_said_to_hold_the_port() -> None:
    loading_on = reply({"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, 503)
    it = steps(ScriptedHttp({"GET /health": loading_on}), FakeProcesses(), kind="llama_server", base_url=URL)
    with pytest.raises(PortTaken, match="Loading model"):
        launch(it)


def test_which_kind_it_is_is_asked_at_each_launch() -> None:
    http = ScriptedHttp({"GET /lmstudio-greeting": GREETING})
    it = steps(http, FakeProcesses(), base_url=URL)  # no kind
    assert it.dialect is None
    assert launch(it) == plan.Found(URL)
    assert it.dialect is LM_STUDIO
    http.routes = {"GET /props": reply({"role": "router"}), "GET /health": reply({"status": "ok"})}
    launch(it)
    assert it.dialect is not None and it.dialect.kind == "llama_server"


def test_what_nobody_started_and_nobody_knows_is_not_started() -> None:
    silent = ScriptedHttp({"GET /lmstudio-greeting": ConnectFailed("refused"), "GET /health": ConnectFailed("refused")})
    with pytest.raises(ServerStartFailed, match=r"model_server\.command"):
        launch(steps(silent, FakeProcesses(), base_url=URL))
    processes = FakeProcesses()
    assert launch(steps(silent, processes, base_url=URL, command=["serve"])) == plan.Launched()
    assert processes.commands == [("serve",)]


# --- a server that somebody else had started ---

GONE = {"GET /lmstudio-greeting": ConnectFailed("refused")}
HANGS = {"GET /lmstudio-greeting": RequestTimeout("silent")}


def test_one_that_is_gone_is_not_started_again_unless_that_is_allowed() -> None:
    processes = Told()
    with pytest.raises(ServerStartFailed, match="restart_foreign: true allows it"):
        launch(steps(ScriptedHttp(GONE), processes, kind="lm_studio"), attach=True)
    assert processes.runs == []
    assert launch(steps(ScriptedHttp(GONE), processes, kind="lm_studio", restart_foreign=True), attach=True)
    assert processes.words()[-1] == "server start --port 1234"


def test_an_embedded_one_that_another_foureyes_took_with_it_is_started_here() -> None:
    processes = FakeProcesses()
    it = steps(ScriptedHttp(GONE), processes, kind="embedded", base_url="http://127.0.0.1:8044")
    assert launch(it, attach=True) == plan.Launched()
    assert [command[1:3] for command in processes.commands] == [("-m", "foureyes_actors.model_server")]
    with pytest.raises(PortTaken):  # one that hangs is still somebody else's
        launch(steps(ScriptedHttp(HANGS), processes, kind="embedded", base_url="http://127.0.0.1:8044"), attach=True)
    assert len(processes.commands) == 1


def test_one_that_hangs_is_stopped_with_its_daemon_where_that_is_allowed() -> None:
    """A wedged engine survives a new start of LM Studio's server alone."""
    processes = Told()
    with pytest.raises(PortTaken):
        launch(steps(ScriptedHttp(HANGS), processes, kind="lm_studio"), attach=True)
    assert processes.runs == []
    launch(steps(ScriptedHttp(HANGS), processes, kind="lm_studio", restart_foreign=True), attach=True)
    assert processes.words() == [
        "daemon down",
        "daemon status --json",
        "daemon up --json",
        "server start --port 1234",
    ]


def test_a_stranger_is_never_stopped() -> None:
    """restart_foreign is about a server that was used before, not about whoever is there at the beginning."""
    processes = Told()
    with pytest.raises(PortTaken):
        launch(steps(ScriptedHttp(HANGS), processes, kind="lm_studio", restart_foreign=True))
    hung = ScriptedHttp({"GET /health": RequestTimeout("silent")})
    with pytest.raises(PortTaken):  # there is no command that would stop this one
        launch(steps(hung, processes, kind="llama_server", command=["serve"], restart_foreign=True), attach=True)
    assert processes.runs == [] and processes.commands == []


@pytest.mark.parametrize(("state", "ends"), [("not-running", True), ("running", False)])
def test_a_daemon_that_foureyes_woke_goes_with_it(state: str, ends: bool) -> None:
    processes = Told({"daemon status": ProcessResult(0, (json.dumps({"status": state}),))})
    process = ServerProcess(processes)
    it = steps(ScriptedHttp(GONE), processes, kind="lm_studio")
    it._process = process
    launch(it)
    process.close(1.0)
    assert processes.words()[-1] == ("daemon down" if ends else "server stop")


def test_the_daemon_of_the_desktop_app_is_left_alone() -> None:
    app = ProcessResult(1, ("LM Studio is currently running as part of LM Studio. Please exit LM Studio to stop it",))
    processes = Told({"daemon down": app})
    launch(steps(ScriptedHttp(HANGS), processes, kind="lm_studio", restart_foreign=True), attach=True)
    assert processes.words()[:2] == ["daemon down", "server stop"]


@pytest.mark.parametrize(
    ("result", "how"),
    [
        (ProcessResult(None, ("one moment ...",)), "did not end within 4 s: one moment ..."),
        (ProcessResult(3, ("Error: no daemon", "")), "ended with code 3: Error: no daemon"),
        (ProcessResult(0, ()), "ended with code 0"),
    ],
)
def test_what_the_command_did_that_was_to_start_the_server_is_told(result: ProcessResult, how: str) -> None:
    it = steps(ScriptedHttp(GONE), Told({"server start": result}), kind="lm_studio", start_timeout=4)
    assert launch(it) == plan.Launched()
    waited = it.run(Command(Do.WAIT, 1))
    assert waited == plan.NotYet(f"`lms server start --port 1234` {how}; refused")


@pytest.mark.parametrize("command", ["daemon status", "daemon up"])
def test_a_command_that_hangs_before_that_is_not_waited_for_again_and_again(command: str) -> None:
    processes = Told({command: ProcessResult(None, ())})
    it = steps(ScriptedHttp(GONE), processes, kind="lm_studio", start_timeout=4)
    with pytest.raises(ServerStartFailed, match=f"`lms {command} --json` did not end within 4 s"):
        launch(it)
    it._process.close(1.0)
    assert processes.words()[-1] == f"{command} --json", "nothing was started, so nothing is stopped"


# --- LM Studio 0.3, which loads by its command line ---


class OldServer(ScriptedHttp):
    def __init__(self) -> None:
        super().__init__({"GET /api/v0/models": self._list})
        self.state = "not-loaded"

    def _list(self, _: HttpRequest) -> HttpReply:
        row = {"id": QWEN, "type": "vlm", "state": self.state, "max_context_length": 32768}
        return reply({"object": "list", "data": [row]})


def test_lm_studio_0_3_loads_by_lms() -> None:
    http, processes = OldServer(), Told()
    processes.then = lambda _: setattr(http, "state", "loaded")
    to = loading(http, server_at(URL, LM_STUDIO), lms=Lms(processes, LMS), context=65536)
    assert ensure_loaded(to, QWEN).known_as == QWEN
    assert ensure_loaded(to, QWEN).known_as == QWEN
    assert processes.runs == [(LMS, "load", QWEN, "-y", "-c", "32768")]  # once, at most the model's maximum


def test_the_exit_code_of_lms_is_not_believed() -> None:
    to = loading(OldServer(), server_at(URL, LM_STUDIO), lms=Lms(Told(), LMS))
    with pytest.raises(ModelLoadFailed, match="not in the list of loaded models"):
        ensure_loaded(to, QWEN)


def test_what_lms_says_is_told() -> None:
    told = Told({f"load {QWEN}": ProcessResult(1, ("Error: Model loading was stopped", ""))})
    to = loading(OldServer(), server_at(URL, LM_STUDIO), lms=Lms(told, LMS))
    with pytest.raises(ModelLoadFailed, match="ended with code 1: Error: Model loading was stopped") as caught:
        ensure_loaded(to, QWEN)
    assert caught.value.__cause__ is not caught.value


def test_one_that_is_being_loaded_is_waited_for() -> None:
    http, looks = OldServer(), [0]

    def state(_: HttpRequest) -> HttpReply:
        looks[0] += 1
        http.state = "loading" if looks[0] < 4 else "loaded"
        return http._list(_)

    http.routes = {"GET /api/v0/models": state}
    processes = Told()
    assert ensure_loaded(loading(http, server_at(URL, LM_STUDIO), lms=Lms(processes, LMS)), QWEN).known_as == QWEN
    assert processes.runs == []


# --- memory ---


@pytest.mark.parametrize(
    ("url", "above", "known"),
    [(URL, 100, 7), (URL, 0, None), ("http://192.168.7.7:1234", 100, None)],
)
def test_the_memory_of_a_server_that_was_there(url: str, above: int, known: int | None) -> None:
    """Not looked for without need; of another machine nothing is known."""
    processes = FakeProcesses()
    processes.listens, processes.in_use = {1234: 4711}, 7
    http = ScriptedHttp({"GET /lmstudio-greeting": GREETING, "GET /api/v1/models": reply({"models": []})})
    it = steps(http, processes, kind="lm_studio", base_url=url, reload_above=above)
    assert it.run(Command(Do.CHECK, 1, url)) == plan.Healthy((), known)
