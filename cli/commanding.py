"""Give a running engine a command and say how far it came: options, asking and words that commands share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from cli.audit_words import plain
from cli.console import OUT
from cli.options import UsageError, reason_text
from cli.output import print_json
from cli.tables import say
from config.mode import trading_mode
from domain.commands import Verb
from domain.errors import Busy, CommandRefused, NotRunning
from supervisor.command_arguments import LONGEST_KEY
from supervisor.control_client import ControlClient, new_key

Unheard = Callable[[Busy | NotRunning], Mapping[str, Any]]
"""What to do, and to tell, where no engine hears; raises its argument where there is nothing to be done."""


ReasonOption = Annotated[
    str,
    typer.Option(
        "--reason",
        metavar="TEXT",
        parser=reason_text,
        help="Why; it goes into the audit trail with your name.",
    ),
]
KeyOption = Annotated[
    str,
    typer.Option(
        "--key",
        metavar="KEY",
        help="Name of this command: given twice it is done once (default: a new one).",
    ),
]
AsOption = Annotated[
    str,
    typer.Option("--as", metavar="NAME", help="Who you are, besides the user that the system knows."),
]


def give(
    state: Path,
    verb: Verb,
    arguments: Mapping[str, Any],
    *,
    reason: str,
    key: str,
    name: str,
    as_json: bool,
    unheard: Unheard | None = None,
) -> None:
    """Give a command to the engine of `state`, print its answer, and end with the exit code that it calls for.

    Raises NotRunning, Busy, CommandRefused where it did not come to be carried out.
    """
    _refuse_ill_named(key, name)
    mode = trading_mode(os.environ).value
    try:
        body: Mapping[str, Any] = ControlClient(state.absolute()).ask(
            verb,
            arguments,
            reason=reason,
            mode=mode,
            key=key or new_key(),
            name=name,
            at_once=unheard is not None,
        )
    except (Busy, NotRunning) as error:
        if unheard is None:
            raise
        body = unheard(error)
    if not body["ok"] and not as_json:
        raise CommandRefused(_told(body))
    if as_json:
        print_json(body)
    else:
        _print(body, verb)
    if code := exit_code(body, verb):
        raise typer.Exit(code)


def _refuse_ill_named(key: str, name: str) -> None:
    if len(key) > LONGEST_KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise UsageError(
            f"--key: found {key[:80]!r}; allowed: up to {LONGEST_KEY} letters, digits or signs, no blank"
        )
    if len(name) > LONGEST_KEY or not name.isprintable():
        raise UsageError(f"--as: found {name[:80]!r}; allowed: a name of up to {LONGEST_KEY} characters")


def exit_code(body: Mapping[str, Any], verb: Verb) -> int:
    """Return 0 for what was done, 1 for what was refused, 5 where nobody confirmed in time that it took effect.

    What an order to a role leads to takes its own time: `agents list` tells.
    """
    if not body["ok"]:
        return CommandRefused.exit_code
    told_later = verb in (Verb.AGENT_START, Verb.AGENT_STOP, Verb.AGENT_RESTART, Verb.AGENT_RELEASE)
    return 0 if body["effective"] or told_later else Busy.exit_code


def _print(body: Mapping[str, Any], verb: Verb) -> None:
    how = "effective" if body["effective"] else "acknowledged"
    style = "bold green" if body["effective"] else "bold yellow"
    word = verb.value.replace("_", " ")
    again = " (this key was used before: nothing was done anew)" if body.get("again") else ""
    say(OUT, Text.assemble((how, style), f"  {word}: {_told(body)}{again}"))


def _told(body: Mapping[str, Any]) -> str:
    facts = plain(body.get("facts", {}))
    return f"{body['detail']} ({facts})" if facts else str(body["detail"])
