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

from foureyes_actors.forgewright.decision import to_json
from foureyes_actors.forgewright.knobs import KNOBS
from foureyes_actors.forgewright.mitigations import (
    DAY,
    MAX_FILES,
    MAX_SIZE,
    BadMitigation,
    Laid,
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
from foureyes_actors.forgewright.states import IN_FORCE, State
from foureyes_actors.forgewright.triage import RemedyKind
from foureyes_actors.ports.private_folder import Entry, LocalPrivateFolder
from foureyes_actors.settings import InferenceSettings, Settings
from tests.forgewright.make import decided, in_state

NOW = 1_795_426_200.0  # 2026-11-23, 09:30 UTC
ID = "FORGE-2026-001"
LONGER = mitigation(ID, "inference.deadline", 30.0, 45.0, NOW)
SETTING = {"key": "inference.deadline", "was": 30.0, "value": 45.0, "until": LONGER.until}
DECIDED = to_json(in_state(State.WATCHED, RemedyKind.CONFIGURATION, remedy_facts=SETTING))


@pytest.fixture
def folder(tmp_path: Path) -> LocalPrivateFolder:
    return LocalPrivateFolder(tmp_path / "mitigations")


@pytest.fixture
def decisions(tmp_path: Path) -> LocalPrivateFolder:
    return LocalPrivateFolder(tmp_path / "decisions")


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


def test_it_ends_after_seven_days_unless_it_is_confirmed(folder: LocalPrivateFolder, tmp_path: Path) -> None:
    put(folder, LONGER, NOW)
    assert in_force(folder, NOW + 7 * DAY - 1) == (LONGER,)
    assert in_force(folder, NOW + 7 * DAY) == ()
    of, other = decided(tmp_path, LONGER), decided(tmp_path, replace(LONGER, decision="FORGE-2026-002"))
    assert not confirm(folder, of, NOW + 7 * DAY), "too late"
    assert not confirm(folder, other, NOW) and not confirm(folder, decided(tmp_path, LONGER, value=46.0), NOW)
    assert confirm(folder, of, NOW + DAY)
    assert in_force(folder, NOW + 700 * DAY) == (replace(LONGER, until=None),)
    assert take_back(folder, ID)


def test_what_has_expired_goes_at_the_next_look(folder: LocalPrivateFolder, decisions: LocalPrivateFolder) -> None:
    put(folder, LONGER, NOW)
    laid = mitigated(Settings(), folder, decisions, NOW + 7 * DAY)
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
def test_a_forged_file_is_left_out_and_said(
    folder: LocalPrivateFolder, decisions: LocalPrivateFolder, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    written(folder, **change)
    decided(tmp_path / "decisions", LONGER)
    found = look(folder, NOW)
    assert (found.mitigations, len(found.broken)) == ((), 1)
    assert words in found.broken[0] and found.broken[0].startswith(f"the mitigation {ID}.json is left out: ")
    assert found.broken[0].isprintable()
    laid = mitigated(Settings(), folder, decisions, NOW)
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

    class Decisions:
        def look(self, name: str) -> Entry:
            return Entry(name, len(DECIDED), NOW)

        def read(self, name: str) -> bytes:
            return DECIDED

    laid = mitigated(Settings(), Folder(), Decisions(), NOW)  # type: ignore[arg-type]
    assert laid.settings.inference.deadline in (30.0, 45.0) and laid.settings.store == Settings().store
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

    laid = mitigated(Settings(), Broken(), Broken(), NOW)  # type: ignore[arg-type]
    assert (laid.settings, laid.left) == (Settings(), ("mitigations cannot be read: Permission denied",))


# --- of a decision ---


def test_without_a_decision_nothing_counts(folder: LocalPrivateFolder, decisions: LocalPrivateFolder) -> None:
    put(folder, LONGER, NOW)
    laid = mitigated(Settings(), folder, decisions, NOW)
    assert (laid.settings, laid.told) == (Settings(), ())
    assert laid.left == (f"the mitigation {ID}.json is left out: there is no decision {ID}",)


@pytest.mark.parametrize("state", State)
def test_it_counts_in_the_states_that_have_it_in_force(
    folder: LocalPrivateFolder, decisions: LocalPrivateFolder, tmp_path: Path, state: State
) -> None:
    put(folder, LONGER, NOW)
    decided(tmp_path / "decisions", LONGER, state)
    laid = mitigated(Settings(), folder, decisions, NOW)
    assert (laid.settings.inference.deadline == 45.0) is (state in IN_FORCE)
    assert len(laid.left) == (state not in IN_FORCE) and all(f"{ID} is {state}" in line for line in laid.left)
    assert len(folder.entries()) == 1, "that it is told is enough"


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"value": 46.0}, "another setting in force than inference.deadline 45"),
        ({"was": 29.0}, "another setting"),
        ({"key": "store.timeout"}, "another setting"),
        ({"until": "later"}, "does not say until when"),
        ({"until": False}, "does not say until when"),
    ],
)
def test_the_decision_names_exactly_this_one(
    folder: LocalPrivateFolder, decisions: LocalPrivateFolder, tmp_path: Path, facts: dict[str, Any], words: str
) -> None:
    put(folder, LONGER, NOW)
    decided(tmp_path / "decisions", LONGER, **facts)
    laid = mitigated(Settings(), folder, decisions, NOW)
    assert laid.settings == Settings() and len(laid.left) == 1 and words in laid.left[0]


