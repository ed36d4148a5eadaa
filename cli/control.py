"""Halt a running engine, resume and stop it: `breakwater halt|reduce|flatten|resume|stop`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cli.commanding import AsOption, KeyOption, ReasonOption, give
from cli.options import DEFAULT_STATE, JsonOption, StateOption, UsageError, as_symbol
from cli.output import command
from domain.commands import Verb

BookOption = Annotated[str | None, typer.Option("--book", metavar="ID", help="This book only.")]
SymbolOption = Annotated[
    str | None, typer.Option("--symbol", metavar="SYMBOL", parser=as_symbol, help="This symbol only.")
]


@command
def halt(
    reason: ReasonOption,
    book: BookOption = None,
    symbol: SymbolOption = None,
    key: KeyOption = "",
    name: AsOption = "",
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Stop whatever increases exposure, and cancel entries; protective stops stay. Works where no engine runs, too."""
    _raise(state, Verb.HALT, _scope(book, symbol), reason, key, name, as_json)


@command
def reduce(
    reason: ReasonOption,
    key: KeyOption = "",
    name: AsOption = "",
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Let only orders through that shrink a position."""
    _raise(state, Verb.REDUCE, None, reason, key, name, as_json)


@command
def flatten(
    reason: ReasonOption,
    key: KeyOption = "",
    name: AsOption = "",
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Close every position at the next prices, then stand halted."""
    _raise(state, Verb.FLATTEN, None, reason, key, name, as_json)


@command
def resume(
    reason: ReasonOption,
    book: BookOption = None,
    symbol: SymbolOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also inside the cooldown, or while positions are being closed.")
    ] = False,
    new_peak: Annotated[
        bool, typer.Option("--new-peak", help="Count the drawdown anew, from the present equity.")
    ] = False,
    key: KeyOption = "",
    name: AsOption = "",
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Let the account, or the book or symbol named, trade again."""
    arguments = {"scope": _scope(book, symbol) or "", "force": force, "new_peak": new_peak}
    give(state, Verb.RESUME, arguments, reason=reason, key=key, name=name, as_json=as_json)


@command
def stop(
    reason: ReasonOption,
    key: KeyOption = "",
    name: AsOption = "",
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Stop the engine in order, as its first Ctrl-C does; the next run goes on."""
    give(state, Verb.STOP, {}, reason=reason, key=key, name=name, as_json=as_json)


def _scope(book: str | None, symbol: str | None) -> str | None:
    if book is not None and symbol is not None:
        raise UsageError("--book and --symbol: found both; allowed: one of them, or none for the account")
    return f"book:{book}" if book is not None else f"symbol:{symbol}" if symbol is not None else None


def _raise(
    state: Path, verb: Verb, scope: str | None, reason: str, key: str, name: str, as_json: bool
) -> None:
    from cli.offline_halt import halt_by_file

    give(
        state,
        verb,
        {} if scope is None else {"scope": scope},
        reason=reason,
        key=key,
        name=name,
        as_json=as_json,
        # The file halts the account: it cannot stand for a part of it.
        unheard=None if scope is not None else partial(halt_by_file, state, verb, reason, name),
    )
