"""Layouts are told by their columns; what holds no bars is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import DataError
from simulation.importing.layouts import Adjustment, plain_name, recognise

FILE = Path("prices.csv")
OHLC = ["open", "high", "low", "close"]


@pytest.mark.parametrize(
    ("columns", "adjustment", "name"),
    [
        (
            ["ts", "symbol", *OHLC, "volume", "adj_close", "dividend", "split"],
            Adjustment.SPLITS,
            "raw with split and dividend",
        ),
        (
            ["Date", "Open", "High", "Low", "Close", "Adj Close", "Volume"],
            Adjustment.ADJUSTED_CLOSE,
            "raw with adj_close",
        ),
        (
            ["Ticker", "Date", "Open", "High", "Low", "Close", "Volume", "Adj Close"],
            Adjustment.ADJUSTED_CLOSE,
            "raw with adj_close",
        ),
        (["timestamp", *OHLC, "volume"], Adjustment.AS_GIVEN, "prices as given"),
        (
            ["Date", *OHLC, "Volume", "Dividends", "Stock Splits"],
            Adjustment.SPLITS,
            "raw with split and dividend",
        ),
        (["time", "o", "h", "l", "c", "v"], Adjustment.AS_GIVEN, "prices as given"),
        (
            ["timestamp", "1. open", "2. high", "3. low", "4. close", "5. volume"],
            Adjustment.AS_GIVEN,
            "prices as given",
        ),
        (["date", *OHLC, "dividend"], Adjustment.AS_GIVEN, "prices as given with dividend"),
    ],
)
def test_each_known_layout_is_recognised(columns: list[str], adjustment: Adjustment, name: str) -> None:
    layout = recognise(FILE, columns)
    assert (layout.adjustment, layout.name) == (adjustment, name)


def test_columns_that_are_not_read_are_named() -> None:
    assert recognise(FILE, ["ts", "symbol", *OHLC, "volume", "vwap", "trades"]).ignored == ("vwap", "trades")


def test_date_and_time_in_two_columns_make_one_stamp() -> None:
    layout = recognise(FILE, ["Date", "Time", *OHLC])
    assert (layout.stamp, layout.stamp_time) == ("Date", "Time")
    assert layout.ignored == ()


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (["ts", "symbol", "funding_rate"], "funding rates"),
        (["ts", "symbol", "bid", "ask", "bid_size"], "quote ticks"),
        (["ts", "symbol", "price", "size", "side", "trade_id"], "trade ticks"),
        (["ts", "symbol", "open", "high", "low"], "no column for close"),
        (OHLC, "no column for stamp"),
        (["a"], "no column for stamp, open, high, low, close"),
        ([], "columns found: none"),
    ],
)
def test_what_holds_no_bars_is_refused_with_what_was_found_and_what_is_known(
    columns: list[str], said: str
) -> None:
    with pytest.raises(DataError, match=r"prices\.csv") as refusal:
        recognise(FILE, columns)
    assert said in str(refusal.value)
    assert "Known layouts" in str(refusal.value)


def test_two_columns_of_one_meaning_are_refused() -> None:
    with pytest.raises(DataError, match="'Open' and 'open'"):
        recognise(FILE, ["date", "Open", "open", "high", "low", "close"])


@pytest.mark.parametrize(
    ("column", "plain"),
    [(" Adj Close ", "adj_close"), ("1. open", "open"), ("Close/Last", "close_last"), ("OPEN", "open")],
)
def test_names_are_compared_plain(column: str, plain: str) -> None:
    assert plain_name(column) == plain
