"""What a run of ``fix`` begins with: the record and the base commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from foureyes_actors.forgewright.proposal import COMMIT
from foureyes_actors.text import one_line
from t00l5et.fixing.attempts import Impossible
from t00l5et.fixing.git import Git
from t00l5et.fixing.work import Work
from t00l5et.reproduction import Reproduction


def recorded(folder: Path, record: str) -> tuple[Mapping[str, Any], Callable[[str], bytes]]:
    """The record, of which nothing is believed, and its bytes. Raises CodecError, OSError."""
    reproduction = Reproduction(folder, record)
    return reproduction.document(), reproduction.blob


def begun(work: Work, git: Git, document: Mapping[str, Any], wanted: str) -> str:
    """The base commit: that of an earlier run in this folder, else ``wanted``, else the recorded one, else what is
    checked out when the record does not tell. Raises Impossible, GitError, OtherWork, OSError."""
    record = str(document.get("id"))
    before = work.base(record)
    if before:
        if wanted and git.commit(wanted) != before:
            raise Impossible(f"this work was begun with the base {before}; another base takes another folder")
        return _known(git, before)
    code = document.get("code")
    revision = code.get("revision") if isinstance(code, Mapping) else ""
    told = revision if isinstance(revision, str) and COMMIT.fullmatch(revision) else "HEAD"
    base = _known(git, wanted or told)
    prints = document.get("fingerprints")
    group = prints.get("group") if isinstance(prints, Mapping) else ""
    work.begin(record, base, group if isinstance(group, str) else "")
    return base


def _known(git: Git, name: str) -> str:
    found = git.commit(name)
    if found is None:
        told = one_line(name, 80)
        raise Impossible(f"the commit {told} is not in {one_line(str(git.folder), 200)}: --base names another one")
    return found
