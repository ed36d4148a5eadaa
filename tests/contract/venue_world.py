"""Make the small market that venue tests trade in: two shares, one coin, bars by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from domain.bars import Bar, BarGroup
from domain.broker import (
    BrokerEvent,
    BrokerUpdate,
    Executed,
    OrderReported,
    OrderType,
    PlaceOrder,
    Side,
    TimeInForce,
)
from domain.instruments import AssetKind, Instrument
from domain.messages import BarsPublished
from domain.outputs import Send
from domain.risk.limits import FeeSchedule
from simulation.venue.machine import VenueInput, VenueMachine
from simulation.venue.settings import KindFees, VenueSettings
from simulation.venue.turn import Commit

FREE = FeeSchedule(0.0, 0.0, 1.0, 0.0, 0.0)
IB_FIXED = FeeSchedule(0.005, 1.0, 0.01, 0.0, 0.0)
MINUTE = 60_000_000_000
CASH = 100_000_000_000


def instrument(symbol: str, **changes: Any) -> Instrument:
    """Return a US share that may be sold short, or what `changes` make of it."""
    facts: dict[str, Any] = {
        "symbol": symbol,
        "kind": AssetKind.EQUITY,
        "currency": "USD",
        "tick": 0.01,
        "lots_per_unit": 1,
        "multiplier": 1.0,
        "calendar": "XNYS",
        "sector": "",
        "settlement_sessions": 1,
        "shortable": True,
    }
    return Instrument(**(facts | changes))


def settings(**changes: Any) -> VenueSettings:
    """Return a venue without costs where A and B trade, and LONG, which cannot be sold short; $100,000."""
    equity = changes.pop("equity_fees", FREE)
    facts: dict[str, Any] = {
        "instruments": (
            instrument("A"),
            instrument("B"),
            instrument("LONG", shortable=False),
            instrument("BTC", kind=AssetKind.SPOT, lots_per_unit=1000, tick=0.1),
        ),
        "fees": (KindFees(AssetKind.EQUITY, equity), KindFees(AssetKind.SPOT, FREE)),
        "cash_micro": CASH,
        "leverage": 1.0,
        "participation": 0.0,
        "check_buying_power": True,
    }
    return VenueSettings(**(facts | changes))


def bar(
    symbol: str, o: float, h: float, low: float, c: float, volume: float = math.nan, dividend: float = 0.0
) -> Bar:
    """Return one bar."""
    return Bar(symbol, o, h, low, c, volume, dividend)


def group(index: int, *bars: Bar, session: int = 1) -> BarsPublished:
    """Return published bars of minute `index`."""
    return BarsPublished(
        group=BarGroup(index, index * MINUTE, (index + 1) * MINUTE, session, tuple(sorted(bars)))
    )


def order(ref: str, side: Side, symbol: str, lots: int, **changes: Any) -> PlaceOrder:
    """Return a DAY market order, or what `changes` make of it."""
    facts: dict[str, Any] = {
        "order_ref": ref,
        "symbol": symbol,
        "side": side,
        "lots": lots,
        "order_type": OrderType.MARKET,
        "time_in_force": TimeInForce.DAY,
        "limit_price": 0.0,
        "stop_price": 0.0,
        "attached_stop_pct": 0.0,
        "oca_group": "",
    }
    return PlaceOrder(**(facts | changes))


def buy(ref: str, symbol: str, lots: int, **changes: Any) -> PlaceOrder:
    """Return an order to buy."""
    return order(ref, Side.BUY, symbol, lots, **changes)


def sell(ref: str, symbol: str, lots: int, **changes: Any) -> PlaceOrder:
    """Return an order to sell."""
    return order(ref, Side.SELL, symbol, lots, **changes)


def limit(price: float) -> dict[str, Any]:
    """Return what makes an order a limit order."""
    return {"order_type": OrderType.LIMIT, "limit_price": price}


def stop(price: float) -> dict[str, Any]:
    """Return what makes an order a stop order."""
    return {"order_type": OrderType.STOP, "stop_price": price}


def told(events: tuple[BrokerEvent, ...]) -> list[tuple[Any, ...]]:
    """Return events as short tuples: fills (ref, lots, price, commission), states (ref, status, lots, filled)."""
    short: list[tuple[Any, ...]] = []
    for event in events:
        if isinstance(event, Executed):
            short.append((event.order_ref, event.lots, event.price, event.commission_micro))
        elif isinstance(event, OrderReported):
            short.append((event.order_ref, event.status.value, event.lots, event.filled_lots))
        else:
            short.append((type(event).__name__,))
    return short


def fills(events: tuple[BrokerEvent, ...]) -> list[tuple[str, int, float]]:
    """Return the executions among `events` as (ref, lots, price)."""
    return [(e.order_ref, e.lots, e.price) for e in events if isinstance(e, Executed)]


def ends(events: tuple[BrokerEvent, ...], ref: str) -> OrderReported:
    """Return the last word among `events` on an order."""
    return [e for e in events if isinstance(e, OrderReported) and e.order_ref == ref][-1]


def update_of(outputs: Sequence[Commit | Send]) -> BrokerUpdate:
    """Return the one update among a machine's outputs, which comes last."""
    (found,) = [o.message for o in outputs if isinstance(o, Send)]
    assert isinstance(found, BrokerUpdate)
    assert isinstance(outputs[-1], Send)
    return found


def ask(machine: VenueMachine, *inputs: VenueInput) -> BrokerUpdate:
    """Hand `inputs` to the machine and return the answer to the last."""
    return [update_of(machine.handle(each)) for each in inputs][-1]
