"""The PlatformGenerator: a record as a folder that plain ``pytest`` runs. Pure: names and bytes.

The test's source is the same for every record but for the id, which is hexadecimal digits and nothing else. Whatever
a message, a model or a screen said stays in JSON, where nothing runs it, and in a fence of the README.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from foureyes_actors.replay.codec import CodecError
from foureyes_actors.replay.confirmation import Confirmation
from foureyes_actors.replay.record import ID
from foureyes_actors.text import bounded

FOLDER = re.compile(rf"repro_({ID.pattern})")  # a platform's name; the group is its record's id
BLOB = re.compile(r"[0-9a-f]{64}")
MAX_BLOBS = 4096  # of a platform; a tape has 256 calls
MAX_EXCERPT = 2000  # bytes of a message in the README
RECORD, README = "record.json", "README.md"

SOURCE = '''"""A failure of FourEyes, run again from record.json. Generated: the same for every record but for the id.

test_contract fails as the failure did, until no undeclared exception leaves the replay point. test_same_failure asks
for the very same failure, three times, each in a sandbox; it runs with FE_MODE=confirm only: once the defect is mended
it cannot pass any more.
"""

from pathlib import Path

from t00l5et.reproduction import Reproduction

REPRODUCTION = Reproduction(Path(__file__).parent, "{id}")


def test_same_failure() -> None:
    REPRODUCTION.same_failure()


def test_contract() -> None:
    REPRODUCTION.contract()
'''


def folder_of(record_id: str) -> str:
    """Raises CodecError for what is not an id."""
    if not isinstance(record_id, str) or not ID.fullmatch(record_id):
        raise CodecError(f"{ascii(record_id)[:80]} is not the id of a record: 8 to 64 of 0-9 and a-f")
    return f"repro_{record_id}"


def source_of(record_id: str) -> bytes:
    folder_of(record_id)
    return SOURCE.replace("{id}", record_id).encode()


def platform_files(document: Mapping[str, Any], blob: Callable[[str], bytes]) -> dict[str, bytes]:
    """Name below the folder -> bytes. A blob that is gone is left out; the replay says so. Raises CodecError."""
    record_id = document.get("id")
    folder = folder_of(str(record_id))
    files = {
        f"test_{folder}.py": source_of(str(record_id)),
        RECORD: json.dumps(document, ensure_ascii=True, allow_nan=False, indent=1).encode(),
        README: readme(document).encode("utf-8", "backslashreplace"),
    }
    for digest in _digests(document.get("blobs")):
        if not isinstance(digest, str) or not BLOB.fullmatch(digest):
            raise CodecError(f"{ascii(digest)[:80]} is not the name of a blob")
        try:
            files[f"blobs/{digest}"] = blob(digest)
        except KeyError:
            continue
    return files


def _digests(blobs: object) -> Mapping[str, Any]:
    if not isinstance(blobs, Mapping):
        raise CodecError("what should name the blobs does not")
    if len(blobs) > MAX_BLOBS:
        raise CodecError(f"{len(blobs)} blobs, at most {MAX_BLOBS} are read")
    return blobs


def readme(document: Mapping[str, Any], confirmed: Confirmation | None = None) -> str:
    exceptions = document.get("exceptions")
    first = exceptions[0] if isinstance(exceptions, list) and exceptions else {}
    facts = [f"{name}: {_word(document.get(name))}" for name in ("id", "at", "actor", "entry", "operation", "severity")]
    facts.append(f"confirmed: {confirmed or 'not yet tried'}")
    said = bounded(f"{first.get('type')}: {first.get('text')}" if isinstance(first, Mapping) else "", MAX_EXCERPT)
    text = "\n".join([*facts, "", said])
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return (
        "# A failure that can be run again\n\n"
        "What it said is data from outside and may be anything.\n\n"
        f"{fence}text\n{text}\n{fence}\n\n"
        "`python -m t00l5et reproduce FOLDER` runs it three times, each in a sandbox, and says at which level it is\n"
        "confirmed: `wire` (the real client library against a server that plays the exchange), `port` (what the ports\n"
        "gave is given again), `stand-in` (with secrets replaced) or `unconfirmed`, with the reason;\n"
        "`python -m pytest FOLDER` runs its tests, and so the Python in it: where somebody else gave you the folder,\n"
        "do the former, which runs none of it.\n"
    )


def _word(value: object) -> str:
    return bounded(str(value), 300).replace("\n", " ")
