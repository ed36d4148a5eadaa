"""Synthesise a seeded market: regimes, correlation, overnight gaps, jumps and missing bars.

Model of log returns, per session:

* The market moves between four regimes, a Markov chain (Hamilton 1989, "A new approach to the economic analysis of
  nonstationary time series and the business cycle", Econometrica 57).
* A symbol's return is beta times the market's plus its own, each Gaussian with the regime's volatility, plus jumps that
  arrive as a Poisson process with Gaussian sizes (Merton 1976, "Option pricing when underlying stock returns are
  discontinuous", Journal of Financial Economics 3).
* In markets that close, a share of each session's variance falls into the gap before its first bar.
* High and low are the extremes of Brownian bridges from open to close (Glasserman 2004, "Monte Carlo methods in
  financial engineering", section 6.4), drawn apart from each other.
* Volume is log-normal and grows with the size of the move (Karpoff 1987, "The relation between price changes and
  trading volume", Journal of Financial and Quantitative Analysis 22).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from domain.bars import LARGEST_VOLUME, BarTable, Floats, Ints
from simulation.importing.sessions import EPOCH_ORDINAL, ROUND_THE_CLOCK, load_sessions
from simulation.importing.stamps import DAY_NS
from storage.bar_tables import BarColumns, build_table, stack

SESSIONS_PER_YEAR = 252.0

REGIMES = ("calm", "bull", "bear", "crash")
_DRIFT = np.array([0.06, 0.18, -0.20, -2.50]) / SESSIONS_PER_YEAR
_VOLATILITY = np.array([0.10, 0.15, 0.25, 0.65]) / np.sqrt(SESSIONS_PER_YEAR)
# Rows: from calm, bull, bear, crash. Mean stays: 100, 67, 33 and 8 sessions.
_TRANSITION = np.array(
    [
        [0.990, 0.006, 0.003, 0.001],
        [0.009, 0.985, 0.005, 0.001],
        [0.015, 0.010, 0.970, 0.005],
        [0.025, 0.025, 0.075, 0.875],
    ]
)
_MARKET_STREAM = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSpec:
    """Describe a market to synthesise; the same spec gives the same bars, a symbol's bars do not depend on the others.

    `bar_ns` is a day or a divisor of an hour. `correlation` (0 to below 1) is that of two symbols' returns without
    jumps, `overnight_share` the share of a session's variance in its gap (0 round the clock), `missing_share` the
    share of bars left out at random, `jumps_per_year` and `jump_volatility` those of each symbol's own jumps, `tick`
    the price increment in currency. Each symbol has 1 to 2 times the market's volatility.
    """

    seed: int
    symbols: tuple[str, ...]
    first: date
    sessions: int
    bar_ns: int = DAY_NS
    calendar: str = "XNYS"
    correlation: float = 0.4
    overnight_share: float = 0.2
    missing_share: float = 0.0
    jumps_per_year: float = 3.0
    jump_volatility: float = 0.04
    tick: float = 0.01

    def __post_init__(self) -> None:
        """Refuse values outside their ranges."""
        hour_ns = DAY_NS // 24
        if not self.symbols or len(set(self.symbols)) != len(self.symbols):
            raise ValueError(f"symbols must be given, each once; found {self.symbols}")
        if self.sessions < 1:
            raise ValueError(f"sessions must be at least 1, found {self.sessions}")
        if self.bar_ns != DAY_NS and (self.bar_ns <= 0 or hour_ns % self.bar_ns):
            raise ValueError(f"bar_ns must be a day or a divisor of an hour, found {self.bar_ns}")
        for name in ("correlation", "overnight_share", "missing_share"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} must lie in [0, 1), found {getattr(self, name)}")
        if self.jumps_per_year < 0.0 or self.jump_volatility < 0.0 or self.tick <= 0.0:
            raise ValueError("jumps_per_year and jump_volatility must not be negative, tick must be positive")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Grid:
    """Hold the bars of the market's hours: their moments, the session each lies in, and whether it opens one."""

    open_ns: Ints
    known_ns: Ints
    session: NDArray[np.int32]
    session_index: Ints
    opens_session: NDArray[np.bool_]
    share: Floats


def synthesise(spec: MarketSpec) -> BarTable:
    """Return the bars of the market that `spec` describes.

    Raises DataError when the calendar is unknown or does not hold as many sessions.
    """
    grid = _grid(spec)
    regimes = regime_path(spec.seed, spec.sessions)
    volatility = _VOLATILITY[regimes][grid.session_index]
    market = _generator(spec.seed, _MARKET_STREAM + 1).standard_normal((2, len(grid.open_ns)))
    parts = [
        _symbol_bars(spec, i, name, grid, market, volatility, regimes) for i, name in enumerate(spec.symbols)
    ]
    return build_table(spec.symbols, spec.bar_ns, spec.calendar == ROUND_THE_CLOCK, stack(parts))


