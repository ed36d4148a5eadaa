"""Hold the gateway's view of orders, executions and positions, and turn a venue's events into journal entries.

Every execution is booked once per `exec_id`, every dividend once per `payment_id`; an order's filled lots are the sum
of its executions, never a venue's own count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from domain.broker import (
    STOP_SUFFIX,
    DividendPaid,
    Executed,
    OrderReported,
    OrderStatus,
    OrderType,
    RefusalCode,
    Side,
)
from domain.executions import Executions
from domain.messages import OrderIntent
from domain.orders import FINAL_STATES, OPEN_STATES, STATUS_EVENTS, OrderEvent, next_state
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
        self._executions = Executions()
        self._late: list[str] = []
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
            if state is OrderState.CANCEL_SENT:
                key, body = (
                    without_session(ref),
                    {"symbol": order.symbol, "open_lots": order.lots - order.filled_lots},
                )
                self._events.append(AuditEvent(AuditKind.CANCEL, order.at_ns, order.bar, key, False, body))

    def adopt(self, report: OrderReported, bar: int) -> OrderEntry | None:
        """Return the order a report is about, an attached stop taken in by its parent; None when it is foreign."""
        order = self.orders.get(report.order_ref)
        parent = self.orders.get(report.parent_ref)
        if order is None and parent is not None:
            order = _stop_of(parent, report.order_ref, report.side, report.lots, report.stop_price, bar)
            self._put(order)
        return order

    def report(self, report: OrderReported, bar: int, *, complete: bool = False) -> OrderEntry | None:
        """Apply a venue's word on an order; return the entry, None if the order is foreign.

        One told filled before its executions are here is UNKNOWN until they are, or until all of them were
        downloaded (`complete`): what they left open then was corrected away.

        What repeats a known state, or is older than the order's end, changes nothing. A cancel refused because the
        venue does not know the order, or a second order refused because it does, is no word on the order itself.
        """
        order = self.adopt(report, bar)
        if order is None:
            return None
        before = order.state
        stale = report.status is OrderStatus.WORKING and before in _ENDED
        if stale or report.code in _NO_WORD:
            return order
        state = next_state(before, STATUS_EVENTS[report.status])
        if report.status is OrderStatus.FILLED and order.filled_lots < report.lots and not complete:
            state = before if before in _ENDED else OrderState.UNKNOWN
        told = (state, report.lots, report.stop_price, report.text)
        if told == (before, order.lots, order.stop_price, order.text):
            return order
        order = replace(
            order,
            at_ns=report.at_ns,
            lots=report.lots,
            stop_price=report.stop_price,
            state=state,
            text=report.text,
        )
        self._put(order)
        if state is not before and (report.status in _TOLD or order.kind is IntentKind.STOP):
            self._events.append(_state_event(order, bar))
        return order

    def execute(self, execution: Executed, bar: int) -> bool:
        """Book one execution; return False for one already booked."""
        if execution.exec_id in self._executions:
            self.duplicates += 1
            return False
        order = self.orders.get(execution.order_ref) or self._stop_executed(execution, bar)
        book, kind = (order.book, order.kind) if order else (UNASSIGNED, IntentKind.ENTRY)
        self.seq += 1
        entry = ExecutionEntry(
            seq=self.seq, at_ns=execution.at_ns, book=book, kind=kind, bar=bar, execution=execution
        )
        self._fresh.append(entry)
        self._events.append(_execution_event(entry))
        filled = {execution.order_ref: 0}
        for changed, sign in self._executions.add(entry):
            done = changed.execution
            self.positions[(changed.book, done.symbol)] += sign * signed(done.side, done.lots)
            filled[done.order_ref] = filled.get(done.order_ref, 0) + sign * done.lots
        for ref, lots in filled.items():
            self._fill(ref, lots, execution.at_ns)
        return True

    def take_late(self) -> list[str]:
        """Return, and forget, the refs of orders that turned up after they were given up as never arrived."""
        late, self._late = self._late, []
        return late

    def pay(self, dividend: DividendPaid, bar: int) -> bool:
        """Book one dividend; return False for one already booked."""
        if dividend.payment_id in self._payments:
            self.duplicates += 1
            return False
        self._payments.add(dividend.payment_id)
        self.seq += 1
        self._fresh.append(CashEntry(seq=self.seq, at_ns=dividend.at_ns, dividend=dividend))
        body = {
            "symbol": dividend.symbol,
            "per_unit": dividend.per_unit,
            "amount_micro": dividend.amount_micro,
        }
        self._events.append(
            AuditEvent(AuditKind.DIVIDEND, dividend.at_ns, bar, dividend.payment_id, True, body)
        )
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

    def _stop_executed(self, execution: Executed, bar: int) -> OrderEntry | None:
        """Take in a stop whose execution overtook its report; its lots are its parent's until the venue tells."""
        parent = self.orders.get(execution.order_ref.removesuffix(STOP_SUFFIX))
        if parent is None or parent.order_ref == execution.order_ref:
            return None
        stop = _stop_of(parent, execution.order_ref, execution.side, parent.lots, 0.0, bar)
        self._put(stop)
        return stop

    def _fill(self, ref: str, lots: int, at_ns: int) -> None:
        order = self.orders.get(ref)
        if order is None:
            return
        filled = order.filled_lots + lots
        event = OrderEvent.EXECUTED if filled >= order.lots else OrderEvent.PARTLY_EXECUTED
        self._put(replace(order, at_ns=at_ns, filled_lots=filled, state=next_state(order.state, event)))

    def _put(self, order: OrderEntry) -> None:
        known = self.orders.get(order.order_ref)
        if known is not None and known.state is OrderState.NEVER_ARRIVED and order.state is not known.state:
            self._late.append(order.order_ref)
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
                self._late.clear()
            case CashEntry(dividend=dividend):
                self._payments.add(dividend.payment_id)
            case ExecutionEntry():
                for changed, sign in self._executions.add(entry):
                    done = changed.execution
                    self.positions[(changed.book, done.symbol)] += sign * signed(done.side, done.lots)


_TOLD = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REFUSED})
_NO_WORD = frozenset({RefusalCode.UNKNOWN_ORDER, RefusalCode.DUPLICATE})
_ENDED = FINAL_STATES - {OrderState.NEVER_ARRIVED}


def _stop_of(parent: OrderEntry, ref: str, side: Side, lots: int, stop_price: float, bar: int) -> OrderEntry:
    return replace(
        parent,
        order_ref=ref,
        parent_ref=parent.order_ref,
        kind=IntentKind.STOP,
        side=side,
        order_type=OrderType.STOP,
        lots=lots,
        filled_lots=0,
        stop_price=stop_price,
        state=OrderState.SENT,
        bar=bar,
        text="",
    )


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
