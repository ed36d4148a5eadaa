"""Run the portfolio loop of one strategy on one symbol as machine code, for sweeps.

`simulate` is plain Python that calls the functions of `domain/` by name; `simulation.compiled` turns it and them into
machine code. It must equal the inline runtime with one book (share 1.0, rule "independent"), one strategy, one symbol
and whole fills: trade for trade and digit for digit. Both sides therefore do, at each bar t, in this order:

1. First bar of a session: `day_start` becomes the equity of the last bar before (the opening cash at the first bar),
   and a daily loss no longer binds.
2. Dividend, at the open, on the lots held since before: `notional_micro(dividend, lots)`; a short pays.
3. The order decided at t-1 fills whole at `market_fill_price(open, side, slippage)`, with `commission_micro`. An
   entry sets the stop: `stop_price_for(fill price, ...)`.
4. The stop, on the bar of entry too: `stop_trigger` on this bar; the slippage worsens its price, commission is paid.
5. Mark at the close: `equity = account_equity(cash, (market_value(close, lots),))`; `peak = raised_peak(peak, equity)`.
6. `daily_loss(day_start, equity)` and `drawdown(peak, equity)`. Once the daily loss has reached its limit, it binds to
   the end of the session; once the drawdown has, it binds to the end of the run (the halt ladder, with its resumes and
   its higher rungs, is not part of this kernel).
7. Signal. Direction against the position closes all of it, at any confidence; direction with it holds. From flat,
   +1 buys, and -1 sells short where `allow_short`: `position_size(confidence, equity, heat 0.0, free_capital(1.0,
   equity, 0.0, cash), symbol_room(equity, 0.0))` in USD, `lots_for` at the close (none: refused), then every check of
   `domain.risk.checks` by `refusal`, with a mark of age 0. While a loss binds there are no entries. What is left is
   the order for t+1, a market order at its open; one decided on the last bar never fills.

Cash is all cash, settled or not. A round trip's profit is its flows less its commissions, in micro-units.
"""

from __future__ import annotations

from domain.bars import Floats
from domain.equity import account_equity, market_value
from domain.fills import commission_micro, market_fill_price, stop_price_for, stop_trigger
from domain.instruments import MICRO, lots_for, notional_micro
from domain.risk.heat import position_risk
from domain.risk.limits import FeeSchedule, RiskLimits
from domain.risk.loss import daily_loss, drawdown, loss_binds, raised_peak
from domain.risk.measures import OrderFigures, refusal
from domain.risk.sizing import free_capital, position_size, symbol_room
from simulation.kernel_state import (
    EXIT_BY_SIGNAL,
    EXIT_BY_STOP,
    FLAT,
    NO_TRIP,
    Columns,
    End,
    Held,
    Traded,
    Trades,
    Trip,
    Watch,
)


def enter(price: float, bar: int, lots: int, traded: Traded, limits: RiskLimits, fees: FeeSchedule) -> Held:
    """Return the position that an entry of signed `lots` at the open `price` makes, its stop set."""
    side = 1 if lots > 0 else -1
    filled = market_fill_price(price, side, fees.slippage_bps)
    flow = -side * notional_micro(filled, side * lots, traded.lots_per_unit, traded.multiplier)
    paid = commission_micro(filled, side * lots, traded.lots_per_unit, traded.multiplier, fees)
    stop = stop_price_for(filled, side, limits.stop_loss_percent, traded.tick, traded.small_tick)
    return Held(lots, filled, stop, bar, flow, paid, 0)


def with_dividend(held: Held, paid_micro: int) -> Held:
    """Return `held` after a dividend (numba knows no `_replace`)."""
    received = held.dividends_micro + paid_micro
    return Held(held.lots, held.price, held.stop, held.bar, held.flow_micro, held.commission_micro, received)


def leave(
    price: float, bar: int, kind: int, held: Held, traded: Traded, fees: FeeSchedule
) -> tuple[int, Trip]:
    """Return the cash that closing `held` at `price` (before slippage) brings in, and the round trip it ends."""
    side = -1 if held.lots > 0 else 1
    lots = -side * held.lots
    filled = market_fill_price(price, side, fees.slippage_bps)
    flow = -side * notional_micro(filled, lots, traded.lots_per_unit, traded.multiplier)
    paid = commission_micro(filled, lots, traded.lots_per_unit, traded.multiplier, fees)
    commission = held.commission_micro + paid
    profit = held.flow_micro + flow - commission
    received = held.dividends_micro
    trip = Trip(held.bar, bar, held.lots, held.price, filled, profit, commission, received, kind)
    return flow - paid, trip


def new_session(watch: Watch) -> Watch:
    """Return `watch` as a session begins: the day starts at the last equity, and nothing is lost of it yet."""
    return Watch(watch.equity, watch.peak, watch.equity, 0.0, watch.fallen, False, watch.peak_lost)


def marked(watch: Watch, close: float, cash: int, lots: int, traded: Traded, limits: RiskLimits) -> Watch:
    """Return `watch` after the mark at `close`, its losses measured against their limits."""
    value = market_value(close, lots, traded.lots_per_unit, traded.multiplier)
    equity = account_equity(cash, (value,))
    peak = raised_peak(watch.peak, equity)
    lost, fallen = daily_loss(watch.day_start, equity), drawdown(peak, equity)
    day_lost = watch.day_lost or loss_binds(lost, limits.max_daily_loss)
    fell = limits.drawdown_protection and loss_binds(fallen, limits.max_total_drawdown)
    return Watch(equity, peak, watch.day_start, lost, fallen, day_lost, watch.peak_lost or fell)


