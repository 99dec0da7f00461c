"""The doctor's probes of this machine, the sources and the store. Each tells what is there, or raises."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from foureyes_actors.capture.pictures_source import PicturesSource
from foureyes_actors.errors import ConfigurationError, MissingExtraError, StoreUnavailable
from foureyes_actors.forgewright.triage_table import load_rules
from foureyes_actors.model_table import ModelTasks, wanted_models
from foureyes_actors.ports.files import FilesPort
from foureyes_actors.ports.http import HttpPort
from foureyes_actors.ports.inspection import InspectionPort
from foureyes_actors.ports.log_folder import LOCK
from foureyes_actors.ports.obs import ObsAddress, ObsConnection, ObsFactory, ScreenshotRequest
from foureyes_actors.ports.process import ProcessPort
from foureyes_actors.settings import CABINET_THEMES, ObsSettings, Settings

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
ENOUGH_DISK = 500 * 1024 * 1024  # bytes
PATIENCE = 3.0  # seconds for a server's answer
START_OBS = "start OBS (28 or newer), then Tools > WebSocket Server Settings > Enable WebSocket server"
START_MONGODB = "start MongoDB, or set store.kind to sqlite"


class HttpFactory(Protocol):
    def __call__(self) -> HttpPort: ...


class World(Protocol):
    """The ports that the doctor needs of those that a run has."""

    @property
    def files(self) -> FilesPort: ...

    @property
    def processes(self) -> ProcessPort: ...

    @property
    def http(self) -> HttpFactory: ...

    @property
    def obs(self) -> ObsFactory: ...


@dataclass(frozen=True)
class Patient:
    """``config``: the file that the settings are from, if any."""

    settings: Settings
    world: World
    inspection: InspectionPort
    config: Path | None = None

    def wanted_models(self) -> ModelTasks:
        """As a run finds them. Raises SettingsError."""
        return wanted_models(self.settings, self.world.files, self.config)


class Unfit(Exception):
    """The part is there and cannot be used as it is."""

    def __init__(self, detail: str, advice: str = "") -> None:
        super().__init__(detail)
        self.advice = advice


class Absent(Exception):
    """The part is not there. ``needed``: what the configuration asks for cannot go on without it."""

    def __init__(self, detail: str, advice: str, *, needed: bool = True) -> None:
        super().__init__(detail)
        self.advice, self.needed = advice, needed


def python(patient: Patient) -> str:
    version = patient.inspection.python()
    name = ".".join(map(str, version))
    if version[:2] < OLDEST_PYTHON:
        raise Unfit(f"{name} is too old", "install Python 3.11 or newer")
    return name if version[:2] <= NEWEST_PYTHON else f"{name} (newer than those FourEyes was tested with)"


def models(patient: Patient) -> str:
    grouped = patient.wanted_models()
    return "; ".join(f"{model}: {', '.join(task for task, _ in tasks)}" for model, tasks in grouped.items())


def triage_rules(patient: Patient) -> str:
    rules = load_rules(patient.world.files, patient.settings.forgewright.triage_file)
    return f"{len(rules)} with those of {patient.settings.forgewright.triage_file}"


def cabinet(_patient: Patient) -> str:
    return f"themes: {', '.join(CABINET_THEMES)}"


def obs(patient: Patient) -> str:
    settings = patient.settings.source.obs
    address = ObsAddress(
        settings.host, settings.port, settings.password.get_secret_value(), min(settings.deadline, PATIENCE)
    )
    connection = patient.world.obs().connect(address)
    try:
        found = f"{connection.version()} at {settings.host}:{settings.port}"
        return f"{found}, {_shown(connection, settings)}" if patient.settings.source.kind == "obs" else found
    finally:
        connection.close()


def _shown(connection: ObsConnection, settings: ObsSettings) -> str:
    """A real picture of what the configuration asks for."""
    source = settings.source or connection.program_scene()
    request = ScreenshotRequest(source, settings.media, settings.width, settings.height, settings.quality)
    return f"a picture of {source!r} has {len(connection.screenshot(request))} bytes"


def screen(patient: Patient) -> str:
    found = patient.inspection.monitors()
    if patient.settings.source.screen.monitor > len(found):
        raise ConfigurationError(
            f"source.screen.monitor: there is no monitor {patient.settings.source.screen.monitor}; "
            f"there are {len(found)}: {', '.join(found)}"
        )
    return f"{len(found)}: {', '.join(found)}"


def video(patient: Patient) -> str:
    try:
        patient.inspection.import_module("av")
    except ImportError:
        raise MissingExtraError("av", "video", "source.kind video") from None
    path = patient.settings.source.video.path
    if patient.settings.source.kind == "video" and not patient.world.files.exists(path):
        raise ConfigurationError(f"source.video.path: {path}: there is no such file")
    return str(path) if patient.settings.source.kind == "video" else "videos can be read"


def pictures(patient: Patient) -> str:
    folder = patient.settings.source.pictures.path
    source = patient.settings.source
    found = PicturesSource(source.pictures, source.limits, patient.world.files).listed()
    return f"{len(found)} in {folder}"


def sqlite(patient: Patient) -> str:
    path = patient.settings.data_dir / patient.settings.store.path
    _writable(patient, path.parent)
    if patient.settings.store.kind == "sqlite":
        _not_held(patient, path.with_name(path.name + ".lock"), str(path))
        _opens(patient, path)
    return f"{path} can be written"


def _opens(patient: Patient, path: Path) -> None:
    try:
        patient.inspection.open_store_file(path)
    except StoreUnavailable as error:
        raise Unfit(str(error)) from None


def mongodb(patient: Patient) -> str:
    """When it is not asked for, only a short look."""
    store = patient.settings.store
    timeout = min(store.timeout, PATIENCE) if store.kind == "mongodb" else 0.5
    version = patient.inspection.mongo_version(store.uri.get_secret_value(), timeout)
    if store.kind == "mongodb":
        journal = patient.settings.data_dir / "journal"
        _not_held(patient, journal / LOCK, str(journal))
    return f"MongoDB {version}, database {store.database}"


def disk(patient: Patient) -> str:
    """Of the folder where the store, or its journal, goes."""
    folder = patient.settings.data_dir
    _writable(patient, folder)
    free = patient.inspection.free_bytes(folder)
    words = f"{free / 1e9:.1f} GB free for {folder}"
    if free < ENOUGH_DISK:
        raise Unfit(words, "make room: at least 0.5 GB should be free")
    return words


def _not_held(patient: Patient, lock: Path, what: str) -> None:
    try:
        holder = patient.inspection.holder(lock)
    except OSError as error:
        raise Unfit(f"{lock} cannot be looked at: {error.strerror or type(error).__name__}") from None
    if holder is not None:
        raise Unfit(f"{what} is in use by {holder}", "end that run, or set another data_dir (FOUREYES_DATA_DIR)")


def _writable(patient: Patient, folder: Path) -> None:
    try:
        patient.inspection.writable(folder)
    except (NotADirectoryError, FileExistsError):
        raise Unfit(
            f"{folder} cannot be a folder: it, or one above it, is a file",
            "name a folder as data_dir (FOUREYES_DATA_DIR), or move the file away",
        ) from None
    except OSError as error:
        raise Unfit(
            f"{folder} cannot be written: {error.strerror or type(error).__name__}",
            "change its permissions, or set data_dir (FOUREYES_DATA_DIR)",
        ) from None
