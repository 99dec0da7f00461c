"""foureyes.yaml and FOUREYES_*: what is read, and how every problem is told."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from foureyes_actors.capture.cabinet import THEMES
from foureyes_actors.errors import SettingsError
from foureyes_actors.messages import Field
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.local_process import MARK
from foureyes_actors.settings import Settings
from foureyes_actors.settings.file import MAX_PROBLEMS, find_settings, load_settings, origin_of
from foureyes_actors.settings.yaml import MAX_BYTES
from tests.settings.loading import load, problems

CANARY = "c4n4ry-7f3a"


# --- what is read ---


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n", "{}", "source:\n", "\ufeff", "null"])
def test_nothing_said_means_the_defaults(here: Path, text: str) -> None:
    assert load(text) == Settings()


def test_what_the_file_says_holds_and_the_rest_is_default(here: Path) -> None:
    got = load(
        "source:\n  kind: obs\n  rate: 2\n  obs: {password: 0123, width: null}\n"
        "inference: {backoff: [1]}\nmodel_server: {manage: no, command: [lms, server, 7]}\n"
    )
    assert (got.source.kind, got.source.rate, got.source.obs.width) == ("obs", 2.0, None)
    assert got.source.obs.password.get_secret_value() == "0123", "a password is a text, not the number 123"
    assert got.inference.backoff == (1.0,)
    assert got.model_server.manage is False and got.model_server.command == ("lms", "server", "7")
    assert got.store == Settings().store


def test_a_rule_for_one_field_changes_only_what_it_says(here: Path) -> None:
    rules = load("readings: {fields: {state: {maximum: 5}, grand: {quorum: 3}}}").readings.fields
    assert (rules[Field.STATE].quorum, rules[Field.STATE].maximum) == (2, 5.0)
    assert rules[Field.GRAND].quorum == 3 and set(rules) == set(Field)


def test_anchors_and_aliases_work(here: Path) -> None:
    got = load("source:\n  screen: {jpeg_quality: &q 40}\n  video: {jpeg_quality: *q}\n")
    assert got.source.video.jpeg_quality == 40


# --- which file ---


def test_no_file_at_all_means_the_defaults(here: Path) -> None:
    assert find_settings(None, {}, LocalFiles()) is None
    assert load_settings(None, {}, LocalFiles()) == Settings()


@pytest.mark.parametrize("name", ["foureyes.yaml", "foureyes.yml"])
def test_the_file_in_the_working_directory_is_taken(here: Path, name: str) -> None:
    (here / name).write_text("source: {rate: 1.5}")
    assert load_settings(None, {}, LocalFiles()).source.rate == 1.5


def test_a_file_beside_the_program_that_is_not_used_is_said(here: Path) -> None:
    program = here / "program"
    program.mkdir()
    assert origin_of(find_settings(None, {}, LocalFiles()), program, LocalFiles()) == "built-in defaults"
    (program / "foureyes.yaml").write_text("source: {rate: 1.5}")
    assert origin_of(find_settings(None, {}, LocalFiles()), program, LocalFiles()) == (
        f"built-in defaults; {program / 'foureyes.yaml'} is not used from here: start there, or say -c FILE"
    )
    (here / "foureyes.yaml").write_text("")
    assert origin_of(find_settings(None, {}, LocalFiles()), program, LocalFiles()) == "foureyes.yaml"


def test_two_default_files_are_one_too_many(here: Path) -> None:
    for name in ("foureyes.yaml", "foureyes.yml"):
        (here / name).write_text("")
    with pytest.raises(SettingsError, match=r"foureyes.yaml and foureyes.yml are both here"):
        find_settings(None, {}, LocalFiles())


def test_the_argument_goes_before_the_variable_and_that_before_the_default(here: Path) -> None:
    for rate, name in enumerate(("a.yaml", "b.yaml", "foureyes.yaml"), 1):
        (here / name).write_text(f"source: {{rate: {rate}}}")
    environ = {"FOUREYES_CONFIG": "b.yaml"}
    assert load_settings(Path("a.yaml"), environ, LocalFiles()).source.rate == 1
    assert load_settings(None, environ, LocalFiles()).source.rate == 2
    assert load_settings(None, {"FOUREYES_CONFIG": ""}, LocalFiles()).source.rate == 3


def test_a_file_that_was_asked_for_must_be_there(here: Path) -> None:
    with pytest.raises(SettingsError, match=r"^gone.yaml: there is no such file"):
        load_settings(Path("gone.yaml"), {}, LocalFiles())
    with pytest.raises(SettingsError, match=r"^FOUREYES_CONFIG: gone.yaml: there is no such file"):
        load_settings(None, {"FOUREYES_CONFIG": "gone.yaml"}, LocalFiles())


def test_a_folder_is_no_file(here: Path) -> None:
    (here / "folder").mkdir()
    with pytest.raises(SettingsError, match=r"^folder: cannot be read: "):
        load_settings(Path("folder"), {}, LocalFiles())


# --- problems of values ---

PROBLEMS = {
    "source:\n\n  rate: fast": "foureyes.yaml:3: source.rate: 'fast' is not a number; right would be e.g. 3.0",
    "source: {rate: 0}": "foureyes.yaml:1: source.rate: '0' is not greater than 0.0; right would be e.g. 3.0",
    "source: {rate: 11}": "foureyes.yaml:1: source.rate: '11' is more than 10.0; right would be e.g. 3.0",
    "source: {rate: true}": "foureyes.yaml:1: source.rate: true is not a number",
    "source: {rate: }": "foureyes.yaml:1: source.rate: no value is given; a number is expected",
    "source: {rate: [1]}": "foureyes.yaml:1: source.rate: a section or a list stands where a number is expected",
    "inference: {attempts: 2.5}": "foureyes.yaml:1: inference.attempts: '2.5' is not a whole number; "
    "right would be e.g. 3",
    "inference: {deadline: .inf}": "foureyes.yaml:1: inference.deadline: 'inf' is not a finite number; "
    "right would be e.g. 30.0",
    "inference: {deadline: .nan}": "foureyes.yaml:1: inference.deadline: 'nan' is not a finite number; "
    "right would be e.g. 30.0",
    "inference:\n  backoff: [1,\n    x]": "foureyes.yaml:3: inference.backoff.1: 'x' is not a number; "
    "right would be e.g. 4.0",
    "inference: {backoff: 3}": "foureyes.yaml:1: inference.backoff: a list is expected; right would be e.g. [1, 2]",
    "source: {kind: obz}": "foureyes.yaml:1: source.kind: 'obz' is not one of: cabinet, obs, screen, video, pictures; "
    "did you mean obs?",
    "log: {level: debug}": "foureyes.yaml:1: log.level: 'debug' is not one of: DEBUG, INFO, WARNING, ERROR; "
    "did you mean DEBUG?",
    "model_server: {manage: 2}": "foureyes.yaml:1: model_server.manage: '2' is not true or false; "
    "right would be e.g. true",
    "version: 2": "foureyes.yaml:1: version: '2' is not one of: 1",
    "source: obs": "foureyes.yaml:1: source: a single value stands where a section of keys is expected; e.g. kind: ...",
    "source: [kind]": "foureyes.yaml:1: source: a list stands where a section of keys is expected; e.g. kind: ...",
    "[]": "foureyes.yaml:1: a list stands where a section of keys is expected; e.g. version: ...",
    "words": "foureyes.yaml:1: a single value stands where a section of keys is expected; e.g. version: ...",
    "sorce: {}": "foureyes.yaml:1: unknown key 'sorce'; did you mean source?",
    "rate: 3": "foureyes.yaml:1: unknown key 'rate'; did you mean source.rate?",
    "source: {obs: {prt: 1}}": "foureyes.yaml:1: source.obs: unknown key 'prt'; did you mean source.obs.port?",
    "log: {xyzzy: 1}": "foureyes.yaml:1: log: unknown key 'xyzzy'; known here: level",
    "1: 2": "foureyes.yaml:1: unknown key '1'; known here: version, data_dir, source, model_server, inference, "
    "readings, store, resource, bug, forgewright, log",
    "? [a]\n: b": "foureyes.yaml:1: a key must be a single word",
    "log: {}\nsource: {}\nlog: {}": "foureyes.yaml:3: log: this key stands twice, first in line 1; keep one of them",
    "readings: {fields: {grant: {}}}": "foureyes.yaml:1: readings.fields: unknown key 'grant'; "
    "did you mean readings.fields.grand?",
    "model_server: {kind: openai}": "foureyes.yaml:1: model_server: base_url must be given for kind openai, "
    "e.g. http://127.0.0.1:8080",
    "model_server: {base_url: 'localhost:1234'}": "foureyes.yaml:1: model_server.base_url: 'localhost:1234' "
    "must be auto or an address such as http://127.0.0.1:1234",
    "source: {screen: {region: [0, 0, 2, 1]}}": "foureyes.yaml:1: source.screen.region: '[0, 0, 2, 1]' must be "
    "x1, y1, x2, y2 with 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1",
    "source: {screen: {region: [0, 0, 1]}}": "foureyes.yaml:1: source.screen.region: '[0, 0, 1]' must be four numbers "
    "x1, y1, x2, y2; right would be e.g. [0, 0, 1, 0.5]",
    "source: {screen: {region: []}}": "foureyes.yaml:1: source.screen.region: '[]' must be four numbers "
    "x1, y1, x2, y2; right would be e.g. [0, 0, 1, 0.5]",
    "inference:\n  backoff: []": "foureyes.yaml:2: inference.backoff: '[]' has 0 values; at least 1 is needed; "
    "right would be e.g. [2.0, 4.0]",
    "model_server: {command: lms}": "foureyes.yaml:1: model_server.command: a list is expected; "
    "right would be e.g. [one, two]",
    "source:\n  cabinet:\n    theme: nope": "foureyes.yaml:3: source.cabinet.theme: 'nope' is not one of: all, "
    + ", ".join(THEMES),
    "source: {cabinet: {width: 100}}": "foureyes.yaml:1: source.cabinet.width: '100' is less than 320; "
    "right would be e.g. 1280",
    "model_server: {base_url: 'http://h:99999'}": "foureyes.yaml:1: model_server.base_url: 'http://h:99999' "
    "must be auto or an address such as http://127.0.0.1:1234",
    "model_server: {base_url: 'http://[::1'}": "foureyes.yaml:1: model_server.base_url: 'http://[::1' "
    "must be auto or an address such as http://127.0.0.1:1234",
    "model_server: {base_url: 'http://exa mple'}": "foureyes.yaml:1: model_server.base_url: 'http://exa mple' "
    "must be auto or an address such as http://127.0.0.1:1234",
    'model_server: {base_url: "http://h\\e[31m:1"}': "foureyes.yaml:1: model_server.base_url: 'http://h\\x1b[31m:1' "
    "must be auto or an address such as http://127.0.0.1:1234",
    'model_server: {base_url: "http://h\\u202Egro.x"}': "foureyes.yaml:1: model_server.base_url: "
    "'http://h\\u202egro.x' must be auto or an address such as http://127.0.0.1:1234",
    'model_server: {base_url: "http://h\\n.x:1234"}': "foureyes.yaml:1: model_server.base_url: 'http://h\\n.x:1234' "
    "must be auto or an address such as http://127.0.0.1:1234",
    'model_server: {api_token: "sk-1\\n"}': "foureyes.yaml:1: model_server.api_token: the value must be of printable "
    "ASCII characters, without a line end or a blank at its end",
    "source: {obs: {host: 'my host'}}": "foureyes.yaml:1: source.obs.host: 'my host' must be a host's name or IP "
    "address; right would be e.g. 127.0.0.1",
    "readings: {fields: {grand: {minimum: 5, maximum: 1}}}": "foureyes.yaml:1: readings.fields.grand: minimum 5 is "
    "more than maximum 1: no value could be right",
    "store: {database: 'a b'}": "foureyes.yaml:1: store.database: 'a b' must have 1 to 63 bytes and none of the blank, "
    '$./:*<>?|"\\',
    "store: {path: ''}": "foureyes.yaml:1: store.path: '' must name a file; right would be e.g. foureyes.sqlite3",
    "data_dir: ''": "foureyes.yaml:1: data_dir: '' must name a folder; . is the working directory",
    "version: '1'": "foureyes.yaml:1: version: '1' is a text; write it without quotes",
    'data_dir: "a\\0b"': "foureyes.yaml:1: data_dir: a NUL character (\\0) stands in it; leave it out",
    "store: {uri: 'postgres://x'}": "foureyes.yaml:1: store.uri: the value must begin with mongodb:// or mongodb+srv://",
    "log: {level: !!python/name:os.system x}": "foureyes.yaml:1: log.level: a tag (!...) stands where a text is "
    "expected; put it in quotes",
    "source: {cabinet: {seed: 0x}}": "foureyes.yaml:1: source.cabinet.seed: '0x' is not a whole number; "
    "right would be e.g. 7",
}


@pytest.mark.parametrize(("text", "problem"), PROBLEMS.items(), ids=PROBLEMS)
def test_one_problem_is_one_line(here: Path, text: str, problem: str) -> None:
    assert problems(text) == [problem]


def test_all_problems_are_told_at_once_in_the_order_of_the_file(here: Path) -> None:
    got = problems("log: {level: loud}\nx: 1\nsource: {rate: fast}\n", {"FOUREYES_STORE__TIMEOUT": "-1"})
    assert [problem.split(": ")[0] for problem in got] == [
        "foureyes.yaml:1",
        "foureyes.yaml:2",
        "foureyes.yaml:3",
        "FOUREYES_STORE__TIMEOUT",
    ]


def test_endless_problems_are_not_told_endlessly(here: Path) -> None:
    got = problems("\n".join(f"k{i}: 1" for i in range(200)))
    assert len(got) == MAX_PROBLEMS + 1 and got[-1] == "... and 150 more problems"


def test_long_and_ugly_values_are_cut_and_escaped(here: Path) -> None:
    (long,) = problems(f"source: {{kind: {'x' * 5000}}}")
    assert len(long) < 250
    (ugly,) = problems('source: {kind: "a\\e[31m\\nb"}')
    assert "\\x1b[31m\\nb" in ugly and "\x1b" not in ugly


# --- what is no YAML ---

FORMS = {
    "a:\n\t- b": "foureyes.yaml:2:1: is not YAML: a tab stands where spaces are expected; indent with spaces",
    "log: {level: DEBUG\n": "foureyes.yaml:2:1: is not YAML: expected ',' or '}', but got '<stream end>'",
    "log: level: DEBUG": "foureyes.yaml:1:11: is not YAML: there is a ': ' too many, or the line is indented wrongly; "
    "put the value in quotes",
    "log: 'x": "foureyes.yaml:1:8: is not YAML: found unexpected end of stream",
    "log: @x": "foureyes.yaml:1:6: is not YAML: a value cannot begin with this character; put it in quotes",
    "log: *x": "foureyes.yaml:1:6: is not YAML: a value that begins with * is an alias; put it in quotes",
    "log: {}\n---\nlog: {}": "foureyes.yaml:2:1: holds more than one document (---); one is read",
    "log:\n  level: \x01": "foureyes.yaml:2:1: has a character that YAML does not allow",
    "a: 1\n" + "[" * 100_000: "foureyes.yaml:2:101: is nested too deeply",
    "- " * 60_000: "foureyes.yaml:1:1: is nested too deeply",
}


@pytest.mark.parametrize(("text", "problem"), FORMS.items(), ids=lambda v: v[:20])
def test_what_is_no_yaml_is_told_with_line_and_column(here: Path, text: str, problem: str) -> None:
    assert problems(text) == [problem]


def test_not_utf8(here: Path) -> None:
    assert problems(b"log:\n  level: \xe4") == [
        "foureyes.yaml:2:10: is not UTF-8 (byte 0xe4); save it as UTF-8",
    ]
    assert problems("log: {}".encode("utf-16")) == ["foureyes.yaml:1:1: is written in UTF-16; save it as UTF-8"]


def test_a_huge_file_is_not_read(here: Path) -> None:
    class Huge(LocalFiles):
        def size(self, path: Path) -> int:
            return 10_000_000_000

        def read(self, path: Path) -> bytes:
            raise AssertionError("not read")

    Path("huge.yaml").touch()
    with pytest.raises(SettingsError, match=r"^huge.yaml:1:1: has 10000000000 bytes; at most 131072 are read"):
        load_settings(Path("huge.yaml"), {}, Huge())
    assert problems("#" * (MAX_BYTES + 1))  # a file that grew since


BOMB = "".join(
    [f"a0: &a0 [{','.join(['x'] * 9)}]\n"]
    + [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)]
    + ["model_server: {command: *a11}\nsource: &s {cabinet: *s}\n"]
)


def test_aliases_of_aliases_do_no_harm(here: Path) -> None:
    """9^12 values when unfolded. The time is not tested; unfolding would not end within the test's limit."""
    began = time.monotonic()
    got = problems(BOMB)
    assert got[0].startswith("foureyes.yaml:1: unknown key 'a0'")
    assert any("model_server.command.0: a section or a list stands where a text" in p for p in got)
    assert any("source.cabinet: unknown key 'cabinet'" in p for p in got)
    assert time.monotonic() - began < 60


