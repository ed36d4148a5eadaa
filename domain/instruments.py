"""Describe what is traded: tick, lot, multiplier, currency, session; and round to them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

MICRO = 1_000_000
"""Micro-units in one unit of a currency."""

SUB_DOLLAR_TICK = 0.0001
"""Price increment below $1.00 for US equities (SEC Regulation NMS, Rule 612)."""


class AssetKind(StrEnum):
    """Name the kinds of instruments the engine trades."""

    EQUITY = "equity"
    SPOT = "spot"
    PERPETUAL = "perpetual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """Describe one tradable symbol.

    `tick` is the price increment at or above one unit of currency, `lots_per_unit` the number of lots (the quantity
    increments) in one share, coin or contract, `multiplier` the currency value of one unit per point of price,
    `settlement_sessions` the sessions until cash of a trade settles (1 for US equities since 2024-05-28, SEC Rule
    15c6-1; 0 for crypto).
    """

    symbol: str
    kind: AssetKind
    currency: str
    tick: float
    lots_per_unit: int
    multiplier: float
    calendar: str
    sector: str
    settlement_sessions: int
    shortable: bool

    def tick_at(self, price: float) -> float:
        """Return the price increment that applies at `price`."""
        if self.kind is AssetKind.EQUITY and price < 1.0:
            return min(self.tick, SUB_DOLLAR_TICK)
        return self.tick

    def quantity(self, lots: int) -> Decimal:
        """Return `lots` in units (shares, coins, contracts), exact, for the wire and for people."""
        return Decimal(lots) / Decimal(self.lots_per_unit)


def notional_micro(price: float, lots: int, lots_per_unit: int, multiplier: float) -> int:
    """Return the value of `lots` at `price` in micro-units of the currency, rounded half up; sign follows `lots`."""
    return int(math.floor(price * lots / lots_per_unit * multiplier * 1e6 + 0.5))


def lots_for(value: float, price: float, lots_per_unit: int, multiplier: float) -> int:
    """Return the whole lots that `value` (currency units) buys at `price`, rounded down; 0 when not even one."""
    return int(math.floor(value / (price * multiplier) * lots_per_unit))


def round_down(price: float, tick: float) -> float:
    """Round `price` down to a multiple of `tick`, forgiving representation error of half a millionth of a tick."""
    return math.floor(price / tick + 5e-7) * tick


def round_up(price: float, tick: float) -> float:
    """Round `price` up to a multiple of `tick`, forgiving representation error of half a millionth of a tick."""
    return math.ceil(price / tick - 5e-7) * tick
