"""Guard the wire: commit before it, count what comes back, reconcile before the gate opens.

The gateway takes orders only as `OrdersApproved`, checks the hard limits, epoch, expiry and duplicates by itself,
commits {intent, approval, SENT, audit event} and only then writes to the venue. It alone marks an order UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, assert_never

from domain.broker import (
    BrokerEvent,
    BrokerLink,
    BrokerUpdate,
    CancelOrder,
    DividendPaid,
    Downloaded,
    DownloadKind,
    Executed,
    OrderReported,
)
from domain.execution_book import ExecutionBook
from domain.gateway_policy import GatewaySettings, audit_order, place_order, refusal
from domain.messages import (
    COORDINATOR,
    FEED,
    RISK,
    BarSettled,
    Begin,
    Drain,
    Drained,
    GatewayInbox,
    JournalUpdate,
    LatchChanged,
    LatchHeld,
    OrdersApproved,
    RaiseHalt,
    Ready,
    RequestJournal,
    TimerFired,
)
from domain.messages import GATEWAY as ROLE
from domain.orders import OPEN_STATES, OrderEvent
from domain.outbox import AuditEvent, AuditKind
from domain.outputs import CancelTimer, Connect, Output, Persist, Send, SendJournal, SetTimer, Wire
from domain.reconcile import LOSABLE_STATES, Reconciliation
from domain.records import HaltTrigger, IntentKind, JournalEntry, MachineSnapshot, OrderState, Record, Rung

ACK_TIMER, ABSENCE_TIMER, LOST_TIMER, RECONNECT_TIMER = "ack", "absence", "broker_lost", "reconnect"
LATCH = "latch"
"""Name of the snapshot that keeps the gateway's copy of the halt latch."""


