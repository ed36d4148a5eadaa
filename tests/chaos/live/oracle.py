"""Hold a stopped engine's books to the venue's own journal (I1 to I3, I5, I6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, select

from domain.broker import Side, signed
from domain.instruments import MICRO
from simulation.venue.tables import ACCOUNT, DIVIDENDS, EXECUTIONS, ORDERS
from storage.engine import sqlite_url
from tests.scenario.books import assert_booked_once
from tests.scenario.engine import breakwater


def assert_nothing_lost_or_doubled(state: Path, summary: Mapping[str, Any]) -> int:
    """Return how many executions there were, and hold all books to the venue's journal; the audit trail must verify.

    Orders, executions, positions, cash and stops are compared.

    Whole shares and a multiplier of 1 are assumed, as in the bars that are traded here.
    """
    assert_booked_once(state)
    engine = create_engine(sqlite_url(state / "venue" / "venue.db"))
    with engine.connect() as venue:
        executions = list(venue.execute(select(EXECUTIONS)))
        dividends = sum(venue.execute(select(DIVIDENDS.c.amount_micro)).scalars())
        deposit = venue.execute(select(ACCOUNT.c.deposit_micro)).scalar_one()
        working = list(venue.execute(select(ORDERS).where(ORDERS.c.status == "working")))
    engine.dispose()
    held: Counter[str] = Counter()
    cash = deposit + dividends
    for one in executions:
        lots = signed(Side(one.side), one.lots)
        held[one.symbol] += lots
        cash -= round(lots * one.price * MICRO) + one.commission_micro
    assert {symbol: lots for symbol, lots in held.items() if lots} == summary["positions"], "I3"
    # The venue rounds each execution to the micro-unit; so does this, and both may differ by one each.
    assert abs(cash / MICRO - summary["cash"]) <= len(executions) / MICRO, "I3"
    stopped = {order.symbol: order.lots - order.filled_lots for order in working if order.parent_ref}
    assert {symbol: lots for symbol, lots in held.items() if lots} == stopped, (
        "I5: a position without its stop"
    )
    verified = breakwater("audit", "verify", "--state", state)
    assert verified.returncode == 0, f"I6: {verified.stdout}{verified.stderr}"
    return len(executions)
