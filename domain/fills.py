"""Price fills and fees: the arithmetic that the simulated venue and the kernel share, digit for digit.

Every function takes scalars (or the `FeeSchedule` tuple) and is compiled by numba as it stands, so it uses only
`+ - * /`, comparisons, floor and ceil. `side_sign` is +1 for a buy and -1 for a sell, `position_sign` +1 for a long
and -1 for a short position. Prices are in the instrument's currency per unit.
"""

from __future__ import annotations

import math

from domain.instruments import round_down, round_up
from domain.risk.limits import FeeSchedule


def market_fill_price(price: float, side_sign: int, slippage_bps: float) -> float:
    """Return where a market order fills: `price` worsened by the slippage (a buy pays more, a sell gets less)."""
    return price + side_sign * (price * slippage_bps / 10_000.0)


def slippage_within(fill_price: float, side_sign: int, slippage_bps: float) -> float:
    """Return what slippage cost a unit (>= 0) of a market order filled at `fill_price`: the other way round."""
    return side_sign * (fill_price - fill_price / (1.0 + side_sign * slippage_bps / 10_000.0))


def stop_trigger(side_sign: int, stop: float, open_: float, high: float, low: float) -> tuple[bool, float]:
    """Return whether a stop order is hit within a bar, and the price before slippage (0.0 when not).

    A bar that opens at or beyond the stop fills at the open (a gap), else a touch of the stop fills at the stop. The
    same holds on the bar of entry, whose open is the moment from which the stop works.
    """
    if side_sign < 0:
        if open_ <= stop:
            return True, open_
        if low <= stop:
            return True, stop
    else:
        if open_ >= stop:
            return True, open_
        if high >= stop:
            return True, stop
    return False, 0.0


def limit_fill(side_sign: int, limit: float, open_: float, high: float, low: float) -> tuple[bool, float]:
    """Return whether a limit order fills within a bar, and its price (0.0 when not); no slippage applies.

    A bar that opens at the limit or better fills at the open; after that the market must trade *through* the limit,
    for a touch says nothing about a place in the queue.
    """
    if side_sign > 0:
        if open_ <= limit:
            return True, open_
        if low < limit:
            return True, limit
    else:
        if open_ >= limit:
            return True, open_
        if high > limit:
            return True, limit
    return False, 0.0


def stop_price_for(
    average_fill: float, position_sign: int, stop_pct: float, tick: float, small_tick: float
) -> float:
    """Return the protective stop of a position: `stop_pct` (a fraction) against it, on tick, away from the market.

    A sell stop is rounded down, a buy stop up. `tick` applies at or above 1.00, `small_tick` below (for an
    `Instrument`: `tick` and `tick_at(0.0)`).
    """
    raw = average_fill * (1.0 - position_sign * stop_pct)
    step = small_tick if raw < 1.0 else tick
    if position_sign > 0:
        return round_down(raw, step)
    return round_up(raw, step)


def commission_micro(
    price: float, lots: int, lots_per_unit: int, multiplier: float, fees: FeeSchedule
) -> int:
    """Return the commission of one whole order of `lots` (> 0) at average price `price`, in micro-units, half up.

    The floor is applied before the cap, so that the cap wins on small orders (as IB Fixed does). An order filled in
    parts is charged, at each part, this figure over all filled so far less what was charged before.
    """
    units = lots / lots_per_unit
    value = price * units * multiplier
    amount = fees.per_unit_usd * units
    if amount < fees.minimum_usd:
        amount = fees.minimum_usd
    cap = fees.maximum_fraction * value
    if amount > cap:
        amount = cap
    amount = amount + fees.value_bps * value / 10_000.0
    return int(math.floor(amount * 1e6 + 0.5))
