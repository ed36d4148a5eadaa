"""Run the engine: `breakwater run`."""

from __future__ import annotations

import os
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import ERR, OUT
from cli.modes import refuse_other_modes
from cli.options import (
    DEFAULT_STATE,
    ConfigOption,
    JsonOption,
    StateOption,
    UsageError,
    named_path,
    parse_date,
    parse_speed,
    parse_symbols,
)
from cli.output import command, only_json, print_json
from supervisor.signals import StopSignals

if TYPE_CHECKING:
    from cli.summary import Summary

RUNTIMES = ("ray", "inline")

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FILE",
        parser=named_path,
        help="Bars to trade: Parquet, CSV or a directory (default: the sample).",
    ),
]
SymbolsOption = Annotated[
    list[str] | None,
    typer.Option("--symbols", metavar="A,B", help="Symbols to trade (default: all); may be given again."),
]
FromOption = Annotated[
    str | None, typer.Option("--from", metavar="DATE", help="First day to trade; earlier bars warm up.")
]
ToOption = Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last day to trade.")]
SpeedOption = Annotated[
    str,
    typer.Option(
        "--speed",
        metavar="BARS",
        help="Most bars a second (0, the default: as fast as they settle).",
        show_default=False,
    ),
]
RuntimeOption = Annotated[
    str, typer.Option("--runtime", metavar="ray|inline", help="One process a role, or all in this one.")
]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Archive the state directory and start anew.")]
PlainOption = Annotated[
    bool, typer.Option("--plain", help="Print a line now and then instead of the screen of a terminal.")
]
DetailsOption = Annotated[bool, typer.Option("--details", help="With --json: list orders and fills.")]


@command
def run(
    data: DataOption = None,
    symbols: SymbolsOption = None,
    start: FromOption = None,
    end: ToOption = None,
    speed: SpeedOption = "0",
    runtime: RuntimeOption = "ray",
    fresh: FreshOption = False,
    plain: PlainOption = False,
    details: DetailsOption = False,
    config: ConfigOption = None,
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Trade bars through the whole engine; a stopped session is resumed."""
    if runtime not in RUNTIMES:
        raise UsageError(f"--runtime: found {runtime!r}; allowed: {', '.join(RUNTIMES)}")
    (first, last), names, pace = _days(start, end), parse_symbols(symbols), parse_speed(speed)
    refuse_other_modes(os.environ)
    with StopSignals() as signals:
        # Here and not above: LIVE must not load the simulation, nor `--help` wait for all that a run is made of.
        from cli.opening import RunRequest
        from cli.session import run_session

        request = RunRequest(
            config=config,
            state=state,
            data=data,
            symbols=names,
            start=first,
            end=last,
            speed=pace,
            runtime=runtime,
            fresh=fresh,
            plain=plain,
        )
        # Progress goes to standard error in either case: what stands on the output is the summary, and it alone.
        with only_json() if as_json else nullcontext():
            summary = run_session(request, signals, ERR)
        _print(summary, details=details, as_json=as_json)


def _days(start: str | None, end: str | None) -> tuple[date | None, date | None]:
    first, last = parse_date("--from", start), parse_date("--to", end)
    if first is not None and last is not None and first > last:
        raise UsageError(f"--from: found {first}, which is after --to {last}; allowed: a day up to that one")
    return first, last


def _print(summary: Summary, *, details: bool, as_json: bool) -> None:
    from cli.summary_text import print_summary

    if as_json:
        print_json(summary.as_dict(details=details))
    else:
        print_summary(OUT, summary)
