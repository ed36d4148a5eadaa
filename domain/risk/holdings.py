"""List the open positions for people: what they cost, what they are marked at, and where their stops stand."""

from __future__ import annotations

from typing import Any

from domain.instruments import MICRO
from domain.marks import Marks
from domain.portfolio import Portfolio
from domain.risk.limits import RiskLimits
from domain.working_orders import WorkingOrders

SHOWN_HOLDINGS = 40
"""Positions that are told one by one, the largest; how many there are is always told."""


def holdings_state(portfolio: Portfolio, marks: Marks, working: WorkingOrders) -> dict[str, Any]:
    """Return the largest positions by value at their marks and how many are open; worked out only when asked."""
    held = portfolio.holdings()
    prices, stops = marks.prices, working.stops()
    if len(held) > SHOWN_HOLDINGS:  # a Position costs far more than its value, which says whether it is shown
        held.sort(key=lambda each: -abs(portfolio.value(each[0], prices.get(each[0], 0.0), each[2])))
    told = []
    for symbol, book, lots in held[:SHOWN_HOLDINGS]:
        position, mark = portfolio.position(book, symbol), prices.get(symbol)
        worth = None if mark is None else portfolio.value(symbol, mark, lots)
        told.append(
            {
                "symbol": symbol,
                "book": book,
                "lots": lots,
                "average_price": position.average_price,
                "mark": mark,
                "value": worth,
                "unrealised": None if worth is None else worth - position.cost_micro / MICRO,
                "stop": stops.get((book, symbol)),
            }
        )
    return {"holdings": told, "holdings_in_all": len(portfolio.holdings())}


def limits_state(limits: RiskLimits) -> dict[str, float]:
    """Return the limits that an account's figures are shown against, as fractions."""
    return {
        "max_daily_loss": limits.max_daily_loss,
        "max_total_drawdown": limits.max_total_drawdown,
        "max_portfolio_heat": limits.max_portfolio_heat,
        "max_gross_exposure": limits.max_gross_exposure,
    }
