"""Takes the measurements one after another; one that fails leaves the others their figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from foureyes_actors.bench.platform import measure_platform
from foureyes_actors.bench.server import ServerFigures, measure_server
from foureyes_actors.bench.session import PHASE, RATE, record, repeated
from foureyes_actors.bench.targets import CACHE, INFERENCE, LOAD, PLATFORM, RESTART, START, Measured, Target, quantile
from foureyes_actors.bench.tree import LiveTree, Reading
from foureyes_actors.errors import ConfigurationError, FourEyesError
from foureyes_actors.model_server.catalog import CATALOG
from foureyes_actors.text import one_line
from foureyes_actors.wiring import ModelTasks, World


@dataclass(frozen=True)
class Bench:
    """``frames``: to ask about; ``seconds``: of the session that is recorded into ``scratch``, unless ``session``
    names one. ``say``: what is being done, for people. ``kill``: ends a process at once."""

    world: World
    models: ModelTasks
    scratch: Path
    say: Callable[[str], None]
    kill: Callable[[int], None]
    frames: int = 300
    seconds: float = 60.0
    session: Path | None = None
    measured: dict[Target, Measured] = field(default_factory=dict)

    def run(self) -> dict[Target, Measured]:
        """Raises ConfigurationError; any other trouble is a figure that is not there."""
        folder = self.session or self._recorded()
        count, still = repeated(folder, self.world.files)
        self.say(f"starting the embedded model server, loading its models, asking about {self.frames} frames")
        self._attempt((START, LOAD, INFERENCE), self._server)
        if self.measured[START].value is None:
            return self.measured  # a server that does not start can neither read a session nor come back
        self.say(f"reading a session of {count} pictures at {RATE:g} a second, then killing the model server")
        self._attempt((CACHE, RESTART), lambda: self._live(folder, count, still))
        self.say("breaking an answer of the model server, waiting until the failure was run again")
        self._attempt((PLATFORM,), self._platform)
        return self.measured

    def _attempt(self, targets: tuple[Target, ...], step: Callable[[], None]) -> None:
        try:
            step()
        except ConfigurationError:
            raise
        except FourEyesError as error:
            words = one_line(f"{type(error).__name__}: {error}", 300)
            self.measured.update({target: Measured(None, words) for target in targets if target not in self.measured})

    def _server(self) -> None:
        figures = measure_server(self.world, [model.id for model in CATALOG], self.models, self.frames)
        self.measured.update(server_rows(figures, tuple(self.models)))

    def _live(self, folder: Path, count: int, still: frozenset[str]) -> None:
        tree = LiveTree(folder, self.models, self.world)
        with tree.running():
            readings = tree.read_session(count / RATE)
            self.measured[CACHE] = cache_row(readings, count, still, own=self.session is not None)
            seconds = tree.restart(self.kill)
        self.measured[RESTART] = Measured(seconds, "until the models are loaded and have read the canary picture")

    def _platform(self) -> None:
        self.measured[PLATFORM] = measure_platform(self.scratch / "data", self.models, self.world)

    def _recorded(self) -> Path:
        self.say(f"recording a session of {self.seconds:g} s")
        record(self.scratch, self.seconds, self.world.files)
        return self.scratch


def server_rows(figures: ServerFigures, asked: tuple[str, ...]) -> dict[Target, Measured]:
    loads = ", ".join(f"{model.rpartition('/')[2]} {seconds:.2f} s" for model, seconds in figures.loads.items())
    p50, p95 = quantile(figures.answers, 0.5), quantile(figures.answers, 0.95)
    spread = f"p50 {p50:.0f}, p95 {p95:.0f}, longest {max(figures.answers):.0f} ms"
    names = ", ".join(name.rpartition("/")[2] for name in asked)
    of = f"{len(figures.answers)} frames of the demo cabinets, each one's first read from scratch, {names}"
    return {
        START: Measured(figures.start, "from the process's start until it is healthy"),
        LOAD: Measured(max(figures.loads.values()), f"the slowest of: {loads}"),
        INFERENCE: Measured(p95, f"{spread}: {of}"),
    }


def cache_row(readings: list[Reading], count: int, still: frozenset[str], *, own: bool) -> Measured:
    """``still``: the digests of the pictures that come several times in a row."""
    if not readings:
        raise FourEyesError(f"none of the session's {count} pictures was read")
    standing = [reading.cached for reading in readings if reading.digest in still]
    moving = [reading.cached for reading in readings if reading.digest not in still]
    made = f"a session made for this: a cabinet in play and standing still in turn, {PHASE:g} s each"
    parts = f"{_share(standing)} answers about pictures that repeat, {_share(moving)} about others"
    value = 100 * sum(reading.cached for reading in readings) / len(readings)
    return Measured(value, f"{'your session' if own else made}: {parts}; {count} pictures")


def _share(cached: list[bool]) -> str:
    return f"{sum(cached)} of {len(cached)}" if cached else "none of 0"
