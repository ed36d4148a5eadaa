"""Wait for the venue's answers: bars settle, and the drain ends, when none is missing."""

from __future__ import annotations

from domain.execution_book import ExecutionBook
from domain.messages import COORDINATOR, FEED, GATEWAY, BarSettled, Drained
from domain.order_gate import OrderGate
from domain.outputs import CancelTimer, Output, Send, SetTimer

ACK_TIMER = "ack"


class Settling:
    """Hold the bars, and the drain, that wait until no order is without an answer.

    They wait for every such order, those of a former process and of halts included.
    """

    def __init__(self, book: ExecutionBook, orders: OrderGate, ack_deadline_s: float) -> None:
        """Wait for the orders of `book`, each command on the wire at most `ack_deadline_s`."""
        self._book, self._orders, self._ack_deadline_s = book, orders, ack_deadline_s
        self.deadline_set = self.drain_due = False
        self.bars: list[int] = []

    @property
    def missing(self) -> bool:
        """Say whether an order is without an answer."""
        return bool(self._book.unanswered)

    def sent(self, wires: list[Output]) -> list[Output]:
        """Return commands for the wire, and by when they must be answered."""
        return [*wires, *self.deadline()] if wires else []

    def deadline(self) -> list[Output]:
        """Set the time by which answers must have come."""
        self.deadline_set = True
        return [SetTimer(ACK_TIMER, self._ack_deadline_s)]

    def settle(self) -> list[Output]:
        """Return the word that what waited is done, once there is no answer to come."""
        if not (self.deadline_set or self.bars or self.drain_due) or self.missing:
            return []
        outputs: list[Output] = [CancelTimer(ACK_TIMER)] if self.deadline_set else []
        self.deadline_set = False
        outputs += [Send(FEED, BarSettled(bar=bar)) for bar in self.bars]
        self.bars = []
        if self.drain_due and not (self._orders.ends_entries and self._orders.open_entries()):
            self.drain_due = False
            outputs.append(Send(COORDINATOR, Drained(role=GATEWAY)))
        return outputs
