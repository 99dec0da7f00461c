"""No secret in the log, nor in what Cerberus's news become."""

from __future__ import annotations

import io
import logging

import pytest

from foureyes_actors import wiring
from foureyes_actors.bug.redact import Redactor
from foureyes_actors.headless import Headless, Request
from foureyes_actors.messages import StoreDocuments
from foureyes_actors.redacted_log import RedactingFormatter, log_to
from foureyes_actors.settings import Settings
from supervisors.heads import Head
from supervisors.heads_decider import Bite
from supervisors.inbox import Inbox

SECRET = "sk-lm-canary01:0123456789abcdef"


@pytest.fixture
def logged() -> tuple[logging.Logger, io.StringIO]:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(RedactingFormatter(Redactor((SECRET,))))
    logger = logging.Logger("supervisors")
    logger.addHandler(handler)
    return logger, out


def test_a_secret_in_an_exceptions_text_is_masked(logged: tuple[logging.Logger, io.StringIO]) -> None:
    logger, out = logged
    try:
        raise ValueError(f"bad token {SECRET}")
    except ValueError as error:
        logger.warning("capture: restart: %s", error)
        logger.exception("and its traceback")
    assert SECRET not in out.getvalue()
    assert out.getvalue().count("bad token") == 3
    assert "and its traceback" in out.getvalue()


def test_a_secret_in_the_reason_of_a_bite_reaches_neither_store_nor_console() -> None:
    settings = Settings.model_validate({"model_server": {"api_token": SECRET}})
    program = Headless(settings, {"vl": ()}, wiring.real_world(settings), Request(), lambda line: None)
    told = {name: Inbox(name) for name in ("recorder", "console")}
    for name, inbox in told.items():
        inbox.own(1)
        program.tree.directory.claim(name, "test", told.__getitem__)
    reason = f"ValueError: bad token {SECRET}"
    program.upkeep.on_bite(Bite("lm_studio", Head.RESTART, reason, 0.0, ("lm_studio",), recovered=True, took=1.0))
    envelopes = [inbox.take(1) for inbox in told.values()]
    messages = [envelope.message for envelope in envelopes if envelope is not None]
    assert len(messages) == 2 and isinstance(messages[0], StoreDocuments)
    assert SECRET not in str(messages)
    assert "bad token" in str(messages)


@pytest.mark.parametrize(("level", "told"), [("WARNING", False), ("INFO", True)])
def test_what_is_an_event_already_is_logged_only_for_who_wants_more(level: str, told: bool) -> None:
    root = logging.getLogger()
    before, was, out = root.handlers[:], root.level, io.StringIO()
    try:
        root.handlers.clear()
        log_to(out, level, ())
        logging.getLogger("supervisors.heads_decider").warning("a: restart of a: Crash")
        logging.getLogger("supervisors.cerberus").warning("another matter")
    finally:
        root.handlers[:] = before
        root.setLevel(was)
    assert ("restart of a" in out.getvalue()) is told and "another matter" in out.getvalue()