# --- the environment ---


def test_variables_win_over_the_file(here: Path) -> None:
    got = load(
        "source: {kind: video, rate: 1}",
        {
            "FOUREYES_SOURCE__KIND": "obs",
            "FOUREYES_SOURCE__OBS__WIDTH": "null",
            "FOUREYES_SOURCE__SCREEN__REGION": "[0, 0, 1, 0.5]",
            "FOUREYES_MODEL_SERVER__MANAGE": "false",
            "FOUREYES_MODEL_SERVER__COMMAND": "[lms, server, start]",
            "FOUREYES_MODEL_SERVER__MODELS_FILE": "",
            "FOUREYES_READINGS__FIELDS__GRAND__QUORUM": "4",
            "FOUREYES_OBS_PASSWORD": "0123",
            "FOUREYES_API_TOKEN": "a: b",
            "FOUREYES_MONGO_URI": "mongodb://elsewhere",
            "FOUREYES_DATA_DIR": "/var/lib/foureyes",
            "FOUREYES_LOG_LEVEL": "INFO",
            "OTHER": "not ours",
        },
    )
    assert (got.source.kind, got.source.rate, got.source.obs.width) == ("obs", 1.0, None)
    assert got.source.screen.region == (0.0, 0.0, 1.0, 0.5)
    assert (got.model_server.manage, got.model_server.models_file) == (False, None)
    assert got.model_server.command == ("lms", "server", "start")
    assert got.readings.fields[Field.GRAND].quorum == 4
    assert got.source.obs.password.get_secret_value() == "0123"
    assert got.model_server.api_token.get_secret_value() == "a: b"
    assert got.store.uri.get_secret_value() == "mongodb://elsewhere"
    assert (got.data_dir, got.log.level) == (Path("/var/lib/foureyes"), "INFO")


