"""The log of the process: no configured secret, and nothing that looks like one, reaches it, whoever logs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TextIO

from foureyes_actors.bug.redact import Redactor
from foureyes_actors.ports.patient_stream import PatientStream

AS_EVENTS = ("supervisors.heads_decider",)  # each of its warnings is a line of the console, and an event
FORMAT = "[%(asctime)s] %(name)-28s %(levelname)-8s: %(message)s"


class RedactingFormatter(logging.Formatter):
    """Masks the finished text, tracebacks included. Runs in the thread that logs."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__(FORMAT)
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        return self._redactor.text(super().format(record))


def log_to(stream: TextIO | PatientStream, level: str, secrets: Sequence[str]) -> None:
    """Everything that is logged from now on, by libraries too, goes to ``stream``."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(RedactingFormatter(Redactor(tuple(secrets))))
    if logging.getLevelName(level) == logging.WARNING:
        handler.addFilter(not_told_already)
    logging.basicConfig(level=level, handlers=[handler])


def not_told_already(record: logging.LogRecord) -> bool:
    return record.name not in AS_EVENTS or record.levelno > logging.WARNING
