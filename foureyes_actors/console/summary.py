"""The end of a run, told to its user: what was read, how well the pace was kept, where it is, what went wrong. Pure.

Made of the actors' answers to GetStatus. An actor that gave none leaves its part out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from foureyes_actors.console.lines import part_name
from foureyes_actors.text import one_line

MAX_TEXT = 500  # characters of one part
INFERENCE = "inference:"  # the beginning of the name of every actor that asks a model
Status = Mapping[str, Any]
_NONE: Status = {}


def summary_lines(statuses: Mapping[str, Status]) -> list[str]:
    """One line for each part, its name first."""
    models = [(name, status) for name, status in statuses.items() if name.startswith(INFERENCE)]
    used = [(name, status) for name, status in models if status.get("asked", True) or status.get("answered")]
    parts = [
        ("frames", _frames(statuses, [status for _, status in models])),
        ("rate", _rate(statuses.get("capture", _NONE))),
        ("values", _values(statuses.get("readings", _NONE))),
        *(("model", _model(name.removeprefix(INFERENCE), status)) for name, status in used),
        ("model server", _server(statuses.get("lm_studio", _NONE))),
        ("store", _store(statuses.get("recorder", _NONE))),
        ("faults", _faults(statuses.get("bug", _NONE))),
        ("restarts", _restarts(statuses.get("cerberus", _NONE))),
        ("memory", _memory(statuses.get("resource", _NONE))),
    ]
    return [f"  {name:<13} {one_line(text, MAX_TEXT)}" for name, text in parts if text]


def _frames(statuses: Mapping[str, Status], models: Iterable[Status]) -> str:
    capture = statuses.get("capture", _NONE)
    if not capture:
        return ""
    replaced = sum(status.get("replaced", 0) for status in models)
    return _joined(
        f"{_number(capture, 'frames')} captured",
        f"{_number(statuses.get('console', _NONE), 'read')} read",
        f"{replaced:,} replaced by a newer one while a model was busy" if replaced else "",
        _some(capture, "dropped", "dropped because the source was slow"),
        _some(capture, "skipped", "skipped because this machine was busy"),
        _failures(capture.get("failures", {}), "without a picture"),
    )


def _rate(capture: Status) -> str:
    if not capture.get("frames"):
        return ""
    grab = capture.get("grab_ms") or {}
    times = f"getting a picture took {grab['median']:.0f} ms, at most {grab['longest']:.0f} ms" if grab else ""
    return _joined(
        f"{capture['rate']:.2f} frames a second at the end, {capture['wanted_rate']:g} wanted",
        times,
        f"the stream is {capture.get('condition', 'unknown')}",
    )


def _values(readings: Status) -> str:
    words = {
        "accepted": "accepted",
        "held": "held until seen again",
        "missing": "not on the screen",
        "rejected": "rejected",
        "stale": "stale",
    }
    counts: Mapping[str, int] = readings.get("values", {})
    return _joined(*(f"{counts[key]:,} {text}" for key, text in words.items() if counts.get(key)))


def _model(model: str, status: Status) -> str:
    latency = status.get("mean_latency")
    return f"{model}: " + _joined(
        f"{_number(status, 'answered')} answers",
        f"{latency * 1000:.0f} ms each on average" if latency else "",
        _some(status, "hits", "from the cache"),
        _some(status, "read_alone", "read without the model server"),
        _some(status, "retries", "asked again"),
        _failures(status.get("failures", {}), "failed"),
    )


def _server(server: Status) -> str:
    return _joined(
        str(server.get("phase", "")).replace("_", " "),
        _started(server),
        f"last error: {server['last_error']}" if server.get("last_error") else "",
    )


def _started(server: Status) -> str:
    starts = server.get("starts", 0)
    if starts:
        return "started once" if starts == 1 else f"started {starts} times"
    return "was running already" if server.get("attached") else ""


def _store(store: Status) -> str:
    waiting = store.get("pending", 0)
    if store.get("away_since"):
        since = datetime.fromisoformat(store["away_since"]).astimezone()
        state = f"away since {since:%H:%M:%S}"
    else:
        state = ""
    return _joined(
        state,
        f"{_number(store, 'stored')} documents stored in {store['store']}" if store.get("store") else "",
        _waiting(waiting, store.get("journal_bytes", 0)),
        _some(store, "replayed", "of them replayed from the journal"),
        _some(store, "refused", "refused and set aside in refused.jsonl"),
        _some(store, "dropped", "LOST: neither the store nor the journal took them"),
        f"why it is away: {store['away_reason']}" if store.get("away_reason") else "",
    )


def _waiting(documents: int, journal: int) -> str:
    return f"{documents:,} wait in the journal ({size(journal)}) until it is back, now or later" if documents else ""


def _faults(bug: Status) -> str:
    if not bug:
        return ""
    recorded, hooks = bug.get("recorded", 0), bug.get("hooks", {})
    lost = sum(hooks.get(key, 0) for key in ("dropped", "failed")) + bug.get("own_failures", 0)
    return _joined(
        f"{recorded:,} recorded, {_severities(bug.get('by_severity', {}))}; see ERR0R in the store"
        if recorded
        else "none",
        f"condition {bug['condition_is']}" if bug.get("condition", "healthy") != "healthy" else "",
        f"{lost:,} LOST: too many at once, or in the handling itself" if lost else "",
        separator="; ",
    )


def _severities(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name.lower()}" for name, count in counts.items() if count)


def _restarts(cerberus: Status) -> str:
    if not cerberus:
        return ""
    replaced: Mapping[str, int] = cerberus.get("replaced", {})
    return ", ".join(f"{part_name(name)} {count} x" for name, count in replaced.items()) or "none"


def _memory(resource: Status) -> str:
    last, peaks = resource.get("last") or _NONE, resource.get("peaks") or _NONE
    parts = (("FourEyes", "own_memory"), ("model server", "server_memory"))
    return _joined(
        *(f"{name} {size(last[key])}, at most {size(peaks[key] or last[key])}" for name, key in parts if last.get(key)),
        separator="; ",
    )


def size(count: float) -> str:
    """Bytes for people, in decimal units."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit in ("bytes", "kB") or count >= 100 else f"{count:.1f} {unit}"


def _number(status: Status, key: str) -> str:
    return f"{status.get(key, 0):,}"


def _some(status: Status, key: str, words: str) -> str:
    return f"{status[key]:,} {words}" if status.get(key) else ""


def _failures(counts: Mapping[str, int], words: str) -> str:
    """With the kinds of error: {"BadPicture": 2} is "2 without a picture (BadPicture)"."""
    total = sum(counts.values())
    return f"{total:,} {words} ({', '.join(counts)})" if total else ""


def _joined(*parts: str, separator: str = ", ") -> str:
    return separator.join(part for part in parts if part)
