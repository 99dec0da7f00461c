"""What is proven about another deadline, with real records: on the wire, in the sandbox, three times."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from foureyes_actors.forgewright.knobs import KNOBS
from foureyes_actors.forgewright.proof import Proof, proof_from
from foureyes_actors.inference.reply import check_reply
from foureyes_actors.messages import Task
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.replay.program import t00l5et
from foureyes_actors.replay.replaying import Outcome
from t00l5et.confirm import record_id
from t00l5et.doubles.tcp_server import TcpServer
from t00l5et.mitigate import Wanted, Weighed, judged, least_answer, prove, weigh
from t00l5et.reproduction import Reproduction
from t00l5et.sandbox import Limits
from tests.inference.support import MODEL, completion
from tests.replay import live_http, live_obs, live_store
from tests.replay.make import failure, record_of, written
from tests.replay.scenarios import joined
from tests.t00l5et.test_confirm import program
from tests.t00l5et.test_wire_replay import after, analysed, silent

KEY = "inference.deadline"
NOTHING_CAME = "no reply was recorded, and none is assumed"


@pytest.fixture(scope="module")
def timeout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A request that was given 30 s, and got no reply."""
    return written(record_of(failure(analysed(silent, 30.0))), tmp_path_factory.mktemp("platforms"))


def reproduction(folder: Path) -> Reproduction:
    record = record_id(folder)
    assert record is not None
    return Reproduction(folder, record)


def weighed(folder: Path, value: float = 45.0, *, key: str = KEY, **more: float) -> Weighed:
    return weigh(reproduction(folder), Wanted(key, value, **more))


def proof(*arguments: str) -> tuple[int | None, Proof]:
    code, lines = program("mitigate", *arguments, "--json")
    found = proof_from(lines[-1])
    assert found is not None, lines
    return code, found


# --- as a program, in the sandbox ---


def test_a_reply_after_31_s_needs_45_and_that_is_proven(timeout: Path) -> None:
    code, found = proof(str(timeout), "--key", KEY, "--value", "45", "--late", "31")
    assert code == 0 and found.proven and found.runs == 3, found
    assert (found.key, found.value, found.late) == (KEY, 45.0, 31.0) and found.sandbox
    assert found.reason == "a reply after 31 s is too late with the recorded value and in time with 45"


def test_what_does_not_help_is_not_proven(timeout: Path) -> None:
    code, found = proof(str(timeout), "--key", KEY, "--value", "45", "--late", "50")
    assert code == 1 and not found.proven and found.runs == 3
    assert found.reason == "with 45 it fails too: same failure: foureyes_actors.errors.RequestTimeout"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("inference.max_tokens", "1000", "no record says what would have come of another value"),
        ("source.limits.max_pixels", "90000000", "it is not one of the settings that may be changed for a while"),
        (KEY, "61", "the value is not within 1 to 60"),
        (KEY, "nan", "the value is not within 1 to 60"),
    ],
)
def test_what_cannot_be_proven_is_not_tried(timeout: Path, key: str, value: str, words: str) -> None:
    code, lines = program("mitigate", str(timeout), "--key", key, "--value", value, "--json")
    found = json.loads(lines[-1])
    assert (code, found["proven"], found["runs"]) == (1, False, 0) and found["reason"].startswith(words)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    assert program("mitigate", str(tmp_path), "--key", KEY, "--value", "45")[0] == 2


def test_for_people_it_is_a_sentence(timeout: Path) -> None:
    code, lines = program("mitigate", str(timeout), "--key", "store.timeout", "--value", "6")
    assert code == 1
    why = "not played: store.timeout is not among the inputs of this failure"
    assert lines[-1] == f"not proven: store.timeout 6: {why} (3 runs)"


def test_a_run_that_does_not_end_proves_nothing(timeout: Path) -> None:
    wanted = Wanted(KEY, 45.0, late=31.0)
    found = prove(timeout, wanted, LocalProcesses(), SystemClock(), runs=1, limits=Limits(seconds=0.01))
    assert (found.proven, found.reason) == (False, "no end: not within 0.01 s")


def test_a_reply_at_no_time(timeout: Path) -> None:
    for late in (0.0, -1.0, float("nan"), float("inf")):
        found = prove(timeout, Wanted(KEY, 45.0, late=late), LocalProcesses(), SystemClock())
        assert (found.proven, found.runs) == (False, 0)


# --- once, in this process ---


def test_without_a_reply_nothing_is_proven(timeout: Path) -> None:
    found = weighed(timeout)
    assert (found.before, found.after) == (Outcome.SAME, Outcome.SAME)
    assert judged(Wanted(KEY, 45.0), [found] * 3).reason.endswith(NOTHING_CAME)


