"""``run.py doctor``: looks at every part that FourEyes can work with and tells what is found. Changes nothing.

A probe tells what it found or raises; ``examine`` turns both into findings, without any secret in them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from foureyes_actors.bug.redact import Redactor
from foureyes_actors.doctor import parts, sandbox, servers
from foureyes_actors.doctor.findings import Finding, Status
from foureyes_actors.doctor.parts import Absent, Unfit, World
from foureyes_actors.errors import ConfigurationError, FourEyesError, MissingExtraError
from foureyes_actors.invocation import install_command
from foureyes_actors.ports.inspection import InspectionPort, LocalInspection
from foureyes_actors.settings import Settings
from foureyes_actors.settings.file import secrets_of
from foureyes_actors.text import bounded

LONGEST = 600  # characters of a detail


@dataclass(frozen=True, slots=True)
class Probe:
    """``look`` returns what is there, for people, or raises. ``advice``: when it is missing. ``only_wanted``: there
    is nothing to look at unless the configuration asks for it. ``line``: for foureyes.yaml, to use what is found."""

    part: str
    wanted: Callable[[Settings], bool]
    look: Callable[[parts.Patient], str]
    advice: str = ""
    embedded: bool = False
    only_wanted: bool = False
    line: str = ""


def _always(_settings: Settings) -> bool:
    return True


def _own_rules(settings: Settings) -> bool:
    return settings.forgewright.triage_file is not None


def _source(kind: str) -> Callable[[Settings], bool]:
    return lambda settings: settings.source.kind == kind


def _server(kind: str) -> Callable[[Settings], bool]:
    return lambda settings: settings.model_server.kind == kind


def _other_server(settings: Settings) -> bool:
    return settings.model_server.kind not in ("embedded", "lm_studio")


def _store(kind: str) -> Callable[[Settings], bool]:
    return lambda settings: settings.store.kind == kind


PROBES: tuple[Probe, ...] = (
    Probe("Python", _always, parts.python),
    Probe("models", _always, parts.models),
    Probe("triage rules", _own_rules, parts.triage_rules, only_wanted=True),
    Probe("demo cabinet", _source("cabinet"), parts.cabinet, embedded=True),
    Probe("OBS Studio", _source("obs"), parts.obs, parts.START_OBS, line="source: {kind: obs}"),
    Probe("screen", _source("screen"), parts.screen, line="source: {kind: screen}"),
    Probe("video", _source("video"), parts.video),
    Probe("pictures", _source("pictures"), parts.pictures, only_wanted=True),
    Probe("embedded model server", _server("embedded"), servers.embedded, embedded=True),
    Probe(
        "LM Studio",
        _server("lm_studio"),
        servers.lm_studio,
        servers.START_LM_STUDIO,
        line="model_server: {kind: lm_studio}",
    ),
    Probe("lms command", servers.lms_wanted, servers.lms),
    Probe("model server", _other_server, servers.other, "start it", only_wanted=True),
    Probe("other model servers", lambda settings: False, servers.at_their_ports),
    Probe("start command", servers.command_wanted, servers.command, only_wanted=True),
    Probe("SQLite store", _store("sqlite"), parts.sqlite, embedded=True),
    Probe("MongoDB", _store("mongodb"), parts.mongodb, parts.START_MONGODB, line="store: {kind: mongodb}"),
    Probe("disk space", _always, parts.disk),
    Probe("sandbox", lambda settings: False, sandbox.sandbox),
)


def examine(
    settings: Settings, world: World, inspection: InspectionPort | None = None, *, config: Path | None = None
) -> tuple[Finding, ...]:
    """Every part, one after another; some seconds when servers do not answer. Never raises for what it finds.
    ``config``: the file that the settings are from, if any."""
    redactor = Redactor(secrets_of(settings))
    patient = parts.Patient(settings, world, inspection or LocalInspection(), config)
    return tuple(
        _examined(probe, patient, redactor) for probe in PROBES if probe.wanted(settings) or not probe.only_wanted
    )


def _examined(probe: Probe, patient: parts.Patient, redactor: Redactor) -> Finding:
    wanted = probe.wanted(patient.settings)
    status, advice, configuration = (Status.EMBEDDED if probe.embedded else Status.OK), "", False
    try:
        detail = probe.look(patient)
        if probe.line and not wanted:
            advice = f"in foureyes.yaml: {probe.line}"
    except Unfit as error:
        status, detail, advice = Status.PROBLEM, str(error), error.advice
    except Absent as error:
        status, detail, advice, wanted = Status.MISSING, str(error), error.advice, wanted and error.needed
    except MissingExtraError as error:
        status, detail, configuration = Status.MISSING, f"the package {error.package!r} is not installed", True
        advice = install_command(error.extra)
    except ConfigurationError as error:
        status, detail, configuration = Status.PROBLEM, str(error), True
    except FourEyesError as error:
        status, detail, advice = Status.MISSING, str(error), probe.advice
    except Exception as error:  # a probe that fails is a finding, not the end of the examination
        status, detail = Status.PROBLEM, f"the check itself failed: {type(error).__name__}: {error}"
    return Finding(
        probe.part, status, _words(detail, redactor), _words(advice, redactor), wanted, configuration and wanted
    )


def _words(text: str, redactor: Redactor) -> str:
    """One line for people, without secrets and control characters."""
    return bounded(" ".join(redactor.text(text).split()), LONGEST)
