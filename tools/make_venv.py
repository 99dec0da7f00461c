"""Make a virtual environment with pip in it, on any machine that has Python.

usage: python3 tools/make_venv.py FOLDER

Debian's python3 comes without ensurepip, so ``python3 -m venv`` fails there until python3-venv is installed. In that
case pip's own wheel is taken from the package index (PIP_INDEX_URL, else PyPI), its SHA-256 checked, and run once.
Standard library only.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import venv
from pathlib import Path

INDEX = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")
ADVICE = "install it by hand: apt-get install python3-venv (Debian, Ubuntu), then try again"


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    if sys.version_info < (3, 11):  # noqa: UP036  # this file must also explain itself to an old Python
        print(f"FourEyes needs Python 3.11 or newer; this is {sys.version.split()[0]}", file=sys.stderr)
        return 1
    folder = Path(arguments[0])
    has_pip = importlib.util.find_spec("ensurepip") is not None
    venv.create(folder, with_pip=has_pip, clear=False, upgrade_deps=False)
    if not has_pip and not _pip_works(_python(folder)):
        return _bootstrap_pip(_python(folder))
    return 0


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _pip_works(python: Path) -> bool:
    return subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0


def _bootstrap_pip(python: Path) -> int:
    print("this Python has no ensurepip: taking pip from the package index", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            wheel = _fetch_pip(Path(scratch))
        except (OSError, ValueError, KeyError, StopIteration) as error:
            print(f"pip could not be had from {INDEX} ({error}); {ADVICE}", file=sys.stderr)
            return 1
        command = [str(python), str(wheel / "pip"), "install", "--no-index", "--quiet", str(wheel)]
        return subprocess.run(command, check=False).returncode


def _fetch_pip(folder: Path) -> Path:
    """The newest pip wheel of the index, checked against the index's own hash (PEP 691)."""
    url = f"{INDEX}/pip/"
    page = json.loads(_get(url, "application/vnd.pypi.simple.v1+json"))
    newest = next(
        f
        for f in reversed(page["files"])
        if f["filename"].endswith(".whl") and not f.get("yanked") and _final(f["filename"])
    )
    data = _get(urllib.parse.urljoin(url, newest["url"]), "*/*")
    if hashlib.sha256(data).hexdigest() != newest["hashes"]["sha256"]:
        raise ValueError(f"{newest['filename']} does not match its SHA-256")
    wheel = folder / str(newest["filename"])
    wheel.write_bytes(data)
    return wheel


def _final(name: str) -> bool:
    return name.split("-")[1].replace(".", "").isdigit()


def _get(url: str, accept: str) -> bytes:
    bundle = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    context = ssl.create_default_context(cafile=bundle)
    request = urllib.request.Request(url, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=60, context=context) as reply:
        return bytes(reply.read())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
