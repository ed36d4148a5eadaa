"""Name the options that several commands share."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from domain.errors import ConfigurationError

DEFAULT_STATE = Path("state")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="DIR", help="Directory with your configuration files (default: the shipped ones)."
    ),
]
StateOption = Annotated[
    Path,
    typer.Option("--state", metavar="DIR", envvar="BREAKWATER_STATE", help="State directory of the engine."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


def parse_date(option: str, text: str | None) -> date | None:
    """Return the date `text` names (YYYY-MM-DD), None for None; raises ConfigurationError."""
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a calendar date has no zone
    except ValueError:
        raise UsageError(f"{option}: found {text!r}; allowed: a date as YYYY-MM-DD") from None


def parse_symbols(text: str | None) -> tuple[str, ...] | None:
    """Return the symbols of a comma-separated list, None for None; raises UsageError for an empty or doubled name."""
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise UsageError(f"--symbols: found {text!r}; allowed: names separated by commas, none empty")
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise UsageError(f"--symbols: {', '.join(doubled)} named more than once; name each once")
    return tuple(names)


class UsageError(ConfigurationError):
    """Refuse a command's argument."""

    exit_code = 2
