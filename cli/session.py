"""Trade a session: open it, build its engine, drive it to its end, and sum it up."""

from __future__ import annotations

import os
from collections.abc import Callable

from rich.console import Console

from actors.clock import SystemClock
from cli.alerting import alert_ended
from cli.controls import SocketControls
from cli.drive import Engine, Outcome, StopForced, drive, following
from cli.inline_engine import InlineEngine
from cli.opening import Opened, RunRequest, open_session
from cli.plan import EnginePlan
from cli.progress import progress
from cli.ray_engine import RayEngine
from cli.silent_exits import refusing_silent_exits
from cli.summary import Summary, summarise
from cli.tables import warn
from config.describe import describe
from config.in_force import idle_changes_warning
from domain.errors import BreakwaterError
from storage.files import reporting_full_disk
from supervisor.control_client import ControlClient
from supervisor.signals import StopSignals

ENGINES: dict[str, Callable[[EnginePlan], Engine]] = {"ray": RayEngine, "inline": InlineEngine}


def run_session(request: RunRequest, signals: StopSignals, console: Console) -> Summary:
    """Open the session, trade until its bars end or a signal stops it, and return the summary."""
    with (
        reporting_full_disk(request.state.absolute()),
        open_session(request, dict(os.environ), SystemClock()) as opened,
    ):
        warn(idle_changes_warning(describe(opened.plan.settings)))
        if opened.stored.completed:
            return summarise(opened, None, request.runtime)
        try:
            outcome = _trade(request, opened, signals, console)
        except StopForced:
            raise
        except BreakwaterError as error:
            warn(alert_ended(opened.plan, error))
            raise
        summary = summarise(opened, outcome, request.runtime)
    return summary


def _trade(request: RunRequest, opened: Opened, signals: StopSignals, console: Console) -> Outcome:
    plan = opened.plan
    runtime, shutdown = plan.settings.engine.runtime, plan.settings.shutdown
    last = len(plan.table)
    opening = {
        "mode": plan.settings.mode.value,
        "session": plan.session.number,
        "waiting_for": ["Ray, the venue and every role's process"] if request.runtime == "ray" else [],
    }
    watched = progress(
        console, plan.table, plan.session.first, opening=opening, signals=signals, plain=request.plain
    )
    with watched as show, refusing_silent_exits():
        engine: Engine = ENGINES[request.runtime](plan)
        where = plan.session.state_dir
        show.begin(engine, SocketControls(ControlClient(where), plan.settings.mode.value, where))
        try:
            outcome = drive(
                engine,
                stop_requested=lambda: signals.reason or show.stop_reason,
                stop_forced=lambda: signals.forced,
                show=show,
                stall_s=runtime.lockstep_stall_s + 2.0 * plan.pace_s,
                stop_s=shutdown.deadline_s,
            )
        finally:
            engine.close(orderly=not signals.forced)
    settled = following(outcome.states) - 1
    opened.close_session(bar=settled, completed=settled + 1 >= last)
    return outcome
