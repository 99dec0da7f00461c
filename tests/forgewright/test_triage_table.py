"""The table of triage as a file: what is wrong in it is told with its place, and a rule of one's own comes first."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from foureyes_actors.errors import RequestTimeout, SettingsError
from foureyes_actors.forgewright.patterns import LONGEST, too_slow, ways
from foureyes_actors.forgewright.triage import BugClass, RemedyKind, Rule, triage
from foureyes_actors.forgewright.triage_table import SHIPPED, load_rules, parse_rules
from foureyes_actors.ports.files import LocalFiles
from tests.bug.make import a_fault

FILE = Path("mine.yaml")
GOOD = "bug_class: hang, cause: ours"


def problems(text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        parse_rules(text, FILE)
    return str(caught.value).splitlines()


def rule(more: str) -> str:
    return f"rules:\n- {{name: mine, {GOOD}, {more}}}\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rules: [", r"mine\.yaml:\d+:\d+: "),
        ("rules: 5", r"mine\.yaml:1: rules: a list is expected"),
        ("rulez: []", r"mine\.yaml:1: unknown key 'rulez'; did you mean rules\?"),
        (rule("messsage: x"), r"mine\.yaml:2: rules.*messsage.*message"),
        (rule("types: [KeyEror]"), r"mine\.yaml:2: rules.*types.*is no exception of Python.*did you mean KeyError\?"),
        (rule("types: [int]"), r"mine\.yaml:2: .*is no exception"),
        (rule("message: '('"), r"mine\.yaml:2: rules.*message.*is no regular expression"),
        (rule("message: '(a+)+$'"), r"mine\.yaml:2: rules.*message.*could take very long"),
        (rule(f"message: '{'x' * 501}'"), r"mine\.yaml:2: rules.*message.*500"),
        (rule("remedy: magic, message: x"), r"mine\.yaml:2: rules.*remedy.*magic.*operational"),
        (rule("retryable: perhaps, message: x"), r"mine\.yaml:2: rules.*retryable"),
        (
            f"rules:\n- {{name: x, {GOOD}, message: x}}\n- {{name: all, {GOOD}}}\n",
            r"mine\.yaml:3: .*fits every failure",
        ),
        ("rules:\n- {cause: ours, bug_class: hang, message: x}\n", r"mine\.yaml:2: rules.*name"),
        ("rules:\n- {name: x, cause: mine, bug_class: hang, message: x}\n", r"mine\.yaml:2: rules.*cause.*mine"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, told: str) -> None:
    lines = problems(text)
    assert len(lines) == 1 and re.search(told, lines[0]), lines


def test_all_that_is_wrong_is_told_at_once() -> None:
    text = f"rules:\n- {{name: a, {GOOD}, message: '('}}\n- {{name: b, {GOOD}, types: [Nope]}}\n- {{name: c, x: 1}}\n"
    assert len(problems(text)) >= 3


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"forgewright\.triage_file: .*there is no such file"):
        load_rules(LocalFiles(), tmp_path / "nowhere.yaml")


def test_an_empty_table_adds_nothing(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("# nothing yet\n", encoding="utf-8")
    assert load_rules(LocalFiles(), own) == load_rules(LocalFiles())


def test_rules_of_ones_own_come_first(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(rule("types: [RequestTimeout], remedy: none"), encoding="utf-8")
    rules = load_rules(LocalFiles(), own)
    got = triage(a_fault(RequestTimeout("x")), 1, rules)
    assert (got.rule, got.bug_class, got.remedy) == ("mine", BugClass.HANG, RemedyKind.NONE)
    assert triage(a_fault(RequestTimeout("x")), 1, rules[1:]).rule == "a deadline of the model server"


def one(more: str) -> Rule:
    (made,) = parse_rules(rule(more), FILE)
    return made


def test_a_rule_by_port() -> None:
    made, fault = one(r"port: 'http\..*'"), a_fault(KeyError("x"))
    assert made.fits(fault, "http.exchange") and not made.fits(fault, "xhttp.exchange") and not made.fits(fault)


def test_a_rule_by_one_of_our_own_frames() -> None:
    made = one("frame: 'readings\\.parse:'")
    frames = ("foureyes_actors.readings.actor:on_receive", "foureyes_actors.readings.parse:money")
    assert made.fits(a_fault(KeyError("x"), frames=frames)) and not made.fits(a_fault(KeyError("x"), frames=frames[:1]))


def test_all_that_a_rule_names_must_fit() -> None:
    made, fault = one("types: [LookupError], message: grand, place: readings"), a_fault(KeyError("GRAND"))
    fault = replace(fault, component="foureyes_actors.readings.x:y")
    assert made.fits(fault), "KeyError is a LookupError, and case does not matter"
    assert not made.fits(replace(fault, message="minor"))
    assert not made.fits(replace(fault, component="other:x", source="other"))
    assert not made.fits(replace(fault, exception_type="builtins.ValueError"))


# --- patterns that could hold the actor ---


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a*)*b",
        "(a|a)*b",
        "(a|aa)+$",
        r"^(\w+\s?)*$",
        r"(x+x+)+y",
        "(a?){40}a{40}",
        "(a{0,10}){0,10}b",
        r"\s*\s*\s*x",
        ".*.*.*x",
        "((a{1,20}){1,20}){1,20}b",
        "(?:(?:a+)+)+$",
        "(?=(a+)+b)c",
        "(?>(a+)+)b",
    ],
)
def test_what_could_take_years_is_refused(pattern: str) -> None:
    assert too_slow(pattern)


@pytest.mark.parametrize(
    "pattern", [r"no space left|quota", r"^\S* ?in work for [0-9.]+ s$", r"(\d{1,3}\.){3}\d{1,3}", "(ab)+c"]
)
def test_what_people_write_is_taken(pattern: str) -> None:
    assert not too_slow(pattern)
    assert ways("abc") == 1


def test_the_shipped_table_is_within_the_bound() -> None:
    rules = parse_rules(SHIPPED.read_text(encoding="utf-8"), SHIPPED)
    found = [getattr(rule, name) for rule in rules for name in ("message", "place", "trace", "frame", "port")]
    assert len(rules) > 20 and not any(map(too_slow, filter(None, found)))


def test_the_worst_that_is_taken_ends_soon_for_the_worst_of_texts() -> None:
    """In a thread, so that the test ends whatever the pattern does."""
    worst = r"a*a*b"
    fault = a_fault(KeyError("x"), message="a" * 10**6, stack_trace="\n".join(["a" * 10**5] * 300))
    rules = (one(f"message: '{worst}'"), one(f"trace: '{worst}'"))
    got: list[str] = []
    thread = threading.Thread(target=lambda: got.append(triage(fault, 1, rules).rule), name="worst", daemon=True)
    thread.start()
    thread.join(60.0)
    assert got == ["no rule"]


def test_a_text_is_looked_at_so_far() -> None:
    made = one("message: needle")
    assert made.fits(a_fault(KeyError("x"), message="x" * (LONGEST - 6) + "needle"))
    assert not made.fits(a_fault(KeyError("x"), message="x" * LONGEST + "needle"))
