"""What the code offers stands in the documentation, and the documentation names nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from labeler import boundary, errors
from labeler.cli import app
from labeler.records import COLUMNS_AFTER, COLUMNS_BEFORE, Status

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text("utf-8")


def commands(command: Any, name: str = "labeler") -> Iterator[tuple[str, Any]]:
    for word, found in getattr(command, "commands", {}).items():
        yield f"{name} {word}", found
        yield from commands(found, f"{name} {word}")


ALL = dict(commands(get_command(app)))
OPTIONS = sorted(
    {
        option
        for command in ALL.values()
        for one in command.params
        for option in (*one.opts, *one.secondary_opts)
        if option[0] == "-"
    }
)


@pytest.mark.parametrize("name", ALL)
def test_every_command_is_documented(name: str) -> None:
    assert name in COMMANDS


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_is_documented(option: str) -> None:
    assert re.search(rf"(?<![-\w]){option}(?![-\w])", COMMANDS)


def test_no_option_is_documented_that_does_not_exist() -> None:
    named = set(re.findall(r"(?<![-\w])--[a-z][a-z-]+", README + COMMANDS))

    assert named - set(OPTIONS) - {"--version", "--help"} == set()


@pytest.mark.parametrize("name", [*COLUMNS_BEFORE, *COLUMNS_AFTER, *Status])
def test_every_column_and_status_is_documented(name: str) -> None:
    assert f"`{name}`" in README


def test_every_exit_code_is_documented() -> None:
    classes = [errors.LabelerError, *errors.LabelerError.__subclasses__()]

    assert {0, 1, 70, boundary.TERMINATED, *(one.exit_code for one in classes)} == {
        int(code) for code in re.findall(r"^\| (\d+) \|", README, re.M)
    }


@pytest.mark.parametrize("command", re.findall(r"^labeler .*?(?=  #|$)", README, re.M))
def test_every_command_line_in_the_readme_can_be_parsed(command: str) -> None:
    words = command.split()[1:]
    parser = get_command(app)
    with parser.make_context("labeler", list(words)) as context:
        name, found, rest = parser.resolve_command(context, words)
        assert name
        found.make_context(name, rest).close()


@pytest.mark.parametrize("path", ["README.md", "docs/commands.md", "CONTRIBUTING.md", "examples/photos/SOURCES.md"])
def test_every_link_leads_somewhere(path: str) -> None:
    page = ROOT / path
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))

    assert [target for target in targets if not (page.parent / target).exists()] == []
