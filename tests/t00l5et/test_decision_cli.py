"""``run.py decisions`` as people type it, with decisions on the disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from foureyes_actors import program
from foureyes_actors.exit_codes import BAD_CONFIGURATION, OK, UNAVAILABLE
from foureyes_actors.forgewright.ledger import FILE, LOCK
from foureyes_actors.forgewright.mitigations import MITIGATIONS, in_force
from foureyes_actors.forgewright.states import State
from foureyes_actors.forgewright.triage import RemedyKind
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.ports.process_lock import ProcessLock
from foureyes_actors.settings import Settings
from tests.forgewright.make import HOSTILE, ID, NOW, a_decision, a_ledger, in_state

SETTING = RemedyKind.CONFIGURATION


class House:
    """A data folder, and its command line."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config = folder, folder / "foureyes.yaml"
        self.config.write_text(f"data_dir: {json.dumps(str(folder))}\n", encoding="utf-8")
        self.ledger = a_ledger(folder / "decisions", SystemClock())

    def says(self, *words: str) -> Result:
        return CliRunner().invoke(
            program.app, ["--config", str(self.config), "decisions", *words], catch_exceptions=False
        )

    def state(self, decision_id: str = ID) -> State:
        found = self.ledger.get(decision_id)
        assert found is not None
        return found.state


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.delenv("FOUREYES_CONFIG", raising=False)
    monkeypatch.delenv("FOUREYES_DATA_DIR", raising=False)
    yield House(tmp_path)


def test_before_there_are_any(house: House) -> None:
    assert house.says("list").stdout == "no open decisions\n"
    assert json.loads(house.says("list", "--json").stdout) == []
    assert house.says("figures").stdout.startswith("failures taken up        0\n")
    assert not (house.folder / "decisions").exists(), "who only looks makes nothing"


@pytest.mark.parametrize("command", ["show", "approve", "reject", "revert", "export"])
@pytest.mark.parametrize("wanted", ["7", "FORGE-2026-999", "../../etc/passwd", HOSTILE])
def test_an_id_that_there_is_not(house: House, command: str, wanted: str) -> None:
    house.ledger.save(a_decision())
    found = house.says(command, wanted)
    assert found.exit_code == UNAVAILABLE and found.stdout == ""
    (line,) = found.stderr.splitlines()
    assert line.startswith("no decision is ") and line.isprintable() and len(line) < 100


@pytest.mark.parametrize(("command", "why"), [("approve", "nothing to approve"), ("revert", "nothing is in force")])
def test_a_word_that_does_not_go_with_the_state(house: House, command: str, why: str) -> None:
    house.ledger.save(in_state(State.TRIAGED))
    found = house.says(command, "1")
    assert found.exit_code == UNAVAILABLE and why in found.stderr and house.state() is State.TRIAGED


def test_json_is_json_in_each_state(house: House) -> None:
    for number, state in enumerate(State, 1):
        made = in_state(state, decision_id=f"FORGE-2026-{number:03d}", group=f"g{number}", title=HOSTILE[:400])
        house.ledger.save(made)
        (row,) = [json.loads(house.says("show", str(number), "--json").stdout)]
        assert (row["decision_id"], row["state"]) == (made.id, state.value)
    assert len(json.loads(house.says("list", "--json").stdout)) == len(State)
    assert json.loads(house.says("figures", "--json").stdout)["failures"] == len(State)


def test_what_cannot_be_read_is_said_beside_the_list(house: House) -> None:
    house.ledger.save(a_decision())
    (house.folder / "decisions" / "FORGE-2026-002").mkdir()
    (house.folder / "decisions" / "FORGE-2026-002" / FILE).write_bytes(b"{")
    for more in ((), ("--json",)):
        found = house.says("list", *more)
        assert found.exit_code == OK and ID in found.stdout
        assert found.stderr.startswith("a decision that cannot be read is left out: FORGE-2026-002")


