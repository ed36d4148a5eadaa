"""Run the whole engine for a benchmark: five symbols of daily bars, the shipped configuration or three strategies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from cli.plan import EnginePlan, SessionPlan
from cli.registry import read_settings
from config.settings import Settings
from domain.bars import BarTable
from simulation.importing.importer import import_bars
from simulation.synthetic import MarketSpec, synthesise
from storage.catalogue import read_bars, write_bars
from tests.real_data import data_directory

SYMBOLS = ("AAPL", "JPM", "KO", "PEP", "XOM")
FIRST_DAY = date(2000, 1, 1)
SYNTHETIC_SESSIONS = 4_600
THREE = ("mean_reversion_fast", "momentum_fast", "vwap_fast")


def default_settings() -> Settings:
    """Return the shipped configuration, six strategies in one book."""
    return read_settings(None, dict(os.environ))


def three_strategies() -> Settings:
    """Return the shipped configuration with three of its strategies, two of which must agree."""
    shipped = default_settings()
    kept = [each for each in shipped.strategies.strategies if each.id in THREE]
    book = next(iter(shipped.books.books)).model_copy(update={"strategies": THREE})
    documents = {
        "strategies.yaml": {"strategies": [each.model_dump(mode="json", exclude_none=True) for each in kept]},
        "books.yaml": {"books": [book.model_dump(mode="json")]},
    }
    with TemporaryDirectory(prefix="breakwater-bench-") as folder:
        for name, document in documents.items():
            (Path(folder) / name).write_text(yaml.safe_dump(document), encoding="utf-8")
        return read_settings(Path(folder), dict(os.environ))


def daily_bars(settings: Settings, years: float | None = None) -> tuple[BarTable, int, str]:
    """Return daily bars of `SYMBOLS`, the first group to trade, and where they come from.

    They are real where those are at hand, and all there are, or as many `years` as are asked for.
    """
    folder = data_directory()
    file = None if folder is None else folder / "us_equity_1d.parquet"
    if file is None or not file.exists():
        sessions = SYNTHETIC_SESSIONS if years is None else round(years * 252)
        spec = MarketSpec(seed=7, symbols=SYMBOLS, first=FIRST_DAY, sessions=sessions)
        return synthesise(spec), 0, "synthetic daily bars"
    last = None if years is None else FIRST_DAY + timedelta(days=round(years * 365.25))
    imported = import_bars(
        file, symbols=SYMBOLS, start=FIRST_DAY, end=last, instruments=settings.instrument, kept_aside=None
    )
    return imported.table, imported.first_trading_group, "real daily bars"


@contextmanager
def planned(settings: Settings, table: BarTable, first: int, *, pace_s: float = 0.0) -> Iterator[EnginePlan]:
    """Plan a new session in a state directory that is removed afterwards; bars come `pace_s` apart at least."""
    with TemporaryDirectory(prefix="breakwater-bench-") as folder:
        state_dir = Path(folder)
        bars = state_dir / "bars.parquet"
        write_bars(bars, table)
        session = SessionPlan(number=1, first=first, state_dir=state_dir, bars=bars)
        yield EnginePlan(settings=settings, table=read_bars(bars), session=session, pace_s=pace_s)