def entry_lots(
    price: float, side: int, confidence: float, cash: int, watch: Watch, traded: Traded, limits: RiskLimits
) -> int:
    """Return the signed lots of an entry from flat, sized at mark `price` and checked; 0 when refused."""
    equity = watch.equity
    power = cash / MICRO
    capital = free_capital(1.0, equity, 0.0, power)
    size, _ = position_size(confidence, equity, 0.0, capital, symbol_room(equity, 0.0, limits), limits)
    if size == 0.0:
        return 0
    lots = lots_for(size, price, traded.lots_per_unit, traded.multiplier)
    if lots == 0:
        return 0
    value = market_value(price, lots, traded.lots_per_unit, traded.multiplier)
    signed = side * value
    heat = position_risk(value, limits.stop_loss_percent, equity)
    lost, fallen = watch.lost, watch.fallen
    figures = OrderFigures(
        value, False, 0, 0.0, lots, traded.max_lots,
        equity, signed, signed, value, signed, value, heat,
        value, equity, power, 1, 1, lost, fallen,
    )  # fmt: skip
    if refusal(figures, limits) != 0:
        return 0
    return side * lots


def signal_order(
    direction: int,
    confidence: float,
    close: float,
    held_lots: int,
    cash: int,
    allow_short: bool,
    watch: Watch,
    traded: Traded,
    limits: RiskLimits,
) -> tuple[int, bool]:
    """Return the order, in signed lots, that a bar's signal leads to (0: none), and whether an entry was refused."""
    if held_lots != 0:
        return (-held_lots if held_lots * direction < 0 else 0), False
    if direction == 0 or (direction < 0 and not allow_short):
        return 0, False
    if watch.day_lost or watch.peak_lost:
        return 0, True
    side = 1 if direction > 0 else -1
    lots = entry_lots(close, side, confidence, cash, watch, traded, limits)
    return lots, lots == 0


def trade_bar(
    t: int,
    open_: float,
    high: float,
    low: float,
    dividend: float,
    order: int,
    cash: int,
    held: Held,
    traded: Traded,
    limits: RiskLimits,
    fees: FeeSchedule,
) -> tuple[int, Held, Trip]:
    """Carry out a bar's dividend, the `order` at its open and the stop; return cash, position and a trip that ended.

    At most one can end: after an exit at the open nothing is left for the stop.
    """
    trip = NO_TRIP
    if held.lots != 0 and dividend != 0.0:
        paid = notional_micro(dividend, held.lots, traded.lots_per_unit, traded.multiplier)
        cash += paid
        held = with_dividend(held, paid)
    if order != 0 and held.lots == 0:
        held = enter(open_, t, order, traded, limits, fees)
        cash += held.flow_micro - held.commission_micro
    elif order != 0:
        brought, trip = leave(open_, t, EXIT_BY_SIGNAL, held, traded, fees)
        cash += brought
        held = FLAT
    if held.lots != 0:
        side = -1 if held.lots > 0 else 1
        hit, price = stop_trigger(side, held.stop, open_, high, low)
        if hit:
            brought, trip = leave(price, t, EXIT_BY_STOP, held, traded, fees)
            cash += brought
            held = FLAT
    return cash, held, trip


def record(trades: Trades, place: int, trip: Trip) -> None:
    """Write `trip` as row `place`."""
    trades.entry_bar[place] = trip.entry_bar
    trades.exit_bar[place] = trip.exit_bar
    trades.lots[place] = trip.lots
    trades.entry_price[place] = trip.entry_price
    trades.exit_price[place] = trip.exit_price
    trades.pnl_micro[place] = trip.pnl_micro
    trades.commission_micro[place] = trip.commission_micro
    trades.dividends_micro[place] = trip.dividends_micro
    trades.exit_kind[place] = trip.exit_kind


def simulate(
    columns: Columns,
    cash: int,
    allow_short: bool,
    traded: Traded,
    limits: RiskLimits,
    fees: FeeSchedule,
    trades: Trades,
    curve: Floats,
) -> End:
    """Run all bars; fill `trades` (room for one a bar) and, unless it is empty, the equity `curve`."""
    held = FLAT
    order = count = refused = 0
    opening = account_equity(cash, (0.0,))
    watch = Watch(opening, opening, opening, 0.0, 0.0, False, False)
    # Arrays are taken out of their tuple once: numba counts references each time one is.
    open_, high, low, close, dividend, session, direction, confidence = columns
    for t in range(len(close)):
        if t > 0 and session[t] != session[t - 1]:
            watch = new_session(watch)
        if order != 0 or held.lots != 0:
            cash, held, trip = trade_bar(
                t, open_[t], high[t], low[t], dividend[t], order, cash, held, traded, limits, fees
            )
            if trip.lots != 0:
                record(trades, count, trip)
                count += 1
        watch = marked(watch, close[t], cash, held.lots, traded, limits)
        if len(curve) > 0:
            curve[t] = watch.equity
        order, no = signal_order(
            direction[t], confidence[t], close[t], held.lots, cash, allow_short, watch, traded, limits
        )
        refused += no
    return End(cash, held.lots, count, refused)
