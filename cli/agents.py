"""List the roles of a running engine, stop, start, restart and release them: `breakwater agents ...`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.commanding import AsOption, KeyOption, ReasonOption, give
from cli.console import OUT
from cli.options import DEFAULT_STATE, JsonOption, StateOption
from cli.output import command, print_json
from cli.status_text import print_roles
from domain.commands import Verb
from supervisor.control_client import ControlClient

app = typer.Typer()

RoleArgument = Annotated[
    str,
    typer.Argument(
        metavar="ROLE", help="A role as `agents list` shows it, such as strategy:momentum or strategies:1."
    ),
]


@app.command("list")
@command
def list_agents(state: StateOption = DEFAULT_STATE, as_json: JsonOption = False) -> None:
    """List the roles: whether each runs, which start of it, its restarts, memory, and why it does not run."""
    roles = ControlClient(state.absolute()).ask(Verb.STATUS)["roles"]
    if as_json:
        print_json({"roles": roles})
    else:
        print_roles(OUT, roles)


@app.command()
@command
def start(
    role: RoleArgument,
    reason: ReasonOption,
    key: KeyOption = "",
    name: AsOption = "",
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Start a role that was stopped."""
    give(state, Verb.AGENT_START, {"role": role}, reason=reason, key=key, name=name, as_json=as_json)


@app.command()
@command
def stop(
    role: RoleArgument,
    reason: ReasonOption,
    key: KeyOption = "",
    name: AsOption = "",
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Stop a strategy until it is started again: it abstains, and the others trade on."""
    give(state, Verb.AGENT_STOP, {"role": role}, reason=reason, key=key, name=name, as_json=as_json)


@app.command()
@command
def restart(
    role: RoleArgument,
    reason: ReasonOption,
    key: KeyOption = "",
    name: AsOption = "",
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """End a role's process and start the next."""
    give(state, Verb.AGENT_RESTART, {"role": role}, reason=reason, key=key, name=name, as_json=as_json)


@app.command()
@command
def release(
    role: RoleArgument,
    reason: ReasonOption,
    key: KeyOption = "",
    name: AsOption = "",
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Forget a strategy's failures; one that was quarantined runs again."""
    give(state, Verb.AGENT_RELEASE, {"role": role}, reason=reason, key=key, name=name, as_json=as_json)
