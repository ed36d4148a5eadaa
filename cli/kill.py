"""Stop the account at the broker, whatever has become of the engine: `breakwater kill`.

Neither Ray nor a database nor the configuration is read: each may be what went wrong. The latch's file is raised first,
so that a gateway which still lives lets nothing more out; then a connection of the kill's own does the rest.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.asker import asker
from cli.options import DEFAULT_STATE, JsonOption, StateOption, UsageError, reason_text
from cli.output import command, print_json
from config.mode import MODE_VARIABLE, TradingMode, trading_mode
from domain.errors import Busy, CommandRefused, ConfigurationError, DurabilityError, NotRunning
from domain.records import Rung
from storage.latch_file import NAME, LatchFile
from storage.state_lock import LOCK, is_in_use

DEADLINE_S = 10.0
"""Within which a kill ends, done or not: five tries of two seconds each at a venue that does not answer."""

_TRACES = ("breakwater.json", "session.json", LOCK, "venue")
"""Names of which an engine leaves at least one in its state directory."""


@command
def kill(
    confirm: Annotated[
        str,
        typer.Option(
            "--confirm", metavar='"MODE KILL"', help='What is meant: "SIMULATION KILL" in simulation.'
        ),
    ] = "",
    cancel_only: Annotated[
        bool, typer.Option("--cancel-only", help="Cancel orders, and leave positions behind their stops.")
    ] = False,
    reason: Annotated[
        str,
        typer.Option(
            "--reason", metavar="TEXT", parser=reason_text, help="Why; it goes into the audit trail."
        ),
    ] = "not given",
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Cancel every order and close every position at the broker, with the engine dead, hung or at work."""
    begun_s = time.monotonic()
    mode = trading_mode(os.environ)
    _refuse_unconfirmed(confirm, mode, cancel_only)
    directory = state.absolute()
    _refuse_unused(directory)
    body = _done(directory, mode, reason, closing=not cancel_only)
    body["elapsed_s"] = round(time.monotonic() - begun_s, 3)
    if as_json:
        print_json(body)
    else:
        from cli.kill_text import print_kill

        print_kill(body)
    if body["exit_code"]:
        raise typer.Exit(body["exit_code"])


def _done(directory: Path, mode: TradingMode, reason: str, *, closing: bool) -> dict[str, Any]:
    """Kill, and return what is to be told of it."""
    who, at = asker(), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    words = f"{who}, kill at {at}: {reason}"
    latch = _raise_latch(directory, Rung.FLATTENING if closing else Rung.HALTED, words)
    code, told = _at_the_broker(directory, mode, words, closing=closing)
    latch |= _reword(directory, words, f"{words} ({told['detail']})")
    code = code or (0 if latch["written"] else CommandRefused.exit_code)
    asked = {"mode": mode.value, "cancel_only": not closing, "who": who, "reason": reason, "at": at}
    return {"ok": code == 0, **asked, "latch": latch, **told, "exit_code": code}


def _refuse_unconfirmed(confirm: str, mode: TradingMode, cancel_only: bool) -> None:
    wanted = f"{mode.value} KILL"
    if confirm != wanted:
        what = (
            "cancels every open order"
            if cancel_only
            else "cancels every open order and closes every position"
        )
        raise UsageError(
            f'--confirm: found {confirm!r}; allowed: "{wanted}", since {MODE_VARIABLE} says {mode.value}. '
            f'Type: breakwater kill --confirm "{wanted}"{" --cancel-only" if cancel_only else ""}, which {what}'
        )


def _refuse_unused(directory: Path) -> None:
    try:
        used = any((directory / name).exists() for name in _TRACES)
    except OSError:
        used = True  # it cannot be seen; nothing that follows needs it to be
    if not used:
        raise NotRunning(
            f"--state: found {directory}, where no engine has run: nothing was done; "
            f"name the state directory of the engine that trades"
        )


def _raise_latch(directory: Path, rung: Rung, words: str) -> dict[str, Any]:
    """Write the latch's file, and say whether; a disk that is full must not keep orders from being cancelled."""
    latch: dict[str, Any] = {"file": str(directory / NAME), "rung": rung.name, "written": False, "fault": ""}
    try:
        return latch | {"rung": LatchFile(directory).raise_to(rung, words).name, "written": True}
    except (DurabilityError, OSError) as error:
        return latch | {"fault": str(error)}


def _reword(directory: Path, before: str, words: str) -> dict[str, Any]:
    """Add to the latch's file what was done, for the audit trail of the next run, unless an engine took it up since."""
    try:
        return {"tells_what": LatchFile(directory).reword(before, words)}
    except (DurabilityError, OSError) as error:
        return {"tells_what": False, "fault": str(error)}


def _at_the_broker(
    directory: Path, mode: TradingMode, words: str, *, closing: bool
) -> tuple[int, dict[str, Any]]:
    """Return the exit code that the broker's part calls for, and what is to be told of it."""
    if mode is not TradingMode.SIMULATION:
        detail = (
            f"no broker is connected in this version for {MODE_VARIABLE}={mode.value}: nothing could be cancelled or "
            f"closed; do it at the broker's own desk"
        )
        return ConfigurationError.exit_code, {"venue": "none", "detail": detail}
    from actors.kill_switch import KillSwitch  # not above: `kill --help` and a refusal wait for none of it
    from simulation.venue.kill_link import VenueKill

    if _has_ended(directory):
        return _no_venue(directory)
    switch = KillSwitch(
        VenueKill(directory),
        closing=closing,
        why=f"by {words}",
        deadline_s=DEADLINE_S,
        is_gone=lambda: _has_ended(directory),
    )
    killed = switch.run()
    from cli.kill_text import detail_of, values_of

    code = 0 if killed.done else CommandRefused.exit_code if killed.refused else Busy.exit_code
    venue = (
        "ended meanwhile" if _has_ended(directory) else "reached" if killed.found is not None else "silent"
    )
    return code, {"venue": venue, "detail": detail_of(killed), **values_of(killed)}


def _has_ended(directory: Path) -> bool:
    """Return whether no venue runs; where that cannot be seen it may, and is tried."""
    from simulation.venue.address import is_running

    try:
        return not is_running(directory)
    except OSError:
        return False


def _no_venue(directory: Path) -> tuple[int, dict[str, Any]]:
    if is_in_use(directory):
        detail = (
            f"no venue process runs for {directory}, but an engine has it: it starts, ends, or runs inline with its "
            f"venue inside; `breakwater flatten` closes its positions, and at full speed it does not look at the latch "
            f"file. Ask again, or end that process"
        )
        return Busy.exit_code, {"venue": "not running", "detail": detail}
    detail = (
        f"no venue runs for {directory}: nothing can be executed there; its journal keeps what is open and held, "
        f"and the latch file keeps the next run halted"
    )
    return NotRunning.exit_code, {"venue": "not running", "detail": detail}
