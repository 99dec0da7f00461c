"""``triage.yaml`` -> the rules of triage. Problems are told as those of the configuration: file, line, key, value."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from foureyes_actors import errors
from foureyes_actors.forgewright.patterns import too_slow
from foureyes_actors.forgewright.triage import BugClass, Cause, RemedyKind, Rule
from foureyes_actors.ports.files import FilesPort
from foureyes_actors.settings.file import read_named, read_text
from foureyes_actors.settings.schema import closest, section
from foureyes_actors.settings.section import Section
from foureyes_actors.settings.table import read_table

SHIPPED = Path(__file__).with_name("triage.yaml")
MAX_PATTERN = 500  # characters


def _pattern(text: str) -> str:
    try:
        slow = too_slow(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is no regular expression: {error}") from None
    if slow:
        raise ValueError(
            "could take very long to search; right would be at most two repetitions (*, +), one after the other, and "
            "none of what repeats or has alternatives itself"
        )
    return text


def _exception(name: str) -> str:
    if _type_of(name) is None:
        known = [*_names(errors), *_names(builtins)]
        meant = closest(name, known)
        hint = f"; did you mean {meant}?" if meant else ""
        raise ValueError(f"is no exception of Python or of foureyes_actors.errors{hint}")
    return name


Pattern = Annotated[str, Field(max_length=MAX_PATTERN), AfterValidator(_pattern)]
ExceptionName = Annotated[str, AfterValidator(_exception)]


class RuleRow(Section):
    name: Annotated[str, Field(min_length=1, max_length=100)]
    bug_class: BugClass
    cause: Cause
    types: tuple[ExceptionName, ...] = ()
    type_name: Pattern = ""
    message: Pattern = ""
    place: Pattern = ""
    trace: Pattern = ""
    frame: Pattern = ""
    port: Pattern = ""
    retryable: bool | None = None
    remedy: RemedyKind = RemedyKind.NONE

    @model_validator(mode="after")
    def _says_something(self) -> RuleRow:
        if not any((self.types, self.type_name, self.message, self.place, self.trace, self.frame, self.port)):
            raise ValueError(
                "fits every failure; right would be one of types, type_name, message, place, trace, frame, port"
            )
        return self


class Table(Section):
    rules: tuple[RuleRow, ...] = ()


_ROOT = section(Table)


def load_rules(files: FilesPort, own: Path | None = None) -> tuple[Rule, ...]:
    """Those of ``own`` first, then the shipped ones. Raises SettingsError."""
    shipped = parse_rules(read_text(SHIPPED, files), SHIPPED)
    return shipped if own is None else (*_own_rules(files, own.absolute()), *shipped)


def _own_rules(files: FilesPort, path: Path) -> tuple[Rule, ...]:
    return parse_rules(read_named("forgewright.triage_file", path, files), path)


def parse_rules(text: str, path: Path) -> tuple[Rule, ...]:
    """``path``: for the problems. Raises SettingsError with a line for each."""
    table, _ = read_table(text, path, _ROOT, Table.model_validate)
    return tuple(map(_rule, table.rules))


def _rule(row: RuleRow) -> Rule:
    types = tuple(found for name in row.types if (found := _type_of(name)) is not None)
    return Rule(**{**dict(row), "types": types})


def _type_of(name: str) -> type[BaseException] | None:
    found = getattr(errors, name, None) or getattr(builtins, name, None)
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


def _names(module: object) -> Iterator[str]:
    return (n for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, BaseException))