VARIABLES = {
    ("FOUREYES_SOURCE__RATE", "fast"): "source.rate: 'fast' is not a number; right would be e.g. 3.0",
    ("FOUREYES_SOURCE__RATE", ""): "source.rate: is empty; a number is expected",
    ("FOUREYES_SOURCE__RATE", "[1"): "source.rate: is not YAML: expected ',' or ']', but got '<stream end>'",
    ("FOUREYES_SOURCE", "obs"): "is a section; name one of its keys, e.g. FOUREYES_SOURCE__KIND",
    ("FOUREYES_LOG_LEVL", "INFO"): "there is no such setting; did you mean FOUREYES_LOG_LEVEL?",
    ("FOUREYES_SOURCE_KIND", "obs"): "there is no such setting; did you mean FOUREYES_SOURCE__KIND?",
    ("FOUREYES_XYZZY_PLUGH_QUUX", "x"): "there is no such setting; e.g. FOUREYES_OBS_PASSWORD",
    ("FOUREYES_LOG__", "x"): "there is no such setting; did you mean FOUREYES_LOG__LEVEL?",
    ("FOUREYES_MONGO_URI", f"http://{CANARY}"): "store.uri: the value must begin with mongodb:// or mongodb+srv://",
}


@pytest.mark.parametrize(("variable", "problem"), VARIABLES.items(), ids=lambda v: str(v)[:40])
def test_a_problem_of_a_variable_names_it(here: Path, variable: tuple[str, str], problem: str) -> None:
    assert problems("", dict([variable])) == [f"{variable[0]}: {problem}"]


