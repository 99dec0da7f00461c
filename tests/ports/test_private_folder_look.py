"""A look into a private folder that does not walk what lies in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from foureyes_actors.ports.private_folder import LocalPrivateFolder


def test_the_files_of_one_name_right_below(tmp_path: Path) -> None:
    folder = LocalPrivateFolder(tmp_path)
    for name in ("b/x.json", "a/x.json", "a/y.json", "a/deep/x.json", "x.json"):
        folder.write(name, b"12")
    (tmp_path / "c" / "x.json").mkdir(parents=True)
    (tmp_path / "a name").mkdir()
    (tmp_path / "a name" / "x.json").write_bytes(b"")
    found = folder.each("x.json")
    assert [(entry.name, entry.size) for entry in found] == [("a/x.json", 2), ("b/x.json", 2)]
    assert found == [folder.look(entry.name) for entry in found]
    assert LocalPrivateFolder(tmp_path / "nowhere").each("x.json") == []


def test_links_are_left_out_and_refused(tmp_path: Path) -> None:
    folder, elsewhere = LocalPrivateFolder(tmp_path / "here"), tmp_path / "elsewhere"
    folder.write("a/x.json", b"1")
    LocalPrivateFolder(elsewhere).write("x.json", b"2")
    try:
        (tmp_path / "here" / "b").symlink_to(elsewhere, target_is_directory=True)
    except OSError:
        pytest.skip("links cannot be made here")
    (tmp_path / "here" / "c").mkdir()
    (tmp_path / "here" / "c" / "x.json").symlink_to(elsewhere / "x.json")
    assert [entry.name for entry in folder.each("x.json")] == ["a/x.json"]
    for name in ("b/x.json", "c/x.json"):
        with pytest.raises(OSError, match="is a link"):
            folder.look(name)


def test_a_file_that_is_written_again_has_another_mark(tmp_path: Path) -> None:
    folder, marks = LocalPrivateFolder(tmp_path), set()
    for _ in range(5):
        folder.write("a/x.json", b"1")
        (entry,) = folder.each("x.json")
        marks.add((entry.mark, entry.changed))
    assert len(marks) > 1


@pytest.mark.parametrize("name", ["", "../x", "a/../../x", "x\n"])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    for look in (LocalPrivateFolder(tmp_path).each, LocalPrivateFolder(tmp_path).look):
        with pytest.raises(ValueError, match="is not a name in this folder"):
            look(name)
