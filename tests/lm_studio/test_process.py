"""Which command starts the server, and what its end is called."""

from __future__ import annotations

import sys

import pytest

from foureyes_actors.errors import ConfigurationError, ServerStartFailed
from foureyes_actors.lm_studio.process import ServerProcess, announced_url, ended, known_url, launch_for
from foureyes_actors.settings import ModelServerSettings
from tests.lm_studio.support import FakeProcesses

LMS = "/home/eye/.lmstudio/bin/lms"
HERE = "http://127.0.0.1:4321"


def settings(**values: object) -> ModelServerSettings:
    return ModelServerSettings.model_validate(values)


def test_the_embedded_server() -> None:
    launch = launch_for(settings(), FakeProcesses())
    assert launch.command == (
        *(sys.executable, "-m", "foureyes_actors.model_server", "--port", "0", "--exit-with-stdin"),
        *("--host", "127.0.0.1"),
    )
    assert launch.announces and launch.resident
    assert "PYTHONPATH" in launch.environment
    assert known_url(settings()) is None


def test_the_embedded_server_with_hosted_models() -> None:
    for told, folder in (("models", "models"), ("hub", "hub")):
        launch = launch_for(settings(models_dir=told, device="cpu"), FakeProcesses())
        assert launch.command[-4:] == ("--models-dir", folder, "--device", "cpu")
    assert "--device" not in launch_for(settings(device="cpu"), FakeProcesses()).command


def test_the_embedded_server_at_an_address() -> None:
    here = settings(kind="embedded", base_url=HERE)
    launch = launch_for(here, FakeProcesses())
    assert launch.command[launch.command.index("--port") + 1] == "4321"
    assert known_url(here) == HERE


def test_lm_studio_is_started_by_its_own_command() -> None:
    launch = launch_for(settings(kind="lm_studio"), FakeProcesses(programs={"lms": LMS}))
    assert launch.command == (LMS, "server", "start", "--port", "1234")
    assert launch.stop_command == (LMS, "server", "stop")
    assert not launch.resident and not launch.announces
    assert known_url(settings(kind="lm_studio")) == "http://127.0.0.1:1234"


def test_a_command_of_the_users_own() -> None:
    values = settings(kind="openai", base_url=HERE, command=["llama-server", "-m", "x.gguf"])
    launch = launch_for(values, FakeProcesses())
    assert launch.command == ("llama-server", "-m", "x.gguf")
    assert launch.resident and not launch.announces


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kind": "lm_studio"}, "lms was not found"),
        ({"kind": "lm_studio", "manage": False}, "model_server.manage is false"),
        ({"kind": "lm_studio", "base_url": "http://192.168.7.7:1234"}, "another machine"),
        ({"kind": "embedded", "base_url": "http://192.168.7.7:1234"}, "another machine"),
        ({"kind": "openai", "base_url": HERE}, "model_server.command"),
    ],
)
def test_what_can_only_be_attached_to(values: dict[str, object], words: str) -> None:
    with pytest.raises(ServerStartFailed) as caught:
        launch_for(settings(**values), FakeProcesses())
    assert words in str(caught.value) and "start" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "url"),
    [
        ('{"listening": {"host": "127.0.0.1", "port": 5000}}', "http://127.0.0.1:5000"),
        ('{"listening": {"host": "::1", "port": 5000}}', "http://[::1]:5000"),
        ('{"listening": {"host": "127.0.0.1"}}', None),
        ('{"listening": 7}', None),
        ('{"listening', None),
        ("Uvicorn running on http://127.0.0.1:1", None),
        ("", None),
    ],
)
def test_where_it_says_that_it_listens(line: str, url: str | None) -> None:
    assert announced_url(line) == url


def test_how_an_end_is_called() -> None:
    error = ended(1, ("one", "two", "Traceback", "ValueError: no"))
    assert isinstance(error, ServerStartFailed)
    assert str(error) == "the model server's process ended with code 1: two | Traceback | ValueError: no"
    assert error.tail == ("one", "two", "Traceback", "ValueError: no")
    assert "ended by signal 9" in str(ended(-9, ()))
    wrong = ended(78, ("the embedded model server needs the package 'uvicorn'",))
    assert isinstance(wrong, ConfigurationError) and not wrong.retryable
    assert "needs the package 'uvicorn'" in str(wrong)


def test_a_helper_is_run_and_its_counterpart_stops_the_server() -> None:
    processes = FakeProcesses(programs={"lms": LMS})
    process = ServerProcess(processes)
    process.start(launch_for(settings(kind="lm_studio"), processes), 30.0)
    assert process.pid is None and process.exit_error() is None
    assert process.last_words() == ("Success!",)
    process.stop(3.0)
    process.stop(3.0)
    assert processes.runs == [
        (LMS, "daemon", "status", "--json"),
        (LMS, "daemon", "up", "--json"),
        (LMS, "server", "start", "--port", "1234"),
        (LMS, "server", "stop"),
    ]


def test_nothing_is_started_after_the_end() -> None:
    processes = FakeProcesses()
    process = ServerProcess(processes)
    process.start(launch_for(settings(), processes), 30.0)
    assert process.pid == 4711
    process.close(3.0)
    assert processes.children[0].stopped == [3.0]
    with pytest.raises(ServerStartFailed, match="shut down"):
        process.start(launch_for(settings(), processes), 30.0)
    assert len(processes.children) == 1