def test_a_setting_from_the_approval_to_the_way_back(house: House) -> None:
    folder = LocalPrivateFolder(house.folder / MITIGATIONS)

    def there() -> list[float | None]:
        return [each.until for each in in_force(folder, SystemClock().utc_now().timestamp())]

    def next_start() -> float:
        return program._with_mitigations(Settings(data_dir=house.folder)).settings.inference.deadline

    house.ledger.save(in_state(State.AWAITING_APPROVAL, SETTING))
    found = house.says("approve", "1")
    assert found.exit_code == OK and found.stdout.startswith(f"{ID} is applied: by hand: inference.deadline is 45")
    assert "it counts from the next start of FourEyes on" in found.stdout and there() != [None]
    assert next_start() == 45.0
    twice = house.says("approve", ID)
    assert twice.exit_code == UNAVAILABLE and "was approved already" in twice.stderr and there() != [None]
    applied = house.ledger.get(ID)
    assert applied is not None
    house.ledger.save(applied.to(State.WATCHED, NOW, "in force"))
    assert house.says("approve", ID).stdout.startswith(f"{ID} is watched: by hand: the setting stays")
    assert there() == [None]
    assert house.says("revert", "1").stdout == f"{ID} is rejected: by hand: taken back\n" and there() == []
    again = house.says("revert", "1")
    assert again.exit_code == UNAVAILABLE and house.state() is State.REJECTED


def test_a_no_with_its_reason(house: House) -> None:
    house.ledger.save(in_state(State.AWAITING_APPROVAL))
    assert house.says("reject", "1", "--because", "we like it so").stdout == (
        f"{ID} is rejected: by hand: we like it so\n"
    )
    assert "we like it so" in house.says("show", "1").stdout
    assert "no open decisions" in house.says("list").stdout and ID in house.says("list", "--all").stdout


def test_a_patch_without_a_branch_is_not_approved(house: House) -> None:
    """The real program answers: nothing is merged, and it says why."""
    house.ledger.save(in_state(State.AWAITING_APPROVAL, decision_id="FORGE-1999-123"))
    found = house.says("approve", "FORGE-1999-123")
    assert found.exit_code == UNAVAILABLE and found.stderr.startswith("FORGE-1999-123 stays awaiting approval: ")
    assert house.state("FORGE-1999-123") is State.AWAITING_APPROVAL


def test_while_another_process_writes(house: House) -> None:
    house.ledger.save(in_state(State.AWAITING_APPROVAL))
    lock = ProcessLock(house.folder / "decisions" / LOCK)
    try:
        found = house.says("reject", "1")
        assert (found.exit_code, found.stderr) == (UNAVAILABLE, "the decisions are held by this process\n")
        assert house.says("list").exit_code == house.says("show", "1").exit_code == OK, "who only looks does not wait"
    finally:
        lock.release()
    assert house.state() is State.AWAITING_APPROVAL and house.says("reject", "1").exit_code == OK


def test_an_export_is_harmless_markdown_and_writes_nothing_over(house: House) -> None:
    made = a_decision(title=HOSTILE[:400]).to(State.TRIAGED, NOW, "- [ ] # <b>http://x.example @me</b> `x`")
    house.ledger.save(made)
    text, target = house.says("export", "1").stdout, house.folder / "decision.md"
    assert text.startswith(f"# {ID}: ") and "## History" in text
    assert "http://" not in text and "<img" not in text.replace("\\<", "") and "\x1b" not in text
    assert house.says("export", "1", "--to", str(target)).stdout == f"{target}\n"
    assert target.read_text(encoding="utf-8") == text.removesuffix("\n")
    found = house.says("export", "1", "--to", str(target))
    assert found.exit_code == UNAVAILABLE and "is there already and stays as it is" in found.stderr


def test_a_wrong_configuration_is_told_first(house: House) -> None:
    house.config.write_text("nonsense: 1\n", encoding="utf-8")
    found = house.says("list")
    assert found.exit_code == BAD_CONFIGURATION and "the configuration must be changed" in found.stderr
