"""A failure as one file for somebody else: whole, the same each time, and nothing of this machine in it."""

from __future__ import annotations

import io
import json
import re
import sys
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foureyes_actors.commands.error_export import Export, ExportRefused, export, export_lines, save
from foureyes_actors.errors import RequestTimeout
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.replay.codec import CodecError
from foureyes_actors.replay.confirmation import Confirmation, Level
from foureyes_actors.replay.platform import SOURCE
from foureyes_actors.replay.record import Record
from t00l5et.confirm import confirm
from tests.commands.test_error_commands import a_recorded, run
from tests.inference.support import reply
from tests.replay.make import failure, record_of
from tests.replay.scenarios import asked, joined

HOME = Path("/home/al1ce-of-the-test")
PLACE = Path("/srv/games-of-the-test/store-of-the-test")
FOUND = Confirmation(Level.PORT, f"at {PLACE}/x", 3, 3, 2.0, "bubblewrap", "2026-01-01T00:00:00+00:00")


def exported(record: Record, **options: object) -> Export:
    return export(record.document, record.blobs.__getitem__, **options)  # type: ignore[arg-type]


def files_of(made: Export) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(made.data)) as archive:
        assert archive.testzip() is None
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


def with_paths() -> Record:
    """In an argument, a reply's bytes, a message and a context."""
    body = json.dumps({"error": {"message": f"cannot read {HOME}/model.gguf and {PLACE}/{{x}}"}}).encode()
    return record_of(failure(asked(reply(body, 500))), operation=f"{HOME}/x")


def test_the_whole_platform_is_in_it_with_its_confirmation_and_versions() -> None:
    record = with_paths()
    made = exported(record, confirmation=FOUND, places=(PLACE,))
    names = {PurePosixPath(name).relative_to(f"repro_{record.id}").as_posix() for name in files_of(made)}
    blobs = {name for name in names if name.startswith("blobs/")}
    fixed = {"record.json", "README.md", "confirmation.json", "versions.json", f"test_repro_{record.id}.py"}
    assert names == fixed | blobs and len(blobs) == len(record.blobs) > 0
    assert made.sizes == {name: len(data) for name, data in files_of(made).items()}
    assert files_of(made)[f"repro_{record.id}/test_repro_{record.id}.py"].decode() == SOURCE.replace("{id}", record.id)


def test_the_same_record_gives_the_same_bytes() -> None:
    record = with_paths()
    turned = replace(record, document=dict(reversed(list(record.document.items()))))
    first, second = exported(record, places=(PLACE,)), exported(record, places=(PLACE,))
    assert first.data == second.data
    assert set(exported(turned, places=(PLACE,)).sizes) == set(first.sizes)


def test_no_path_of_this_machine_is_in_it() -> None:
    """Home folders by their look, the rest because it is told."""
    made = exported(with_paths(), confirmation=FOUND, places=(PLACE,))
    whole = b"".join(files_of(made).values())
    assert made.replaced and b"cannot read redacted-" in whole
    for place in (HOME, PLACE):
        for form in (str(place), str(place).replace("/", "\\/"), place.name):
            assert form.encode() not in whole, form


@pytest.mark.parametrize("path", [r"C:\Users\al1ce\fe", r"C:\\Users\\al1ce\\fe", "/Users/al1ce/fe", "/home/al1ce/fe"])
def test_home_folders_of_any_system_go(path: str) -> None:
    made = exported(record_of(failure(joined({"grand": path}))))
    assert b"al1ce" not in b"".join(files_of(made).values())


def test_what_has_no_paths_stays_as_it_is() -> None:
    record = record_of(failure(joined({"grand": "1.00"})))
    made = exported(record, places=(PLACE, Path("/")))
    assert not made.replaced
    assert json.loads(files_of(made)[f"repro_{record.id}/record.json"]) == json.loads(json.dumps(record.document))


@pytest.mark.skipif(sys.platform == "win32", reason="never confirmed there")
def test_who_gets_it_can_run_it_again(tmp_path: Path) -> None:
    record = with_paths()
    with zipfile.ZipFile(io.BytesIO(exported(record, places=(PLACE,)).data)) as archive:
        archive.extractall(tmp_path)
    found = confirm(tmp_path / f"repro_{record.id}", LocalProcesses(), SystemClock(), runs=1)
    assert found.level is Level.STAND_IN, found


def test_pictures_stay_at_home_on_demand() -> None:
    record = record_of(failure(asked(RequestTimeout("late"))))
    assert "frame" in record.document["blobs"].values()
    made, without = exported(record), exported(record, pictures=False)
    assert made.pictures == 1 and without.pictures == 0
    assert len(without.sizes) == len(made.sizes) - 1
    assert b"\xff\xd8\xff" not in b"".join(files_of(without).values())
    assert any("--without-pictures" in line for line in export_lines(made, Path("x.zip")))
    assert not any("--without-pictures" in line for line in export_lines(without, Path("x.zip")))


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    made, path = exported(with_paths()), tmp_path / "x.zip"
    save(made, path, LocalFiles())
    assert path.read_bytes() == made.data
    path.write_bytes(b"mine")
    with pytest.raises(ExportRefused, match="is there already"):
        save(made, path, LocalFiles())
    assert path.read_bytes() == b"mine"


# --- hostile ---

HOSTILE = ['"""\nimport os; os.system("touch pwned")\n"""', "../../../x", "\x1b[2J\x00\ud800\u202e```", "{id} %s $x"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(message=st.text(max_size=100) | st.sampled_from(HOSTILE))
def test_whatever_was_said_no_name_leads_out_and_nothing_runs(message: str) -> None:
    record = record_of(failure(asked(RequestTimeout(message))))
    for name, data in files_of(exported(record)).items():
        assert re.fullmatch(r"repro_[0-9a-f]{32}/([A-Za-z_0-9.]+|blobs/[0-9a-f]{64})", name) and ".." not in name
        if name.endswith(".py"):
            assert data.decode() == SOURCE.replace("{id}", record.id)


@pytest.mark.parametrize("change", [{"id": "../../x"}, {"id": "0123abcd/../x"}, {"blobs": {"../../x": "frame"}}])
def test_a_record_with_hostile_names_is_not_exported(change: dict[str, object]) -> None:
    record = with_paths()
    with pytest.raises(CodecError):
        export({**record.document, **change}, lambda _digest: b"x")


@pytest.mark.parametrize("blobs", [None, [], "x", 3])
def test_a_record_with_strange_blobs_is_one_without(blobs: object) -> None:
    record = with_paths()
    try:
        made = export({**record.document, "blobs": blobs}, lambda _digest: b"x")
    except (CodecError, TypeError):
        return
    assert not any("blobs/" in name for name in made.sizes)


def test_the_command(tmp_path: Path) -> None:
    fault = a_recorded(tmp_path / "records")
    code, said = run(tmp_path, "errors", "export", fault.id)
    path = tmp_path / f"foureyes_error_{fault.id[:12]}.zip"
    assert code == 0 and path.name in said and f"repro_{fault.id}/record.json" in said, said
    assert str(path.stat().st_size) in said
    whole = b"".join(files_of(Export(path.read_bytes(), {}, 0, False)).values())
    assert str(tmp_path).encode() not in whole and str(Path(__file__).parents[2]).encode() not in whole
    before = path.read_bytes()
    code, said = run(tmp_path, "errors", "export", fault.id)
    assert code == 69 and "is there already" in said and path.read_bytes() == before
    code, said = run(tmp_path, "errors", "export", fault.id, "--to", "other.zip", "--without-pictures")
    assert code == 0 and (tmp_path / "other.zip").read_bytes() == before, said
