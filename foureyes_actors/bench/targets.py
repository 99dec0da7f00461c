"""The targets, what was measured of them, and the verdicts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

MET_ALL, NOT_ALL = 0, 1  # exit codes


class Verdict(StrEnum):
    MET = "met"
    MISSED = "missed"
    FAILED = "failed"  # it could not be measured


@dataclass(frozen=True, slots=True)
class Target:
    """``above``: the figure must be more than ``limit``, else less."""

    key: str
    name: str
    limit: float
    unit: str
    above: bool = False

    def __str__(self) -> str:
        return f"{'>' if self.above else '<'} {self.limit:g} {self.unit}"


@dataclass(frozen=True, slots=True)
class Measured:
    """``value``: in the target's unit. ``detail``: what exactly was measured, for people."""

    value: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class Row:
    target: Target
    measured: Measured
    verdict: Verdict


START = Target("start", "model server start", 30, "s")
LOAD = Target("load", "load, each model", 10, "s")
INFERENCE = Target("inference", "inference, p95", 300, "ms")
CACHE = Target("cache_hits", "cache hits", 30, "%", above=True)
PLATFORM = Target("platform", "exception to platform", 5, "min")
RESTART = Target("restart", "restart after kill -9", 60, "s")
TARGETS = (START, LOAD, INFERENCE, CACHE, PLATFORM, RESTART)

NOT_MEASURED = Measured(None, "was not measured")


def judge(measured: Mapping[Target, Measured]) -> tuple[Row, ...]:
    """One row for each target, in order. What nobody measured has failed, never passed."""
    found = ((target, measured.get(target, NOT_MEASURED)) for target in TARGETS)
    return tuple(Row(target, figure, verdict(target, figure)) for target, figure in found)


def verdict(target: Target, measured: Measured) -> Verdict:
    value = measured.value
    if value is None:
        return Verdict.FAILED
    met = value > target.limit if target.above else value < target.limit  # a NaN meets nothing
    return Verdict.MET if met else Verdict.MISSED


def exit_code(rows: Sequence[Row]) -> int:
    return MET_ALL if all(row.verdict is Verdict.MET for row in rows) else NOT_ALL


def quantile(values: Sequence[float], part: float) -> float:
    """The value at ``part`` (0-1) of the sorted values; NaN when there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")


def document(rows: Sequence[Row], machine: str) -> dict[str, Any]:
    """For ``--json``."""
    return {
        "machine": machine,
        "targets": [{**asdict(r.target), **_figures(r), "verdict": r.verdict.value} for r in rows],
    }


def _figures(row: Row) -> dict[str, Any]:
    value = row.measured.value
    return {"measured": None if value is None else round(value, 3), "detail": row.measured.detail}


def table(rows: Sequence[Row], machine: str) -> str:
    """Plain text; each row's detail is on a line of its own."""
    heads = ("target", "wanted", "measured", "verdict")
    cells = [(row.target.name, str(row.target), _value(row), row.verdict.value) for row in rows]
    widths = [max(len(line[column]) for line in (heads, *cells)) for column in range(len(heads))]
    lines = [
        f"the embedded model server on {machine}",
        "",
        _line(heads, widths),
        _line(["-" * w for w in widths], widths),
    ]
    for row, cell in zip(rows, cells, strict=True):
        lines += [_line(cell, widths), f"    {row.measured.detail}"]
    return "\n".join(lines)


def _value(row: Row) -> str:
    value = row.measured.value
    if value is None:
        return "-"
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {row.target.unit}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    name, wanted, value, word = (cell.ljust(w) for cell, w in zip(cells, widths, strict=True))
    return f"{name}  {wanted}  {value.strip().rjust(widths[2])}  {word}".rstrip()
