"""Stay on the side of the volume-weighted average price that the close is on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.bars import Floats, Ints, SymbolBars
from domain.strategies.blocks import DAY_NS
from domain.strategies.grading import graded
from domain.strategies.indicators import DEVIATION_FLOOR, rolling_max, rolling_min, rolling_sum
from domain.strategies.protocol import Fault, Range, SignalArrays, StrategyDefinition


class Anchor(StrEnum):
    """Say where the average begins: at the session's first bar, `period` bars ago, or as suits the bars."""

    SESSION = "session"
    ROLLING = "rolling"
    AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class VwapParameters:
    """Set the anchor and the grading.

    `anchor` auto means session for bars shorter than a day, else rolling. `period` is the rolling window in
    bars; `min_session_bars` how many bars a session must have before its average counts. `threshold` and
    `span` are in volume-weighted standard deviations round the average.
    """

    anchor: Anchor = Anchor.AUTO
    period: int = 20
    min_session_bars: int = 5
    threshold: float = 0.5
    span: float = 1.5


class _Sums(NamedTuple):
    """Hold, per bar, sums over the window that ends there; `u` is typical price / the first of them - 1."""

    volume: Floats
    u: Floats
    u_squared: Floats
    missing: Floats
    traded: NDArray[np.bool_]
    moved: NDArray[np.bool_]
    counts: NDArray[np.bool_]


def _warmup(params: VwapParameters) -> int:
    session, rolling = params.min_session_bars - 1, params.period - 1
    wanted = {Anchor.SESSION: session, Anchor.ROLLING: rolling, Anchor.AUTO: max(session, rolling)}
    return max(1, wanted[params.anchor])


def _rolling(u: Floats, volume: Floats, missing: NDArray[np.bool_], period: int) -> _Sums:
    return _Sums(
        volume=rolling_sum(volume, period),
        u=rolling_sum(volume * u, period),
        u_squared=rolling_sum(volume * u * u, period),
        missing=rolling_sum(missing.astype(np.float64), period),
        traded=rolling_max(volume, period) > 0.0,
        moved=rolling_max(u, period) > rolling_min(u, period),
        counts=np.arange(len(u)) >= period - 1,
    )


def _since(start: Ints, values: NDArray[np.generic]) -> Floats:
    """Sum `values` from `start[i]` to i; cumsum adds in order, so no entry depends on what follows it."""
    total = np.zeros(len(values) + 1)
    np.cumsum(values, out=total[1:])
    return total[1:] - total[start]


def _session(bars: SymbolBars, u: Floats, volume: Floats, missing: NDArray[np.bool_], min_bars: int) -> _Sums:
    index = np.arange(len(u))
    first = np.ones(len(u), dtype=np.bool_)
    first[1:] = bars.session[1:] != bars.session[:-1]
    start = np.maximum.accumulate(np.where(first, index, 0))
    changed = ~first
    changed[1:] &= u[1:] != u[:-1]
    return _Sums(
        volume=_since(start, volume),
        u=_since(start, volume * u),
        u_squared=_since(start, volume * u * u),
        missing=_since(start, missing),
        traded=_since(start, volume > 0.0) > 0.0,
        moved=_since(start, changed) > 0.0,
        counts=index - start + 1 >= min_bars,
    )


def _signals(bars: SymbolBars, params: VwapParameters) -> SignalArrays:
    """Score = (close - VWAP) / volume-weighted deviation of the typical price; fail without volume."""
    typical = (bars.high + bars.low + bars.close) / 3.0
    # Measured from the first price, so that the difference of squares below does not cancel.
    u, close = typical / typical[0] - 1.0, bars.close / typical[0] - 1.0
    missing = np.isnan(bars.volume)
    volume = np.where(missing, 0.0, bars.volume)
    anchored = params.anchor is Anchor.SESSION or (params.anchor is Anchor.AUTO and bars.bar_ns < DAY_NS)
    sums = (
        _session(bars, u, volume, missing, params.min_session_bars)
        if anchored
        else _rolling(u, volume, missing, params.period)
    )
    no_volume = (sums.missing > 0.0) | (sums.counts & ~sums.traded)
    total = np.where(sums.traded, sums.volume, 1.0)
    vwap = sums.u / total
    variance = sums.u_squared / total - vwap * vwap
    floor = DEVIATION_FLOOR * (1.0 + vwap)
    flat = sums.counts & ~no_volume & (~sums.moved | (variance <= floor * floor))
    usable = sums.counts & ~no_volume & ~flat
    score = np.where(usable, (close - vwap) / np.sqrt(np.where(usable, variance, 1.0)), 0.0)
    faults = np.where(no_volume, np.int8(Fault.NO_VOLUME), flat * np.int8(Fault.ZERO_VARIANCE))
    return graded(score, params.threshold, params.span, faults)


VWAP = StrategyDefinition(
    name="vwap",
    summary="Long while the close is above its volume-weighted average price, out while it is below.",
    source="S. A. Berkowitz, D. E. Logue, E. A. Noser, The total cost of transactions on the NYSE, "
    "Journal of Finance 43 (1988); C. Zarattini, A. Aziz, Volume weighted average price (VWAP): "
    "the holy grail for day trading systems (2023)",
    parameters=VwapParameters,
    ranges={
        "period": Range(5, 120, 5),
        "min_session_bars": Range(2, 60, 1),
        "threshold": Range(0.0, 2.0, 0.25),
        "span": Range(0.25, 3.0, 0.25),
    },
    warmup=_warmup,
    signals=_signals,
)
