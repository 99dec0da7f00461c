"""``run.py models``: what the model server has, what is wanted, and what of it is in its memory. Changes nothing."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from foureyes_actors.bug.redact import Redactor
from foureyes_actors.doctor.findings import CONFIGURATION, FINE, MISSING_PART
from foureyes_actors.doctor.parts import World
from foureyes_actors.errors import ConfigurationError, ConnectFailed, FourEyesError
from foureyes_actors.invocation import PROGRAM
from foureyes_actors.lm_studio.advice import trouble_advice
from foureyes_actors.lm_studio.dialect import ListedModel, Server, server_at
from foureyes_actors.lm_studio.dialects import DIALECTS, EMBEDDED
from foureyes_actors.lm_studio.process import known_url
from foureyes_actors.lm_studio.recognise import recognise
from foureyes_actors.lm_studio.residency import find
from foureyes_actors.lm_studio.server_calls import check_alive, describe, list_models
from foureyes_actors.model_server.catalog import CATALOG
from foureyes_actors.model_table import wanted_models
from foureyes_actors.ports.http import HttpPort
from foureyes_actors.settings import Settings
from foureyes_actors.settings.file import secrets_of
from foureyes_actors.text import bounded, one_line

LONGEST = 400  # characters of a problem
SHOWN = 200  # rows of the table; one takes about a millisecond
UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class Row:
    """``tasks``: those that it is wanted for. ``there``: the server has it. ``loaded``: ids of its instances; None: the
    server does not say. ``context``: tokens, of the first one. ``size``: bytes of its file; None: unknown, as with
    ``vision``."""

    model: str
    tasks: tuple[str, ...]
    there: bool
    loaded: tuple[str, ...] | None = None
    vision: bool | None = None
    context: int | None = None
    max_context: int | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """``kind``: which server answers, or is meant when none does. ``advice``: the line for
    foureyes.yaml, or what to do."""

    kind: str
    name: str
    url: str
    answers: bool
    rows: tuple[Row, ...]
    concurrency: int | None = None
    context_set_by: str = ""
    problem: str = ""
    advice: str = ""
    refused: bool = False

    @property
    def code(self) -> int:
        """As the doctor's: 0, 69 when the server or a wanted model is not there, 78 when it refuses us."""
        if self.refused:
            return CONFIGURATION
        lacking = any(row.tasks and not row.there for row in self.rows)
        return MISSING_PART if lacking or (self.problem and not self.answers) else FINE


def survey(settings: Settings, world: World, config: Path | None = None) -> Survey:
    """``config``: the file that the settings are from, if any. Raises SettingsError for the model table. What the
    server answers is never raised."""
    models = wanted_models(settings, world.files, config)
    wanted = {model: tuple(task.value for task, _ in tasks) for model, tasks in models.items()}
    url = known_url(settings.model_server)
    if url is None:
        return _of_the_embedded_one(wanted)
    http = world.http()
    try:
        return _ask(http, settings, url, wanted)
    except FourEyesError as error:
        token = settings.model_server.api_token.get_secret_value()
        advice = trouble_advice(http, url, token, settings.model_server.kind, error)
        return _silent(settings, url, wanted, error, advice)
    finally:
        http.close()


def _ask(http: HttpPort, settings: Settings, url: str, wanted: dict[str, tuple[str, ...]]) -> Survey:
    kind, token = settings.model_server.kind, settings.model_server.api_token.get_secret_value()
    dialect = recognise(http, url, token) if kind == "auto" else DIALECTS[kind]
    server = server_at(url, dialect, token)
    check_alive(http, server)
    rows = _rows(http, server, wanted)
    lacking = [row.model for row in rows if not row.there]
    return Survey(
        dialect.kind,
        dialect.name,
        server.url,
        True,
        rows,
        settings.model_server.concurrency or dialect.concurrency,
        dialect.context,
        f"it does not have {', '.join(lacking)}" if lacking else "",
        "get it there, or name one that it has in the model table (model_server.models_file)" if lacking else "",
    )


