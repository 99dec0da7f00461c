"""What lies in a folder of ours and was not put there by us, or not to its end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from foureyes_actors.ports.private_folder import MAX_FILE, LocalPrivateFolder

POSIX = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")


@POSIX
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "record.json")
    folder = LocalPrivateFolder(tmp_path)
    with pytest.raises(OSError, match="is no file"):
        folder.read("record.json")
    assert not folder.exists("record.json") and folder.entries() == []


def test_what_is_larger_than_anything_of_ours_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "blob").open("wb") as file:
        file.truncate(MAX_FILE + 1)
    with pytest.raises(OSError, match=f"has {MAX_FILE + 1} bytes, at most"):
        LocalPrivateFolder(tmp_path).read("blob")


KILLED = """
import os, sys
from pathlib import Path
from foureyes_actors.ports.private_folder import LocalPrivateFolder
os.fsync = lambda handle: (print("in the middle", flush=True), sys.stdin.read())
LocalPrivateFolder(Path(sys.argv[1])).write("errors/0123abcd.json", b"x" * 1_000_000)
"""


def test_a_process_that_is_killed_in_the_middle_leaves_nothing_for_ever(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"in the middle\n"
        process.kill()
    folder = LocalPrivateFolder(tmp_path)
    (left,) = (tmp_path / "errors").iterdir()
    assert not folder.exists("errors/0123abcd.json") and folder.entries() == [] and left.stat().st_size == 1_000_000
    folder.prune()
    assert left.exists(), "somebody may be at it just now"
    hours_ago = time.time() - 7200
    os.utime(left, (hours_ago, hours_ago))
    (tmp_path / "errors" / ".mine").write_text("a user's own")
    os.utime(tmp_path / "errors" / ".mine", (hours_ago, hours_ago))
    folder.prune()
    assert [path.name for path in (tmp_path / "errors").iterdir()] == [".mine"]


LIMITED = """
import errno, resource, sys
from pathlib import Path
from foureyes_actors.ports.private_folder import LocalPrivateFolder
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
folder = LocalPrivateFolder(Path(sys.argv[1]))
folder.write("there/small.json", b"x")
for name in ("new/large.json", "new/below/large.json", "there/large.json", "there/below/large.json"):
    try:
        folder.write(name, b"x" * 101)
    except OSError as error:
        print(errno.errorcode[error.errno])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
def test_what_cannot_be_written_leaves_no_empty_folder(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["EFBIG"] * 4
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == [
        "there",
        "there/small.json",
    ]