class Gateway:
    """Place approved orders once, book executions once, and settle bars in lockstep."""

    def __init__(
        self, settings: GatewaySettings, entries: Iterable[JournalEntry], latch: Mapping[str, Any] | None
    ) -> None:
        """Rebuild from the journal's `entries` and the saved `latch`; the gate opens after reconciliation."""
        self._settings = settings
        self._book = ExecutionBook(entries)
        values = latch or {}
        self._rung = Rung(values.get("rung", 0))
        self._latch_version = int(values.get("version", 0))
        self._reconciliation = Reconciliation()
        self._connection = 0
        self._attempt = 0
        self._gate_open = False
        self._ready = False
        self._epoch = 0
        self._bar = -1
        self._awaiting: dict[str, None] = {}
        self._settling: int | None = None
        self._draining = False
        self._refused = 0

    def handle(self, message: GatewayInbox) -> list[Output]:
        """Return what follows from `message`."""
        match message:
            case OrdersApproved():
                return self._approved(message)
            case BrokerUpdate():
                return self._updated(message)
            case BrokerLink():
                return self._linked(message)
            case LatchChanged(rung=rung, lowers=lowers, version=version):
                newer = version > self._latch_version
                outputs = self._hold(rung if lowers else max(rung, self._rung), version) if newer else []
                return [*outputs, Send(COORDINATOR, LatchHeld(role=ROLE, version=version))]
            case RequestJournal(requester=requester, after_seq=after_seq):
                return [SendJournal(requester, after_seq, self._book.seq)]
            case TimerFired(name=name):
                return self._timer(name)
            case Drain(cancel_entries=cancel_entries):
                return self._drain(cancel_entries)
            case Begin():
                return []
            case _ as unreachable:
                assert_never(unreachable)

    def state(self) -> Mapping[str, Any]:
        """Return gate, latch, open orders and counts."""
        return {
            "gate_open": self._gate_open,
            "connection": self._connection,
            "rung": self._rung.name,
            "latch_version": self._latch_version,
            "open_orders": len(self._book.open_refs),
            "orders": len(self._book.orders),
            "journal_head": self._book.seq,
            "duplicate_executions": self._book.duplicates,
            "refused": self._refused,
            "settling": self._settling,
        }

    # --- orders -----------------------------------------------------------------------------------------------------

    def _approved(self, message: OrdersApproved) -> list[Output]:
        self._bar = max(self._bar, message.bar)
        raised = message.latch_version >= self._latch_version and message.rung > self._rung
        outputs = self._hold(message.rung, message.latch_version) if raised else []
        wires: list[Output] = []
        events: list[AuditEvent] = []
        for approval in message.approvals:
            intent = approval.intent
            if intent.intent_id in self._book.orders:
                continue  # re-sent after a crash: its order exists, one intent is one order
            why = refusal(approval, self._view(len(wires)), self._book, self._settings.limits)
            self._epoch = max(self._epoch, approval.risk_epoch)
            if why:
                self._refused += 1
                self._book.send(intent, OrderState.REFUSED, self._connection, f"gateway: {why}")
            else:
                self._book.send(intent, OrderState.SENT, self._connection, "")
                wires.append(Wire(place_order(intent)))
                self._awaiting[intent.intent_id] = None
            events.append(audit_order(approval, why))
        wires += self._cancel(message.cancels)
        outputs += self._commit(message.at_ns, events)
        if wires:
            outputs += [*wires, SetTimer(ACK_TIMER, self._settings.ack_deadline_s)]
        self._settling = message.bar
        return [*outputs, *self._settle()]

    def _view(self, orders_this_bar: int) -> tuple[bool, Rung, int, int, int]:
        return self._gate_open, self._rung, self._epoch, self._bar, orders_this_bar

    def _cancel(self, refs: Iterable[str]) -> list[Output]:
        wires: list[Output] = []
        for ref in refs:
            order = self._book.orders.get(ref)
            if order is not None and order.state in OPEN_STATES and order.state is not OrderState.CANCEL_SENT:
                self._book.mark(ref, OrderEvent.CANCEL_SENT)
                self._awaiting[ref] = None
                wires.append(Wire(CancelOrder(order_ref=ref)))
        return wires

    def _commit(self, at_ns: int, events: Iterable[AuditEvent] = (), advanced: int = -1) -> list[Output]:
        entries, booked = self._book.collect()
        records: tuple[Record, ...] = (*entries, *booked, *events)
        outputs: list[Output] = [Persist(records)] if records else []
        if entries or advanced >= 0:
            update = JournalUpdate(at_ns=at_ns, advanced=advanced, entries=entries, head=self._book.seq, last=False)
            outputs.append(Send(RISK, update))
        return outputs

    def _settle(self) -> list[Output]:
        for ref in tuple(self._awaiting):
            if self._book.orders[ref].state not in _UNANSWERED:
                del self._awaiting[ref]
        if self._awaiting:
            return []
        outputs: list[Output] = [CancelTimer(ACK_TIMER)]
        if self._settling is not None:
            outputs.append(Send(FEED, BarSettled(bar=self._settling)))
            self._settling = None
        if self._draining:
            self._draining = False
            outputs.append(Send(COORDINATOR, Drained(role=ROLE)))
        return outputs

    # --- what the venue says ----------------------------------------------------------------------------------------

    def _updated(self, update: BrokerUpdate) -> list[Output]:
        self._bar = max(self._bar, update.advanced)
        outputs: list[Output] = []
        events: list[AuditEvent] = []
        reconciled = False
        for event in update.events:
            if isinstance(event, Downloaded):
                reconciled = self._reconciliation.take(event) or reconciled
            else:
                events += self._apply(event, update.advanced if update.advanced >= 0 else self._bar)
        if reconciled:
            outputs += self._reconciled(update.at_ns)
        outputs = [*self._commit(update.at_ns, events, update.advanced), *outputs]
        return [*outputs, *(self._settle() if self._awaiting or self._draining else ())]

    def _apply(self, event: BrokerEvent, bar: int) -> list[AuditEvent]:
        match event:
            case OrderReported():
                if self._book.report(event, bar) is None:
                    body = {"order": event.order_ref, "symbol": event.symbol, "status": event.status.value}
                    key = f"foreign.{event.order_ref}"
                    return [AuditEvent(AuditKind.RECONCILIATION, event.at_ns, bar, key, False, body)]
            case Executed():
                self._book.execute(event, bar)
            case DividendPaid():
                self._book.pay(event, bar)
            case Downloaded():
                self._reconciliation.take(event)
            case _ as unreachable:
                assert_never(unreachable)
        return []

    # --- connection and reconciliation ------------------------------------------------------------------------------

    def _linked(self, link: BrokerLink) -> list[Output]:
        self._gate_open = False
        if link.connected:
            self._connection, self._attempt = link.connection, 0
            return [CancelTimer(LOST_TIMER), CancelTimer(RECONNECT_TIMER), *self._reconciliation.begin()]
        for ref in tuple(self._book.open_refs):
            if self._book.orders[ref].state in LOSABLE_STATES:
                self._book.mark(ref, OrderEvent.OUTCOME_LOST, "connection lost")
        delays = self._settings.reconnect_delays_s
        delay = delays[min(self._attempt, len(delays) - 1)]
        self._attempt += 1
        lost = [SetTimer(LOST_TIMER, self._settings.broker_lost_s)] if self._attempt == 1 else []
        return [*self._commit(link.at_ns), *lost, SetTimer(RECONNECT_TIMER, delay)]

    def _reconciled(self, at_ns: int) -> list[Output]:
        received = self._reconciliation.received
        bar = max(self._bar, self._settings.next_bar)
        for execution in received[DownloadKind.EXECUTIONS].executions:
            self._book.execute(execution, bar)
        for dividend in received[DownloadKind.EXECUTIONS].dividends:
            self._book.pay(dividend, bar)
        events: list[AuditEvent] = []
        for kind in (DownloadKind.COMPLETED_ORDERS, DownloadKind.OPEN_ORDERS):
            for report in received[kind].orders:
                events += self._apply(report, bar)
        first, confirmed = self._reconciliation.absent(
            {ref: self._book.orders[ref] for ref in self._book.open_refs}, self._connection
        )
        for ref in first:
            self._book.mark(ref, OrderEvent.OUTCOME_LOST, "absent from the venue's orders")
        for ref in confirmed:
            self._book.mark(ref, OrderEvent.ABSENT_TWICE, "absent twice: it never arrived")
        mismatches = self._reconciliation.position_mismatches(self._book.account_positions())
        body = {"absent": first, "never_arrived": confirmed, "mismatches": mismatches, "connection": self._connection}
        events.append(AuditEvent(AuditKind.RECONCILIATION, at_ns, self._bar, f"{self._connection}", False, body))
        outputs = self._commit(at_ns, events)
        if first:
            outputs.append(SetTimer(ABSENCE_TIMER, self._settings.absence_interval_s))
            return outputs
        self._gate_open = True
        if mismatches:
            detail = ", ".join(f"{s}: ours {a} lots, venue {b}" for s, (a, b) in mismatches.items())
            outputs += self._raise(HaltTrigger.TECHNICAL_FAILURE, f"positions differ from the venue's: {detail}")
        if not self._ready:
            self._ready = True
            outputs.append(Send(COORDINATOR, Ready(role=ROLE, generation=self._settings.generation)))
        return outputs

    def _timer(self, name: str) -> list[Output]:
        match name:
            case "absence":
                return self._reconciliation.begin()
            case "reconnect":
                return [Connect()]
            case "ack":
                self._gate_open = False
                for ref in self._awaiting:
                    if self._book.orders[ref].state in LOSABLE_STATES:
                        self._book.mark(ref, OrderEvent.OUTCOME_LOST, "no answer within the deadline")
                return [*self._commit(0), Connect()]
            case _:
                detail = f"no connection to the venue for {self._settings.broker_lost_s:g} s"
                return self._raise(HaltTrigger.BROKER_LOST, detail)

    # --- halts and the end ------------------------------------------------------------------------------------------

    def _hold(self, rung: Rung, version: int) -> list[Output]:
        raised = rung > self._rung
        self._rung, self._latch_version = rung, version
        values = {"rung": int(rung), "version": version}
        snapshot = MachineSnapshot(name=LATCH, bar=self._bar, at_ns=0, values=values)
        wires = self._cancel(self._open_entries()) if raised else []
        return [Persist((snapshot,)), *self._commit(0), *wires]

    def _open_entries(self) -> list[str]:
        return sorted(ref for ref in self._book.open_refs if self._book.orders[ref].kind is IntentKind.ENTRY)

    def _raise(self, trigger: HaltTrigger, detail: str) -> list[Output]:
        rung = Rung.HALTED
        message = RaiseHalt(
            at_ns=0, bar=self._bar, session=0, rung=rung, trigger=trigger, raised_by=ROLE, detail=detail
        )
        return [*self._hold(max(rung, self._rung), self._latch_version), Send(COORDINATOR, message, True)]

    def _drain(self, cancel_entries: bool) -> list[Output]:
        self._draining = True
        wires = self._cancel(self._open_entries()) if cancel_entries else []
        timer = [SetTimer(ACK_TIMER, self._settings.ack_deadline_s)] if wires else []
        return [*self._commit(0), *wires, *timer, *self._settle()]


_UNANSWERED = frozenset({OrderState.SENT, OrderState.CANCEL_SENT, OrderState.UNKNOWN})
