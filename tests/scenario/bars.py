"""Write the small bar files that whole-engine tests trade."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from domain.bars import BarTable
from simulation.synthetic import MarketSpec, synthesise

SYMBOLS = ("AAA", "BBB", "CCC")
HEADER = "date,symbol,open,high,low,close,volume"
FIRST = date(2015, 1, 5)


def market(seed: int = 7, sessions: int = 120, symbols: tuple[str, ...] = SYMBOLS) -> BarTable:
    """Return daily bars of a synthetic market with jumps enough that stops trade too."""
    spec = MarketSpec(
        seed=seed, symbols=symbols, first=FIRST, sessions=sessions, jumps_per_year=12.0, jump_volatility=0.06
    )
    return synthesise(spec)


def rows(table: BarTable, *, volume: float | None = None) -> list[str]:
    """Return the bars as CSV rows in time order; `volume` overrides every bar's."""
    found = []
    for i in range(len(table.open)):
        prices = ",".join(f"{column[i]:.4f}" for column in (table.open, table.high, table.low, table.close))
        size = table.volume[i] if volume is None else volume
        day = date.fromordinal(int(table.session[i]))
        found.append(f"{day},{table.symbols[int(table.symbol_id[i])]},{prices},{size:.0f}")
    return found


def write_csv(path: Path, lines: Iterable[str]) -> Path:
    """Write `lines` below the header and return `path`."""
    path.write_text("\n".join((HEADER, *lines)) + "\n", encoding="utf-8")
    return path


def thin_market(path: Path, seed: int = 11) -> Path:
    """Write a market where every few bars hardly trade, so that orders are filled in parts, and return its path."""
    chance = random.Random(seed)
    volumes = [chance.choice((30, 60, 200, 100_000)) for _ in range(1_000)]
    lines = rows(market(seed))
    thin = [f"{line.rpartition(',')[0]},{volumes[i]}" for i, line in enumerate(lines)]
    return write_csv(path, thin)
