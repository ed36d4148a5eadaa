"""Name the tuples that the kernel takes, keeps and returns: scalars and columns only, as numba needs them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.bars import Floats, Ints

EXIT_BY_SIGNAL = 0
EXIT_BY_STOP = 1


class Traded(NamedTuple):
    """Be an instrument as scalars: `small_tick` is the price increment below 1.00, `max_lots` the largest order."""

    tick: float
    small_tick: float
    lots_per_unit: int
    multiplier: float
    max_lots: int


class Columns(NamedTuple):
    """Be the bars and signals, one entry a bar: prices, dividend per unit, session ordinal, direction, confidence."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    dividend: Floats
    session: NDArray[np.int32]
    direction: NDArray[np.int8]
    confidence: Floats


class Trades(NamedTuple):
    """Be the round trips in columns, by exit; `lots` are signed (negative: a short), bars are indices."""

    entry_bar: Ints
    exit_bar: Ints
    lots: Ints
    entry_price: Floats
    exit_price: Floats
    pnl_micro: Ints
    commission_micro: Ints
    dividends_micro: Ints
    exit_kind: Ints


class Trip(NamedTuple):
    """Be one row of `Trades`; `lots` 0 says that none ended."""

    entry_bar: int
    exit_bar: int
    lots: int
    entry_price: float
    exit_price: float
    pnl_micro: int
    commission_micro: int
    dividends_micro: int
    exit_kind: int


class Held(NamedTuple):
    """Be the open position; all zero when flat. Flows and dividends are those of the round trip so far."""

    lots: int
    price: float
    stop: float
    bar: int
    flow_micro: int
    commission_micro: int
    dividends_micro: int


class Watch(NamedTuple):
    """Be the account at a bar's close; `day_lost` and `peak_lost` say that a loss limit binds (it stays so)."""

    equity: float
    peak: float
    day_start: float
    lost: float
    fallen: float
    day_lost: bool
    peak_lost: bool


class End(NamedTuple):
    """Be what is left at the end: `refused` counts entries that sizing, lots or a check refused."""

    cash_micro: int
    lots: int
    trades: int
    refused: int


FLAT = Held(0, 0.0, 0.0, 0, 0, 0, 0)
NO_TRIP = Trip(0, 0, 0, 0.0, 0.0, 0, 0, 0, EXIT_BY_SIGNAL)
