"""Hold the gateway's view of orders, executions and positions, and turn a venue's events into journal entries.

Every execution is booked once per `exec_id`, every dividend once per `payment_id`; an order's filled lots are the sum of
its executions, never a venue's own count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from domain.broker import DividendPaid, Executed, OrderReported, OrderStatus, Side
from domain.messages import OrderIntent
from domain.orders import OPEN_STATES, STATUS_EVENTS, OrderEvent, next_state
from domain.outbox import AuditEvent, AuditKind
from domain.records import CashEntry, ExecutionEntry, IntentKind, JournalEntry, OrderEntry, OrderState

def without_session(ref: str) -> str:
    """Return an order ref without its session number, as decisions name it: two sessions on one data set must agree."""
    return ref.partition(".")[2]


UNASSIGNED = "unassigned"
"""Book of executions whose order we do not know: shown as a residual, never traded."""


def signed(side: Side, lots: int) -> int:
    """Return `lots` positive for a buy and negative for a sell."""
    return lots if side is Side.BUY else -lots


class ExecutionBook:
    """Apply reports and executions; collect the entries and audit events they lead to until `collect`."""

    def __init__(self, entries: Iterable[JournalEntry] = ()) -> None:
        """Rebuild from journal `entries` in sequence (an order's newest state suffices)."""
        self.orders: dict[str, OrderEntry] = {}
        self.open_refs: dict[str, None] = {}
        self.positions: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.seq = 0
        self.duplicates = 0
        self._executed: dict[str, Executed] = {}
        self._replaced: set[str] = set()
        self._payments: set[str] = set()
        self._dirty: dict[str, None] = {}
        self._fresh: list[JournalEntry] = []
        self._events: list[AuditEvent] = []
        for entry in entries:
            self._restore(entry)

    def send(self, intent: OrderIntent, state: OrderState, connection: int, text: str) -> None:
        """Open the order of `intent`, SENT (or REFUSED by the gateway itself)."""
        self._put(
            OrderEntry(
                seq=0,
                at_ns=intent.at_ns,
                order_ref=intent.intent_id,
                parent_ref="",
                book=intent.book,
                symbol=intent.symbol,
                kind=intent.kind,
                side=intent.side,
                order_type=intent.order_type,
                lots=intent.lots,
                filled_lots=0,
                reference_price=intent.reference_price,
                stop_price=0.0,
                state=state,
                bar=intent.bar,
                connection=connection,
                text=text,
            )
        )

    def mark(self, ref: str, event: OrderEvent, text: str = "") -> None:
        """Move an order by something the gateway does or finds itself."""
        order = self.orders[ref]
        state = next_state(order.state, event)
        if state is not order.state:
            self._put(replace(order, state=state, text=text or order.text))

    def report(self, report: OrderReported, bar: int) -> OrderEntry | None:
        """Apply a venue's word on an order; adopt an attached stop by its parent; return the entry, None if foreign."""
        order = self.orders.get(report.order_ref)
        if order is None:
            parent = self.orders.get(report.parent_ref)
            if parent is None:
                return None
            order = self._adopt_stop(report, parent, bar)
        before = order.state
        if report.status is OrderStatus.FILLED and order.filled_lots < report.lots:
            event = OrderEvent.WORKING if order.filled_lots == 0 else OrderEvent.PARTLY_EXECUTED
        else:
            event = STATUS_EVENTS[report.status]
        order = replace(
            order,
            at_ns=report.at_ns,
            lots=report.lots,
            stop_price=report.stop_price,
            state=next_state(before, event),
            text=report.text,
        )
        self._put(order)
        told = report.status in _TOLD or order.kind is IntentKind.STOP
        if told and before is not order.state:
            self._events.append(_state_event(order, bar))
        return order

    def execute(self, execution: Executed, bar: int) -> bool:
        """Book one execution; return False for one already booked."""
        if execution.exec_id in self._executed or execution.exec_id in self._replaced:
            self.duplicates += 1
            return False
        order = self.orders.get(execution.order_ref)
        book, kind = (order.book, order.kind) if order else (UNASSIGNED, IntentKind.ENTRY)
        key = (book, execution.symbol)
        change = execution.lots
        replaced = self._executed.pop(execution.corrects, None) if execution.corrects else None
        if execution.corrects:
            self._replaced.add(execution.corrects)
        if replaced is not None:
            self.positions[key] -= signed(replaced.side, replaced.lots)
            change -= replaced.lots
        self._executed[execution.exec_id] = execution
        self.positions[key] += signed(execution.side, execution.lots)
        self.seq += 1
        entry = ExecutionEntry(
            seq=self.seq, at_ns=execution.at_ns, book=book, kind=kind, bar=bar, execution=execution
        )
        self._fresh.append(entry)
        self._events.append(_execution_event(entry))
        if order is not None:
            filled = order.filled_lots + change
            event = OrderEvent.EXECUTED if filled >= order.lots else OrderEvent.PARTLY_EXECUTED
            self._put(replace(order, filled_lots=filled, state=next_state(order.state, event)))
        return True

    def pay(self, dividend: DividendPaid, bar: int) -> bool:
        """Book one dividend; return False for one already booked."""
        if dividend.payment_id in self._payments:
            self.duplicates += 1
            return False
        self._payments.add(dividend.payment_id)
        self.seq += 1
        self._fresh.append(CashEntry(seq=self.seq, at_ns=dividend.at_ns, dividend=dividend))
        body = {"symbol": dividend.symbol, "per_unit": dividend.per_unit, "amount_micro": dividend.amount_micro}
        self._events.append(AuditEvent(AuditKind.DIVIDEND, dividend.at_ns, bar, dividend.payment_id, True, body))
        return True

    def collect(self) -> tuple[tuple[JournalEntry, ...], tuple[AuditEvent, ...]]:
        """Return, and forget, the entries (numbered, in sequence) and audit events since the last call."""
        for ref in self._dirty:
            self.seq += 1
            entry = replace(self.orders[ref], seq=self.seq)
            self.orders[ref] = entry
            self._fresh.append(entry)
        entries, events = tuple(self._fresh), tuple(self._events)
        self._dirty.clear()
        self._fresh, self._events = [], []
        return entries, events

    def account_positions(self) -> dict[str, int]:
        """Return non-zero lots by symbol, summed over books."""
        totals: defaultdict[str, int] = defaultdict(int)
        for (_, symbol), lots in self.positions.items():
            totals[symbol] += lots
        return {symbol: lots for symbol, lots in sorted(totals.items()) if lots}

    def _adopt_stop(self, report: OrderReported, parent: OrderEntry, bar: int) -> OrderEntry:
        return replace(
            parent,
            order_ref=report.order_ref,
            parent_ref=parent.order_ref,
            kind=IntentKind.STOP,
            side=report.side,
            order_type=report.order_type,
            lots=report.lots,
            filled_lots=0,
            stop_price=report.stop_price,
            state=OrderState.SENT,
            bar=bar,
            text="",
        )

    def _put(self, order: OrderEntry) -> None:
        self.orders[order.order_ref] = order
        self._dirty[order.order_ref] = None
        if order.state in OPEN_STATES:
            self.open_refs[order.order_ref] = None
        else:
            self.open_refs.pop(order.order_ref, None)

    def _restore(self, entry: JournalEntry) -> None:
        self.seq = max(self.seq, entry.seq)
        match entry:
            case OrderEntry():
                self._put(entry)
                self._dirty.clear()
            case CashEntry(dividend=dividend):
                self._payments.add(dividend.payment_id)
            case ExecutionEntry(book=book, execution=execution):
                if execution.corrects:
                    self._replaced.add(execution.corrects)
                    old = self._executed.pop(execution.corrects, None)
                    if old is not None:
                        self.positions[(book, old.symbol)] -= signed(old.side, old.lots)
                self._executed[execution.exec_id] = execution
                self.positions[(book, execution.symbol)] += signed(execution.side, execution.lots)


_TOLD = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REFUSED})


def _state_event(order: OrderEntry, bar: int) -> AuditEvent:
    body = {
        "state": order.state.value,
        "lots": order.lots,
        "filled_lots": order.filled_lots,
        "stop_price": order.stop_price,
        "text": order.text,
    }
    key = f"{without_session(order.order_ref)}.{order.state.value}"
    return AuditEvent(AuditKind.ORDER_STATE, order.at_ns, bar, key, True, body)


def _execution_event(entry: ExecutionEntry) -> AuditEvent:
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
