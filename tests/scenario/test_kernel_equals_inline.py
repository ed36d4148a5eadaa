"""Hold the kernel to the inline engine: every equity figure and every round trip, to the last digit.

One book, one strategy, one symbol, whole fills: the cases the first kernel covers (its docstring lists the order of
operations both follow).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import yaml

from cli.drive import drive
from cli.inline_engine import InlineEngine
from cli.plan import EnginePlan, SessionPlan
from config.loader import SHIPPED, load
from config.settings import Settings
from domain.bars import BarTable
from domain.instruments import MICRO
from domain.portfolio import Portfolio
from domain.positions import Trade
from domain.records import CashEntry, ExecutionEntry
from domain.signals import Signal
from domain.strategies.evaluator import BlockEvaluator
from domain.strategies.history import symbol_bars
from domain.strategies.protocol import SignalArrays, StrategyInstance
from domain.strategies.registry import discover
from simulation.importing.importer import import_bars
from simulation.kernel_run import KernelResult, run_kernel
from simulation.synthetic import MarketSpec, synthesise
from storage.catalogue import write_bars
from storage.engine import sqlite_url
from storage.journal_reader import JournalReader

DEADLINE_S = 60.0


def configuration(directory: Path, strategy: str, parameters: dict[str, float]) -> Settings:
    """Write and load the configuration of one independent strategy whose orders fill whole and whose halts last."""
    directory.mkdir()
    book = {
        "id": "main",
        "share": 1.0,
        "rule": "independent",
        "min_votes": 1,
        "allow_short": False,
        "strategies": ["only"],
    }
    broker = yaml.safe_load((SHIPPED / "broker.yaml").read_text())
    risk = yaml.safe_load((SHIPPED / "risk_management.yaml").read_text())
    broker["partial_fills"] = False
    risk["halt"]["resume_after_sessions"] = 0
    files = {
        "strategies": {"strategies": [{"id": "only", "strategy": strategy, "parameters": parameters}]},
        "books": {"books": [book]},
        "broker": broker,
        "risk_management": risk,
    }
    for name, content in files.items():
        (directory / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return load(directory, os.environ, discover().definitions)


def run_inline(settings: Settings, table: BarTable, state: Path) -> tuple[list[float], tuple[Trade, ...]]:
    """Return the equity after each bar and the round trips of the inline engine."""
    state.mkdir()
    write_bars(state / "bars.parquet", table)
    session = SessionPlan(number=1, first=0, state_dir=state, bars=state / "bars.parquet")
    engine = InlineEngine(EnginePlan(settings=settings, table=table, session=session, pace_s=0.0))
    try:
        drive(engine, stop_requested=str, show=lambda states: None, stall_s=DEADLINE_S, stop_s=DEADLINE_S)
    finally:
        engine.close()
    risk = JournalReader.open(sqlite_url(state / "risk.db"), "risk")
    equity = [snapshot.equity for snapshot in risk.equity()]
    risk.close()
    account = settings.engine.account
    cash = {account.currency: round(account.initial_cash * MICRO)}
    portfolio = Portfolio([settings.instrument(table.symbols[0])], cash, account.currency)
    gateway = JournalReader.open(sqlite_url(state / "gateway.db"), "gateway")
    for entry in gateway.entries(0, 1_000_000):
        if isinstance(entry, ExecutionEntry | CashEntry):
            portfolio.apply(entry)
    gateway.close()
    return equity, portfolio.trades()


def run_compiled(
    settings: Settings, table: BarTable, strategy: str, parameters: dict[str, float]
) -> KernelResult:
    """Return what the kernel makes of the same bars and the same signals."""
    symbol = table.symbols[0]
    definition = discover().get(strategy)
    instance = StrategyInstance(
        strategy_id="only", definition=definition, parameters=definition.parameters(**parameters)
    )
    bars = symbol_bars(table, symbol)
    evaluator = BlockEvaluator(instance, [bars], table.bar_ns, table.continuous)
    direction, confidence = np.zeros(len(bars), np.int8), np.zeros(len(bars))
    for group in table.groups():
        said = evaluator.evaluate(group)[0]
        if isinstance(said, Signal):
            direction[group.index], confidence[group.index] = said.direction, said.confidence
    instrument = settings.instrument(symbol)
    return run_kernel(
        bars,
        SignalArrays(direction, confidence),
        dividend=table.dividend,
        instrument=instrument,
        max_lots=settings.hard_limits([symbol]).max_order_lots[symbol],
        cash_micro=round(settings.engine.account.initial_cash * MICRO),
        limits=settings.risk_limits(),
        fees=settings.fee_schedule(instrument.kind),
        allow_short=False,
        keep_equity=True,
    )


def agree(table: BarTable, strategy: str, parameters: dict[str, float], where: Path) -> int:
    """Assert that both give the same and return the number of round trips."""
    settings = configuration(where / "config", strategy, parameters)
    equity, trades = run_inline(settings, table, where / "state")
    kernel = run_compiled(settings, table, strategy, parameters)
    assert equity == kernel.equity.tolist()
    assert [trade.entry_bar for trade in trades] == kernel.trades.entry_bar.tolist()
    assert [trade.exit_bar for trade in trades] == kernel.trades.exit_bar.tolist()
    assert [trade.pnl_micro for trade in trades] == kernel.trades.pnl_micro.tolist()
    return len(trades)


@pytest.mark.parametrize(
    ("strategy", "parameters"),
    [("momentum", {"lookback": 20}), ("mean_reversion", {"period": 10, "threshold": 1.5})],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_synthetic_market_trades_alike_in_kernel_and_engine(
    strategy: str, parameters: dict[str, float], seed: int, tmp_path: Path
) -> None:
    table = synthesise(MarketSpec(seed=seed, symbols=("AAA",), first=date(2001, 1, 2), sessions=600))
    assert agree(table, strategy, parameters, tmp_path) > 0


@pytest.mark.parametrize(
    ("file", "symbol", "strategy", "parameters"),
    [
        ("us_equity_1d.parquet", "AAPL", "momentum", {"lookback": 20}),
        ("us_equity_1d.parquet", "AIG", "mean_reversion", {"period": 10, "threshold": 1.5}),
        ("us_equity_1d.parquet", "GOOGL", "vwap", {"period": 10}),
        ("crypto_spot_1h.parquet", "BTC/USD@coinbase", "momentum", {}),
    ],
)
def test_real_bars_trade_alike_in_kernel_and_engine(
    file: str,
    symbol: str,
    strategy: str,
    parameters: dict[str, float],
    data_file: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    settings = load(None, os.environ)
    imported = import_bars(
        data_file(file),
        symbols=[symbol],
        start=None,
        end=None,
        instruments=settings.instrument,
        kept_aside=None,
    )
    assert agree(imported.table, strategy, parameters, tmp_path) > 20
