"""Make records with telling defaults, for tests of journals and of what reads them."""

from __future__ import annotations

from typing import Any

from domain.broker import DividendPaid, Executed, OrderType, Side
from domain.outbox import AuditEvent, AuditKind
from domain.records import (
    CashEntry,
    EquitySnapshot,
    ExecutionEntry,
    HaltRecord,
    HaltTrigger,
    IntentKind,
    OrderEntry,
    OrderState,
    Rung,
)


def order(seq: int, order_ref: str = "1.main.AAPL.7.0", **changes: Any) -> OrderEntry:
    values: dict[str, Any] = {
        "at_ns": 1_000 + seq,
        "parent_ref": "",
        "book": "main",
        "symbol": "AAPL",
        "kind": IntentKind.ENTRY,
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "lots": 10,
        "filled_lots": 0,
        "reference_price": 155.25,
        "stop_price": 0.0,
        "state": OrderState.SENT,
        "bar": 7,
        "connection": 1,
        "text": "",
    }
    return OrderEntry(seq=seq, order_ref=order_ref, **(values | changes))


def execution(
    seq: int, exec_id: str, corrects: str = "", order_ref: str = "1.main.AAPL.7.0"
) -> ExecutionEntry:
    executed = Executed(
        at_ns=2_000 + seq,
        exec_id=exec_id,
        order_ref=order_ref,
        symbol="AAPL",
        side=Side.BUY,
        lots=10,
        price=155.5,
        commission_micro=1_000_000,
        corrects=corrects,
    )
    return ExecutionEntry(
        seq=seq, at_ns=1_000 + seq, book="main", kind=IntentKind.ENTRY, bar=7, execution=executed
    )


def dividend(seq: int, payment_id: str) -> CashEntry:
    paid = DividendPaid(
        at_ns=3_000 + seq, payment_id=payment_id, symbol="KO", per_unit=0.44, lots=-5, amount_micro=-2_200_000
    )
    return CashEntry(seq=seq, at_ns=1_000 + seq, dividend=paid)


def halt(version: int, rung: Rung = Rung.HALTED) -> HaltRecord:
    return HaltRecord(
        version=version,
        at_ns=version,
        bar=7,
        session=1,
        rung=rung,
        previous=Rung.ACTIVE,
        trigger=HaltTrigger.DRAWDOWN_SEVERE,
        raised_by="risk",
        detail="drawdown 15.2 %",
        scope="symbol:AAPL",
    )


def equity(bar: int, value: float = 100_000.0) -> EquitySnapshot:
    return EquitySnapshot(
        bar=bar,
        at_ns=bar,
        session=730_000,
        equity=value,
        cash_micro=-3_000_000_000,
        peak_equity=101_000.0,
        day_start_equity=99_500.0,
        gross_exposure=0.4,
        heat=0.012,
        drawdown=0.0099,
        rung=Rung.REDUCING,
    )


def event(n: int, kind: AuditKind = AuditKind.SIGNALS, decision: bool = True, **body: Any) -> AuditEvent:
    return AuditEvent(kind, 10_000 + n, n, f"momentum-{n}", decision, {"n": n, **body})
