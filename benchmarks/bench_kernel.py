"""Measure the kernel: bars a second on one symbol, without signals and with a crossover of SMA 10 and 50.

Usage: python -m benchmarks.bench_kernel [BARS]     (default 500,000 one-minute bars, a seeded random walk)
The floor is 50 million bars a second without signals. The interpreted loop runs on a part of the bars, for the ratio.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Figure, report
from domain.bars import Floats
from domain.risk.limits import FeeSchedule, RiskLimits
from simulation.compiled import compiled
from simulation.kernel import simulate
from simulation.kernel_run import empty_trades
from simulation.kernel_state import Columns, End, Traded

FLOOR_BARS_PER_S = 50e6
RUNS = 15
INTERPRETED_BARS = 20_000
# Ten million dollars: sizes stay at their caps and no loss limit ends the trading.
CASH_MICRO = 10_000_000_000_000
SHARE = Traded(tick=0.01, small_tick=0.0001, lots_per_unit=1, multiplier=1.0, max_lots=100_000)
FEES = FeeSchedule(
    per_unit_usd=0.005, minimum_usd=1.0, maximum_fraction=0.01, value_bps=0.0, slippage_bps=5.0
)
LIMITS = RiskLimits(
    max_daily_loss=0.02,
    max_total_drawdown=0.10,
    max_portfolio_heat=0.25,
    heat_warnings=(0.15, 0.20, 0.25),
    max_single_position_risk=0.02,
    stop_loss_percent=0.03,
    position_size_min_usd=500.0,
    position_size_base_usd=2_000.0,
    position_size_max_usd=5_000.0,
    min_confidence=0.6,
    order_value_min_usd=100.0,
    order_value_max_usd=10_000.0,
    price_collar=0.05,
    max_open_orders_per_symbol=4,
    max_entries_without_fill=20,
    max_gross_exposure=1.0,
    max_net_exposure=1.0,
    max_sector_exposure=0.30,
    max_symbol_exposure=0.10,
    max_positions=10,
    halt_daily_loss=0.05,
    halt_drawdown=0.15,
    halt_heat=0.40,
    drawdown_protection=True,
    mark_max_age_bars=3,
    version=1,
)


def walk(bars: int) -> Columns:
    """Return a seeded random walk of one-minute bars, 390 a session, without signals."""
    rng = np.random.default_rng(20_26)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.0008, bars)))
    open_ = np.concatenate((close[:1], close[:-1]))
    return Columns(
        open=open_,
        high=np.maximum(open_, close) * 1.0003,
        low=np.minimum(open_, close) * 0.9997,
        close=close,
        dividend=np.zeros(bars),
        session=(np.arange(bars) // 390).astype(np.int32),
        direction=np.zeros(bars, np.int8),
        confidence=np.full(bars, 0.8),
    )


def average(values: Floats, window: int) -> Floats:
    """Return the simple moving average; NaN before it is full."""
    sums = np.concatenate(([0.0], np.cumsum(values)))
    result = np.full(len(values), np.nan)
    result[window - 1 :] = (sums[window:] - sums[:-window]) / window
    return result


def crossover(close: Floats) -> NDArray[np.int8]:
    """Return +1 where SMA 10 is above SMA 50, -1 where it is below."""
    fast, slow = average(close, 10), average(close, 50)
    return np.where(fast > slow, 1, np.where(fast < slow, -1, 0)).astype(np.int8)


def timed(loop: Callable[..., End], columns: Columns, runs: int) -> tuple[float, End]:
    """Return the median bars a second over `runs`, and what the run left."""
    bars = len(columns.close)
    trades, curve = empty_trades(bars), np.empty(0)
    rates = []
    end = End(0, 0, 0, 0)
    for _ in range(runs):
        start = time.perf_counter()
        end = loop(columns, CASH_MICRO, False, SHARE, LIMITS, FEES, trades, curve)
        rates.append(bars / (time.perf_counter() - start))
    return statistics.median(rates), end


def main(arguments: list[str]) -> int:
    """Measure, show and keep the figures; return 1 when the floor is missed."""
    quiet = walk(int(arguments[0]) if arguments else 500_000)
    busy = quiet._replace(direction=crossover(quiet.close))
    start = time.perf_counter()
    loop = compiled(simulate)
    timed(loop, busy, 1)
    first_s = time.perf_counter() - start
    still, _ = timed(loop, quiet, RUNS)
    moving, end = timed(loop, busy, RUNS)
    part = Columns._make(column[:INTERPRETED_BARS] for column in busy)
    slow, _ = timed(simulate, part, 1)
    how = f"median of {RUNS}, {len(quiet.close):,} one-minute bars of one symbol"
    return report(
        "kernel",
        [
            Figure("no signals", still / 1e6, "M bars/s", how, FLOOR_BARS_PER_S / 1e6),
            Figure(
                "SMA 10/50, costs and stops",
                moving / 1e6,
                "M bars/s",
                f"{how}, {end.trades:,} trades",
                beside=f"{moving / slow:,.0f} x interpreted",
            ),
            Figure("the same, interpreted", slow / 1e6, "M bars/s", f"one run, {INTERPRETED_BARS:,} bars"),
            Figure("first call", first_s, "s", "machine code made or loaded"),
        ],
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
