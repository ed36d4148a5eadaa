"""Validate and show the configuration: `breakwater config validate|show`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from cli.channels import judge_channels
from cli.console import OUT
from cli.formats import NOTHING, count
from cli.options import ConfigOption, JsonOption, UsageError
from cli.output import command, print_json
from cli.own_strategies import judge_own_strategies
from cli.registry import read_settings
from cli.tables import Column, print_pairs, print_table, say, warn
from config.describe import DEFAULT, describe, validation_report
from config.in_force import MARK, idle_changes_warning
from config.loader import load
from config.settings import SECTIONS
from config.violations import Violation
from domain.errors import ConfigurationError
from domain.strategies.registry import discover

app = typer.Typer()

FILES = tuple(file for file, _ in SECTIONS.values())


@app.command()
@command
def validate(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check every file, and strategies of your own, and list all that is wrong at once (exit code 4)."""
    environ = dict(os.environ)
    registry = discover()
    report, idle = validation_report(config, environ, registry.definitions), ""
    if report["valid"]:
        settings = load(config, environ, registry.definitions)
        violations = [*judge_channels(settings), *judge_own_strategies(settings)]
        report |= {"valid": not violations, "violations": [violation._asdict() for violation in violations]}
        idle = idle_changes_warning(describe(settings))
    report["warnings"] = [*registry.problems, *([idle] if idle else ())]
    if as_json:
        print_json(report)
    else:
        _print_validation(report, config)
    if not report["valid"]:
        raise typer.Exit(ConfigurationError.exit_code)


@app.command()
@command
def show(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Files to show, such as broker.yaml (default: all)."),
    ] = None,
    changed: Annotated[
        bool, typer.Option("--changed", help="Only what differs from the shipped values.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every value with its default, unit, origin and meaning; of secrets only whether they are set."""
    unknown = [file for file in files or () if file not in FILES]
    if unknown:
        raise UsageError(f"FILE: found {', '.join(unknown)}; allowed: {', '.join(FILES)}")
    described = describe(read_settings(config, dict(os.environ)))
    described["files"] = {
        file: about
        | {"keys": {key: entry for key, entry in about["keys"].items() if not changed or _differs(entry)}}
        for file, about in described["files"].items()
        if not files or file in files
    }
    if as_json:
        print_json(described)
    else:
        _print_description(described, only_changed=changed)


def _differs(entry: Mapping[str, Any]) -> bool:
    return bool(entry["value"] != entry["default"])


_VIOLATION_COLUMNS = (
    Column("File"),
    Column("Line", right=True),
    Column("Key", wraps=40),
    Column("Found", wraps=14),
    Column("Allowed", wraps=24),
)


def _print_validation(report: Mapping[str, Any], config: Path | None) -> None:
    for warning in report["warnings"]:
        warn(warning)
    violations = [Violation(**values) for values in report["violations"]]
    if violations:
        where = "the shipped files" if config is None else str(config)
        say(OUT, Text(f"{where}: refused, {count(len(violations), 'fault')}\n", style="bold red"))
        rows = [(v.file, f"{v.line}" if v.line else "", v.key, v.found, v.allowed) for v in violations]
        print_table(OUT, _VIOLATION_COLUMNS, rows)
        return
    say(OUT, Text("valid", style="bold green"))
    print_pairs(OUT, [*_summary(report), *((file, origin) for file, origin in report["files"].items())])


def _summary(described: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("mode", described["mode"]),
        ("directory", described["directory"] or "none: the shipped files"),
        ("fingerprint", described["fingerprint"]),
    ]


_KEY_COLUMNS = (
    Column("Key"),
    Column("Value", wraps=12),
    Column("Default", wraps=8),
    Column("Unit", wraps=8, spare=1),
    Column("Meaning", wraps=26),
)
_DEFAULT = 2
"""Place of the column that is shown only where a value differs from its default."""

_TYPES = frozenset({"text", "one of", "true or false"})
"""What stands for a unit where a value is no number; the value itself shows it."""


def _print_description(described: Mapping[str, Any], *, only_changed: bool) -> None:
    print_pairs(OUT, _summary(described))
    for file, about in described["files"].items():
        if only_changed and not about["keys"]:
            continue
        origin = "the shipped defaults" if about["origin"] == DEFAULT else about["origin"]
        say(OUT, Text.assemble("\n", (file, "bold"), (f"  from {origin}", "dim")))
        rows = _key_rows(about["keys"])
        if any(row[_DEFAULT] for row in rows):
            print_table(OUT, _KEY_COLUMNS, rows)
        else:
            columns = (*_KEY_COLUMNS[:_DEFAULT], *_KEY_COLUMNS[_DEFAULT + 1 :])
            print_table(OUT, columns, [(*row[:_DEFAULT], *row[_DEFAULT + 1 :]) for row in rows])
    if only_changed and not any(about["keys"] for about in described["files"].values()):
        say(OUT, "\nEvery value is the shipped one.")
    say(OUT, Text.assemble("\n", ("secrets", "bold"), ("  from the environment or .env; never shown", "dim")))
    print_pairs(
        OUT,
        (
            (name, f"{'set' if about['set'] else 'not set'}: {about['description']}")
            for name, about in _secrets(described)
        ),
    )


def _secrets(described: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    secrets: Mapping[str, Mapping[str, Any]] = described["secrets"]
    return secrets.items()


def _key_rows(keys: Mapping[str, Mapping[str, Any]]) -> Sequence[tuple[str, str | Text, str, str, str]]:
    rows = []
    for key, entry in keys.items():
        differs = _differs(entry)
        value = Text(_shown(entry["value"]), style="bold yellow" if differs else "")
        unit = "" if entry["unit"] in _TYPES else entry["unit"]
        meaning = entry["description"] if entry["in_force"] else f"{entry['description']} ({MARK})"
        rows.append((key, value, _shown(entry["default"]) if differs else "", unit, meaning))
    return rows


def _shown(value: object) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_shown(item)}" for key, item in value.items()) or "none"
    return (
        f"{value:,}" if isinstance(value, int) else _number(value) if isinstance(value, float) else str(value)
    )


def _number(value: float) -> str:
    """Return a number without exponent or idle zeros: 0.00000001, 5,000."""
    return f"{value:,.10f}".rstrip("0").rstrip(".")
