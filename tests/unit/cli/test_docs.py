"""Hold docs/cli.md to the app: every command, option and choice is there, and none that does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from cli.app import app
from cli.orders import StateFilter
from storage.audit.export import ExportFormat
from tests.real_data import ROOT

PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
SHARED = ("--help", "-h")


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield the commands below `command`, told by what they have: some versions of Typer bring a Click of their own."""
    if hasattr(command, "list_commands"):
        for name in command.list_commands(None):
            yield from _commands(command.get_command(None, name), f"{path} {name}")
    else:
        yield path, command


def _given(command: Any) -> list[Any]:
    return [parameter for parameter in command.params if parameter.param_type_name == "option"]


def _options(command: Any) -> set[str]:
    return {name for option in _given(command) for name in option.opts} - set(SHARED)


WHOLE = typer.main.get_command(app)
COMMANDS = dict(_commands(WHOLE, "breakwater"))
SECTIONS = {text.partition("\n")[0].strip(): text for text in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]}


def test_the_page_has_a_section_for_each_command_and_no_other() -> None:
    assert set(SECTIONS) == {"breakwater", *COMMANDS}


@pytest.mark.parametrize("path", COMMANDS)
def test_each_section_names_every_option_and_no_other(path: str) -> None:
    cells = re.findall(r"^\| (.*?) \| ", SECTIONS[path], re.MULTILINE)
    assert {name for cell in cells for name in re.findall(r"--[a-z-]+", cell)} == _options(COMMANDS[path])


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_answers_with_json_and_helps_with_each_option(path: str) -> None:
    command = COMMANDS[path]
    assert "--json" in _options(command)
    assert command.help
    assert [option.name for option in _given(command) if not option.help] == []


def test_choices_are_named() -> None:
    for state in StateFilter:
        assert f"`{state.value}`" in SECTIONS["breakwater orders list"]
    for form in ExportFormat:
        assert form.value in SECTIONS["breakwater audit export"]


def test_the_options_of_the_program_itself_are_named() -> None:
    assert {name for name in _options(WHOLE) if f"`{name}`" not in SECTIONS["breakwater"]} == set()