def test_the_value_in_force_is_the_one_that_must_fail(timeout: Path) -> None:
    found = weighed(timeout, 60.0, was=45.0, late=31.0)
    assert found.before == Outcome.NONE and not found.proves, "45 would have been enough"
    assert "with 45 it does not fail as it did" in judged(Wanted(KEY, 60.0, 45.0, 31.0), [found]).reason
    assert weighed(timeout, 60.0, was=45.0, late=50.0).proves


def test_a_failure_that_is_not_about_time_is_not_mended_by_time(tmp_path: Path) -> None:
    """The recorded latency is 31 s, and the reply is another model's."""
    slow = written(record_of(failure(analysed(after(31.0, completion("{}", model="other")), 60.0))), tmp_path)
    found = weighed(slow)
    assert (found.before, found.after) == (Outcome.SAME, Outcome.SAME) and "WrongModel" in found.reason


def test_a_real_timeout(tmp_path: Path) -> None:
    folder = written(record_of(failure(live_http.served(live_http.serving(b""), 0.4))), tmp_path)
    assert weighed(folder, 2.0, late=0.7).proves
    assert not weighed(folder, 2.0, late=3.0).proves


def test_a_record_with_stand_ins_for_secrets(tmp_path: Path) -> None:
    def act() -> object:
        with TcpServer(live_http.serving(b""), "live-http") as server:
            return live_http.analysed(f"http://127.0.0.1:{server.port}", 0.4, live_http.TOKEN)

    made = record_of(failure(act), secrets=(live_http.TOKEN,))
    assert made.document["redacted"]
    assert weighed(written(made, tmp_path), 2.0, late=0.7).proves


def test_silence_of_obs_and_of_the_store_stays_silence(tmp_path: Path) -> None:
    obs = next(s for s in live_obs.failures() if s.name == "no reply until the deadline")
    store = next(s for s in live_store.failures() if s.name == "write: no answer until the deadline")
    for scenario, key in ((obs, "source.obs.deadline"), (store, "store.timeout")):
        folder = written(record_of(failure(scenario.act)), tmp_path)
        found = weighed(folder, KNOBS[key].steps[0], key=key)
        assert found.before == Outcome.SAME and not found.proves, found
        assert "of a model that was asked" in weighed(folder, KNOBS[key].steps[0], key=key, late=1.0).reason


def test_a_record_without_an_exchange(tmp_path: Path) -> None:
    folder = written(record_of(failure(joined({"grand": "1.00"}))), tmp_path)
    found = weighed(folder)
    assert (found.before, found.reason) == ("not played", "nothing was exchanged on a wire")


@pytest.mark.parametrize("text", ["{", '{"id": 3}', "[]"])
def test_a_record_that_is_broken(timeout: Path, tmp_path: Path, text: str) -> None:
    folder = tmp_path / timeout.name
    folder.mkdir()
    (folder / "record.json").write_text(text)
    assert weighed(folder, late=31.0).before == "not played"


def test_a_flaky_run_proves_nothing() -> None:
    good, bad = Weighed(Outcome.SAME, Outcome.NONE), Weighed(Outcome.SAME, Outcome.OTHER, "other failure: KeyError")
    wanted = Wanted(KEY, 45.0, late=31.0)
    found = judged(wanted, [good, bad, good])
    assert not found.proven and found.reason == "only 2 of 3 runs: with 45 it fails too: other failure: KeyError"
    assert judged(wanted, [good] * 3).proven


def test_the_assumed_reply_is_one_that_the_contract_takes(timeout: Path) -> None:
    found = reproduction(timeout)
    checked = check_reply(least_answer(found.document(), found), model=MODEL, tasks=tuple(Task))
    assert len(checked.answers) == len(Task) and checked.failures == ()
    assert checked.answers[0].values["grand"] is None, "nothing is made up"


def test_in_the_background_it_ends_with_whoever_started_it(timeout: Path) -> None:
    command = ("mitigate", str(timeout), "--key", KEY, "--value", "45", "--late", "40", "--json", "--background")
    child = LocalProcesses().start(t00l5et(*command))
    try:
        line = child.wait_line(lambda line: proof_from(line) is not None, 100.0)
        found = proof_from(line or "")
        assert found is not None and found.proven, child.tail()
    finally:
        child.stop(0.0)
    ended = subprocess.run(t00l5et(*command), stdin=subprocess.DEVNULL, capture_output=True, timeout=100, check=False)
    assert (ended.returncode, ended.stdout) == (3, b"")
