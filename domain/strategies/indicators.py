"""Give TA-Lib's rolling functions typed names.

All take float64 and return an array of the same length whose first entries, where the window is not full, are
NaN. Each entry is bit-equal whatever follows it; it may differ in its last bits when the array begins
elsewhere.
"""

from __future__ import annotations

from typing import cast

from domain.bars import Floats
from domain.strategies.talib_loader import load_talib

_talib = load_talib()

DEVIATION_FLOOR = 1e-7
"""Deviation, as a fraction of the price, at or below which a rule takes its window for constant: 0.001 bp."""


def rolling_sum(values: Floats, period: int) -> Floats:
    """Return the sum of the last `period` values."""
    return cast(Floats, _talib.SUM(values, timeperiod=period))


def rolling_mean(values: Floats, period: int) -> Floats:
    """Return the simple moving average of `period` values."""
    return cast(Floats, _talib.SMA(values, timeperiod=period))


def rolling_deviation(values: Floats, period: int) -> Floats:
    """Return the population standard deviation of the last `period` values."""
    return cast(Floats, _talib.STDDEV(values, timeperiod=period, nbdev=1.0))


def rolling_max(values: Floats, period: int) -> Floats:
    """Return the largest of the last `period` values, exactly."""
    return cast(Floats, _talib.MAX(values, timeperiod=period))


def rolling_min(values: Floats, period: int) -> Floats:
    """Return the smallest of the last `period` values, exactly."""
    return cast(Floats, _talib.MIN(values, timeperiod=period))


def rate_of_change(values: Floats, period: int) -> Floats:
    """Return value / value `period` bars ago - 1."""
    return cast(Floats, _talib.ROCP(values, timeperiod=period))
