"""What a generated test runs: the record beside it.

``test_contract`` runs in this process, where a debugger and a coverage tool see it: it is for whoever mends the defect.
``test_same_failure`` is what ``t00l5et reproduce`` does, so that "confirmed" means one thing: three runs, each in a
process and a sandbox of its own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NoReturn

from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.replay.codec import CodecError, Opaque, loads
from foureyes_actors.replay.platform import BLOB, folder_of
from foureyes_actors.replay.replaying import Outcome, Replay, Verdict
from foureyes_actors.replay.tape import TapeDivergence
from t00l5et.confirm import Level, confirm
from t00l5et.confirm import record_id as folder_id
from t00l5et.wire.replay import judge_best

CONFIRM = "confirm"


class Reproduction:
    def __init__(self, folder: Path, record_id: str) -> None:
        """Raises CodecError when ``record_id`` is none."""
        folder_of(record_id)
        self._folder, self._files, self._id = folder, LocalPrivateFolder(folder), record_id

    def document(self) -> Any:
        """Raises CodecError, OSError."""
        document = loads(self._files.read("record.json").decode("utf-8", "replace"))
        if not isinstance(document, dict) or document.get("id") != self._id:
            raise CodecError("record.json is another record's")
        return document

    def blob(self, digest: str) -> bytes:
        if not isinstance(digest, str) or not BLOB.fullmatch(digest):
            raise KeyError(digest)
        try:
            return self._files.read(f"blobs/{digest}")
        except OSError:
            raise KeyError(digest) from None

    def verdict(self) -> Verdict:
        try:
            return judge_best(self.document(), self.blob, source)
        except CodecError as error:
            return Verdict(Outcome.BROKEN, str(error))
        except OSError as error:
            return Verdict(Outcome.BROKEN, f"record.json cannot be read: {error.strerror}")

    def same_failure(self) -> None:
        if os.environ.get("FE_MODE") != CONFIRM:
            _skip("runs with FE_MODE=confirm")
        if folder_id(self._folder.absolute()) != self._id:
            raise AssertionError(f"the folder is to be named {folder_of(self._id)}")
        found = confirm(self._folder, LocalProcesses(), SystemClock())
        if found.level is Level.UNCONFIRMED:
            raise AssertionError(str(found))

    def contract(self) -> None:
        """Raises what the failure raised, when that is not declared at the replay point."""
        try:
            replay = Replay(self.document(), self.blob)
        except Opaque as error:
            _skip(f"cannot be run again: {error}")
        try:
            replay.run()
        except replay.spec.raises:
            return
        except TapeDivergence as divergence:
            _skip(f"the code asks its ports something else now: {divergence}")


def _skip(reason: str) -> NoReturn:
    import pytest  # of the extra "test": a verdict does without

    pytest.skip(reason)


def source(file: str) -> bytes:
    """A source file's bytes; empty when there is none."""
    try:
        return LocalFiles().read(Path(file))
    except (OSError, ValueError):
        return b""
