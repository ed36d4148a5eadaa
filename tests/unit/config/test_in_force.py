"""Keep the list of keys that nothing obeys yet true, and said wherever a user meets one of them."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from config.describe import describe
from config.in_force import MARK, NOT_IN_FORCE, idle_changes_warning, is_in_force
from config.loader import SHIPPED, load
from tests.real_data import ROOT
from tests.unit.config.reference import PAGE

SHOWN = describe(load(None, {}))
KEYS = [f"{file}: {key}" for file, about in SHOWN["files"].items() for key in about["keys"]]
READERS = ("actors", "cli", "domain", "simulation", "storage", "supervisor")
TELLING = {
    "retention_years", "require_positive_expectancy",
    "keep_protective_stops", "panic_mode", "close_positions", "order_placement", "position_updates",
}  # fmt: skip
"""Names of keys and sections that can mean nothing else in the code; those of a stop take one value only."""


@pytest.mark.parametrize("pattern", NOT_IN_FORCE)
def test_each_pattern_names_a_key_that_exists(pattern: str) -> None:
    assert [key for key in KEYS if fnmatchcase(key, pattern)]


def test_no_code_outside_the_configuration_reads_them() -> None:
    """A key that comes into force leaves the list."""
    found = {
        f"{path.relative_to(ROOT)}: {node.attr}"
        for folder in READERS
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in TELLING
    }
    assert found == set()


def test_of_the_retries_only_the_connections_delays_are_read() -> None:
    text = (ROOT / "cli" / "plan.py").read_text(encoding="utf-8")
    read = set(re.findall(r"\bconnection\.(\w+)", text))
    fields = {key.rpartition(".")[2] for key in KEYS if key.startswith("retry.yaml: broker_connection.")}
    assert {name for name in fields if is_in_force("retry.yaml", f"broker_connection.{name}")} == read


def test_page_lists_them_all_and_no_other() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("\n## Not in force yet\n")[2].partition("\n## ")[0]
    assert tuple(section.split("```")[1].strip().splitlines()) == NOT_IN_FORCE


@pytest.mark.parametrize("file", sorted({pattern.partition(":")[0] for pattern in NOT_IN_FORCE}))
def test_each_shipped_file_says_so_beside_them(file: str) -> None:
    comments = (SHIPPED / file).read_text(encoding="utf-8").lower().count(MARK)
    ours = [pattern for pattern in NOT_IN_FORCE if pattern.startswith(f"{file}:")]
    assert comments == (1 if file == "retry.yaml" else len(ours))


def test_shipped_configuration_changes_none_of_them() -> None:
    assert idle_changes_warning(SHOWN) == ""


def test_changes_of_them_are_named_and_no_others(tmp_path: Path) -> None:
    for file, before, after in (
        ("risk_management.yaml", "panic_mode: true", "panic_mode: false"),
        ("shutdown.yaml", "deadline_s: 30.0", "deadline_s: 20.0"),
        ("retry.yaml", "broker_connection: {attempts: 5", "broker_connection: {attempts: 4"),
    ):
        path = tmp_path / file
        text = (path if path.exists() else SHIPPED / file).read_text(encoding="utf-8")
        assert before in text
        path.write_text(text.replace(before, after), encoding="utf-8")
    assert idle_changes_warning(describe(load(tmp_path, {}))) == (
        "changed in your configuration, but not in force yet: risk_management.yaml: emergency.panic_mode"
    )
