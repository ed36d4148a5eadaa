"""Hold the gateway's view of orders, executions and positions, and turn a venue's events into journal entries.

It grows with the account's life, by 0.7 KB an execution and 0.5 KB an order (measured: 100,000 of each are 120 MB): a
venue may tell its whole history at each connect, and what it tells again must be known (I2). Every execution is booked
once per `exec_id`, every dividend once per `payment_id`; an order's filled lots are the sum
of its executions, never a venue's own count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, KeysView
from typing import assert_never

from domain import adoption
from domain.broker import DividendPaid, Executed, OrderReported, OrderStatus, signed
from domain.cash_book import CashBook
from domain.execution_events import cancel_event, dividend_event, execution_event, state_event
from domain.executions import Change, Executions
from domain.messages import OrderIntent
from domain.order_refs import STOP_SUFFIX, kill_number, owner_of
from domain.orders import (
    FINAL_STATES,
    OPEN_STATES,
    STATUS_EVENTS,
    UNANSWERED_STATES,
    OrderEvent,
    next_state,
)
from domain.outbox import AuditEvent
from domain.records import CashEntry, ExecutionEntry, IntentKind, JournalEntry, OrderEntry, OrderState

UNASSIGNED = "unassigned"
"""Book of executions whose order we do not know: shown as a residual, never traded."""


class ExecutionBook:
    """Apply reports and executions; collect the entries and audit events they lead to until `collect`."""

    def __init__(self, entries: Iterable[JournalEntry] = (), cash: CashBook | None = None) -> None:
        """Rebuild from journal `entries` in sequence (an order's newest state suffices), counting `cash` along."""
        self.cash = cash or CashBook()
        self.orders: dict[str, OrderEntry] = {}
        self.open_refs: dict[str, None] = {}
        self.unanswered: set[str] = set()
        self.positions: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.seq = 0
        self.duplicates = 0
        self._executions = Executions()
        self._executed: defaultdict[str, int] = defaultdict(int)
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
            self._put(order._replace(state=state, text=text or order.text))
            if state is OrderState.CANCEL_SENT:
                self._events.append(cancel_event(order))

    def adopt(self, report: OrderReported, bar: int) -> OrderEntry | None:
        """Return the order a report is about, an attached stop or a kill's taken in; None when it is foreign."""
        order = self.orders.get(report.order_ref)
        if order is None:
            found = adoption.reported(report, self.orders.get(report.parent_ref), bar)
            order = None if found is None else self._take_in(found)
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
        if stale or report.code in adoption.NO_WORD:
            return order
        state = next_state(before, STATUS_EVENTS[report.status])
        if report.status is OrderStatus.FILLED and order.filled_lots < report.lots and not complete:
            state = before if before in _ENDED else OrderState.UNKNOWN
        told = (state, report.lots, report.stop_price, report.text)
        if told == (before, order.lots, order.stop_price, order.text):
            return order
        order = order._replace(
            at_ns=report.at_ns or order.at_ns,  # who knows no time leaves the order's
            lots=report.lots,
            stop_price=report.stop_price,
            state=state,
            text=report.text,
        )
        self._put(order)
        if state is not before and (report.status in _TOLD or order.kind is IntentKind.STOP):
            self._events.append(state_event(order, bar))
        return order

    def execute(self, execution: Executed, bar: int) -> bool:
        """Book one execution; return False for one already booked."""
        if execution.exec_id in self._executions:
            self.duplicates += 1
            return False
        order = self.orders.get(execution.order_ref) or self._unheard_executed(execution, bar)
        book, kind = (order.book, order.kind) if order else (UNASSIGNED, IntentKind.ENTRY)
        self.seq += 1
        entry = ExecutionEntry(
            seq=self.seq, at_ns=execution.at_ns, book=book, kind=kind, bar=bar, execution=execution
        )
        self._fresh.append(entry)
        self._events.append(execution_event(entry))
        changed = (change.entry.execution.order_ref for change in self._stand(entry))
        for ref in dict.fromkeys((execution.order_ref, *changed)):
            self._fill(ref, execution.at_ns)
        return True

    def execution(self, exec_id: str) -> Executed | None:
        """Return the execution booked as `exec_id`, None for one never booked."""
        entry = self._executions.get(exec_id)
        return None if entry is None else entry.execution

    def exec_ids(self) -> KeysView[str]:
        """Return the ids of all executions booked."""
        return self._executions.ids()

    def newest_executions(self, most: int) -> list[ExecutionEntry]:
        """Return up to `most` executions, the newest first."""
        return self._executions.newest(most)

    def executed_lots(self, ref: str) -> int:
        """Return the lots of an order's standing executions."""
        return self._executed.get(ref, 0)

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
        self.cash.paid(dividend)
        self.seq += 1
        self._fresh.append(CashEntry(seq=self.seq, at_ns=dividend.at_ns, dividend=dividend))
        self._events.append(dividend_event(dividend, bar))
        return True

    def collect(self) -> tuple[tuple[JournalEntry, ...], tuple[AuditEvent, ...]]:
        """Return, and forget, the entries (numbered, in sequence) and audit events since the last call."""
        if not (self._dirty or self._fresh or self._events):
            return (), ()
        for ref in self._dirty:
            self.seq += 1
            entry = self.orders[ref]._replace(seq=self.seq)
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

    def _stand(self, entry: ExecutionEntry) -> list[Change]:
        """Take an execution into positions and cash; return which executions stand or no longer do."""
        changes = self._executions.add(entry)
        for changed, sign in changes:
            done = changed.execution
            self.positions[(changed.book, done.symbol)] += sign * signed(done.side, done.lots)
            self._executed[done.order_ref] += sign * done.lots
            self.cash.executed(done, sign)
        return changes

    def _unheard_executed(self, execution: Executed, bar: int) -> OrderEntry | None:
        """Take in a stop, or a kill's order, whose execution overtook its report; None where it is foreign."""
        parent = self.orders.get(execution.order_ref.removesuffix(STOP_SUFFIX))
        owner = owner_of(execution.order_ref, execution.symbol)
        held = self.positions.get((owner.book, execution.symbol), 0) if owner else 0
        found = adoption.executed(execution, parent, held, bar)
        return None if found is None else self._take_in(found)

    def _take_in(self, order: OrderEntry) -> OrderEntry:
        """Add an order that we did not send, with what was executed of it before it was known."""
        order = order._replace(filled_lots=self.executed_lots(order.order_ref))
        self._put(order)
        if kill_number(order.order_ref):
            self._events.append(adoption.kill_event(order))
        return order

    def _fill(self, ref: str, at_ns: int) -> None:
        order = self.orders.get(ref)
        if order is None:
            return
        filled = self._executed[ref]
        event = OrderEvent.EXECUTED if filled >= order.lots else OrderEvent.PARTLY_EXECUTED
        self._put(order._replace(at_ns=at_ns, filled_lots=filled, state=next_state(order.state, event)))

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
        if order.state in UNANSWERED_STATES:
            self.unanswered.add(order.order_ref)
        else:
            self.unanswered.discard(order.order_ref)

    def _restore(self, entry: JournalEntry) -> None:
        self.seq = max(self.seq, entry.seq)
        match entry:
            case OrderEntry():
                self._put(entry)
                self._dirty.clear()
                self._late.clear()
            case CashEntry(dividend=dividend):
                self._payments.add(dividend.payment_id)
                self.cash.paid(dividend)
            case ExecutionEntry():
                self._stand(entry)
            case _ as unreachable:
                assert_never(unreachable)


_TOLD = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REFUSED})
_ENDED = FINAL_STATES - {OrderState.NEVER_ARRIVED}
