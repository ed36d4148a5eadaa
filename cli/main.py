"""Serve the command line: `breakwater COMMAND`."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from cli.interrupts import end_at_interrupts

if TYPE_CHECKING:
    from domain.errors import BreakwaterError


def main() -> None:
    """Run the command line and end the process with the command's exit code."""
    end_at_interrupts()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        _run()
    except SystemExit as ending:
        _ignore_signals()
        _end_without_ray(ending.code if isinstance(ending.code, int) else int(ending.code is not None))
        raise
    finally:
        _ignore_signals()


def _ignore_signals() -> None:
    """Ignore what comes while Python winds up: all is done and said, and no failure must be made of it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _end_without_ray(code: int) -> None:
    """End the process at once where it has run Ray: all that we opened is closed, and Ray's library may not end.

    Seen: it waits a minute for servers that are gone, then aborts the process whose summary stands there already.
    """
    if "ray" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run() -> None:
    from cli.libraries import library_fault
    from domain.errors import BreakwaterError

    try:
        # Loaded here and not above: that takes a second, in which SIGINT should find its handler already there.
        from cli.app import app

        # Commands are loaded when they are asked for: TRADING_MODE may forbid what one is made of, a refusal like any.
        app(prog_name="breakwater")
    except BreakwaterError as error:
        _refuse(error)
    except (ImportError, OSError) as error:
        fault = library_fault(error)
        if fault is None:
            raise
        _refuse(fault)


def _refuse(error: BreakwaterError) -> NoReturn:
    """Say what was met before a command's own words could be: on what needs no library."""
    if "--json" in sys.argv[1:]:
        said = {"kind": type(error).__name__, "message": str(error)}
        sys.stdout.write(json.dumps({"error": said, "exit_code": error.exit_code}, indent=2) + "\n")
    sys.stderr.write(f"breakwater: {error}\n")
    sys.exit(error.exit_code)
