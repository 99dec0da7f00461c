"""From the parts of FourEyes that meet the world to a wire: what they raise or report can be played again."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

from foureyes_actors.capture.obs_source import ObsSource
from foureyes_actors.inference.client import analyse
from foureyes_actors.messages import Task
from foureyes_actors.ports.clock import ManualClock, SystemClock
from foureyes_actors.ports.http_requests import RequestsHttp
from foureyes_actors.ports.obs_websocket import ObsWebsocketPort
from foureyes_actors.ports.store_mongo import MongoStore
from foureyes_actors.recorder.journal import Journal
from foureyes_actors.recorder.writer import Writer
from foureyes_actors.replay.replaying import WIRE, Outcome
from foureyes_actors.settings import InferenceSettings, ObsSettings, RetentionSettings
from t00l5et.doubles.mongo import FakeMongo, Vice
from t00l5et.doubles.obs import FakeObs
from t00l5et.doubles.obs import Vice as ObsVice
from t00l5et.doubles.tcp_server import TcpServer, nobody, reset
from tests.inference.support import ENTRIES, MODEL, frame
from tests.ports.obs_helpers import RED
from tests.replay.live_http import serving
from tests.replay.live_store import READINGS
from tests.replay.make import best_verdict_of, failure, record_of

RETENTION = RetentionSettings()


def played(error: BaseException) -> str:
    """The replay point, when its failure is the same on the wire."""
    record = record_of(error)
    found = best_verdict_of(record)
    assert (found.outcome, found.level) == (Outcome.SAME, WIRE), found
    return str(record.document["entry"]).rpartition(":")[2]


def test_a_frame_that_obs_does_not_give() -> None:
    with FakeObs({"Main": RED}) as obs:
        settings = ObsSettings(port=obs.port, source="Main", deadline=20)
        with closing(ObsSource(ObsWebsocketPort(), settings, ManualClock())) as source:
            assert source.grab() == RED
            obs.misbehave(ObsVice.KICK)
            assert played(failure(source.grab)) == "screenshot"


def test_obs_is_not_there() -> None:
    with nobody() as port, closing(ObsSource(ObsWebsocketPort(), ObsSettings(port=port), ManualClock())) as source:
        assert played(failure(source.grab)) == "connect"


def test_the_last_attempt_of_an_inference() -> None:
    with TcpServer(serving(b"", reset), "test-http") as server, closing(RequestsHttp()) as http:
        error = failure(
            lambda: analyse(
                frame(),
                model=MODEL,
                tasks=[(task, entry) for task, entry in ENTRIES if task is Task.STATE],
                http=http,
                clock=ManualClock(),
                random=lambda: 0.0,
                settings=InferenceSettings(attempts=2, backoff=(0.0,), jitter=0.0, deadline=20),
                base_url=f"http://127.0.0.1:{server.port}",
                cancelled=threading.Event(),
            )
        )
    assert played(error) == "ask"


def writer(folder: Path) -> Writer:
    return Writer(Journal(folder / "journal", budget=1_000_000, segment=2000), SystemClock(), RETENTION)


def test_the_writer_reports_a_store_that_goes_away(tmp_path: Path) -> None:
    with FakeMongo() as fake:
        recorder = writer(tmp_path)
        recorder.start(lambda: MongoStore(fake.uri, "t", timeout=20, retention=RETENTION))
        fake.misbehave("insert", Vice.RESET)
        recorder.accept(READINGS)
        (report,) = recorder.reports
        assert played(report) == "write"
        assert recorder.counters.journaled == 1
        recorder.close()


def test_the_writer_reports_a_store_that_is_away_from_the_start(tmp_path: Path) -> None:
    with nobody() as port:
        recorder = writer(tmp_path)
        recorder.start(lambda: MongoStore(f"mongodb://127.0.0.1:{port}/", "t", timeout=0.6, retention=RETENTION))
        (report,) = recorder.reports
        assert played(report) == "open_store"
        recorder.close()
