"""The default instances really trade: two votes are found often enough on real bars (requirement A3)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from domain.bars import SymbolBars
from domain.signals import Signal, SignalFailure
from domain.strategies.blocks import DAY_NS, MINUTE_NS, block_ns
from domain.strategies.evaluator import SymbolBlocks
from domain.strategies.protocol import StrategyInstance
from domain.strategies.registry import discover
from tests.real_data import data_directory
from tests.unit.domain.strategies.series import EPOCH_ORDINAL, sample

DEFAULT: dict[str, tuple[str, dict[str, Any]]] = {
    "momentum_fast": ("momentum", {"lookback": 20}),
    "momentum_slow": ("momentum", {"lookback": 60}),
    "mean_reversion_fast": ("mean_reversion", {"period": 10, "threshold": 1.5}),
    "mean_reversion_slow": ("mean_reversion", {"period": 20}),
    "vwap_fast": ("vwap", {"period": 10}),
    "vwap_slow": ("vwap", {"period": 20, "threshold": 1.0}),
}
MIN_VOTES = 2
MIN_CONFIDENCE = 0.6


def round_trips(bars: SymbolBars, continuous: bool) -> tuple[int, int]:
    """Return how often two votes bought and two later sold, and at how many bars a strategy failed."""
    registry, length = discover([]), block_ns(bars.bar_ns, continuous)
    blocks = []
    for key, (name, values) in DEFAULT.items():
        definition = registry.get(name)
        params = definition.parameters(**values)
        instance = StrategyInstance(strategy_id=key, definition=definition, parameters=params)
        blocks.append(SymbolBlocks(instance, bars, length))
    held, trips, failed = False, 0, 0
    for position in range(len(bars)):
        evaluations = [each.entry(position) for each in blocks]
        if any(isinstance(e, SignalFailure) for e in evaluations):
            failed += 1
            continue
        votes = [e for e in evaluations if isinstance(e, Signal) and e.confidence >= MIN_CONFIDENCE]
        bought = sum(vote.direction > 0 for vote in votes) >= MIN_VOTES
        sold = sum(vote.direction < 0 for vote in votes) >= MIN_VOTES
        if held and sold and not bought:
            held, trips = False, trips + 1
        elif bought and not sold:
            held = True
    return trips, failed


def test_daily_shares_make_hundreds_of_round_trips() -> None:
    trips = {
        symbol: round_trips(sample(symbol), continuous=False)
        for symbol in ("AAPL", "FB", "GOOG", "IBM", "MSFT")
    }
    assert sum(count for count, _ in trips.values()) > 200
    assert all(count > 0 and failed == 0 for count, failed in trips.values()), trips


def stored(file: str, symbol: str, stop: str, bar_ns: int) -> SymbolBars:
    folder = data_directory()
    if folder is None:
        pytest.skip("market data absent: set BREAKWATER_DATA, or put it into ../shared/data")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = parquet.read_table(folder / file, filters=[("symbol", "=", symbol)])
    opens = rows["ts"].to_numpy().astype("datetime64[ns]").astype(np.int64)
    early = opens < np.datetime64(stop, "ns").astype(np.int64)
    opens = opens[early]
    columns = {name: rows[name].to_numpy()[early] for name in ("open", "high", "low", "close", "volume")}
    session = (opens // DAY_NS + EPOCH_ORDINAL).astype(np.int32)
    return SymbolBars(symbol=symbol, bar_ns=bar_ns, open_ns=opens, session=session, **columns)


@pytest.mark.parametrize("symbol", ["AZO", "LII"])
def test_sparse_minute_bars_trade_and_seldom_fail(symbol: str) -> None:
    """Half of these bars are flat; a window without any move is rare all the same."""
    bars = stored("us_equity_1m.parquet", symbol, "2024-02-01", MINUTE_NS)
    trips, failed = round_trips(bars, continuous=False)
    assert trips >= 10
    assert failed <= len(bars) // 200


def test_hourly_coin_trades_and_seldom_fails() -> None:
    bars = stored("crypto_spot_1h.parquet", "BTC/USD@coinbase", "2100-01-01", 60 * MINUTE_NS)
    trips, failed = round_trips(bars, continuous=True)
    assert trips >= 100
    assert failed <= len(bars) // 200
