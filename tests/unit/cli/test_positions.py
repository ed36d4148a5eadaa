from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cli.registry import read_settings
from domain.broker import DividendPaid, Executed, OrderType, Side
from domain.records import CashEntry, ExecutionEntry, IntentKind, MachineSnapshot, OrderEntry, OrderState
from domain.risk.manager import SNAPSHOT
from storage.journal import SqlJournal
from storage.state import Session, StateDirectory
from tests.unit.cli.conftest import Invoke, Traded

KEYS = {
    "symbol", "book", "lots", "quantity", "currency", "average_price", "cost", "mark", "mark_bar", "value",
    "unrealised", "realised", "dividends", "commissions", "stop_price", "opened_at_ns", "opened_at", "opened_bar",
}  # fmt: skip

AT_NS = 1_577_977_800_000_000_000
"""2020-01-02 15:10 UTC."""


def listed(invoke: Invoke, path: Path, *options: object) -> dict[str, Any]:
    result = invoke("positions", "list", "--state", path, "--json", *options)
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def test_positions_are_those_the_session_ended_with(invoke: Invoke, traded: Traded) -> None:
    report, summary = listed(invoke, traded.path), traded.summary
    assert {each["symbol"]: each["lots"] for each in report["positions"]} == summary["positions"] != {}
    assert (report["cash"], report["equity"]) == (summary["cash"], summary["equity"])
    assert report["halt"] == "ACTIVE"


def test_cash_and_values_at_their_marks_make_up_the_equity(invoke: Invoke, traded: Traded) -> None:
    report = listed(invoke, traded.path)
    values = sum(each["value"] for each in report["positions"])
    assert report["cash"] + values == pytest.approx(report["equity"], abs=1e-6)
    for each in report["positions"]:
        assert each["unrealised"] == pytest.approx(each["value"] - each["cost"])
        assert each["mark"] * each["lots"] == pytest.approx(each["value"])
        assert set(each) == KEYS
        assert 0 < each["stop_price"] < each["average_price"]


def execution(
    seq: int, exec_id: str, side: Side, lots: int, price: float, symbol: str = "KO"
) -> ExecutionEntry:
    done = Executed(
        at_ns=AT_NS + seq,
        exec_id=exec_id,
        order_ref=f"1.main.{symbol}.{seq}.1",
        symbol=symbol,
        side=side,
        lots=lots,
        price=price,
        commission_micro=1_000_000,
        corrects="",
    )
    return ExecutionEntry(seq=seq, at_ns=AT_NS, book="main", kind=IntentKind.ENTRY, bar=seq, execution=done)


def stop(seq: int) -> OrderEntry:
    return OrderEntry(
        seq=seq,
        at_ns=AT_NS,
        order_ref="1.main.KO.1.1.stop",
        parent_ref="1.main.KO.1.1",
        book="main",
        symbol="KO",
        kind=IntentKind.STOP,
        side=Side.SELL,
        order_type=OrderType.STOP,
        lots=15,
        filled_lots=0,
        reference_price=105.0,
        stop_price=101.85,
        state=OrderState.WORKING,
        bar=2,
        connection=1,
        text="",
    )


@pytest.fixture
def by_hand(tmp_path: Path) -> Path:
    """Make a state directory whose numbers can be worked out on paper."""
    path = tmp_path / "by_hand"
    directory = StateDirectory(path)
    directory.lock()
    directory.write_session(
        Session(
            number=1,
            data="",
            configuration=read_settings(None, dict(os.environ)).fingerprint,
            runtime="inline",
            begun_ns=AT_NS,
            completed=False,
            bar=3,
        )
    )
    directory.release()
    paid = DividendPaid(
        at_ns=AT_NS + 9, payment_id="d1", symbol="KO", per_unit=0.5, lots=15, amount_micro=7_500_000
    )
    gateway = SqlJournal(directory.database_url("gateway"), "gateway")
    gateway.append(
        [
            execution(1, "a", Side.BUY, 10, 100.0),
            execution(2, "b", Side.BUY, 10, 110.0),
            execution(3, "c", Side.SELL, 5, 120.0),
            stop(4),
            CashEntry(seq=5, at_ns=AT_NS, dividend=paid),
            execution(6, "d", Side.BUY, 250_000_000, 10_000.0, "BTC/USD@coinbase"),
        ]
    )
    gateway.close()
    return path


