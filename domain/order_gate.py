"""Place what was approved, once, and cancel what must end: the gateway's orders on their way to the wire.

Everything here happens in memory; the gateway commits what follows before it lets the commands out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from domain.broker import CancelOrder
from domain.execution_book import ExecutionBook
from domain.gateway_policy import (
    GateView,
    GatewaySettings,
    audit_order,
    place_order,
    reduces_by_size,
    refusal,
)
from domain.latch_copy import LatchCopy
from domain.lease import Lease
from domain.messages import OrderApproved, OrdersApproved
from domain.orders import BY_GATEWAY_ITSELF, OPEN_STATES, OrderEvent
from domain.outbox import AuditEvent
from domain.outputs import Output, Wire
from domain.records import IntentKind, OrderState
from domain.venue_link import VenueLink

NO_LEASE = "no lease from the coordinator"


class Placed(NamedTuple):
    """Be what a message of approvals led to: commands for the wire, and what to audit with their commit."""

    wires: list[Output]
    events: list[AuditEvent]


class OrderGate:
    """Judge approvals against everything that may close the way, and know which entries must not stay open."""

    def __init__(
        self, settings: GatewaySettings, book: ExecutionBook, link: VenueLink, latch: LatchCopy, lease: Lease
    ) -> None:
        """Keep `book`; the others say what is forbidden now."""
        self._settings = settings
        self._book, self._link, self._latch, self._lease = book, link, latch, lease
        self._sent_for_bar = (-1, 0)
        self.bar = self.decided = -1
        self.epoch = self.refused = 0
        self.stopping = self.ends_entries = False

    def hear(self, message: OrdersApproved) -> None:
        """Note which bar was decided, and in which epoch: older ones are over."""
        self.bar, self.decided = max(self.bar, message.bar), max(self.decided, message.bar)
        self.epoch = max(self.epoch, message.risk_epoch)

    def approve(self, message: OrdersApproved) -> Placed:
        """Place what passes and carry out the cancels; an intent that is known, however it came, is left alone."""
        placed = Placed([], [])
        for approval in message.approvals:
            if approval.intent.intent_id not in self._book.orders:  # else re-sent: one intent is one order
                self._place(approval, placed)
        placed.wires.extend(self.cancel(message.cancels))
        return placed

    def cancel(self, refs: Iterable[str]) -> list[Output]:
        """Cancel open orders; without a link nothing is sent: `overdue` ends what must end once it is back."""
        wires: list[Output] = []
        for ref in refs if self._link.up else ():
            order = self._book.orders.get(ref)
            if order is not None and order.state in OPEN_STATES and order.state is not OrderState.CANCEL_SENT:
                self._book.mark(ref, OrderEvent.CANCEL_SENT)
                wires.append(Wire(CancelOrder(order_ref=ref)))
        return wires

    def open_entries(self) -> list[str]:
        """Return the refs of entries that may still fill."""
        book = self._book
        return sorted(ref for ref in book.open_refs if book.orders[ref].kind is IntentKind.ENTRY)

    def forbidden_entries(self) -> list[str]:
        """Return the open entries that a halt, a lease that ran out or the end of the engine leaves no place for."""
        if self.ends_entries or self._lease.lapsed:
            return self.open_entries()
        if not self._latch.up:
            return []
        orders, forbids = self._book.orders, self._latch.forbids
        return [ref for ref in self.open_entries() if forbids(orders[ref].book, orders[ref].symbol)]

    def overdue(self) -> list[Output]:
        """Cancel again what must not stay open, but for orders of which nothing is known: they are asked about."""
        forbidden, orders = self.forbidden_entries(), self._book.orders
        if not forbidden:
            return []
        return self.cancel(ref for ref in forbidden if orders[ref].state is not OrderState.UNKNOWN)

    def _place(self, approval: OrderApproved, placed: Placed) -> None:
        intent, book = approval.intent, self._book
        why = refusal(approval, self._view(approval), book, self._settings.limits)
        self.epoch = max(self.epoch, approval.risk_epoch)
        if why:
            self.refused += 1
            book.send(intent, OrderState.REFUSED, self._link.number, f"{BY_GATEWAY_ITSELF}{why}")
        else:
            placed.wires.append(Wire(place_order(intent, reduces=reduces_by_size(intent, book))))
            book.send(intent, OrderState.SENT, self._link.number, "")
            self._sent_for_bar = (self.bar, self._sent() + 1)
        placed.events.append(audit_order(approval, why))

    def _view(self, approval: OrderApproved) -> GateView:
        closed = self._link.closed_because or ("the engine is stopping" if self.stopping else "")
        held = self._latch.forbids(approval.intent.book, approval.intent.symbol)
        if not self._lease.held:
            held = NO_LEASE
        return GateView(closed, held, self.epoch, self.bar, self._sent())

    def _sent(self) -> int:
        bar, count = self._sent_for_bar
        return count if bar == self.bar else 0
