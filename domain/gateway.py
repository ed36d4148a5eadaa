"""Guard the wire: commit before it, count what comes back, reconcile before the gate opens.

The gateway takes orders only as `OrdersApproved`, checks the hard limits, epoch, expiry and duplicates by itself,
commits {intent, approval, SENT, audit event} and only then writes to the venue. It alone marks an order UNKNOWN. The
connection and its reconciliation are `domain/venue_link.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, assert_never

from domain.broker import BrokerLink, BrokerUpdate, CancelOrder, Downloaded
from domain.cash_book import CashBook
from domain.errors import InvariantViolation
from domain.execution_book import ExecutionBook
from domain.gateway_policy import GateView, GatewaySettings, audit_order, halt_raised, place_order, refusal
from domain.gateway_state import book_state
from domain.halt_messages import LatchChanged, LatchHeld
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
    OrderApproved,
    OrdersApproved,
    Ready,
    RequestJournal,
    TimerFired,
)
from domain.messages import GATEWAY as ROLE
from domain.orders import OPEN_STATES, OrderEvent
from domain.outbox import AuditEvent
from domain.outputs import CancelTimer, Output, Persist, Send, SendJournal, SetTimer, Wire
from domain.reconcile import LOSABLE_STATES, booked
from domain.records import HaltTrigger, IntentKind, JournalEntry, MachineSnapshot, OrderState, Record, Rung
from domain.venue_link import VenueLink

ACK_TIMER = "ack"
LATCH = "latch"
"""Name of the snapshot that keeps the gateway's copy of the halt latch."""

_UNANSWERED = LOSABLE_STATES | {OrderState.UNKNOWN}


