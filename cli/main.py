"""Serve the command line: `breakwater COMMAND`."""

from __future__ import annotations

import os
import signal

import typer

from cli.run import run

app = typer.Typer(
    name="breakwater",
    help="Run several strategies on one brokerage account, and be able to leave it alone overnight.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run)


@app.callback()
def options() -> None:
    """Run several strategies on one brokerage account, and be able to leave it alone overnight."""


def main() -> None:
    """Run the command line."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        app()
    finally:
        # All is done and said: a signal that comes while Python winds up must not make a failure of it.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
