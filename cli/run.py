"""Run the engine: `breakwater run`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from actors.clock import SystemClock
from cli.composition import EnginePlan
from cli.drive import Engine, Outcome, drive
from cli.inline_engine import InlineEngine
from cli.opening import Opened, RunRequest, open_session
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
from cli.progress import progress
from cli.ray_engine import RayEngine
from cli.summary import Summary, summarise
from cli.summary_text import print_summary
from cli.tables import warn
from config.describe import describe
from config.in_force import idle_changes_warning
from domain.messages import FEED
from supervisor.signals import StopSignals

RUNTIMES: dict[str, Callable[[EnginePlan], Engine]] = {"ray": RayEngine, "inline": InlineEngine}


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
    float, typer.Option("--speed", metavar="BARS", help="Most bars a second (0: as fast as they settle).")
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
    if runtime not in RUNTIMES:
        raise UsageError(f"--runtime: found {runtime!r}; allowed: {', '.join(RUNTIMES)}")
    if not 0.0 <= speed <= 1_000_000.0:
        raise UsageError(
            f"--speed: found {speed:g}; allowed: 0 (as fast as bars settle) to 1,000,000 bars a second"
        )
    request = RunRequest(
        config=config,
        state=state,
        data=data,
        symbols=parse_symbols(symbols),
        start=parse_date("--from", start),
        end=parse_date("--to", end),
        speed=speed,
        runtime=runtime,
        fresh=fresh,
    )
    with StopSignals() as signals:
        if as_json:
            with only_json():
                summary = run_session(request, signals, ERR)
            print_json(summary.as_dict(details=details))
        else:
            print_summary(OUT, run_session(request, signals, OUT))


def run_session(request: RunRequest, signals: StopSignals, console: Console) -> Summary:
    """Open the session, trade until its bars end or a signal stops it, and return the summary."""
    with open_session(request, dict(os.environ), SystemClock()) as opened:
        warn(idle_changes_warning(describe(opened.plan.settings)))
        if opened.stored.completed:
            return summarise(opened, None)
        outcome = _trade(request, opened, signals, console)
        summary = summarise(opened, outcome)
    return summary


def _trade(request: RunRequest, opened: Opened, signals: StopSignals, console: Console) -> Outcome:
    plan = opened.plan
    runtime, shutdown = plan.settings.engine.runtime, plan.settings.shutdown
    last = len(plan.table)
    with progress(console, plan.table, plan.session.first) as show:
        engine: Engine = RUNTIMES[request.runtime](plan)
        try:
            outcome = drive(
                engine,
                stop_requested=lambda: signals.reason,
                stop_forced=lambda: signals.forced,
                show=show,
                stall_s=runtime.lockstep_stall_s + 2.0 * plan.pace_s,
                stop_s=shutdown.deadline_s,
            )
        finally:
            engine.close(orderly=not signals.forced)
    settled = int(outcome.states[FEED]["next"]) - 1
    opened.close_session(bar=settled, completed=settled + 1 >= last)
    return outcome