class Gateway:
    """Place approved orders once, book executions once, and settle bars in lockstep."""

    def __init__(
        self, settings: GatewaySettings, entries: Iterable[JournalEntry], latch: Mapping[str, Any] | None
    ) -> None:
        """Rebuild from the journal's `entries` and the saved `latch`; the gate opens after reconciliation."""
        self._settings = settings
        opening = {settings.cash.currency: settings.cash_micro}
        self._book = ExecutionBook(entries, CashBook(settings.limits.instruments, opening))
        self._link = VenueLink(settings, self._book)
        values = latch or {}
        self._rung = Rung(values.get("rung", 0))
        self._latch_version = int(values.get("version", 0))
        self._unheard = {HaltTrigger(name): tuple(told) for name, told in values.get("unheard", {}).items()}
        self._bar = self._decided = -1
        self._sent_for_bar = (-1, 0)
        self._ready = self._deadline_set = False
        self._settling: list[int] = []
        self._stopping = self._drain_due = self._end_entries = False
        self._epoch = self._refused = 0

    def handle(self, message: GatewayInbox) -> list[Output]:
        """Return what follows from `message`."""
        match message:
            case OrdersApproved():
                return self._approved(message)
            case BrokerUpdate():
                return self._updated(message)
            case BrokerLink():
                outputs = self._link.changed(message)
                return [*self._commit(message.at_ns), *outputs]
            case LatchChanged():
                return self._latched(message)
            case RequestJournal(requester=requester, after_seq=after_seq):
                return [SendJournal(requester, after_seq, self._book.seq)]
            case TimerFired(name=name):
                return self._timer(name)
            case Drain(cancel_entries=cancel_entries):
                return self._drain(cancel_entries)
            case Begin():  # a halt whose news a crash may have swallowed is told again
                return [self._tell(trigger, again=True) for trigger in sorted(self._unheard)]
            case _ as unreachable:
                assert_never(unreachable)

    def state(self) -> Mapping[str, Any]:
        """Return gate, latch, open orders and counts."""
        return {
            **book_state(self._book, self._settings.cash.currency),
            "gate_open": self._link.gate_open,
            "connection": self._link.number,
            "rung": self._rung.name,
            "latch_version": self._latch_version,
            "refused": self._refused,
            "settling": self._settling[0] if self._settling else None,
        }

    # --- orders -----------------------------------------------------------------------------------------------------

    def _approved(self, message: OrdersApproved) -> list[Output]:
        self._bar, self._decided = max(self._bar, message.bar), max(self._decided, message.bar)
        raised = message.latch_version >= self._latch_version and message.rung > self._rung
        outputs = self._hold(message.rung, message.latch_version) if raised else []
        wires: list[Output] = []
        events: list[AuditEvent] = []
        for approval in message.approvals:
            if approval.intent.intent_id not in self._book.orders:  # else re-sent: one intent is one order
                self._place(approval, wires, events)
        wires += self._cancel(message.cancels)
        outputs += [*self._commit(message.at_ns, events), *wires, *(self._deadline() if wires else ())]
        self._settling.append(message.bar)
        return [*outputs, *self._settle()]

    def _place(self, approval: OrderApproved, wires: list[Output], events: list[AuditEvent]) -> None:
        intent = approval.intent
        why = refusal(approval, self._view(), self._book, self._settings.limits)
        self._epoch = max(self._epoch, approval.risk_epoch)
        if why:
            self._refused += 1
            self._book.send(intent, OrderState.REFUSED, self._link.number, f"gateway: {why}")
        else:
            self._book.send(intent, OrderState.SENT, self._link.number, "")
            wires.append(Wire(place_order(intent)))
            self._sent_for_bar = (self._bar, self._sent() + 1)
        events.append(audit_order(approval, why))

    def _view(self) -> GateView:
        closed = "the engine is stopping" if self._stopping else ""
        if not self._link.gate_open:
            closed = "the gate is closed: the venue is not connected and reconciled"
        return GateView(closed, self._rung, self._epoch, self._bar, self._sent())

    def _sent(self) -> int:
        bar, count = self._sent_for_bar
        return count if bar == self._bar else 0

    def _cancel(self, refs: Iterable[str]) -> list[Output]:
        """Cancel open orders; without a link nothing is sent: `_follow_up` ends what must end once it is back."""
        wires: list[Output] = []
        for ref in refs if self._link.up else ():
            order = self._book.orders.get(ref)
            if order is not None and order.state in OPEN_STATES and order.state is not OrderState.CANCEL_SENT:
                self._book.mark(ref, OrderEvent.CANCEL_SENT)
                wires.append(Wire(CancelOrder(order_ref=ref)))
        return wires

    def _deadline(self) -> list[Output]:
        self._deadline_set = True
        return [SetTimer(ACK_TIMER, self._settings.ack_deadline_s)]

    def _commit(self, at_ns: int, events: Iterable[AuditEvent] = (), advanced: int = -1) -> list[Output]:
        entries, booked_events = self._book.collect()
        records: tuple[Record, ...] = (*entries, *booked_events, *events)
        outputs: list[Output] = [Persist(records)] if records else []
        if entries or advanced >= 0:
            head = self._book.seq
            after = head - len(entries)
            update = JournalUpdate(
                at_ns=at_ns, advanced=advanced, entries=entries, after_seq=after, head=head, last=False
            )
            outputs.append(Send(RISK, update))
        return outputs

    def _settle(self) -> list[Output]:
        """Settle the bars, and end the drain, that waited for answers, once there is none to come.

        They wait for every order without an answer, those of a former process and of halts included.
        """
        waits = self._deadline_set or self._settling or self._drain_due
        if not waits or self._open_in(_UNANSWERED):
            return []
        outputs: list[Output] = [CancelTimer(ACK_TIMER)] if self._deadline_set else []
        self._deadline_set = False
        outputs += [Send(FEED, BarSettled(bar=bar)) for bar in self._settling]
        self._settling = []
        if self._drain_due and not (self._end_entries and self._open_entries()):
            self._drain_due = False
            outputs.append(Send(COORDINATOR, Drained(role=ROLE)))
        return outputs

    # --- what the venue says ----------------------------------------------------------------------------------------

    def _updated(self, update: BrokerUpdate) -> list[Output]:
        self._bar = max(self._bar, update.advanced)
        bar = update.advanced if update.advanced >= 0 else self._bar
        events: list[AuditEvent] = []
        complete = False
        for event in update.events:
            if isinstance(event, Downloaded):
                complete = self._link.take(event) or complete
            else:
                events += booked(self._book, event, bar)
        outputs = self._commit(update.at_ns, events, update.advanced)
        if complete:
            outputs += self._reconciled(update.at_ns)
        return [*outputs, *self._follow_up(), *self._settle()]

    def _reconciled(self, at_ns: int) -> list[Output]:
        findings, timers = self._link.reconcile(at_ns, max(self._bar, self._settings.next_bar))
        outputs = [*self._commit(at_ns, findings.events), *timers]
        if findings.faults:
            why = f"our books differ from the venue's: {', '.join(findings.faults)}"
            outputs += self._raise(HaltTrigger.TECHNICAL_FAILURE, why)
        if self._link.gate_open and not self._ready:
            self._ready = True
            outputs.append(Send(COORDINATOR, Ready(role=ROLE, generation=self._settings.generation)))
        return outputs

    def _follow_up(self) -> list[Output]:
        """Halt for orders that turned up after they were given up, and end entries that must not stay open."""
        outputs: list[Output] = []
        if late := self._book.take_late():
            outputs += self._raise(HaltTrigger.LATE_ARRIVAL, f"given up, then arrived: {', '.join(late)}")
        if self._rung > Rung.ACTIVE or self._end_entries:
            orders, unknown = self._book.orders, OrderState.UNKNOWN
            wires = self._cancel(ref for ref in self._open_entries() if orders[ref].state is not unknown)
            outputs += [*self._commit(0), *wires, *(self._deadline() if wires else ())]
        if self._link.gate_open and not self._deadline_set and self._open_in(_UNANSWERED):
            outputs += self._deadline()
        return outputs

    def _timer(self, name: str) -> list[Output]:
        match name:
            case "ack":
                outputs = self._unanswered()
            case "download":
                outputs = self._link.overdue()
            case "absence":
                outputs = self._link.recheck()
            case "reconnect":
                outputs = self._link.reconnect()
            case "broker_lost":
                detail = f"no connection to the venue for {self._settings.broker_lost_s:g} s"
                outputs = self._raise(HaltTrigger.BROKER_LOST, detail)
            case _:
                raise InvariantViolation(f"the gateway sets no timer {name}")
        return [*self._commit(0), *outputs]

    def _unanswered(self) -> list[Output]:
        """Connect anew when an answer is overdue; while the gate is closed a reconciliation is under way anyhow."""
        self._deadline_set = False
        overdue = self._link.gate_open and self._open_in(_UNANSWERED)
        return self._link.renew("no answer within the deadline") if overdue else []

    def _open_in(self, states: frozenset[OrderState]) -> bool:
        return any(self._book.orders[ref].state in states for ref in self._book.open_refs)

    # --- halts and the end ------------------------------------------------------------------------------------------

    def _latched(self, message: LatchChanged) -> list[Output]:
        outputs: list[Output] = []
        for trigger in message.heard:
            self._unheard.pop(trigger, None)
        # A lowering told again is news where nothing of its bar, or later, was approved yet: what was may have raised.
        ahead = message.version - self._latch_version
        if ahead > 0 or (ahead == 0 and message.lowers and message.bar > self._decided):
            for trigger in message.active:
                self._unheard.pop(trigger, None)
            rung = message.rung if message.lowers else max(message.rung, self._rung)
            # A lowering that crossed our own halt on the way does not know of it.
            outputs = self._hold(max(rung, Rung.HALTED) if self._unheard else rung, message.version)
        return [*outputs, Send(COORDINATOR, LatchHeld(role=ROLE, version=message.version))]

    def _hold(self, rung: Rung, version: int) -> list[Output]:
        raised = rung > self._rung
        self._rung, self._latch_version = rung, version
        values = {"rung": int(rung), "version": version, "unheard": dict(self._unheard)}
        snapshot = MachineSnapshot(name=LATCH, bar=self._bar, at_ns=0, values=values)
        wires = self._cancel(self._open_entries()) if raised else []
        return [Persist((snapshot,)), *self._commit(0), *wires, *(self._deadline() if wires else ())]

    def _open_entries(self) -> list[str]:
        return sorted(ref for ref in self._book.open_refs if self._book.orders[ref].kind is IntentKind.ENTRY)

    def _raise(self, trigger: HaltTrigger, detail: str) -> list[Output]:
        self._unheard[trigger] = (self._bar, detail)
        return [*self._hold(max(Rung.HALTED, self._rung), self._latch_version), self._tell(trigger)]

    def _tell(self, trigger: HaltTrigger, *, again: bool = False) -> Send:
        return Send(COORDINATOR, halt_raised(trigger, *self._unheard[trigger], again=again), True)

    def _drain(self, cancel_entries: bool) -> list[Output]:
        self._stopping = self._drain_due = True
        self._end_entries = self._end_entries or cancel_entries
        wires = self._cancel(self._open_entries()) if self._end_entries else []
        return [*self._commit(0), *wires, *(self._deadline() if wires else ()), *self._settle()]