def marked(path: Path, **marks: tuple[float, int]) -> None:
    risk = SqlJournal(StateDirectory(path).database_url("risk"), "risk")
    risk.append([MachineSnapshot(name=SNAPSHOT, bar=3, at_ns=AT_NS, values={"marks": dict(marks)})])
    risk.close()


def test_known_fills_give_known_figures(invoke: Invoke, by_hand: Path) -> None:
    """Buy 10 at 100 and 10 at 110, sell 5 at 120: 15 left at 105, 75 - 3 commissions realised."""
    marked(by_hand, KO=(112.0, 3))
    report = listed(invoke, by_hand, "--symbol", "KO")
    (position,) = report["positions"]
    known = {
        "lots": 15, "quantity": "15", "average_price": 105.0, "cost": 1_575.0, "mark": 112.0, "mark_bar": 3,
        "value": 1_680.0, "unrealised": 105.0, "realised": 72.0, "dividends": 7.5, "commissions": 3.0,
        "stop_price": 101.85, "opened_bar": 1, "opened_at": "2020-01-02T15:10:00.000000001Z", "currency": "USD",
    }  # fmt: skip
    assert {name: position[name] for name in known} == known
    assert report["cash"] == 100_000 - 1_000 - 1_100 + 600 - 3 + 7.5 - 25_000 - 1


def test_a_position_without_a_mark_has_no_value_yet(invoke: Invoke, by_hand: Path) -> None:
    report = listed(invoke, by_hand)
    assert {each["symbol"]: each["value"] for each in report["positions"]} == {
        "KO": None,
        "BTC/USD@coinbase": None,
    }
    assert (report["equity"], report["bar"], report["at"]) == (None, None, None)


def test_people_see_units_signs_and_a_missing_stop(invoke: Invoke, by_hand: Path) -> None:
    marked(by_hand, **{"KO": (112.0, 3), "BTC/USD@coinbase": (9_000.0, 3)})
    lines = invoke("positions", "list", "--state", by_hand).stdout.splitlines()
    (coin,) = (line.split() for line in lines if line.startswith("BTC"))
    (share,) = (line.split() for line in lines if line.startswith("KO"))
    assert coin[:9] == [
        "BTC/USD@coinbase", "main", "2.5", "10,000.0000", "9,000.00000", "22,500.00", "-2,500.00", "-10.00%", "none"
    ]  # fmt: skip
    assert share[2:9] == ["15", "105.00", "112.00", "1,680.00", "+105.00", "+6.67%", "101.85"]
    (total,) = (line.split() for line in lines if line.startswith("Total"))
    assert total == ["Total", "24,180.00", "-2,395.00", "+71.00"]


def test_no_position_is_said_in_words(invoke: Invoke, by_hand: Path) -> None:
    result = invoke("positions", "list", "--state", by_hand, "--symbol", "XOM")
    assert "No open position matches; the account holds 2 positions." in result.stdout


def test_a_snapshot_this_version_cannot_read_is_refused(invoke: Invoke, by_hand: Path) -> None:
    risk = SqlJournal(StateDirectory(by_hand).database_url("risk"), "risk")
    risk.append([MachineSnapshot(name=SNAPSHOT, bar=3, at_ns=AT_NS, values={})])
    risk.close()
    result = invoke("positions", "list", "--state", by_hand)
    assert result.exit_code == 4
    assert "risk.db holds a row that this version cannot read" in result.stderr


def test_status_of_a_killed_engine_names_the_bar_that_positions_are_of(
    invoke: Invoke, traded: Traded
) -> None:
    """Where a session stopped is written at its orderly end, which a killed one has not."""
    file = traded.path / "session.json"
    kept = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**kept, "bar": kept["bar"] - 7, "completed": False}), encoding="utf-8")
    status = json.loads(invoke("status", "--state", traded.path, "--json").stdout)
    assert status["bar"] == kept["bar"] == listed(invoke, traded.path)["bar"]
