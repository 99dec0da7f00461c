"""Secrets that are planted wherever a failure can carry one: none is found in anything that is written."""

from __future__ import annotations

import logging
import os
import threading
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from foureyes_actors.bug.native_crash import crash_fault
from foureyes_actors.bug.redact import Redactor
from foureyes_actors.capture.picture import examine
from foureyes_actors.commands.error_commands import make_platform
from foureyes_actors.errors import RequestTimeout
from foureyes_actors.messages import Fault
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.redacted_log import RedactingFormatter
from foureyes_actors.settings import PictureLimits
from supervisors.last_resort import LastResort
from tests.bug.matrix import CLOCK, Live, Victim
from tests.canary import forms, traces
from tests.capture.made_pictures import chunk, drawn, encoded, jpeg, png
from tests.inference.support import completion, frame, reply
from tests.replay.scenarios import asked, document, joined

CONFIGURED = "Zx9-c4n4ry/configured+secret="  # as a password may be: in addresses, JSON and Base64 it looks otherwise
NAMED = "c4n4ry-that-nobody-configured"  # only its key says what it is
BEARER = "eyJhbGciOiJIUzI1NiJ9.eyJjNG40cnkiOiJqd3QifQ.c4n4ryc4n4ryc4n4ry"
SECRETS = (CONFIGURED, NAMED, BEARER)


def with_note() -> None:
    local = CONFIGURED  # noqa: F841  # in a local
    error = ValueError(f"the message has {CONFIGURED}, password={NAMED}")
    error.add_note(f"a note has {CONFIGURED} and Bearer {BEARER}")
    try:
        raise KeyError(f"the cause has {CONFIGURED}")
    except KeyError as cause:
        raise error from cause


def in_an_address() -> None:
    raise ConnectionError(f"http://user:{NAMED}@host/?api_key={NAMED}&x=1 and mongodb://u:{CONFIGURED}@h/db")


def exif_jpeg() -> bytes:
    exif = Image.Exif()
    exif[0x010E] = f"ImageDescription {CONFIGURED}"
    exif[0x9286] = f"UserComment {CONFIGURED}"
    return encoded(drawn(), "JPEG", exif=exif)


def text_png(packed: bool) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", f"{CONFIGURED} password={NAMED}", zip=packed)
    info.add_itxt("Title", f"{CONFIGURED}", zip=packed)
    return encoded(drawn(), "PNG", pnginfo=info)


def refused(picture: bytes) -> Callable[[], object]:
    """A whole picture, with its metadata, that is larger than is allowed."""
    return lambda: examine(picture, PictureLimits(max_pixels=1))


PLANTED: dict[str, Callable[[], object]] = {
    "message, note, local and cause": with_note,
    "addresses": in_an_address,
    "an argument of a replay point": document(password=NAMED, x={"y": [CONFIGURED, object()]}),
    "the token of a request": asked(completion(f"not JSON: {CONFIGURED}"), token=CONFIGURED),
    "the tape: a reply": asked(reply({"error": f"token {CONFIGURED} Bearer {BEARER}"}, 400), token=CONFIGURED),
    "the tape: an exception": asked(RequestTimeout(f"of {CONFIGURED}"), token=CONFIGURED),
    "a model's answer": joined({"grand": CONFIGURED}),
    "EXIF of a picture": refused(exif_jpeg()),
    "text of a picture": refused(text_png(False)),
    "packed text of a picture": refused(text_png(True)),
    "a picture in a request": asked(reply({}), frame=frame(data=exif_jpeg())),
    "packed text in a request": asked(reply({}), frame=frame(data=text_png(True))),
    "bytes in Base64": asked(reply({"data": __import__("base64").b64encode(f"key {CONFIGURED}".encode()).decode()})),
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOUREYES_API_TOKEN", CONFIGURED)
    monkeypatch.setenv("SOME_PASSWORD", NAMED)


def logged(folder: Path) -> logging.Handler:
    handler = logging.FileHandler(folder / "run.log", encoding="utf-8")
    handler.setFormatter(RedactingFormatter(Redactor((CONFIGURED,))))
    logging.getLogger().addHandler(handler)
    return handler


def failing(deed: Callable[[], object]) -> Callable[[Victim], object]:
    def act(_: Victim) -> object:
        return deed()

    return act


@pytest.mark.usefixtures("environment")
def test_no_planted_secret_is_written_anywhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In store, journal, records, platforms, logs, stacks and leftovers."""
    caplog.set_level(logging.DEBUG)
    data = tmp_path / "data"
    data.mkdir()
    handler = logged(data)
    live = Live(data, secrets=(CONFIGURED,))
    records = 0
    try:
        for number, deed in enumerate(PLANTED.values(), 1):
            live.tell(failing(deed), name=("victim", "second", "third")[number % 3])
            live.settled(number)
        thread = threading.Thread(target=with_note, name="bare")
        thread.start()
        thread.join(10)
        live.settled(len(PLANTED) + 1)
        records = live.bug()["records"]["kept"]
    finally:
        live.stop()
        logging.getLogger().removeHandler(handler)
        handler.close()
    LastResort(data / "stacks.log", die=lambda code: None)(f"the end, asked for by {os.getpid()}")
    live.hooks.deliver(_leftover())
    folder = LocalPrivateFolder(data / "records")
    found = [entry.name[len("errors/") : -len(".json")] for entry in folder.entries() if entry.name.endswith(".json")]
    for record in found:
        make_platform(folder, data / "platforms", record)
    with zipfile.ZipFile(data / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:  # what is packed is looked at too
        for path in data.rglob("*.json"):
            archive.write(path, str(path.relative_to(data)))
    assert records == len(found) >= 11 and (data / "stacks.log").stat().st_size > 100
    assert list((data / "leftovers").iterdir()) and (data / "run.log").stat().st_size > 100
    assert traces(data, SECRETS) == []
    assert not [secret for secret in SECRETS if secret in Redactor((CONFIGURED,)).text(caplog.text)]


def _leftover() -> Fault:
    fault = crash_fault(f"Fatal Python error: {CONFIGURED} password={NAMED}".encode(), CLOCK.utc_now())
    assert fault is not None
    return fault


@pytest.mark.parametrize("form", sorted(forms(CONFIGURED)), ids=range(len(forms(CONFIGURED))))
def test_the_search_finds_every_form(form: bytes, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"before " + form + b" after")
    assert len(traces(tmp_path, SECRETS)) == 1


def test_the_search_looks_into_pictures_and_archives(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(text_png(True))
    (tmp_path / "b.jpg").write_bytes(exif_jpeg())
    with zipfile.ZipFile(tmp_path / "c.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner", f"x {CONFIGURED}")
    (tmp_path / "d").write_bytes(zlib.compress(CONFIGURED.encode()))
    (tmp_path / "clean.png").write_bytes(png() + jpeg() + chunk(b"tEXt", b"nothing"))
    found = {trace.split(":")[0].split(" ")[0].partition("/")[2] for trace in traces(tmp_path, SECRETS)}
    assert {name.partition("!")[0] for name in found} == {"a.png", "b.jpg", "c.zip", "d"}
