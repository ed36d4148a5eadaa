"""Build bars for the strategies' tests: by hand, at random, and from sample data of real shares."""

from __future__ import annotations

import csv
import datetime
import gzip
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib import resources

import numpy as np
from hypothesis import strategies as st

from domain.bars import Bar, BarGroup, SymbolBars

MINUTE_NS = 60_000_000_000
DAY_NS = 1_440 * MINUTE_NS
EPOCH_ORDINAL = datetime.date(1970, 1, 1).toordinal()


def bars_of(
    closes: Sequence[float],
    *,
    highs: Sequence[float] | None = None,
    lows: Sequence[float] | None = None,
    volumes: Sequence[float] | None = None,
    sessions: Sequence[int] | None = None,
    bar_ns: int = DAY_NS,
    open_ns: Sequence[int] | None = None,
) -> SymbolBars:
    """Return bars of one symbol; what is not given comes from the closes, a bar per `bar_ns` from 1970 on."""
    n = len(closes)
    opens = list(range(0, n * bar_ns, bar_ns)) if open_ns is None else list(open_ns)
    days = [EPOCH_ORDINAL + t // DAY_NS for t in opens] if sessions is None else list(sessions)
    return SymbolBars(
        symbol="X",
        bar_ns=bar_ns,
        open_ns=np.array(opens, np.int64),
        session=np.array(days, np.int32),
        open=np.array(closes, np.float64),
        high=np.array(closes if highs is None else highs, np.float64),
        low=np.array(closes if lows is None else lows, np.float64),
        close=np.array(closes, np.float64),
        volume=np.array([1_000.0] * n if volumes is None else volumes, np.float64),
    )


def cut(bars: SymbolBars, start: int, stop: int) -> SymbolBars:
    """Return `bars[start:stop]`, copied, so that memory is laid out anew."""
    return SymbolBars(
        symbol=bars.symbol,
        bar_ns=bars.bar_ns,
        **{
            name: getattr(bars, name)[start:stop].copy()
            for name in ("open_ns", "session", "open", "high", "low", "close", "volume")
        },
    )


def groups_of(*series: SymbolBars) -> list[BarGroup]:
    """Return the bars of `series` as the feed brings them: by opening time, in each group by symbol."""
    rows: dict[int, tuple[int, list[Bar]]] = {}
    for bars in series:
        columns = (bars.open_ns, bars.session, bars.open, bars.high, bars.low, bars.close, bars.volume)
        for open_ns, session, *values in zip(*(column.tolist() for column in columns), strict=True):
            o, high, low, close, volume = values
            bar = Bar(bars.symbol, o, high, low, close, volume, 0.0)
            rows.setdefault(open_ns, (session, []))[1].append(bar)
    ordered = sorted(rows.items())
    return [
        BarGroup(i, open_ns, open_ns + series[0].bar_ns, session, tuple(sorted(bars)))
        for i, (open_ns, (session, bars)) in enumerate(ordered)
    ]


@st.composite
def walks(
    draw: st.DrawFn, *, max_size: int = 400, bar_ns: int | None = None, latest_day: int = 5_000
) -> SymbolBars:
    """Draw a random walk with flat stretches, jumps, absent bars, and volumes that may be zero or absent."""
    size = (
        bar_ns
        if bar_ns is not None
        else draw(st.sampled_from([MINUTE_NS, 5 * MINUTE_NS, 60 * MINUTE_NS, DAY_NS]))
    )
    n = draw(st.integers(1, max_size))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    moves = rng.normal(0.0, draw(st.sampled_from([1e-4, 5e-3, 3e-2])), n)
    moves[rng.random(n) < draw(st.sampled_from([0.0, 0.5, 0.97]))] = 0.0
    moves[rng.random(n) < 0.01] += 0.5
    close = draw(st.sampled_from([1e-7, 3.0, 100.0, 60_000.0])) * np.cumprod(1.0 + np.maximum(moves, -0.9))
    spread = np.where(rng.random(n) < 0.5, 0.0, np.abs(rng.normal(0.0, 2e-3, n)))
    volume = np.floor(rng.lognormal(8.0, 2.0, n))
    volume[rng.random(n) < draw(st.sampled_from([0.0, 0.1]))] = 0.0
    volume[rng.random(n) < draw(st.sampled_from([0.0, 0.0, 0.02, 1.0]))] = np.nan
    steps = rng.integers(1, draw(st.sampled_from([2, 4, 40])), n)
    opens = draw(st.integers(0, latest_day)) * DAY_NS + np.cumsum(steps) * size
    return bars_of(
        close.tolist(),
        highs=(close * (1.0 + spread)).tolist(),
        lows=(close * (1.0 - spread)).tolist(),
        volumes=volume.tolist(),
        bar_ns=size,
        open_ns=opens.tolist(),
    )


@cache
def sample(symbol: str) -> SymbolBars:
    """Return daily bars to 2013 of `symbol` (AAPL, FB, GOOG, IBM or MSFT), scaled by adjusted close."""
    path = resources.files("bokeh_sampledata") / "_data" / "stocks.csv.gz"
    with path.open("rb") as packed, gzip.open(packed, "rt", encoding="utf-8") as text:
        rows = sorted(row[1:] for row in csv.reader(text) if row[0] == symbol)
    days = [datetime.date.fromisoformat(row[0]).toordinal() for row in rows]
    numbers = np.array([row[1:] for row in rows], np.float64)
    scale = numbers[:, 5] / numbers[:, 3]
    return SymbolBars(
        symbol=symbol,
        bar_ns=DAY_NS,
        open_ns=np.array([(day - EPOCH_ORDINAL) * DAY_NS + 870 * MINUTE_NS for day in days], np.int64),
        session=np.array(days, np.int32),
        open=numbers[:, 0] * scale,
        high=numbers[:, 1] * scale,
        low=numbers[:, 2] * scale,
        close=numbers[:, 3] * scale,
        volume=numbers[:, 4].copy(),
    )


def half_hours(symbol: str) -> SymbolBars:
    """Return the daily bars of `symbol` relabelled as half-hour bars, 13 a session."""
    bars = sample(symbol)
    index = np.arange(len(bars))
    days = 14_000 + index // 13 + index // 65 * 2
    return replace(
        bars,
        bar_ns=30 * MINUTE_NS,
        open_ns=days * DAY_NS + (870 + index % 13 * 30) * MINUTE_NS,
        session=(days + EPOCH_ORDINAL).astype(np.int32),
    )
