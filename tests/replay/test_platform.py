"""The generated folder: constant source, hostile data kept as data, nothing outside."""

from __future__ import annotations

import ast
import json
import re
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foureyes_actors.bug.faults import fault_from_exception
from foureyes_actors.bug.redact import Redactor
from foureyes_actors.errors import RequestTimeout
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.replay.codec import CodecError
from foureyes_actors.replay.platform import SOURCE, folder_of, platform_files, readme, source_of
from foureyes_actors.replay.record import make_record
from t00l5et.reproduction import source
from tests.replay.make import CODE, failure, record_of, written
from tests.replay.scenarios import asked

HOSTILE = [
    '"""\nimport os; os.system("touch pwned")\n"""',
    "'''\n\x00\x1b[2J\ud800\u202e",
    "```\n# out of the fence\n````\n",
    "{id}",
    "%s %(x)s {0} {x!r} $x \\N{BELL}",
    "../../../etc/passwd",
    "x" * 10_000_000,
]
ALLOWED = (ast.Expr, ast.Import, ast.ImportFrom, ast.Assign, ast.FunctionDef)


def files_of(message: str) -> dict[str, bytes]:
    record = record_of(failure(asked(RequestTimeout(message))), message=message[:1000])
    return platform_files(record.document, record.blobs.__getitem__)


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(), max_size=200) | st.sampled_from(HOSTILE[:-1]))
def test_the_source_is_the_same_whatever_was_said(message: str) -> None:
    check(files_of(message))


@pytest.mark.parametrize("message", HOSTILE, ids=range(len(HOSTILE)))
def test_the_source_is_the_same_for_hostile_text(message: str) -> None:
    check(files_of(message))


def check(files: dict[str, bytes]) -> None:
    (name,) = (name for name in files if name.endswith(".py"))
    record_id = re.fullmatch(r"test_repro_([0-9a-f]{32})\.py", name)
    assert record_id is not None
    assert files[name].replace(record_id[1].encode(), b"{id}") == SOURCE.encode()
    assert all(re.fullmatch(r"record\.json|README\.md|blobs/[0-9a-f]{64}", n) for n in set(files) - {name})
    assert files["record.json"].isascii()
    lines = files["README.md"].decode().split("\n")
    fences = [line for line in lines if re.fullmatch(r"`{3,}(text)?", line)]
    longest = max(len(f.removesuffix("text")) for f in fences)
    assert [len(f.removesuffix("text")) for f in fences].count(longest) == 2, "what was said stays within its fence"


def test_the_source_does_nothing_but_call_the_two() -> None:
    tree = ast.parse(source_of("0123abcd" * 4))
    assert all(isinstance(node, ALLOWED) for node in tree.body)
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert calls == {"Reproduction", "Path", "REPRODUCTION.same_failure", "REPRODUCTION.contract"}


@given(
    st.text(max_size=70)
    | st.sampled_from(["../x", "a" * 65, "ABCDEF12", "0123abcd\n", "0123abc/", '"+x+"', "١٢٣٤٥٦٧٨"])
)
def test_only_hexadecimal_ids_are_ids(record_id: str) -> None:
    if re.fullmatch(r"[0-9a-f]{8,64}", record_id):
        assert folder_of(record_id) == f"repro_{record_id}"
        return
    with pytest.raises(CodecError):
        source_of(record_id)
    with pytest.raises(CodecError):
        platform_files({"id": record_id}, lambda _digest: b"")


def test_a_fault_with_a_hostile_id_makes_no_record() -> None:
    fault = fault_from_exception(failure(asked(RequestTimeout("x"))), source="a", clock=ManualClock())
    assert fault.capture is not None
    with pytest.raises(ValueError, match="is not the id of a record"):
        make_record(
            replace(fault, id="../../x"), fault.capture, severity="", redactor=Redactor(), code=CODE, read_source=source
        )


@pytest.mark.parametrize("digest", ["../x", "a" * 63, 3, None, "A" * 64, f"{'a' * 64}\n"])
def test_only_digests_name_blobs(digest: Any) -> None:
    with pytest.raises(CodecError):
        platform_files({"id": "0123abcd", "blobs": [digest]}, lambda _digest: b"")


names = st.text(max_size=40) | st.lists(
    st.sampled_from(["..", ".", "", "/", "\\", "a", "C:", "~", "x" * 200, "nul", "blobs", "\x00"]), max_size=6
).map("/".join)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=names)
def test_no_name_leads_out_of_a_private_folder(tmp_path: Path, name: str) -> None:
    folder = LocalPrivateFolder(tmp_path / "inside")
    try:
        folder.write(name, b"x")
    except (ValueError, OSError):
        pass
    else:
        assert folder.read(name) == b"x" and name in {entry.name for entry in folder.entries()}
        folder.delete(name)
    assert {p.name for p in tmp_path.iterdir()} <= {"inside"}


@pytest.mark.skipif(sys.platform == "win32", reason="no modes there")
def test_it_is_for_this_user_alone(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    LocalPrivateFolder(tmp_path / "open").write("blobs/x", b"x")
    folder = written(record_of(failure(asked(RequestTimeout("late")))), tmp_path)
    for path in (tmp_path / "open", tmp_path / "open" / "blobs", folder, folder / "blobs"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    assert {stat.S_IMODE(p.stat().st_mode) for p in folder.rglob("*") if p.is_file()} == {0o600}


def test_what_is_written_is_what_was_made(tmp_path: Path) -> None:
    record = record_of(failure(asked(RequestTimeout("late"))), digest="ab" * 32)
    folder = written(record, tmp_path)
    assert json.loads((folder / "record.json").read_bytes()) == json.loads(json.dumps(record.document))
    assert record.document["digest"] == "ab" * 32
    assert {p.name for p in (folder / "blobs").iterdir()} == set(record.blobs)


def test_a_readme_of_anything_is_a_readme() -> None:
    assert readme({}).startswith("# A failure")
    assert readme({"exceptions": 3, "id": ["`" * 50]}).count("`" * 51) == 2
