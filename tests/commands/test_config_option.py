"""``--config`` before a command and after it: one option."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from foureyes_actors import program
from foureyes_actors.commands.config_option import accept_config

BUILT_IN = "bench"  # reads no configuration


def commands(app: typer.Typer, *above: str) -> Iterator[tuple[str, ...]]:
    """The words of each command, and of each group."""
    for command in app.registered_commands:
        assert command.callback is not None
        yield (*above, command.name or command.callback.__name__)
    for group in app.registered_groups:
        assert group.name is not None and group.typer_instance is not None
        yield (*above, group.name)
        yield from commands(group.typer_instance, *above, group.name)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text("data_dir: nowhere_that_is_there\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("words", [each for each in commands(program.app) if each[0] != BUILT_IN], ids=" ".join)
def test_every_command_and_every_group_takes_it(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(program.app, [*words, "--help"])
    assert shown.exit_code == 0 and "-c, --config" in shown.output, shown.output


@pytest.mark.parametrize(
    "words",
    [
        ["-c", "FILE", "errors", "list"],
        ["errors", "-c", "FILE", "list"],
        ["errors", "list", "-c", "FILE"],
        ["errors", "list", "--config=FILE"],
        ["-c", "FILE", "errors", "list", "--config", "FILE"],
        ["decisions", "list", "-c", "FILE"],
        ["reproduce", "abc", "-c", "FILE"],
    ],
    ids=" ".join,
)
def test_the_file_that_is_named_is_read_wherever_it_stands(words: list[str], config: Path) -> None:
    done = CliRunner().invoke(program.app, [each.replace("FILE", str(config)) for each in words])
    assert done.exit_code == 69 and "nowhere_that_is_there" in done.output, done.output


@pytest.mark.parametrize("command", [["doctor"], ["models"], ["errors", "list"], ["decisions", "figures"]])
def test_two_different_files_are_refused_with_both_named(command: list[str], config: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    done = CliRunner().invoke(program.app, ["-c", str(other), *command, "-c", str(config)], terminal_width=500)
    assert done.exit_code == 2
    assert f"{config} here and {other} before the command; give one of them" in done.output, done.output


def test_a_command_that_reads_no_configuration_refuses_one_in_both_places(config: Path) -> None:
    before = CliRunner().invoke(program.app, ["-c", str(config), BUILT_IN, "targets"])
    after = CliRunner().invoke(program.app, [BUILT_IN, "targets", "-c", str(config)])
    assert (before.exit_code, after.exit_code) == (2, 2)
    assert "bench measures the built-in configuration" in before.output, before.output
    assert "No such option: -c" in after.output, after.output


def test_a_command_keeps_its_own_parameters_and_a_second_call_changes_nothing() -> None:
    app = typer.Typer()

    @app.callback()
    def top(context: typer.Context) -> None: ...

    @app.command()
    def greet(context: typer.Context, name: str, times: int = 1) -> None:
        typer.echo(f"{name} {times} {context.find_root().obj}")

    accept_config(app)
    accept_config(app)
    done = CliRunner().invoke(app, ["greet", "-c", "x.yaml", "you", "--times", "3"])
    assert done.output == "you 3 x.yaml\n"
