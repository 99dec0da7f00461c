"""Settings that are in force for a while: put, confirmed, expired, taken back, forged, and laid over the user's own."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foureyes_actors.forgewright.knobs import KNOBS
from foureyes_actors.forgewright.mitigations import (
    DAY,
    MAX_FILES,
    MAX_SIZE,
    BadMitigation,
    Mitigation,
    confirm,
    in_force,
    lay,
    look,
    mitigated,
    mitigation,
    put,
    take_back,
)
from foureyes_actors.ports.private_folder import Entry, LocalPrivateFolder
from foureyes_actors.settings import InferenceSettings, Settings

NOW = 1_795_426_200.0  # 2026-11-23, 09:30 UTC
ID = "FORGE-2026-001"
LONGER = mitigation(ID, "inference.deadline", 30.0, 45.0, NOW)


@pytest.fixture
def folder(tmp_path: Path) -> LocalPrivateFolder:
    return LocalPrivateFolder(tmp_path / "mitigations")


def written(folder: LocalPrivateFolder, name: str = f"{ID}.json", **change: Any) -> None:
    put(folder, LONGER, NOW)
    document = {**json.loads(folder.read(f"{ID}.json")), **change}
    folder.delete(f"{ID}.json")
    folder.write(name, json.dumps(document).encode())


def test_it_is_put_and_taken_back_and_twice_is_no_more_than_once(folder: LocalPrivateFolder) -> None:
    assert in_force(folder, NOW) == ()
    for _ in range(2):
        put(folder, LONGER, NOW)
        assert in_force(folder, NOW) == (LONGER,)
    assert take_back(folder, ID) and not take_back(folder, ID)
    assert in_force(folder, NOW) == ()
    if os.name == "posix":
        put(folder, LONGER, NOW)
        (file,) = Path(folder._folder).iterdir()
        assert file.stat().st_mode & 0o077 == 0


def test_it_ends_after_seven_days_unless_it_is_confirmed(folder: LocalPrivateFolder) -> None:
    put(folder, LONGER, NOW)
    assert in_force(folder, NOW + 7 * DAY - 1) == (LONGER,)
    assert in_force(folder, NOW + 7 * DAY) == ()
    assert not confirm(folder, ID, NOW + 7 * DAY), "too late"
    assert confirm(folder, ID, NOW + DAY) and not confirm(folder, "FORGE-2026-002", NOW)
    assert in_force(folder, NOW + 700 * DAY) == (replace(LONGER, until=None),)
    assert take_back(folder, ID)


def test_what_has_expired_goes_at_the_next_look(folder: LocalPrivateFolder) -> None:
    put(folder, LONGER, NOW)
    laid = mitigated(Settings(), folder, NOW + 7 * DAY)
    assert (laid.settings, laid.told, laid.left) == (Settings(), (), ())
    assert folder.entries() == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("inference.deadline", 61.0),
        ("inference.deadline", float("nan")),
        ("inference.attempts", 6),
        ("source.limits.max_pixels", 1),
        ("store.uri", "mongodb://elsewhere"),
        ("data_dir", "/"),
    ],
)
def test_what_is_no_knob_or_beyond_its_bounds_cannot_be_put(folder: LocalPrivateFolder, key: str, value: Any) -> None:
    with pytest.raises(BadMitigation):
        mitigation(ID, key, 30.0, value, NOW)
    with pytest.raises(BadMitigation):
        put(folder, replace(LONGER, key=key, value=value), NOW)
    assert folder.entries() == []


@pytest.mark.parametrize("decision", ["", "FORGE-2026-1", "../FORGE-2026-001", "FORGE-2026-001\n", "forge-2026-001"])
def test_a_decision_has_an_id(folder: LocalPrivateFolder, decision: str) -> None:
    for act in (
        lambda: mitigation(decision, "inference.deadline", 30.0, 45.0, NOW),
        lambda: take_back(folder, decision),
    ):
        with pytest.raises(BadMitigation):
            act()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"value": 600}, "its value for inference.deadline is not within 1 to 60"),
        ({"value": 10**400}, "not within 1 to 60"),
        ({"value": "45"}, "not within 1 to 60"),
        ({"key": "source.limits.max_bytes"}, "its key is not one of: inference.deadline"),
        ({"key": ["inference.deadline"]}, "its key is not one of"),
        ({"decision": "FORGE-2026-002"}, "it says that it is of FORGE-2026-002"),
        ({"decision": "\x1b[2J"}, "it has no decision's id"),
        ({"was": None}, "does not say what the value was"),
        ({"at": NOW + DAY}, "not put before now"),
        ({"at": "yesterday"}, "not put before now"),
        ({"until": NOW + 8 * DAY}, "does not end within 7 days"),
        ({"until": "never"}, "does not end within 7 days"),
        ({"until": True}, "does not end within 7 days"),
        ({"schema": 2}, "not of schema 1"),
        ({"more": 1}, "not in the form of one"),
    ],
)
def test_a_forged_file_is_left_out_and_said(folder: LocalPrivateFolder, change: dict[str, Any], words: str) -> None:
    written(folder, **change)
    found = look(folder, NOW)
    assert (found.mitigations, len(found.broken)) == ((), 1)
    assert words in found.broken[0] and found.broken[0].startswith(f"the mitigation {ID}.json is left out: ")
    assert found.broken[0].isprintable()
    laid = mitigated(Settings(), folder, NOW)
    assert (laid.settings, laid.left) == (Settings(), found.broken)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 2000, b"x" * (MAX_SIZE + 1), b'{"schema":1}']
)
def test_a_broken_file_is_left_out_and_said(folder: LocalPrivateFolder, data: bytes) -> None:
    put(folder, LONGER, NOW)
    folder.write("FORGE-2026-002.json", data)
    found = look(folder, NOW)
    assert found.mitigations == (LONGER,) and len(found.broken) == 1


@given(
    st.dictionaries(
        st.sampled_from(["decision", "key", "was", "value", "at", "until", "schema"]),
        st.none()
        | st.booleans()
        | st.floats()
        | st.integers()
        | st.text()
        | st.sampled_from(list(KNOBS))
        | st.lists(st.integers()),
    )
)
def test_whatever_lies_there_only_bounded_values_come_in_force(change: dict[str, Any]) -> None:
    class Folder:
        data = json.dumps(
            {
                "schema": 1,
                "decision": ID,
                "key": "inference.deadline",
                "was": 30.0,
                "value": 45.0,
                "at": NOW,
                "until": NOW + DAY,
                **change,
            }
        ).encode()

        def entries(self) -> list[Entry]:
            return [Entry(f"{ID}.json", len(self.data), NOW)]

        def names(self) -> list[str]:
            return [f"{ID}.json"]

        def read(self, name: str) -> bytes:
            return self.data

        def delete(self, name: str) -> None: ...

    laid = mitigated(Settings(), Folder(), NOW)  # type: ignore[arg-type]
    assert Settings.model_validate(laid.settings.model_dump()) == laid.settings
    for key, knob in KNOBS.items():
        part, name = key.rsplit(".", 1)
        value: Any = laid.settings
        for each in (*part.split("."), name):
            value = getattr(value, each)
        assert knob.admits(value)


def test_a_link_is_not_followed_and_a_flood_is_cut(folder: LocalPrivateFolder, tmp_path: Path) -> None:
    put(folder, LONGER, NOW)
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_bytes(folder.read(f"{ID}.json"))
    take_back(folder, ID)
    try:
        (tmp_path / "mitigations" / f"{ID}.json").symlink_to(elsewhere)
    except OSError:
        pytest.skip("links cannot be made here")
    assert in_force(folder, NOW) == ()
    for number in range(MAX_FILES + 1):
        folder.write(f"x{number:03}", b"")
    assert len(look(folder, NOW).broken) == MAX_FILES + 2  # the link, each, and those that are too many


def test_a_folder_that_cannot_be_read_changes_nothing() -> None:
    class Broken:
        def entries(self) -> list[Entry]:
            raise PermissionError(13, "Permission denied")

    laid = mitigated(Settings(), Broken(), NOW)  # type: ignore[arg-type]
    assert (laid.settings, laid.left) == (Settings(), ("mitigations cannot be read: Permission denied",))


# --- laid over the user's settings ---


def test_it_is_laid_over_the_settings_and_told() -> None:
    own = Settings(inference=InferenceSettings(max_tokens=700))
    laid = lay(own, [LONGER])
    assert laid.settings.inference == InferenceSettings(deadline=45.0, max_tokens=700)
    assert own.inference.deadline == 30.0 and laid.left == ()
    (told,) = laid.told
    assert told == (
        "inference.deadline is 45 instead of 30: a mitigation of FORGE-2026-001 until 2026-11-30; "
        "`python run.py decisions revert FORGE-2026-001` takes it back"
    )
    assert "until it is taken back; `python" in lay(own, [replace(LONGER, until=None)]).told[0]


def test_the_word_of_the_user_wins() -> None:
    own = Settings(inference=InferenceSettings(deadline=20.0))
    laid = lay(own, [LONGER])
    assert (laid.settings, laid.told) == (own, ())
    assert laid.left == (
        "inference.deadline is 20 and no longer 30, so the mitigation of FORGE-2026-001 does not hold",
    )


def test_one_builds_upon_another_and_falls_with_it(folder: LocalPrivateFolder) -> None:
    more = mitigation("FORGE-2026-000", "inference.deadline", 45.0, 60.0, NOW + 1)
    often = mitigation("FORGE-2026-002", "inference.attempts", 3, 4, NOW + 2)
    for each in (often, more, LONGER):
        put(folder, each, NOW + 3)
    laid = mitigated(Settings(), folder, NOW + 3)
    assert (laid.settings.inference.deadline, laid.settings.inference.attempts) == (60.0, 4)
    assert type(laid.settings.inference.attempts) is int and len(laid.told) == 3
    take_back(folder, ID)
    laid = mitigated(Settings(), folder, NOW + 3)
    assert laid.settings.inference.deadline == 30.0
    assert laid.left == (
        "inference.deadline is 30 and no longer 45, so the mitigation of FORGE-2026-000 does not hold",
    )


def test_each_knob_can_be_laid() -> None:
    def laid(key: str, was: float, value: float) -> Settings:
        return lay(Settings(), [Mitigation(ID, key, was, value, NOW, None)]).settings

    assert laid("source.obs.deadline", 2.0, 4.0).source.obs.deadline == 4.0
    assert laid("store.timeout", 3.0, 6.0).store.timeout == 6.0
    assert laid("inference.max_tokens", 500, 1000).inference.max_tokens == 1000


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes need rights there")
def test_what_is_no_file_is_told(folder: LocalPrivateFolder, tmp_path: Path) -> None:
    put(folder, LONGER, NOW)
    (place,) = {path.parent for path in tmp_path.rglob("FORGE-*.json")}
    os.mkfifo(place / "FORGE-2026-090.json")
    (place / "FORGE-2026-091.json").symlink_to(__file__)
    found = look(folder, NOW)
    assert found.mitigations == (LONGER,)
    assert found.broken == tuple(f"the mitigation FORGE-2026-09{n}.json is left out: it is no file" for n in (0, 1))