def test_two_names_of_one_key_must_agree(here: Path) -> None:
    both = {"FOUREYES_LOG_LEVEL": "INFO", "FOUREYES_LOG__LEVEL": "DEBUG"}
    assert problems("", both) == [
        "FOUREYES_LOG__LEVEL: log.level: FOUREYES_LOG_LEVEL gives another value for the same key; keep one"
    ]
    assert load("", {**both, "FOUREYES_LOG__LEVEL": "INFO"}).log.level == "INFO"


def test_the_mark_of_our_own_children_is_no_setting(here: Path) -> None:
    assert load("", {MARK: "1"}) == Settings()


HIGH, LOW = "FOUREYES_RESOURCE__PRESSURE__HIGH_CPU", "FOUREYES_RESOURCE__PRESSURE__CALM_CPU"
CHECKED_TOGETHER = {
    "one in the file": (
        "log: {}\nresource:\n  pressure:\n    calm_cpu: 70\n",
        {HIGH: "60"},
        f"{HIGH}: resource.pressure: calm_cpu 70 must be less than high_cpu 60 (calm_cpu: foureyes.yaml:4)",
    ),
    "the other is the default": (
        "",
        {LOW: "95"},
        f"{LOW}: resource.pressure: calm_cpu 95 must be less than high_cpu 90",
    ),
    "two variables": (
        "resource: {pressure: {calm_cpu: 1, high_cpu: 99}}",
        {LOW: "80", HIGH: "60"},
        f"{HIGH}: resource.pressure: calm_cpu 80 must be less than high_cpu 60 (calm_cpu: {LOW})",
    ),
    "a variable of the section that has no part in it": (
        "resource: {pressure: {calm_cpu: 70, high_cpu: 60}}",
        {"FOUREYES_RESOURCE__PRESSURE__LOW_MEMORY": "400"},
        "foureyes.yaml:1: resource.pressure: calm_cpu 70 must be less than high_cpu 60",
    ),
    "a row of a table": (
        "readings:\n  fields:\n    grand: {minimum: 10}\n",
        {"FOUREYES_READINGS__FIELDS__GRAND__MAXIMUM": "5"},
        (
            "FOUREYES_READINGS__FIELDS__GRAND__MAXIMUM: readings.fields.grand: minimum 10 is more than maximum 5: no "
            "value could be right (minimum: foureyes.yaml:3)"
        ),
    ),
    "what is lacking": (
        "log: {}\nmodel_server: {manage: true}\n",
        {"FOUREYES_MODEL_SERVER__KIND": "openai"},
        "FOUREYES_MODEL_SERVER__KIND: model_server: base_url must be given for kind openai, e.g. http://127.0.0.1:8080",
    ),
}