def regime_path(seed: int, sessions: int) -> Ints:
    """Return the index into REGIMES of each session, starting calm."""
    draws = _generator(seed, _MARKET_STREAM).random(sessions)
    bounds = _TRANSITION.cumsum(axis=1)
    path = np.zeros(sessions, dtype=np.int64)
    for i in range(1, sessions):
        path[i] = min(int(np.searchsorted(bounds[path[i - 1]], draws[i], side="right")), len(REGIMES) - 1)
    return path


def _generator(seed: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, stream])))


def _grid(spec: MarketSpec) -> _Grid:
    years = int(spec.sessions / 250) + 2
    if spec.calendar == ROUND_THE_CLOCK:
        ordinal = np.arange(spec.first.toordinal(), spec.first.toordinal() + spec.sessions, dtype=np.int32)
        opens = (ordinal.astype(np.int64) - EPOCH_ORDINAL) * DAY_NS
        closes = opens + DAY_NS
    else:
        held = load_sessions(spec.calendar, spec.first.year, spec.first.year + years)
        at = np.searchsorted(held.ordinal, spec.first.toordinal()) + np.arange(spec.sessions)
        ordinal, opens, closes = held.ordinal[at], held.open_ns[at], held.close_ns[at]
    daily = spec.bar_ns == DAY_NS
    counts = np.ones(spec.sessions, dtype=np.int64) if daily else (closes - opens) // spec.bar_ns
    index = np.repeat(np.arange(spec.sessions), counts)
    step = np.arange(len(index)) - np.repeat(counts.cumsum() - counts, counts)
    open_ns = opens[index] if daily else opens[index] + step * spec.bar_ns
    return _Grid(
        open_ns=open_ns,
        known_ns=closes[index] if daily else open_ns + spec.bar_ns,
        session=ordinal[index],
        session_index=index,
        opens_session=step == 0,
        share=1.0 / counts[index],
    )


def _symbol_bars(
    spec: MarketSpec,
    symbol_id: int,
    name: str,
    grid: _Grid,
    market: Floats,
    volatility: Floats,
    regimes: Ints,
) -> BarColumns:
    draw = _generator(spec.seed, 2 + zlib.crc32(name.encode()))
    count = len(grid.open_ns)
    shocks = np.sqrt(spec.correlation) * market
    shocks = shocks + np.sqrt(1.0 - spec.correlation) * draw.standard_normal((2, count))
    gap_share = 0.0 if spec.calendar == ROUND_THE_CLOCK else spec.overnight_share
    own_volatility = volatility * draw.uniform(1.0, 2.0)
    inside = own_volatility * np.sqrt((1.0 - gap_share) * grid.share)
    jumps = draw.poisson(spec.jumps_per_year / SESSIONS_PER_YEAR * grid.share)
    jump = draw.standard_normal(count) * spec.jump_volatility * np.sqrt(jumps)
    move = _DRIFT[regimes][grid.session_index] * grid.share + inside * shocks[0] + jump
    gap = np.where(grid.opens_session, own_volatility * np.sqrt(gap_share) * shocks[1], 0.0)
    close = np.log(draw.uniform(20.0, 200.0)) + np.cumsum(gap + move)
    open_ = close - move
    high, low = _bridge_extremes(draw, open_, close, inside)
    size = np.abs(move) / np.maximum(inside, 1e-12)
    traded = np.floor(np.exp(draw.normal(13.0, 0.3, count) + 0.25 * size) * grid.share) + 1.0
    present = draw.random(count) >= spec.missing_share
    return BarColumns(
        symbol_id=np.full(count, symbol_id, dtype=np.int16),
        open_ns=grid.open_ns,
        known_ns=grid.known_ns,
        session=grid.session,
        open=_on_tick(np.exp(open_), spec.tick),
        high=_on_tick(np.exp(high), spec.tick),
        low=_on_tick(np.exp(low), spec.tick),
        close=_on_tick(np.exp(close), spec.tick),
        volume=np.minimum(traded, LARGEST_VOLUME),
        dividend=np.zeros(count),
    ).take(present)


def _on_tick(price: Floats, tick: float) -> Floats:
    """Return `price` on the nearest tick, at least one; written as the decimal where ticks divide one unit."""
    ticks = np.maximum(np.round(price / tick), 1.0)
    per_unit = round(1.0 / tick)
    return np.asarray(ticks / per_unit if abs(per_unit * tick - 1.0) < 1e-9 else ticks * tick)


def _bridge_extremes(
    draw: np.random.Generator, first: Floats, last: Floats, volatility: Floats
) -> tuple[Floats, Floats]:
    """Return the maximum and minimum of Brownian bridges from `first` to `last` with these standard deviations."""
    spread = -2.0 * volatility * volatility
    move = last - first
    high = 0.5 * (first + last + np.sqrt(move * move + spread * np.log(1.0 - draw.random(len(first)))))
    low = 0.5 * (first + last - np.sqrt(move * move + spread * np.log(1.0 - draw.random(len(first)))))
    return np.maximum(high, np.maximum(first, last)), np.minimum(low, np.minimum(first, last))
