"""Make a virtual environment with pip in it, on any machine that has Python.

usage: python3 tools/make_venv.py FOLDER

Debian's python3 comes without ensurepip, so ``python3 -m venv`` fails there until python3-venv is installed. In that
case pip's own wheel is taken from the package index (PIP_INDEX_URL, else PyPI), its SHA-256 checked, and run once.
Standard library only.
"""

from __future__ import annotations

import hashlib
import html.parser
import importlib.util
import os
import re
import ssl
import subprocess
import sys
import tempfile
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
    if _python(folder).exists() and _pip_works(_python(folder)):
        return 0  # made before, by whomever; making it anew fails where its Python is a link to the one that runs this
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
        except (OSError, ValueError) as error:
            print(f"pip could not be had from {INDEX} ({error}); {ADVICE}", file=sys.stderr)
            return 1
        command = [str(python), str(wheel / "pip"), "install", "--no-index", "--quiet", str(wheel)]
        return subprocess.run(command, check=False).returncode


class _Links(html.parser.HTMLParser):
    """The links of an index page (PEP 503): (address, yanked)."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag == "a" and names.get("href"):
            self.found.append((str(names["href"]), "data-yanked" in names))


def _fetch_pip(folder: Path) -> Path:
    """The newest final pip wheel of the index, checked against the hash in its link."""
    page = f"{INDEX}/pip/"
    links = _Links()
    links.feed(_get(page).decode("utf-8"))
    wheels = [(_version(link), link) for link, yanked in links.found if not yanked and _version(link)]
    if not wheels:
        raise ValueError("no pip wheel is listed there")
    address, _, fragment = urllib.parse.urljoin(page, max(wheels)[1]).partition("#")
    name = urllib.parse.unquote(address.rsplit("/", 1)[-1])
    data = _get(address)
    if fragment != f"sha256={hashlib.sha256(data).hexdigest()}":
        raise ValueError(f"{name} does not match its SHA-256")
    wheel = folder / name
    wheel.write_bytes(data)
    return wheel


def _version(link: str) -> tuple[int, ...]:
    """Of a final release's wheel; empty for everything else."""
    found = re.search(r"/pip-(\d+(?:\.\d+)*)-py3-none-any\.whl#", link)
    return tuple(int(part) for part in found.group(1).split(".")) if found else ()


def _get(url: str) -> bytes:
    bundle = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    context = ssl.create_default_context(cafile=bundle)
    request = urllib.request.Request(url, headers={"Accept": "text/html, */*"})
    with urllib.request.urlopen(request, timeout=60, context=context) as reply:
        return bytes(reply.read())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
