"""``run.py errors export``: a recorded failure as one file that can be attached to an issue.

In it: the platform (record, bytes, README, test), what its runs said, and the versions. Secrets were replaced before
the record was written; here the paths of this machine are too, by stand-ins of equal length, so that it still runs
again. The same record gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from foureyes_actors.bug.redact import stand_in
from foureyes_actors.errors import FourEyesError
from foureyes_actors.ports.files import FilesPort
from foureyes_actors.replay.codec import CodecError
from foureyes_actors.replay.confirmation import CONFIRMATION, Confirmation, as_line
from foureyes_actors.replay.platform import BLOB, FOLDER, README, folder_of, platform_files, readme

VERSIONS = "versions.json"
STARTED = (1980, 1, 1, 0, 0, 0)  # of every file in it: the earliest that a zip can say
_NAME = re.compile(
    rf"{FOLDER.pattern}/(test_{FOLDER.pattern}\.py|(record|confirmation|versions)\.json|README\.md|blobs/{BLOB.pattern})"
)
_HOMES = re.compile(r"(?:/home|/Users|[A-Za-z]:\\{1,4}Users)[/\\]{1,4}[^/\\\s'\"<>|:]{1,64}")  # anybody's, by the look
_SHORTEST = 4  # characters: a shorter path would be found everywhere


class ExportRefused(FourEyesError):
    """There is a file of this name already."""


@dataclass(frozen=True, slots=True)
class Export:
    """``sizes``: name -> bytes, as they were before. ``pictures``: how many are in it. ``replaced``: whether paths of
    this machine were."""

    data: bytes = field(repr=False)
    sizes: Mapping[str, int]
    pictures: int
    replaced: bool


def export(
    document: Mapping[str, Any],
    blob: Callable[[str], bytes],
    *,
    confirmation: Confirmation | None = None,
    pictures: bool = True,
    places: Iterable[Path] = (),
) -> Export:
    """``places``: folders of this machine that nobody else needs to know. Raises CodecError."""
    kinds = document.get("blobs")
    kinds = dict(kinds) if isinstance(kinds, Mapping) else {}
    shown = {digest for digest, kind in kinds.items() if pictures or kind != "frame"}

    def wanted(digest: str) -> bytes:
        if digest not in shown:
            raise KeyError(digest)
        return blob(digest)

    files = platform_files(document, wanted)  # checks the names
    held = {digest: files[name] for digest in kinds if (name := f"blobs/{digest}") in files}
    forms = tuple(_forms(places))
    clean, held, replaced = _without(document, held, forms)
    files = platform_files(clean, held.__getitem__)
    if confirmation is not None:
        reason, sandbox = _clean(confirmation.reason, forms), _clean(confirmation.sandbox, forms)
        confirmation = replace(confirmation, reason=reason, sandbox=sandbox)
        files[CONFIRMATION] = f"{as_line(confirmation)}\n".encode()
    files[README] = readme(clean, confirmation).encode("utf-8", "backslashreplace")
    files[VERSIONS] = json.dumps(clean.get("code"), sort_keys=True, indent=1).encode()
    folder = folder_of(str(clean.get("id")))
    named = {f"{folder}/{name}": data for name, data in sorted(files.items())}
    frames = sum(kind == "frame" and digest in shown for digest, kind in kinds.items())
    return Export(_zipped(named), {name: len(data) for name, data in named.items()}, frames, replaced)


def export_lines(made: Export, path: Path) -> Iterator[str]:
    yield f"{path}: {len(made.data)} bytes"
    yield from (f"  {size:>10}  {name}" for name, size in made.sizes.items())
    if made.pictures:
        yield f"{made.pictures} of these are pictures of your screen: --without-pictures leaves them out"
    if made.replaced:
        yield "paths of this machine were replaced in it: it runs again with stand-ins"
    yield "look at README.md and record.json before you give it away: what a program said may be in them"


def save(made: Export, path: Path, files: FilesPort) -> None:
    """Raises ExportRefused, OSError."""
    if files.exists(path):
        raise ExportRefused(f"{path} is there already; --to names another file")
    files.write(path, made.data)


def _zipped(files: Mapping[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, data in files.items():
            if not _NAME.fullmatch(name):
                raise CodecError(f"{ascii(name)[:100]} is no name of a platform's file")
            entry = zipfile.ZipInfo(name, STARTED)
            entry.create_system, entry.external_attr, entry.compress_type = 3, 0o600 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(entry, data, compresslevel=9)
    return whole.getvalue()


# --- paths of this machine ---


def _forms(places: Iterable[Path]) -> Iterator[str]:
    """As they stand in messages, in a repr and in JSON."""
    found = {form for place in places for text in {str(place), place.as_posix()} for form in _escapes(text)}
    yield from sorted((form for form in found if len(form) >= _SHORTEST), key=lambda form: (-len(form), form))


def _escapes(text: str) -> set[str]:
    return {text, text.replace("\\", "\\\\"), text.replace("\\", "\\\\\\\\"), ascii(text)[1:-1], json.dumps(text)[1:-1]}


def _without(
    document: Mapping[str, Any], blobs: Mapping[str, bytes], forms: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, bytes], bool]:
    """The document and its bytes without these; a digest that changes changes wherever it is named."""
    renamed: dict[str, str] = {}
    kept: dict[str, bytes] = {}
    for digest, data in blobs.items():
        clean = _clean(data.decode("latin-1"), tuple(_as_bytes(form) for form in forms)).encode("latin-1")
        now = digest if clean == data else hashlib.sha256(clean).hexdigest()
        kept[now] = clean
        if now != digest:
            renamed[digest] = now
    found = _mapped(dict(document), lambda text: renamed.get(text) or _clean(text, forms))
    replaced = found != dict(document)
    if replaced and not found.get("redacted"):
        found["redacted"] = ["paths of the machine"]
    return found, kept, replaced


def _as_bytes(form: str) -> str:
    return form.encode("utf-8", "surrogatepass").decode("latin-1")


def _clean(text: str, forms: tuple[str, ...]) -> str:
    for form in forms:
        if form in text:
            text = text.replace(form, stand_in(len(form)))
    return _HOMES.sub(lambda found: stand_in(len(found[0])), text)


def _mapped(value: Any, leaf: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return leaf(value)
    if isinstance(value, list):
        return [_mapped(item, leaf) for item in value]
    if isinstance(value, dict):
        return {leaf(key): _mapped(item, leaf) for key, item in value.items()}
    return value
