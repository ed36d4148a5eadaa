"""Show what the risk manager allows: `breakwater risk check|limits`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.formats import iso_utc
from cli.instruments import Instruments, session_settings
from cli.options import DEFAULT_STATE, ConfigOption, JsonOption, StateOption, named_path
from cli.output import command, print_json
from cli.positions import read_holdings
from cli.registry import read_settings
from cli.risk_limits import LimitState, limit_states
from cli.risk_text import print_check, print_limits
from cli.tables import warn
from cli.trail import find_trail, opened_index
from cli.what_if_account import read_account
from cli.what_if_orders import OrdersFile, read_orders
from domain.broker import signed
from domain.errors import BreakwaterError
from domain.instruments import Instrument
from domain.risk.assessment import RiskAssessment
from domain.risk.engine import sizing_body
from domain.risk.what_if import Verdict, WhatIf

app = typer.Typer()

PortfolioOption = Annotated[
    Path,
    typer.Option(
        "--portfolio", metavar="FILE", parser=named_path, help="The account, in YAML (docs/risk.md)."
    ),
]
OrdersOption = Annotated[
    Path,
    typer.Option(
        "--orders",
        metavar="FILE",
        parser=named_path,
        help="Orders, in CSV: symbol, side, and quantity or confidence; price, book.",
    ),
]


@app.callback()
def risk() -> None:
    """Risk: what the limits allow."""


@app.command()
@command
def check(
    portfolio: PortfolioOption,
    orders: OrdersOption,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge orders that nobody made, one after another, and show every check with its arithmetic.

    An order that is approved counts as filled for those after it. Exit code 1 where a row is no order.
    """
    settings = read_settings(config, dict(os.environ))
    account = read_account(portfolio, settings)
    rows = read_orders(orders, account)
    what_if = WhatIf(
        account.supposed(),
        account.instruments,
        settings.book_settings(),
        settings.risk_limits(),
        currency=settings.engine.account.currency,
        terms=settings.account_terms(account.instruments),
    )
    assessment = what_if.assessment()
    verdicts = [(line, what_if.judge(order)) for line, order in rows.orders]
    if as_json:
        print_json(_report(assessment, verdicts, rows, account.instruments))
    else:
        print_check(assessment, verdicts, rows, account.instruments)
    if rows.unread:
        raise typer.Exit(BreakwaterError.exit_code)


@app.command()
@command
def limits(
    config: ConfigOption = None, state: StateOption = DEFAULT_STATE, as_json: JsonOption = False
) -> None:
    """Show every limit, how much of it is used at the last bar, and when it was last broken."""
    stores = find_trail(state)
    settings, warning = session_settings(stores, config, dict(os.environ))
    holdings = read_holdings(stores, settings, Instruments(settings))
    with opened_index(stores) as index:
        states = list(limit_states(settings, holdings, index))
    if as_json:
        latest = holdings.latest
        print_json(
            {
                "session": stores.session.number,
                "warning": warning or None,
                "bar": None if latest is None else latest.bar,
                "at": None if latest is None else iso_utc(latest.at_ns),
                "equity": None if latest is None else latest.equity,
                "limits": [_limit(each) for each in states],
            }
        )
        return
    warn(warning)
    print_limits(holdings, states)


def _limit(state: LimitState) -> dict[str, Any]:
    breach = state.last_breach
    return {
        **state._asdict(),
        "used_percent": state.used_percent,
        "last_breach": None if breach is None else breach._asdict(),
    }


def _report(
    assessment: RiskAssessment,
    verdicts: list[tuple[int, Verdict]],
    rows: OrdersFile,
    instruments: Mapping[str, Instrument],
) -> dict[str, Any]:
    return {
        "account": asdict(assessment),
        "orders": [_judged(line, verdict, instruments) for line, verdict in verdicts],
        "unread": [each._asdict() for each in rows.unread],
        "approved": sum(verdict.approved for _, verdict in verdicts),
        "denied": sum(not verdict.approved for _, verdict in verdicts),
    }


def _judged(line: int, verdict: Verdict, instruments: Mapping[str, Instrument]) -> dict[str, Any]:
    order = verdict.order
    return {
        "line": line,
        "book": order.book,
        "symbol": order.symbol,
        "side": order.side.value,
        "quantity": float(instruments[order.symbol].quantity(verdict.lots)),
        "lots": signed(order.side, verdict.lots),
        "confidence": order.confidence,
        "price": verdict.price,
        "value": verdict.value,
        "reduces": verdict.reduces,
        "approved": verdict.approved,
        "reason": verdict.reason,
        "sizing": verdict.sizing and sizing_body(verdict.sizing),
        "checks": [
            {
                "code": each.code.value,
                "passed": not each.denied,
                "exempt": each.exempt,
                "value": each.value,
                "limit": each.limit,
                "arithmetic": each.arithmetic,
            }
            for each in verdict.checks
        ],
    }
