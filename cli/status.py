"""Look at a running engine, or at what one left: `breakwater status`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from cli.options import DEFAULT_STATE, JsonOption, StateOption
from cli.output import command, print_json
from domain.commands import Verb
from domain.errors import NotRunning
from supervisor.control_client import ControlClient


@command
def status(state: StateOption = DEFAULT_STATE, as_json: JsonOption = False) -> None:
    """Show mode, halts, account and roles of the running engine; of one that does not run, what it left (code 3)."""
    try:
        body = ControlClient(state.absolute()).ask(Verb.STATUS)
    except NotRunning as error:
        from cli.stored_status import stored_status  # here: an engine that runs needs no stores

        left = {**stored_status(state), "running": False}
        _show({**left, "exit_code": error.exit_code} if as_json else left, as_json)
        raise typer.Exit(error.exit_code) from None
    _show({**body, "running": True}, as_json)


def _show(body: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(body)
        return
    # Loaded here: a program that asks for JSON needs no tables.
    from cli.console import OUT
    from cli.status_text import print_status

    print_status(OUT, body)
