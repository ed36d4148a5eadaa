"""Name the options that several commands share."""

from __future__ import annotations

import math
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from domain.errors import ConfigurationError
from domain.symbols import normalise_symbol
from supervisor.command_arguments import LONGEST_REASON

DEFAULT_STATE = Path("state")
LEAST_BARS_A_SECOND = 0.00001
"""A bar in 28 hours: no replay need be slower than daily bars come by themselves."""
MOST_BARS_A_SECOND = 1_000_000.0


def named_path(text: str | Path) -> Path:
    """Return the path `text` names; raises BadParameter for an empty one, the working directory, and for no UTF-8."""
    if not str(text).strip():
        raise typer.BadParameter(f"found {str(text)!r}; allowed: the name of a file or directory")
    try:
        str(text).encode()
    except UnicodeEncodeError:
        # Databases and reports hold names as text.
        raise typer.BadParameter(f"found {str(text)!a}; allowed: a name in UTF-8") from None
    return Path(text)


def reason_text(text: str) -> str:
    """Return a reason in one line; raises BadParameter for none or one that is too long."""
    reason = " ".join(text.split())
    if not 1 <= len(reason) <= LONGEST_REASON or not reason.isprintable():
        strange = next((each for each in reason if not each.isprintable()), "")
        found = (
            f"the character {strange!a}" if strange else f"{len(reason)} characters" if reason else "nothing"
        )
        raise typer.BadParameter(
            f"found {found}; allowed: why, in 1 to {LONGEST_REASON} characters that print"
        )
    return reason


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="DIR",
        parser=named_path,
        help="Directory with your configuration files (default: the shipped ones).",
    ),
]
StateOption = Annotated[
    Path,
    typer.Option(
        "--state",
        metavar="DIR",
        parser=named_path,
        envvar="BREAKWATER_STATE",
        help="State directory of the engine.",
    ),
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


def parse_symbols(lists: list[str] | None) -> tuple[str, ...] | None:
    """Return the symbols of all comma-separated `lists`, None where there is none; the option may be given again.

    Raises UsageError for an empty or doubled name.
    """
    if not lists:
        return None
    text = ",".join(lists)
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise UsageError(f"--symbols: found {text!r}; allowed: names separated by commas, none empty")
    meant = [as_symbol(name) for name in names]
    doubled = sorted({name for name in meant if meant.count(name) > 1})
    if doubled:
        raise UsageError(
            f"--symbols: found {', '.join(doubled)} more than once in {text!r}; allowed: each symbol once"
        )
    return tuple(names)


def as_symbol(name: str) -> str:
    """Return the symbol as the engine writes it, `name` where it is none: who looks for it knows what there is."""
    try:
        return normalise_symbol(name)
    except ValueError:
        return name


def parse_speed(text: str) -> float:
    """Return the bars a second that `text` names, 0 for no limit; raises UsageError."""
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if speed != 0.0 and not LEAST_BARS_A_SECOND <= speed <= MOST_BARS_A_SECOND:
        raise UsageError(
            f"--speed: found {text!r}; allowed: 0 (as fast as bars settle), or {LEAST_BARS_A_SECOND:.5f} "
            f"(a bar in 28 hours) to {MOST_BARS_A_SECOND:,.0f} bars a second"
        )
    return speed


class UsageError(ConfigurationError):
    """Refuse a command's argument."""

    exit_code = 2