def test_it_lasts_no_longer_than_the_decision_says(
    folder: LocalPrivateFolder, decisions: LocalPrivateFolder, tmp_path: Path
) -> None:
    """A file that says that it was confirmed; and a decision that was, whose file was not written."""
    put(folder, replace(LONGER, until=None), NOW)
    decided(tmp_path / "decisions", LONGER, until=NOW + DAY)
    assert "until 2026-11-24" in mitigated(Settings(), folder, decisions, NOW).told[0]
    assert mitigated(Settings(), folder, decisions, NOW + DAY) == Laid(Settings())
    assert folder.entries() == [], "it has expired"
    put(folder, LONGER, NOW)
    decided(tmp_path / "decisions", LONGER, until=None)
    assert "until 2026-11-30" in mitigated(Settings(), folder, decisions, NOW).told[0]


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"[" * 5000, DECIDED.replace(b"watched", b"new", 1)])
def test_a_decision_that_is_none_puts_nothing_in_force(
    folder: LocalPrivateFolder, decisions: LocalPrivateFolder, data: bytes
) -> None:
    put(folder, LONGER, NOW)
    decisions.write(f"{ID}/decision.json", data)
    laid = mitigated(Settings(), folder, decisions, NOW)
    assert laid.settings == Settings() and len(laid.left) == 1 and laid.left[0].isprintable()


def test_another_decisions_document_is_none(
    folder: LocalPrivateFolder, decisions: LocalPrivateFolder, tmp_path: Path
) -> None:
    put(folder, replace(LONGER, decision="FORGE-2026-002"), NOW)
    decided(tmp_path / "decisions", LONGER)
    decisions.write("FORGE-2026-002/decision.json", decisions.read(f"{ID}/decision.json"))
    laid = mitigated(Settings(), folder, decisions, NOW)
    assert laid.settings == Settings() and "is another decision's" in laid.left[0]


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


def test_one_builds_upon_another_and_falls_with_it(
    folder: LocalPrivateFolder, decisions: LocalPrivateFolder, tmp_path: Path
) -> None:
    more = mitigation("FORGE-2026-000", "inference.deadline", 45.0, 60.0, NOW + 1)
    often = mitigation("FORGE-2026-002", "inference.attempts", 3, 4, NOW + 2)
    for each in (often, more, LONGER):
        put(folder, each, NOW + 3)
        decided(tmp_path / "decisions", each)
    laid = mitigated(Settings(), folder, decisions, NOW + 3)
    assert (laid.settings.inference.deadline, laid.settings.inference.attempts) == (60.0, 4)
    assert type(laid.settings.inference.attempts) is int and len(laid.told) == 3
    take_back(folder, ID)
    laid = mitigated(Settings(), folder, decisions, NOW + 3)
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
