"""Gather the commands of `breakwater`."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Annotated

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


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"breakwater {installed_version()} (Python {platform.python_version()})")
        raise typer.Exit


def installed_version() -> str:
    """Return the version of the installed distribution; a source tree that was not installed has none."""
    try:
        return metadata.version("breakwater")
    except metadata.PackageNotFoundError:
        return "not installed"


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and end."),
    ] = False,
) -> None:
    """Run several strategies on one brokerage account, and be able to leave it alone overnight."""
