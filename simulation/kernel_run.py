"""Run the kernel on one symbol's bars and one strategy's signals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domain.bars import Floats, SymbolBars
from domain.instruments import AssetKind, Instrument
from domain.risk.limits import FeeSchedule, RiskLimits
from domain.strategies.protocol import SignalArrays
from simulation.compiled import compiled
from simulation.kernel import simulate
from simulation.kernel_state import Columns, Traded, Trades


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KernelResult:
    """Hold what a run did: round trips in columns, equity after each bar (empty unless asked for), what is left."""

    trades: Trades
    equity: Floats
    cash_micro: int
    lots: int
    refused: int


def traded_scalars(instrument: Instrument, max_lots: int) -> Traded:
    """Return `instrument`, whose largest order is `max_lots`, as the kernel takes it.

    Raises ValueError for a perpetual, whose margin it does not keep.
    """
    if instrument.kind is AssetKind.PERPETUAL:
        raise ValueError(f"{instrument.symbol} is a perpetual; the kernel trades equities and spot pairs")
    return Traded(
        tick=instrument.tick,
        small_tick=instrument.tick_at(0.0),
        lots_per_unit=instrument.lots_per_unit,
        multiplier=instrument.multiplier,
        max_lots=max_lots,
    )


def run_kernel(
    bars: SymbolBars,
    signals: SignalArrays,
    *,
    dividend: Floats,
    instrument: Instrument,
    max_lots: int,
    cash_micro: int,
    limits: RiskLimits,
    fees: FeeSchedule,
    allow_short: bool,
    keep_equity: bool,
) -> KernelResult:
    """Return what `signals` on `bars` lead to; `dividend` is the cash per unit that went ex at each bar's open.

    Raises ValueError when the columns differ in length, or the opening cash is not positive.
    """
    columns = _columns(bars, signals, dividend)
    if cash_micro <= 0:
        raise ValueError(f"cash_micro is {cash_micro}; it must be above 0")
    count = len(bars)
    trades = empty_trades(count)
    equity = np.empty(count if keep_equity else 0)
    traded = traded_scalars(instrument, max_lots)
    end = compiled(simulate)(columns, cash_micro, allow_short, traded, limits, fees, trades, equity)
    return KernelResult(
        trades=_first(trades, end.trades),
        equity=equity,
        cash_micro=end.cash_micro,
        lots=end.lots,
        refused=end.refused,
    )


def _columns(bars: SymbolBars, signals: SignalArrays, dividend: Floats) -> Columns:
    columns = Columns(
        open=np.ascontiguousarray(bars.open, dtype=np.float64),
        high=np.ascontiguousarray(bars.high, dtype=np.float64),
        low=np.ascontiguousarray(bars.low, dtype=np.float64),
        close=np.ascontiguousarray(bars.close, dtype=np.float64),
        dividend=np.ascontiguousarray(dividend, dtype=np.float64),
        session=np.ascontiguousarray(bars.session, dtype=np.int32),
        direction=np.ascontiguousarray(signals.direction, dtype=np.int8),
        confidence=np.ascontiguousarray(signals.confidence, dtype=np.float64),
    )
    lengths = {name: int(getattr(columns, name).size) for name in Columns._fields}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"columns differ in length: {lengths}")
    return columns


def _first(trades: Trades, count: int) -> Trades:
    return Trades._make(getattr(trades, name)[:count].copy() for name in Trades._fields)


def empty_trades(count: int) -> Trades:
    """Return room for `count` round trips; the system gives memory only to the rows that are written."""
    return Trades(
        entry_bar=np.empty(count, np.int64),
        exit_bar=np.empty(count, np.int64),
        lots=np.empty(count, np.int64),
        entry_price=np.empty(count),
        exit_price=np.empty(count),
        pnl_micro=np.empty(count, np.int64),
        commission_micro=np.empty(count, np.int64),
        dividends_micro=np.empty(count, np.int64),
        exit_kind=np.empty(count, np.int64),
    )
