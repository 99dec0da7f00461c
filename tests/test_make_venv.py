"""tools/make_venv.py: a Python without ensurepip gets pip from an index, checked against the index's hash."""

from __future__ import annotations

import hashlib
import http.server
import subprocess
import sys
import threading
import venv
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "tools" / "make_venv.py"

# A stand-in for the real pip wheel: runnable as `python wheel/pip install ...`, which is all the script asks of it.
PIP_MAIN = "import sys, pathlib; pathlib.Path(sys.prefix, 'pip-was-run').write_text(' '.join(sys.argv[1:]))"


def wheel() -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("pip/__main__.py"), PIP_MAIN)  # a fixed date: the same bytes each time
    return buffer.getvalue()


class Index(http.server.BaseHTTPRequestHandler):
    digest = hashlib.sha256(wheel()).hexdigest()

    def do_GET(self) -> None:
        data = wheel() if self.path.endswith(".whl") else self.page()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def page(self) -> bytes:
        names = [
            "pip-9.0-py3-none-any.whl",
            "pip-25.1-py3-none-any.whl",
            "pip-26.0b1-py3-none-any.whl",
            "pip-25.2.tar.gz",
        ]
        links = [f'<a href="../../files/{name}#sha256={self.digest}">{name}</a>' for name in names]
        yanked = f'<a href="../../files/pip-99-py3-none-any.whl#sha256={self.digest}" data-yanked="broken">x</a>'
        return f"<!DOCTYPE html><html><body>{'<br/>'.join([*links, yanked])}</body></html>".encode()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def index() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    thread = threading.Thread(target=server.serve_forever, name="package index")
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    thread.join(30)
    server.server_close()


def run(folder: Path, index: str) -> subprocess.CompletedProcess[str]:
    """As on Debian without python3-venv: ensurepip cannot be found."""
    hide = "import sys, runpy, importlib.util as u; f = u.find_spec; "
    hide += "u.find_spec = lambda n, *a: None if n == 'ensurepip' else f(n, *a); "
    hide += f"sys.argv = ['make_venv.py', {str(folder)!r}]; runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    environment = {"PIP_INDEX_URL": index, "PATH": "/usr/bin:/bin", "no_proxy": "127.0.0.1"}
    return subprocess.run(
        [sys.executable, "-c", hide], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_without_ensurepip_the_newest_final_pip_of_the_index_is_run(tmp_path: Path, index: str) -> None:
    done = run(tmp_path / "venv", index)
    assert done.returncode == 0, done.stderr
    arguments = (tmp_path / "venv" / "pip-was-run").read_text()
    assert arguments.startswith("install --no-index") and arguments.endswith("pip-25.1-py3-none-any.whl")


def test_a_wheel_that_does_not_match_its_hash_is_not_run(
    tmp_path: Path, index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Index, "digest", "0" * 64)
    done = run(tmp_path / "venv", index)
    assert done.returncode == 1
    assert "does not match its SHA-256" in done.stderr and "python3-venv" in done.stderr
    assert not (tmp_path / "venv" / "pip-was-run").exists()


def test_an_index_out_of_reach_is_said_with_what_to_do(tmp_path: Path) -> None:
    done = run(tmp_path / "venv", "http://127.0.0.1:9/simple")
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr


def test_wrong_use_says_how(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2 and "usage:" in done.stderr


def test_one_that_is_there_is_kept(tmp_path: Path) -> None:
    """As the README's plain commands make it: its Python is a link to the one that runs the script."""
    folder = tmp_path / "venv"
    python = made_without_ensurepip(folder)
    (folder / "mine").write_text("kept")
    done = subprocess.run([sys.executable, str(SCRIPT), str(folder)], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "") and (folder / "mine").read_text() == "kept"
    assert python.exists()


def made_without_ensurepip(folder: Path) -> Path:
    """Its Python, in which ``-m pip`` answers."""
    venv.create(folder, with_pip=False, symlinks=sys.platform != "win32")
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.run(asked, capture_output=True, text=True, timeout=100, check=True).stdout.strip())
    (packages / "pip").mkdir()
    (packages / "pip" / "__main__.py").write_text("print('pip 25.1')")
    return python