def _rows(http: HttpPort, server: Server, wanted: dict[str, tuple[str, ...]]) -> tuple[Row, ...]:
    """The wanted ones first; only they are asked about one by one."""
    listed = list_models(http, server)
    found = {model: find(listed.models, model) for model in wanted}
    rows = []
    for model, row in found.items():
        more = None if row is None else describe(http, server, listed, row)
        rows.append(_row(more or ListedModel(model, ()), wanted[model], there=more is not None, name=model))
    taken = {row.key for row in found.values() if row is not None}
    return (*rows, *(_row(row, (), there=True, name=row.key) for row in listed.models if row.key not in taken))


def _row(row: ListedModel, tasks: tuple[str, ...], *, there: bool, name: str) -> Row:
    return Row(name, tasks, there, row.instances, row.vision, row.context, row.max_context, row.size)


def _of_the_embedded_one(wanted: dict[str, tuple[str, ...]]) -> Survey:
    """It takes a free port, and only the FourEyes that has started it knows which."""
    names = {model.id.casefold(): model for model in CATALOG}
    rows = [
        Row(model, tasks, known is not None, (), None if known is None else True, size=known.size if known else None)
        for model, tasks, known in ((model, tasks, names.get(model.casefold())) for model, tasks in wanted.items())
    ]
    others = [model for key, model in names.items() if key not in {name.casefold() for name in wanted}]
    rows += [Row(model.id, (), True, (), True, size=model.size) for model in others]
    problem = "it runs only while FourEyes does, at a port of its own: nobody is asked here"
    return Survey(EMBEDDED.kind, EMBEDDED.name, "", True, tuple(rows), EMBEDDED.concurrency, EMBEDDED.context, problem)


def _silent(
    settings: Settings, url: str, wanted: dict[str, tuple[str, ...]], error: FourEyesError, advice: str
) -> Survey:
    kind = settings.model_server.kind
    name = "a model server" if kind == "auto" else DIALECTS[kind].name
    rows = tuple(Row(model, tasks, there=False) for model, tasks in wanted.items())
    gone = isinstance(error, ConnectFailed)
    words = "nobody answers there" if gone else str(error)
    problem = bounded(" ".join(Redactor(secrets_of(settings)).text(words).split()), LONGEST)
    start = f"start it, or set model_server.base_url; {PROGRAM} doctor tells what is found"
    refused = isinstance(error, ConfigurationError)
    return Survey(kind, name, url, False, rows, problem=problem, advice=start if gone else advice, refused=refused)


# --- for people and programs ---


def as_document(found: Survey) -> dict[str, Any]:
    """For ``--json``."""
    document = asdict(found)
    document["models"] = document.pop("rows")
    return document


def render(found: Survey, width: int | None = None) -> str:
    """A plain table."""
    out = io.StringIO()
    console = Console(file=out, width=width or 120, highlight=False, legacy_windows=False)
    where = f" at {found.url}" if found.url else ""
    console.print(Text(one_line(f"{found.name}{where}{'' if found.answers else ': not usable'}", LONGEST)))
    table = Table(box=None, pad_edge=False)
    for heading in ("model", "wanted for", "there", "in memory", "pictures", "context", "size"):
        table.add_column(heading, overflow="fold")
    shown = _shown(found.rows)
    for row in shown:
        table.add_row(*(Text(one_line(cell, LONGEST)) for cell in _cells(row, found.answers)))
    console.print(table)
    if len(shown) < len(found.rows):
        console.print(Text(f"... and {len(found.rows) - len(shown):,} more: --json has them all"))
    for line in (found.problem, found.advice and f"-> {found.advice}"):
        if line:
            console.print(Text(one_line(line, LONGEST)))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _shown(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The wanted ones, those in memory, and of the others as many as people read."""
    if len(rows) <= SHOWN:
        return rows
    return tuple(sorted(rows, key=lambda row: (not row.tasks, not row.loaded)))[:SHOWN]


def _cells(row: Row, answers: bool) -> tuple[str, ...]:
    if not answers:
        return (row.model, ", ".join(row.tasks) or "-", *[UNKNOWN] * 5)
    loaded = UNKNOWN if row.loaded is None else ("yes" if row.loaded else "no")
    context = str(row.context or "-") if row.max_context is None else f"{row.context or '-'} of {row.max_context}"
    size = UNKNOWN if row.size is None else f"{row.size / 1e9:.2f} GB"
    return row.model, ", ".join(row.tasks) or "-", _yes(row.there), loaded, _yes(row.vision), context, size


def _yes(value: bool | None) -> str:
    return UNKNOWN if value is None else ("yes" if value else "no")
