"""Guard the wire: commit before it, count what comes back, reconcile before the gate opens.

The gateway takes orders only as `OrdersApproved`, checks the hard limits, epoch, expiry and duplicates by itself,
commits {intent, approval, SENT, audit event} and only then writes to the venue. It alone marks an order UNKNOWN. Its
orders are `domain/order_gate.py`, the connection and its reconciliation `domain/venue_link.py`, its copy of the halt
latch `domain/latch_copy.py`; what waits for answers is `domain/settling.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, assert_never

from domain.breakers import BreakerFactory
from domain.broker import BrokerLink, BrokerUpdate, Downloaded
from domain.cash_book import CashBook
from domain.commands import CancelOrders, ResolveOrder
from domain.errors import InvariantViolation
from domain.execution_book import ExecutionBook
from domain.gateway_policy import GatewaySettings
from domain.gateway_state import book_state
from domain.halt_messages import LatchChanged, LatchFound, LatchHeld
from domain.halts import by_file
from domain.latch_copy import BY_GATEWAY, LATCH, LatchCopy
from domain.lease import PULSE_TIMER, Lease, Standing
from domain.messages import (
    COORDINATOR,
    RISK,
    Begin,
    Drain,
    GatewayInbox,
    JournalUpdate,
    OrdersApproved,
    Ready,
    RequestJournal,
    TimerFired,
)
from domain.messages import GATEWAY as ROLE
from domain.order_commands import OrderCommands
from domain.order_gate import OrderGate
from domain.outbox import AuditEvent
from domain.outputs import Output, Persist, Send, SendJournal, WriteLatch
from domain.reconcile import booked
from domain.records import HaltTrigger, JournalEntry, Record
from domain.settling import ACK_TIMER, Settling
from domain.supervision import LeaseGranted
from domain.venue_breaker import BREAKER_TIMER, VenueBreaker
from domain.venue_link import ABSENCE_TIMER, DOWNLOAD_TIMER, LOST_TIMER, RECONNECT_TIMER, VenueLink

__all__ = ["LATCH", "Gateway"]


class Gateway:
    """Place approved orders once, book executions once, and settle bars in lockstep."""

    def __init__(
        self,
        settings: GatewaySettings,
        entries: Iterable[JournalEntry],
        latch: Mapping[str, Any] | None,
        breaker: Mapping[str, Any] | None = None,
        build_breaker: BreakerFactory | None = None,
    ) -> None:
        """Rebuild from the journal's `entries`, the saved `latch` and `breaker`; reconciliation opens the gate."""
        self._settings = settings
        opening = {settings.cash.currency: settings.cash_micro}
        self._book = ExecutionBook(entries, CashBook(settings.limits.instruments, opening))
        self._breaker = VenueBreaker(settings.breaker, build_breaker, breaker)
        self._link = VenueLink(settings, self._book, self._breaker)
        self._latch = LatchCopy(latch)
        self._lease = Lease(ROLE, settings.generation, settings.lease)
        self._orders = OrderGate(settings, self._book, self._link, self._latch, self._lease)
        self._commands = OrderCommands(self._book, self._orders.cancel)
        self._settling = Settling(self._book, self._orders, settings.ack_deadline_s)
        self._ready = False
        self._finished = -1

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
            case LatchFound():
                return self._found(message)
            case LeaseGranted():
                return self._granted(message)
            case RequestJournal(requester=requester, after_seq=after_seq):
                return [SendJournal(requester, after_seq, self._book.seq)]
            case TimerFired(name=name):
                return self._timer(name)
            case CancelOrders() | ResolveOrder():
                return self._commanded(message)
            case Drain(cancel_entries=cancel_entries):
                return self._drain(cancel_entries)
            case Begin():  # a halt whose news a crash may have swallowed is told again
                return [*self._tell_again(), *self._lease.beat(self._standing())]
            case _ as unreachable:
                assert_never(unreachable)

    def state(self) -> Mapping[str, Any]:
        """Return gate, lease, latch, open orders and counts."""
        return {
            **book_state(self._book, self._settings.cash.currency),
            "gate_open": self._link.gate_open,
            "connection": self._link.number,
            "breaker": self._breaker.state.value,
            "lease_held": self._lease.held,
            "rung": self._latch.rung.name,
            "latch_version": self._latch.version,
            "scoped": {scope: rung.name for scope, rung in sorted(self._latch.scoped.items())},
            "refused": self._orders.refused,
            "settling": next(iter(self._settling.bars), None),
        }

    # --- orders -----------------------------------------------------------------------------------------------------

    def _approved(self, message: OrdersApproved) -> list[Output]:
        self._orders.hear(message)
        outputs = self._hold() if self._latch.approved(message.rung, message.latch_version) else []
        placed = self._orders.approve(message)
        outputs += self._commit(message.at_ns, placed.events, first=self._settling.sent(placed.wires))
        self._settling.bars.append(message.bar)
        return [*outputs, *self._settling.settle()]

    def _commanded(self, message: CancelOrders | ResolveOrder) -> list[Output]:
        """Do what a person asks; what was asked before is answered as before."""
        answer, wires = self._commands.answered(message.key), list[Output]()
        if answer is not None:
            return [Send(COORDINATOR, answer, True)]
        if isinstance(message, CancelOrders):
            wires, event, answer = self._commands.cancel(
                message, connected=self._link.up, bar=self._orders.bar
            )
        else:
            event, answer = self._commands.resolve(message, bar=self._orders.bar)
        done = [*self._commit(0, [event], first=self._settling.sent(wires)), Send(COORDINATOR, answer, True)]
        return [*done, *self._settling.settle()]

    def _commit(
        self, at_ns: int, events: Iterable[AuditEvent] = (), advanced: int = -1, first: Iterable[Output] = ()
    ) -> list[Output]:
        """Return what makes all that changed durable, then what is to be out `first`, then word to the risk manager."""
        entries, booked_events = self._book.collect()
        changed = self._breaker.take_records(self._orders.bar)
        records: tuple[Record, ...] = (*entries, *booked_events, *events, *changed)
        outputs: list[Output] = [Persist(records)] if records else []
        outputs += first
        if entries or advanced >= 0:
            head = self._book.seq
            after = head - len(entries)
            update = JournalUpdate(
                at_ns=at_ns, advanced=advanced, entries=entries, after_seq=after, head=head, last=False
            )
            outputs.append(Send(RISK, update))
        return outputs

    # --- what the venue says ----------------------------------------------------------------------------------------

    def _updated(self, update: BrokerUpdate) -> list[Output]:
        self._orders.bar = max(self._orders.bar, update.advanced)
        bar = update.advanced if update.advanced >= 0 else self._orders.bar
        self._finished = max(self._finished, update.advanced)
        events: list[AuditEvent] = []
        complete = False
        for event in update.events:
            if isinstance(event, Downloaded):
                complete = self._link.take(event) or complete
            else:
                events += booked(self._book, event, bar)
        outputs = self._commit(update.at_ns, events, self._finished_bar())
        if complete:
            outputs += self._reconciled(update.at_ns)
        return [*outputs, *self._follow_up(), *self._settling.settle()]

    def _finished_bar(self) -> int:
        """Return, once, the bar that the market has finished; until the downloads have ended its fills are missing."""
        if not self._link.caught_up:
            return -1
        finished, self._finished = self._finished, -1
        return finished

    def _reconciled(self, at_ns: int) -> list[Output]:
        findings, timers = self._link.reconcile(at_ns, max(self._orders.bar, self._settings.next_bar))
        outputs = [*self._commit(at_ns, findings.events, self._finished_bar()), *timers]
        if findings.faults:
            why = f"our books differ from the venue's: {', '.join(findings.faults)}"
            outputs += self._raise(HaltTrigger.TECHNICAL_FAILURE, why)
        return [*outputs, *self._say_ready()]

    def _follow_up(self) -> list[Output]:
        """Halt for orders that turned up after they were given up, and end entries that must not stay open."""
        outputs: list[Output] = []
        if late := self._book.take_late():
            outputs += self._raise(HaltTrigger.LATE_ARRIVAL, f"given up, then arrived: {', '.join(late)}")
        outputs += self._end_entries()
        if self._link.gate_open and not self._settling.deadline_set and self._settling.missing:
            outputs += self._settling.deadline()
        return outputs

    def _timer(self, name: str) -> list[Output]:
        match name:
            case _ if name == ACK_TIMER:
                outputs = self._unanswered()
            case _ if name == DOWNLOAD_TIMER:
                outputs = self._link.overdue()
            case _ if name == ABSENCE_TIMER:
                outputs = self._link.recheck()
            case _ if name == RECONNECT_TIMER:
                outputs = self._link.reconnect()
            case _ if name == BREAKER_TIMER:
                outputs = self._link.probe()
            case _ if name == LOST_TIMER:
                detail = f"no connection to the venue for {self._settings.broker_lost_s:g} s"
                outputs = self._raise(HaltTrigger.BROKER_LOST, detail)
            case _ if name == PULSE_TIMER:
                outputs = [*self._tell_again(), *self._lease.beat(self._standing())]
            case _ if self._lease.owns(name):
                self._lease.run_out(name)
                outputs = self._end_entries()
            case _:
                raise InvariantViolation(f"the gateway sets no timer {name}")
        return [*self._commit(0), *outputs]

    def _unanswered(self) -> list[Output]:
        """Connect anew when an answer is overdue; while the gate is closed a reconciliation is under way anyhow."""
        self._settling.deadline_set = False
        overdue = self._link.gate_open and self._settling.missing
        return self._link.renew("no answer within the deadline") if overdue else []

    # --- leases, halts and the end ----------------------------------------------------------------------------------

    def _standing(self) -> Standing:
        at_rest = self._orders.stopping and not self._settling.drain_due
        return Standing(
            epoch=self._orders.epoch, head=self._book.seq, ready=self._link.gate_open, at_rest=at_rest
        )

    def _granted(self, message: LeaseGranted) -> list[Output]:
        self._lease.grant(message)
        outputs = self._hold() if self._latch.granted(message) else []
        return [*outputs, *self._say_ready()]

    def _latched(self, message: LatchChanged) -> list[Output]:
        """Hold the latch and say so; a lowering that does not know of a halt of ours is not: that is told instead."""
        kept = self._hold() if self._latch.changed(message, self._orders.decided) else []
        if message.lowers and (unheard := self._tell_again()):
            return [*kept, *unheard]
        return [*kept, Send(COORDINATOR, LatchHeld(role=ROLE, version=message.version))]

    def _say_ready(self) -> list[Output]:
        if self._ready or not (self._link.gate_open and self._lease.held):
            return []
        self._ready = True
        return [Send(COORDINATOR, Ready(role=ROLE, generation=self._settings.generation))]

    def _end_entries(self) -> list[Output]:
        wires = self._orders.overdue()
        return self._commit(0, first=self._settling.sent(wires)) if wires else []

    def _hold(self) -> list[Output]:
        """Make the latch durable, and cancel the entries that it has no place for."""
        wires = self._orders.cancel(self._orders.forbidden_entries())
        return [
            Persist((self._latch.snapshot(self._orders.bar),)),
            *self._commit(0, first=self._settling.sent(wires)),
        ]

    def _raise(self, trigger: HaltTrigger, detail: str) -> list[Output]:
        self._latch.raise_here(trigger, self._orders.bar, detail)
        kept, *cancels = self._hold()
        file = WriteLatch(self._latch.rung, BY_GATEWAY, detail)
        return [kept, file, *cancels, self._tell(trigger)]

    def _found(self, file: LatchFound) -> list[Output]:
        """Hold what a latch file says that the ladder does not know of, and tell it; the file stands as it is."""
        if file.rung <= self._latch.rung:
            return []
        self._latch.raise_here(HaltTrigger.KILL_SWITCH, self._orders.bar, by_file(file.detail), file.rung)
        return [*self._hold(), self._tell(HaltTrigger.KILL_SWITCH)]

    def _tell(self, trigger: HaltTrigger, *, again: bool = False) -> Send:
        return Send(COORDINATOR, self._latch.told(trigger, again=again), True)

    def _tell_again(self) -> list[Output]:
        return [self._tell(trigger, again=True) for trigger in self._latch.unheard()]

    def _drain(self, cancel_entries: bool) -> list[Output]:
        self._orders.stopping = self._settling.drain_due = True
        self._orders.ends_entries = self._orders.ends_entries or cancel_entries
        wires = self._orders.cancel(self._orders.open_entries()) if self._orders.ends_entries else []
        return [*self._commit(0, first=self._settling.sent(wires)), *self._settling.settle()]
