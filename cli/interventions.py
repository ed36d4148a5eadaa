"""Intervene in orders and positions: `breakwater orders cancel|resolve`, `breakwater positions close`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.commanding import AsOption, KeyOption, ReasonOption, give
from cli.options import DEFAULT_STATE, JsonOption, StateOption, as_symbol
from cli.output import command
from domain.commands import Verb


@command
def cancel(
    refs: Annotated[
        list[str], typer.Argument(metavar="REF...", help="References of orders, as `orders list` shows them.")
    ],
    reason: ReasonOption,
    key: KeyOption = "",
    name: AsOption = "",
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Cancel open orders; the protective stop of an open position is refused."""
    give(state, Verb.ORDER_CANCEL, {"order_refs": refs}, reason=reason, key=key, name=name, as_json=as_json)


@command
def resolve(
    ref: Annotated[
        str, typer.Argument(metavar="REF", help="An order of unknown outcome, as `orders list` shows it.")
    ],
    reason: ReasonOption,
    key: KeyOption = "",
    name: AsOption = "",
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Say that an order of unknown outcome never arrived, as you found out at the venue; its exposure is let go."""
    give(state, Verb.ORDER_RESOLVE, {"order_ref": ref}, reason=reason, key=key, name=name, as_json=as_json)


@command
def close(
    symbol: Annotated[
        str, typer.Argument(metavar="SYMBOL", parser=as_symbol, help="The symbol whose position to leave.")
    ],
    reason: ReasonOption,
    book: Annotated[
        str | None, typer.Option("--book", metavar="ID", help="Of this book only (default: of every book).")
    ] = None,
    key: KeyOption = "",
    name: AsOption = "",
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Leave the position in a symbol at the next bar's prices."""
    arguments = {"symbol": symbol, "book": book or ""}
    give(state, Verb.POSITION_CLOSE, arguments, reason=reason, key=key, name=name, as_json=as_json)
