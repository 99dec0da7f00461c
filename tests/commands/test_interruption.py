"""The folder of a measurement, when it is ended in the moments in which a folder is made and removed."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.commands import interruption

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there SIGTERM ends the process at once")


@pytest.fixture(autouse=True)
def handlers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    numbers = [getattr(signal, name) for name in interruption.NAMES if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def signalled_after(deed: Callable[..., Any]) -> Callable[..., Any]:
    def act(*arguments: Any, **options: Any) -> Any:
        result = deed(*arguments, **options)
        signal.raise_signal(signal.SIGTERM)
        return result

    return act


def test_a_signal_while_the_folder_is_made_ends_what_follows_and_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "mkdtemp", signalled_after(tempfile.mkdtemp))
    begun = False
    with pytest.raises(KeyboardInterrupt), interruption.scratch("measured-"):
        begun = True
    assert not begun and list(tmp_path.iterdir()) == []


def test_a_signal_in_the_middle_interrupts_and_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), interruption.scratch("measured-") as folder:
        (folder / "a").write_bytes(b"a")
        signal.raise_signal(signal.SIGTERM)
    assert list(tmp_path.iterdir()) == []


def test_a_signal_while_the_folder_is_removed_lets_it_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean_up = tempfile.TemporaryDirectory.cleanup

    def cleanup(folder: tempfile.TemporaryDirectory[str]) -> None:
        signal.raise_signal(signal.SIGTERM)
        clean_up(folder)

    monkeypatch.setattr(tempfile.TemporaryDirectory, "cleanup", cleanup)
    with interruption.scratch("measured-") as folder:
        assert folder.parent == tmp_path
    assert list(tmp_path.iterdir()) == []
