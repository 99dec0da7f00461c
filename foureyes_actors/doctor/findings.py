"""What the doctor found, and how it is told. Pure."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rich.console import Console
from rich.table import Table
from rich.text import Text

FINE, MISSING_PART, CONFIGURATION = 0, 69, 78  # as in sysexits.h: EX_OK, EX_UNAVAILABLE, EX_CONFIG


class Status(StrEnum):
    OK = "ok"
    EMBEDDED = "embedded"  # works; comes with FourEyes
    MISSING = "missing"  # not there
    PROBLEM = "problem"  # there, but it cannot be used as it is


_COLOURS = {Status.OK: "green", Status.EMBEDDED: "cyan", Status.MISSING: "yellow", Status.PROBLEM: "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """``wanted``: the configuration asks for this part. ``configuration``: what is wrong is in the configuration."""

    part: str
    status: Status
    detail: str
    advice: str = ""
    wanted: bool = False
    configuration: bool = False

    @property
    def fine(self) -> bool:
        return self.status in (Status.OK, Status.EMBEDDED)


def verdict(findings: Sequence[Finding]) -> int:
    """The exit code: 0 when everything that the configuration asks for is there, 78 when it must be changed, 69
    when a part is missing."""
    bad = [finding for finding in findings if finding.wanted and not finding.fine]
    if any(finding.configuration for finding in bad):
        return CONFIGURATION
    return MISSING_PART if bad else FINE


def render(findings: Sequence[Finding], *, terminal: bool | None = None, width: int | None = None) -> str:
    """A table with colours for a terminal, else plain text. ``terminal`` None: look whether standard output is one."""
    console = Console()
    if terminal is None:
        terminal = console.is_terminal and not console.legacy_windows
    return _table(findings, width or console.width) if terminal else _plain(findings)


def _plain(findings: Sequence[Finding]) -> str:
    column = max((len(finding.part) for finding in findings), default=0)
    lines = []
    for finding in findings:
        mark = "*" if finding.wanted else " "
        lines.append(f"{mark} {finding.status:<9} {finding.part:<{column}}  {finding.detail}")
        if finding.advice:
            lines.append(f"{'':{column + 14}}-> {finding.advice}")
    return "\n".join([*lines, _summary(findings)])


def _table(findings: Sequence[Finding], width: int) -> str:
    table = Table(box=None, pad_edge=False, width=width)
    for heading in ("", "", "part", "found"):
        table.add_column(heading, overflow="fold", no_wrap=heading != "found")
    for finding in findings:
        found = Text(finding.detail)  # not markup: it may be anybody's text
        if finding.advice:
            found.append(f"\n-> {finding.advice}", style="bold")
        table.add_row(
            "*" if finding.wanted else "", Text(finding.status, _COLOURS[finding.status]), Text(finding.part), found
        )
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, highlight=False, legacy_windows=False)
    console.print(table)
    console.print(Text(_summary(findings)))
    return out.getvalue().rstrip("\n")


def _summary(findings: Sequence[Finding]) -> str:
    bad = [finding.part for finding in findings if finding.wanted and not finding.fine]
    if bad:
        return f"* asked for by the configuration; not usable: {', '.join(bad)}"
    return "* asked for by the configuration; all of them can be used"
