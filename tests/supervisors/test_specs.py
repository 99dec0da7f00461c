"""Bad specs and flags: each is refused before anything starts, in words that name child, field and value."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import pytest

from supervisors.policy import AutoShutdown, Backoff, Restart, Strategy
from supervisors.specs import ChildSpec, Flags, SpecError, check
from tests.supervisors.simulation import nobody, spec

NOT_SECONDS: list[Any] = [-1, -0.001, math.nan, math.inf, "1", True, [1]]
BAD_FIELDS: dict[str, list[Any]] = {
    "name": ["", None, 1, b"a"],
    "make": [None, "nobody", 3],
    "restart": ["permanent", "always", None, Strategy.ONE_FOR_ONE],
    "significant": [1, "yes", None],
    "start_timeout": [*NOT_SECONDS, 0, None],
    "stop_timeout": [*NOT_SECONDS, None],
    "stuck_after": [*NOT_SECONDS, 0, None],
    "backoff": [
        None,
        1.0,
        *(Backoff(first=bad) for bad in NOT_SECONDS),
        *(Backoff(longest=bad) for bad in NOT_SECONDS),
        *(Backoff(stable_after=bad) for bad in NOT_SECONDS),
        *(Backoff(jitter=bad) for bad in NOT_SECONDS),
        Backoff(first=2.0, longest=1.0),
        Backoff(jitter=1.1),
    ],
    "depends_on": [["b"], "b", ("a",), (1,), None],
    "proves": [1, "yes", None],
    "supervisor": [1, "yes", None],
}
BAD_FLAGS: dict[str, list[Any]] = {
    "strategy": ["one_for_one", "all", None, Restart.PERMANENT],
    "intensity": [-1, 1.5, "3", True, None, math.inf],
    "period": [*NOT_SECONDS, 0, None],
    "auto_shutdown": ["never", True, None],
    "max_children": [0, -1, 2.0, "3", True],
}


def cases(table: dict[str, list[Any]]) -> list[Any]:
    return [pytest.param(name, bad, id=f"{name}={bad!r}") for name, values in table.items() for bad in values]


def test_no_field_is_left_out() -> None:
    assert {each.name for each in fields(ChildSpec)} == set(BAD_FIELDS)
    assert {each.name for each in fields(Flags)} == set(BAD_FLAGS)


@pytest.mark.parametrize(("field", "bad"), cases(BAD_FIELDS))
def test_a_bad_field_names_child_field_and_value(field: str, bad: Any) -> None:
    given: dict[str, Any] = {"name": "a", "make": nobody, field: bad}
    with pytest.raises(SpecError) as caught:
        ChildSpec(**given)
    error = caught.value
    child = "a" if field != "name" else str(bad) or "(no name)"
    assert (error.child, error.field, error.value) == (child, field, bad)
    assert str(error).startswith(f"child {child!r}: {field} is {bad!r}, but must be ")


@pytest.mark.parametrize(("field", "bad"), cases(BAD_FLAGS))
def test_a_bad_flag_names_field_and_value(field: str, bad: Any) -> None:
    with pytest.raises(SpecError) as caught:
        Flags(**{field: bad})
    error = caught.value
    assert (error.child, error.field, error.value) == ("", field, bad)
    assert str(error).startswith(f"supervisor: {field} is {bad!r}, but must be ")


@pytest.mark.parametrize("name", ["name", "make"])
def test_a_missing_name_or_make_is_named(name: str) -> None:
    needed: dict[str, Any] = {"name": "a", "make": nobody}
    del needed[name]
    with pytest.raises(TypeError, match=f"'{name}'"):
        ChildSpec(**needed)


def test_what_would_be_right_is_said() -> None:
    with pytest.raises(SpecError, match=r"one of Restart\.PERMANENT, Restart\.TRANSIENT, Restart\.TEMPORARY"):
        ChildSpec("a", nobody, "always")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match=r"must be a number of seconds from 0 \(None for a supervisor alone\)"):
        ChildSpec("a", nobody, stop_timeout=-1)


def test_extreme_values_that_are_good() -> None:
    ChildSpec("a", nobody, stop_timeout=None, supervisor=True)
    ChildSpec("a", nobody, stop_timeout=0, start_timeout=1, stuck_after=1)
    ChildSpec("a", nobody, backoff=Backoff(first=0.0, longest=0.0, stable_after=0.0, jitter=1.0))
    Flags(intensity=0, period=0.001, max_children=1)


def test_names_are_unique() -> None:
    with pytest.raises(SpecError, match="child 'a': name is 'a', but must be unique; another child has it"):
        check([spec("a"), spec("b"), spec("a")], Flags())


@pytest.mark.parametrize("restart", list(Restart))
@pytest.mark.parametrize("how", list(AutoShutdown))
def test_significant_needs_auto_shutdown(restart: Restart, how: AutoShutdown) -> None:
    """And a child that may end for good."""

    def build() -> None:
        check([spec("a", restart, significant=True)], Flags(auto_shutdown=how))

    if restart is Restart.PERMANENT:
        with pytest.raises(SpecError, match="child 'a': significant is True, but must be False for a permanent child"):
            build()
    elif how is AutoShutdown.NEVER:
        with pytest.raises(SpecError, match="significant is True, but must be False under auto_shutdown=never"):
            build()
    else:
        build()


@pytest.mark.parametrize("order", ["ab", "ba", "b"])
def test_what_a_child_depends_on_is_started_before_it(order: str) -> None:
    both = {"a": spec("a"), "b": spec("b", depends_on=("a",))}
    children = [both[name] for name in order]
    if order == "ab":
        check(children, Flags())
        return
    with pytest.raises(SpecError) as caught:
        check(children, Flags())
    assert str(caught.value) == ("child 'b': depends_on is ('a',), but must be children started before it; not 'a'")


def test_no_more_children_than_allowed() -> None:
    check([spec("a"), spec("b")], Flags(max_children=2))
    with pytest.raises(SpecError, match="max_children is 1, but must be at least 2, the number of children"):
        check([spec("a"), spec("b")], Flags(max_children=1))
