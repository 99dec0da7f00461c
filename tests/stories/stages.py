"""What the program of a story looks at: doubles of the model server and of OBS that give the same each time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from foureyes_actors.capture.cabinet import Cabinet, encode_jpeg
from t00l5et.doubles.lm_studio import LmStudioDouble
from t00l5et.doubles.obs import FakeObs, Vice

CHAT = "POST /v1/chat/completions"
MODEL = {"key": "qwen/qwen3-vl-8b", "loaded": True}
RATE = 8.0  # frames a second
DEADLINE = 0.5  # seconds for an exchange with OBS
LATE_EVERY = 8  # pictures of OBS from one late answer to the next
LATE = 4  # late answers
REST: Mapping[str, Any] = {
    "vision_state": {"state": "idle"},
    "animation_detection": {"motion": "stopped"},
    "error_detection": {"popup": "none", "text": None},
}


class Stage(Protocol):
    @property
    def settings(self) -> dict[str, Any]:
        """For foureyes.yaml."""

    def go_on(self) -> None:
        """To be called now and then."""

    @property
    def over(self) -> bool:
        """All that the story needs has been given, and a little more."""


class Answers:
    """A model that gives ``scripted`` amounts with some of its answers, by their number; 1 is the first."""

    def __init__(self, scripted: Mapping[int, Mapping[str, str]]) -> None:
        self._last = max(scripted)
        rules = [
            {"when": {"route": CHAT, "nth": number}, "then": {"reply": {"content": _content(amounts)}}}
            for number, amounts in scripted.items()
        ]
        self.server = LmStudioDouble({"models": [MODEL], "rules": rules})

    @property
    def settings(self) -> dict[str, Any]:
        return {"source": {"kind": "cabinet", "rate": RATE}, **_reader(self.server)}

    def go_on(self) -> None:
        return None

    @property
    def over(self) -> bool:
        return len(self.server.asked(CHAT)) > self._last + 40


class LateObs:
    """An OBS that now and then says too late which scene is on program."""

    def __init__(self) -> None:
        self.server = LmStudioDouble({"models": [MODEL]})
        cabinet = Cabinet("lucky_gold", 3, (640, 360))
        cabinet.set_stage(cabinet.make_stage(0.0))
        self.obs = FakeObs({"Main": encode_jpeg(cabinet.draw(0.0), 80)})
        self._late = 0

    @property
    def settings(self) -> dict[str, Any]:
        obs = {"port": self.obs.port, "deadline": DEADLINE}
        return {"source": {"kind": "obs", "rate": RATE, "obs": obs}, **_reader(self.server)}

    @property
    def _pictures(self) -> int:
        return sum(kind == "GetSourceScreenshot" for kind, _ in self.obs.requests)

    def go_on(self) -> None:
        if self._late < LATE and self._pictures >= LATE_EVERY * (self._late + 1):
            self._late += 1
            self.obs.misbehave(Vice.LATE, request="GetCurrentProgramScene")

    @property
    def over(self) -> bool:
        return self._late == LATE and self._pictures >= LATE_EVERY * (LATE + 2)


def _reader(server: LmStudioDouble) -> dict[str, Any]:
    return {
        "model_server": {"kind": "lm_studio", "base_url": server.url, "manage": False},
        "inference": {"cache_ttl": 0.0},  # each frame is asked about
    }


def _content(amounts: Mapping[str, str]) -> str:
    shown = dict.fromkeys(("grand", "major", "minor", "mini", "balance"))
    return json.dumps({"vision_ocr": {**shown, **amounts}, **REST})


def spaced(first: int, every: int, times: int) -> Sequence[int]:
    return range(first, first + every * times, every)


@contextmanager
def rand_screen() -> Iterator[Stage]:
    """An amount with a currency's word before it and the code behind it: "R 1 234,56 ZAR"."""
    stage = Answers({number: {"balance": "R 1 234,56 ZAR"} for number in spaced(10, 12, 4)})
    with stage.server:
        yield stage


@contextmanager
def resting_jackpot() -> Iterator[Stage]:
    """A jackpot that grows for three frames, and then stands still at what the double says by itself."""
    grown = ("$1,233.00", "$1,233.50", "$1,234.00")
    stage = Answers({n + i: {"grand": text} for n in spaced(10, 50, 3) for i, text in enumerate(grown)})
    with stage.server:
        yield stage


@contextmanager
def late_obs() -> Iterator[Stage]:
    stage = LateObs()
    with stage.server, stage.obs:
        yield stage
