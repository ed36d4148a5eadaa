"""Gather the commands of `breakwater`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.lazy import lazy_commands, lazy_group

_COMMANDS = {
    "run": "cli.run",
    "status": "cli.status",
    **dict.fromkeys(("halt", "reduce", "flatten", "resume", "stop"), "cli.control"),
    "kill": "cli.kill",
    "doctor": "cli.doctor",
    "chaos": "cli.chaos",
}

app = typer.Typer(
    name="breakwater",
    cls=lazy_commands(_COMMANDS),
    help="Run several strategies on one brokerage account, and be able to leave it alone overnight.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _add_group(name: str, module: str, text: str) -> None:
    app.add_typer(typer.Typer(cls=lazy_group(module), help=text, no_args_is_help=True), name=name)


_add_group("agents", "cli.agents", "Agents: the roles of a running engine, each a process.")
_add_group("orders", "cli.orders", "Orders: what was sent, and what became of it.")
_add_group("positions", "cli.positions", "Positions: what is held, at what cost and what profit.")
_add_group("audit", "cli.audit", "Audit trail: what was decided, done and told, in order and sealed.")
_add_group(
    "config",
    "cli.configuration",
    "Configuration: what is set, where it comes from, and what is wrong with it.",
)
_add_group("alerts", "cli.alerts", "Alerts: the channels by which people are told.")
_add_group("risk", "cli.risk", "Risk: what the limits allow.")
_add_group("strategies", "cli.strategies", "Strategies: which there are, and which run.")
_add_group("data", "cli.data", "Data: bars of files, checked row by row.")


def _print_version(asked: bool) -> None:
    if asked:
        import platform

        typer.echo(f"breakwater {installed_version()} (Python {platform.python_version()})")
        raise typer.Exit


def installed_version() -> str:
    """Return the version of the installed distribution; a source tree that was not installed has none."""
    from importlib import metadata  # here and not above, like `platform`: no other command should wait for it

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
