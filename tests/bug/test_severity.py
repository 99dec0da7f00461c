"""How bad a fault is: the table."""

from __future__ import annotations

import inspect

import pytest

from foureyes_actors import errors
from foureyes_actors.bug.severity import RULES, ErrorType, Severity, known_type, rule_of, severity_of
from supervisors.messages import Stage
from tests.bug.make import a_fault

TABLE = [
    (errors.StoreInUse("x"), Severity.CRITICAL, ErrorType.SYSTEM),
    (errors.JournalFull("x"), Severity.CRITICAL, ErrorType.SYSTEM),
    (MemoryError(), Severity.CRITICAL, ErrorType.SYSTEM),
    (errors.DocumentRefused("x"), Severity.HIGH, ErrorType.DATA_CORRUPTION),
    (errors.StoreUnavailable("x"), Severity.MEDIUM, ErrorType.SYSTEM),
    (errors.SettingsError(["x"]), Severity.HIGH, ErrorType.VALIDATION),
    (errors.WrongModel("x"), Severity.HIGH, ErrorType.SANITY_CHECK),
    (errors.AnswerContractError("x"), Severity.LOW, ErrorType.VALIDATION),
    (errors.ServerFault("x", status=500), Severity.MEDIUM, ErrorType.SYSTEM),
    (errors.BadPicture("x"), Severity.LOW, ErrorType.DATA_CORRUPTION),
    (errors.SourceUnavailable("x"), Severity.MEDIUM, ErrorType.SYSTEM),
    (errors.RequestTimeout("x"), Severity.MEDIUM, ErrorType.SYSTEM),
    (errors.LMStudioTimeoutError("x"), Severity.HIGH, ErrorType.SYSTEM),
    (ConnectionResetError(), Severity.MEDIUM, ErrorType.SYSTEM),
    (PermissionError(), Severity.HIGH, ErrorType.SYSTEM),
    (ZeroDivisionError(), Severity.HIGH, ErrorType.DATA_CORRUPTION),
    (AssertionError(), Severity.HIGH, ErrorType.SANITY_CHECK),
    (KeyError("x"), Severity.HIGH, ErrorType.OTHER),
    (SystemExit(), Severity.HIGH, ErrorType.OTHER),
]


@pytest.mark.parametrize(("error", "severity", "error_type"), TABLE, ids=lambda v: type(v).__name__)
def test_the_table(error: BaseException, severity: Severity, error_type: ErrorType) -> None:
    fault = a_fault(error)
    assert (severity_of(fault), rule_of(fault).error_type) == (severity, error_type)


def test_what_ended_an_actor_is_at_least_high() -> None:
    for stage in Stage:
        assert severity_of(a_fault(errors.BadPicture("x"), context={"stage": stage.value})) is Severity.HIGH
    assert severity_of(a_fault(MemoryError(), context={"stage": "on_receive"})) is Severity.CRITICAL
    assert severity_of(a_fault(errors.BadPicture("x"), context={"stage": "left"})) is Severity.LOW


def test_every_error_of_ours_is_judged_by_a_rule_of_its_own_branch() -> None:
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.FourEyesError) and kind is not errors.FourEyesError:
            rule = next(rule for rule in RULES if issubclass(kind, rule.exceptions))
            assert BaseException not in rule.exceptions, kind


@pytest.mark.parametrize(
    "name", ["pymongo.errors.X", "os.system", "foureyes_actors.errors.nothing", "print", "", "a.b"]
)
def test_strangers_are_just_exceptions(name: str) -> None:
    assert known_type(name) is BaseException
