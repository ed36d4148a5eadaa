from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.costs import Costs, trading_costs
from config.loader import load
from config.settings import Settings
from domain.broker import Executed, OrderType, Side
from domain.records import ExecutionEntry, IntentKind
from domain.strategies.registry import discover
from storage.catalogue import read_bars
from tests.fakes.records import order
from tests.scenario.settings import write_config
from tests.unit.cli.conftest import Invoke, Traded


def settings(folder: Path, slippage_bps: float) -> Settings:
    directory = write_config(folder / "config", "broker.yaml", {"slippage_bps": slippage_bps})
    return load(directory, {}, discover().definitions)


def fill(
    ref: str, side: Side, lots: int, price: float, symbol: str = "KO", exec_id: str = "", corrects: str = ""
) -> ExecutionEntry:
    done = Executed(
        at_ns=1,
        exec_id=exec_id or ref,
        order_ref=ref,
        symbol=symbol,
        side=side,
        lots=lots,
        price=price,
        commission_micro=1_250_000,
        corrects=corrects,
    )
    return ExecutionEntry(seq=len(ref), at_ns=1, book="main", kind=IntentKind.ENTRY, bar=1, execution=done)


ORDERS = (
    order(1, "buy"),
    order(2, "stop", order_type=OrderType.STOP, side=Side.SELL),
    order(3, "limit", order_type=OrderType.LIMIT),
    order(4, "coin", symbol="BTC/USD@coinbase"),
)
FILLS = (
    fill("buy", Side.BUY, 40, 100.05),  # the open was 100: 40 x 0.05 = 2.00
    fill("stop", Side.SELL, 40, 97.9510),  # the stop was 98: 40 x 0.049 = 1.96
    fill("limit", Side.BUY, 10, 90.0),  # no slippage
    fill("coin", Side.BUY, 50_000_000, 10_005.0, "BTC/USD@coinbase"),  # half a coin at 10,000: 2.50
)


def test_slippage_is_the_distance_from_the_price_before_it_was_worsened(tmp_path: Path) -> None:
    costs = trading_costs(ORDERS, FILLS, settings(tmp_path, 5.0))
    assert costs == Costs(commissions=5.0, slippage=6.46)
    assert costs.total == 11.46


def test_a_venue_without_slippage_costs_commissions_alone(tmp_path: Path) -> None:
    assert trading_costs(ORDERS, FILLS, settings(tmp_path, 0.0)) == Costs(commissions=5.0, slippage=0.0)


def test_a_corrected_execution_costs_what_its_correction_says(tmp_path: Path) -> None:
    told = [fill("buy", Side.BUY, 40, 100.05), fill("buy", Side.BUY, 20, 100.05, exec_id="c", corrects="buy")]
    assert trading_costs(ORDERS, told, settings(tmp_path, 5.0)) == Costs(commissions=1.25, slippage=1.0)


def test_nothing_traded_costs_nothing(tmp_path: Path) -> None:
    assert trading_costs((), (), settings(tmp_path, 5.0)).total == 0.0


def test_a_sessions_costs_lead_back_to_its_bars(traded: Traded) -> None:
    """Every fill less its slippage is the open of its bar or the price of its stop: nothing else was paid."""
    summary, table = traded.summary, read_bars(traded.path / "bars.parquet")
    kinds = {each["order_ref"]: each for each in summary["details"]["orders"]}
    opens = {(group.open_ns, bar.symbol): bar.open for group in table.groups() for bar in group.bars}
    slippage, at_stops = 0.0, 0
    for each in summary["details"]["fills"]:
        reference = opens.get((each["at_ns"], each["symbol"]))
        if reference is None:
            reference, at_stops = kinds[each["order_ref"]]["stop_price"], at_stops + 1
        slippage += abs(each["price"] - reference) * each["lots"]
        worse = each["price"] - reference if each["side"] == "buy" else reference - each["price"]
        assert worse == pytest.approx(reference * 0.0002)
    assert at_stops > 5
    assert summary["slippage"] == pytest.approx(slippage, abs=1e-3)
    paid = sum(each["commission_micro"] for each in summary["details"]["fills"]) / 1e6
    assert summary["commissions"] == pytest.approx(paid)
    assert summary["costs"] == pytest.approx(paid + slippage, abs=1e-3)


def test_people_see_costs_in_parts_and_as_a_share_of_equity(invoke: Invoke, traded: Traded) -> None:
    what = ("--symbols", "AAPL,IBM,MSFT", "--to", "2001-06-29", "--runtime", "inline")
    shown = " ".join(invoke("run", *what, "--state", traded.path).stdout.replace("│", "").split())
    costs = json.loads(invoke("run", *what, "--state", traded.path, "--json").stdout)
    assert f"Costs ${costs['costs']:,.2f}, {costs['costs'] / 100_000:.2%} of initial equity" in shown
    assert f"commissions ${costs['commissions']:,.2f}, slippage ${costs['slippage']:,.2f}" in shown
