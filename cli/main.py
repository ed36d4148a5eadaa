"""Serve the command line: `breakwater COMMAND`."""

from __future__ import annotations

import os

import typer

from cli import audit, configuration, data, orders, positions, strategies
from cli.run import run

app = typer.Typer(
    name="breakwater",
    help="Run several strategies on one brokerage account, and be able to leave it alone overnight.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run)
app.add_typer(orders.app, name="orders")
app.add_typer(positions.app, name="positions")
app.add_typer(audit.app, name="audit")
app.add_typer(configuration.app, name="config")
app.add_typer(strategies.app, name="strategies")
app.add_typer(data.app, name="data")


@app.callback()
def options() -> None:
    """Run several strategies on one brokerage account, and be able to leave it alone overnight."""


def main() -> None:
    """Run the command line."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    app()