@pytest.mark.parametrize(("text", "environ", "expected"), CHECKED_TOGETHER.values(), ids=CHECKED_TOGETHER.keys())
def test_values_that_are_checked_together_are_told_by_the_variable_that_gave_one(
    here: Path, text: str, environ: dict[str, str], expected: str
) -> None:
    assert problems(text, environ) == [expected]


def test_an_address_without_a_kind_is_asked_which_kind_it_is(here: Path) -> None:
    assert load("", {}).model_server.kind == "embedded"
    assert load("model_server: {base_url: 'http://127.0.0.1:8080'}", {}).model_server.kind == "auto"
    named = "model_server: {kind: embedded, base_url: 'http://127.0.0.1:8080'}"
    assert load(named, {}).model_server.kind == "embedded"
    assert problems("model_server: {kind: auto}", {}) == [
        "foureyes.yaml:1: model_server: base_url must be given for kind auto, e.g. http://127.0.0.1:8080"
    ]


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:1234",
        "https://m\u00fcnchen.local/v1",
        "http://[::1]:8080",
        "http://my_pc.lan",
        "http://10.0.0.7",
    ],
)
def test_addresses_that_can_be_right_are_taken(here: Path, url: str) -> None:
    assert load(f"model_server: {{base_url: '{url}'}}", {}).model_server.base_url == url


def test_a_token_of_the_environment_is_held_to_the_same_rule(here: Path) -> None:
    (problem,) = problems("", {"FOUREYES_API_TOKEN": "sk-secret\n"})
    assert "without a line end" in problem and "sk-secret" not in problem
