"""The document of a decision, and its Markdown, which may hold what an attacker made a failure say."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from foureyes_actors.forgewright.budget import BY_HAND
from foureyes_actors.forgewright.decision import from_json, to_json
from foureyes_actors.forgewright.decision_document import document, markdown, progress
from foureyes_actors.forgewright.states import IN_FORCE, State, Status
from foureyes_actors.forgewright.triage import RemedyKind
from tests.forgewright.make import HOSTILE, ID, NOW, a_decision, in_state

FIELDS = {
    *("decision_id", "title", "category", "description", "status", "priority", "section", "source", "dependencies"),
    *("details", "implementation", "status_history", "action_items"),
}
DETAILS = {"current_problems", "key_components", "scope", "estimated_effort", "target_milestone"}


@pytest.mark.parametrize("state", State)
def test_it_has_the_fields_of_a_decision_in_each_state(state: State) -> None:
    made = document(in_state(state))
    assert set(made) >= FIELDS and set(made["details"]) >= DETAILS
    assert {"phases", "progress", "target_files"} <= set(made["implementation"])
    assert 0 <= made["implementation"]["progress"] <= 100
    assert made["status"] in set(Status) and made["status_history"][-1]["status"] == made["status"]
    for step in made["status_history"]:
        assert set(step) >= {"status", "timestamp", "note"} and step["timestamp"].tzinfo is UTC
    for item in made["action_items"]:
        assert set(item) == {"task", "priority", "files", "created_at", "completed"} and 1 <= item["priority"] <= 10
    json.dumps(dict(made), default=str, allow_nan=False)


@pytest.mark.parametrize("remedy", [RemedyKind.OPERATIONAL, RemedyKind.CONFIGURATION, RemedyKind.CODE])
@pytest.mark.parametrize("state", sorted(IN_FORCE))
def test_what_nobody_approved_is_not_called_approved(state: State, remedy: RemedyKind) -> None:
    made = in_state(state, remedy)
    wanted = Status.COMPLETED if state is State.RESOLVED else Status.IN_PROGRESS
    assert document(made)["status"] == wanted
    assert Status.APPROVED not in {step["status"] for step in document(made)["status_history"]}
    text = markdown(made)
    assert f"**{wanted}** ({state})" in text and "approved by: nobody: " in text
    assert ("Cerberus mends by himself" in text) == (remedy is RemedyKind.OPERATIONAL)


def test_what_a_person_approved_is_until_it_is_taken_back() -> None:
    asked = in_state(State.AWAITING_APPROVAL).to(State.APPLIED, NOW, f"{BY_HAND}: merged").to(State.WATCHED, NOW, "on")
    kept = in_state(State.WATCHED, RemedyKind.CONFIGURATION).noted(NOW, f"{BY_HAND}: the setting stays", {})
    for made in (asked, kept):
        assert document(made)["status"] == Status.APPROVED
        assert "approved by: a person" in markdown(made)
    again = asked.to(State.REGRESSED, NOW).to(State.ROLLED_BACK, NOW).to(State.TRIAGED, NOW)
    for state in (State.PROPOSED, State.VERIFIED, State.APPLIED):
        again = again.to(state, NOW, "by itself")
    found = [step["status"] for step in document(again)["status_history"]]
    assert found[-1] == document(again)["status"] == Status.IN_PROGRESS
    assert found.count(Status.APPROVED) == 2, "what was approved once is history"


def test_each_revision_is_a_document_of_its_own() -> None:
    made = document(in_state(State.APPLIED, revision=7))
    assert (made["_id"], made["subject"], made["fingerprint"]) == (f"{ID}:7", ID, "g")
    assert made["at"] == datetime.fromtimestamp(NOW, UTC)
    assert made["implementation"]["target_files"] == ["foureyes_actors/readings/parse.py"]


def test_only_what_asks_for_a_person_has_something_to_do() -> None:
    asked = {state for state in State if document(in_state(state))["action_items"]}
    assert asked == {State.AWAITING_APPROVAL, State.APPLIED, State.DEFERRED, State.REGRESSED}


def test_progress_is_how_far_it_got() -> None:
    ways = [State.NEW, State.CAPTURED, State.TRIAGED, State.PROPOSED, State.VERIFIED, State.APPLIED, State.RESOLVED]
    found = [progress(in_state(state)) for state in ways]
    assert found == sorted(found) and found[0] == 0 and found[-1] == 100


@pytest.mark.parametrize("files", [5, "x", None, True, {"a": 1}])
def test_files_that_are_none_are_none(files: object) -> None:
    assert document(in_state(State.VERIFIED, remedy_facts={"files": files}))["implementation"]["target_files"] == []


ATTACKS = [
    HOSTILE[:400],
    "<script>alert(1)</script>",
    "[click](javascript:alert(1)) ![x](http://evil.example/x.png)",
    "http://evil.example www.evil.example @everyone #12",
    "```\n# a heading\n```",
    "- [x] done",
    "1. one",
    "=====",
    "| a | b |",
    "~~gone~~ **bold** __init__ `code` &lt;b&gt;",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_markdown_holds_no_markup_but_its_own(text: str) -> None:
    made = a_decision(title=text, source=text, entry=text, trigger=text, severity=text, record=text, group=text)
    lines = markdown(made.to(State.TRIAGED, NOW, text, remedy_facts={text: text, "files": [text]})).splitlines()
    assert lines[0].startswith(f"# {ID}: ") and sum(line.startswith("#") for line in lines) == 2
    for line in lines:
        assert line.isprintable() or "\u200b" in line
        bare = re.sub(r"\\.", "x", line.removeprefix("## ").removeprefix("# ").removeprefix("* "))
        bare = re.sub(r"^\*\*\w+\*\*", "", bare)
        assert not re.search(r"[`<>\[\]|~*_#!]|://|@\w|www\.\w|^([-+=]|\d+[.)])", bare), line


def test_what_is_in_a_file_is_what_is_shown() -> None:
    made = in_state(State.AWAITING_APPROVAL)
    text = markdown(from_json(to_json(made)))
    assert text == markdown(made) and "## To be done" in text and "* [ ] look at it" in text
