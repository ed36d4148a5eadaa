"""Run the engine: `breakwater run`."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from cli.modes import refuse_other_modes
from cli.options import (
    DEFAULT_STATE,
    ConfigOption,
    JsonOption,
    StateOption,
    UsageError,
    parse_date,
    parse_symbols,
)
from cli.output import ERR, OUT, command, only_json, print_json
from supervisor.signals import StopSignals

RUNTIMES = ("ray", "inline")

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="FILE", help="Bars to trade: Parquet, CSV or a directory (default: the sample)."
    ),
]
SymbolsOption = Annotated[
    str | None, typer.Option("--symbols", metavar="A,B", help="Symbols to trade (default: all).")
]
FromOption = Annotated[
    str | None, typer.Option("--from", metavar="DATE", help="First day to trade; earlier bars warm up.")
]
ToOption = Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last day to trade.")]
SpeedOption = Annotated[
    float,
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
DetailsOption = Annotated[bool, typer.Option("--details", help="With --json: list orders and fills.")]


@command
def run(
    data: DataOption = None,
    symbols: SymbolsOption = None,
    start: FromOption = None,
    end: ToOption = None,
    speed: SpeedOption = 0.0,
    runtime: RuntimeOption = "ray",
    fresh: FreshOption = False,
    details: DetailsOption = False,
    config: ConfigOption = None,
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Trade bars through the whole engine; a stopped session is resumed."""
    _refuse_unknown(runtime, speed)
    (first, last), names = _days(start, end), parse_symbols(symbols)
    refuse_other_modes(os.environ)
    with StopSignals() as signals:
        # Here and not above: LIVE must not load the simulation, nor `--help` wait for all that a run is made of.
        from cli.opening import RunRequest
        from cli.session import run_session
        from cli.summary_text import print_summary

        request = RunRequest(
            config=config,
            state=state,
            data=data,
            symbols=names,
            start=first,
            end=last,
            speed=speed,
            runtime=runtime,
            fresh=fresh,
        )
        if as_json:
            with only_json():
                summary = run_session(request, signals, ERR)
            print_json(summary.as_dict(details=details))
        else:
            print_summary(OUT, run_session(request, signals, OUT))


def _refuse_unknown(runtime: str, speed: float) -> None:
    if runtime not in RUNTIMES:
        raise UsageError(f"--runtime: found {runtime!r}; allowed: {', '.join(RUNTIMES)}")
    if not 0.0 <= speed <= 1_000_000.0:
        raise UsageError(
            f"--speed: found {speed:g}; allowed: 0 (as fast as bars settle) to 1,000,000 bars a second"
        )


def _days(start: str | None, end: str | None) -> tuple[date | None, date | None]:
    first, last = parse_date("--from", start), parse_date("--to", end)
    if first is not None and last is not None and first > last:
        raise UsageError(f"--from: found {first}, which is after --to {last}; allowed: a day up to that one")
    return first, last
