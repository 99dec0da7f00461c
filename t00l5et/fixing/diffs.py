"""Unified diffs as fixers write them: found in an answer, and put right where only numbers are wrong. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

Read = Callable[[str], Sequence[str]]  # a file's lines at the base commit; none when there is no such file

_FENCE = re.compile(r"^(`{3,}|~{3,})[^\n]*\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)
_THINKING = re.compile(r"<think>.*?</think>", re.DOTALL)
_HEADER = re.compile(r"^--- [^\n]+\n\+\+\+ [^\n]+\n", re.MULTILINE)
_HUNK = re.compile(r"@@(?: -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)?)?[^@]*@@(.*)")
_BEFORE = re.compile(r"(?:^(?:diff --git|index|new file mode|deleted file mode) [^\n]*\n)+\Z", re.MULTILINE)


def is_diff(data: bytes) -> bool:
    """At least the look of one: text, a file's header, a hunk."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    return b"\0" not in data and _HEADER.search(text) is not None and "\n@@ " in text


def files_of(data: bytes) -> tuple[str, ...]:
    """The files that it says it touches, sorted. For people: whether a path may be touched is for the gate."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    names = (line for found in _HEADER.finditer(text) for line in found[0].splitlines())
    paths = {_path(name) for name in names}
    return tuple(sorted(path for path in paths if path != "/dev/null"))


def diff_in(answer: str) -> str:
    """Of a language model's answer: the diffs in its fences, else what follows the first file's header; else empty."""
    text = _THINKING.sub("", answer.replace("\r\n", "\n"))
    found = [fence[2] for fence in _FENCE.finditer(text) if _HEADER.search(fence[2])]
    if found:
        return "".join(each.rstrip("\n") + "\n" for each in found)
    header = _HEADER.search(text)
    if header is None:
        return ""
    before = _BEFORE.search(text[: header.start()])
    start = before.start() if before else header.start()
    return re.sub(r"\n(?:`{3,}|~{3,})[^\n]*\n?\Z", "\n", text[start:].rstrip("\n") + "\n")


def repaired(diff: str, read: Read) -> str:
    """With the numbers of each hunk as its lines have them: models count badly, and a wrong count is the usual reason
    for which a right diff does not apply. Nothing that is added or removed changes."""
    lines, result, at = diff.rstrip("\n").split("\n"), list[str](), 0
    path = ""
    while at < len(lines):
        if _starts_file(lines, at):
            old, new = _path(lines[at]), _path(lines[at + 1])
            path = new if old == "/dev/null" else old
            result += [_named(lines[at], "a/"), _named(lines[at + 1], "b/")]
            at, shift = at + 2, 0
        elif (hunk := _HUNK.fullmatch(lines[at])) and path:
            end = _end_of_hunk(lines, at + 1)
            body = [line or " " for line in lines[at + 1 : end]]
            header, shift = _header(hunk, body, read(path), shift)
            result += [header, *body]
            at = end
        else:
            result.append(lines[at])
            at += 1
    return "\n".join(result) + "\n"


def _header(hunk: re.Match[str], body: Sequence[str], file: Sequence[str], shift: int) -> tuple[str, int]:
    old = [line[1:] for line in body if line[:1] in " -"]
    added = sum(line[:1] in " +" for line in body)
    start = _place(old, file, int(hunk[1] or 1))
    new = start + shift + (0 if old else 1)
    return f"@@ -{start},{len(old)} +{max(new, 0)},{added} @@{hunk[3]}", shift + added - len(old)


def _place(old: Sequence[str], file: Sequence[str], said: int) -> int:
    """The line, from 1, at which these lines stand: the nearest to where it says; that itself when nowhere."""
    if not old:
        return said if file else 0
    places = [at + 1 for at in range(len(file) - len(old) + 1) if list(file[at : at + len(old)]) == list(old)]
    return min(places, key=lambda place: abs(place - said), default=said)


def _end_of_hunk(lines: Sequence[str], at: int) -> int:
    while at < len(lines):
        line = lines[at]
        if _HUNK.fullmatch(line) or line.startswith("diff --git ") or _starts_file(lines, at):
            break
        at += 1
    while lines[at - 1] == "" and at == len(lines):
        at -= 1
    return at


def _starts_file(lines: Sequence[str], at: int) -> bool:
    return lines[at].startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ ")


def _path(header: str) -> str:
    """Of a ``---`` or ``+++`` line."""
    path = header[4:].split("\t")[0].strip()
    return path[2:] if path[:2] in ("a/", "b/") else path


def _named(header: str, prefix: str) -> str:
    path = _path(header)
    return header if path == "/dev/null" else f"{header[:4]}{prefix}{path}"
