"""Word for the audit trail what happens to orders and money: states, cancels, executions, dividends."""

from __future__ import annotations

from domain.broker import DividendPaid
from domain.order_refs import without_session
from domain.outbox import AuditEvent, AuditKind
from domain.records import ExecutionEntry, OrderEntry


def state_event(order: OrderEntry, bar: int) -> AuditEvent:
    """Return that an order came to its present state at `bar`."""
    body = {
        "state": order.state.value,
        "lots": order.lots,
        "filled_lots": order.filled_lots,
        "stop_price": order.stop_price,
        "text": order.text,
    }
    key = f"{without_session(order.order_ref)}.{order.state.value}"
    return AuditEvent(AuditKind.ORDER_STATE, order.at_ns, bar, key, True, body)


def execution_event(entry: ExecutionEntry) -> AuditEvent:
    """Return that an execution was booked."""
    execution = entry.execution
    body = {
        "intent": without_session(execution.order_ref),
        "book": entry.book,
        "symbol": execution.symbol,
        "side": execution.side.value,
        "lots": execution.lots,
        "price": execution.price,
        "commission_micro": execution.commission_micro,
        "corrects": execution.corrects,
    }
    return AuditEvent(AuditKind.EXECUTION, entry.at_ns, entry.bar, execution.exec_id, True, body)


def cancel_event(order: OrderEntry) -> AuditEvent:
    """Return that a cancel of `order` is sent: of the process, since when it is sent depends on the process."""
    body = {"symbol": order.symbol, "open_lots": order.lots - order.filled_lots}
    return AuditEvent(AuditKind.CANCEL, order.at_ns, order.bar, without_session(order.order_ref), False, body)


def dividend_event(dividend: DividendPaid, bar: int) -> AuditEvent:
    """Return that a dividend was paid at `bar`."""
    body = {
        "symbol": dividend.symbol,
        "per_unit": dividend.per_unit,
        "amount_micro": dividend.amount_micro,
    }
    return AuditEvent(AuditKind.DIVIDEND, dividend.at_ns, bar, dividend.payment_id, True, body)
