"""Which store the settings ask for."""

from __future__ import annotations

import threading
from pathlib import Path

from foureyes_actors.errors import StoreUnavailable
from foureyes_actors.ports.store import StorePort, StoreReader
from foureyes_actors.settings import StoreSettings


def open_store(settings: StoreSettings, data_dir: Path) -> StorePort:
    """Opened and ready. Raises StoreUnavailable (away), StoreInUse (another process has it) and ConfigurationError
    (the user must change something). The driver is imported only when it is wanted."""
    if settings.kind == "mongodb":
        from foureyes_actors.ports.store_mongo import MongoStore

        uri = settings.uri.get_secret_value()
        return MongoStore(uri, settings.database, timeout=settings.timeout, retention=settings.retention)
    from foureyes_actors.ports.store_sqlite import SqliteStore

    return SqliteStore(data_dir / settings.path)


def open_to_read(settings: StoreSettings, data_dir: Path) -> StoreReader:
    """As ``open_there``; a file is only read, so that no FourEyes that starts meanwhile finds it in use."""
    if settings.kind == "sqlite" and (data_dir / settings.path).is_file():
        try:
            return open_beside(settings, data_dir)
        except StoreUnavailable:  # what another one left unfinished has to be put in order, by who may write
            return open_store(settings, data_dir)
    return open_there(settings, data_dir)


def open_there(settings: StoreSettings, data_dir: Path) -> StorePort:
    """As ``open_store``, for who does not begin one: a file that is not there, or is none, is StoreUnavailable, and
    nothing is made."""
    path = (data_dir / settings.path).absolute()
    if settings.kind == "sqlite" and not path.is_file():
        told = f"{path} is no file" if path.exists() else f"there is no store at {path}"
        raise StoreUnavailable(f"{told}: data_dir (FOUREYES_DATA_DIR) and store.path name it; a run makes it")
    return open_store(settings, data_dir)


def open_beside(settings: StoreSettings, data_dir: Path) -> StoreReader:
    """To read beside this process's own writer, whom it never locks out. Raises StoreUnavailable."""
    if settings.kind == "sqlite":
        from foureyes_actors.ports.sqlite_reader import SqliteReader

        return SqliteReader(data_dir / settings.path)
    return open_store(settings, data_dir)


class StoreOpener:
    """Opens the store again and again, for each incarnation of the recorder: what a hung or killed one still holds
    is closed first, so that a process never locks itself out. Any thread may call."""

    def __init__(self, settings: StoreSettings, data_dir: Path) -> None:
        self._settings, self._data_dir = settings, data_dir
        self._guard = threading.Lock()
        self._current: StorePort | None = None

    def __call__(self) -> StorePort:
        """Raises as ``open_store``."""
        with self._guard:
            if self._current is not None:
                self._current.close()
                self._current = None
            self._current = open_store(self._settings, self._data_dir)
            return self._current
