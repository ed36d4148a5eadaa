"""Do to orders what people ask: cancel open ones, or say that one of unknown outcome never arrived.

Each command is done once: its key is remembered with the answer, and what it asks for is harmless when asked again by
a process that did not live to remember.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from domain.commands import CancelOrders, CommandDone, ResolveOrder
from domain.execution_book import ExecutionBook
from domain.messages import GATEWAY
from domain.orders import FINAL_STATES, OrderEvent
from domain.outbox import AuditEvent, AuditKind
from domain.outputs import Output
from domain.records import IntentKind, OrderEntry, OrderState

REMEMBERED = 1_000
"""How many of the last commands are answered as before when they come again."""

_SENT = "cancel sent"


class OrderCommands:
    """Carry out people's commands on the orders of a book, and remember what was answered."""

    def __init__(self, book: ExecutionBook, cancel: Callable[[Iterable[str]], list[Output]]) -> None:
        """Work on `book`; `cancel` marks orders and returns the commands for the wire."""
        self._book, self._cancel = book, cancel
        self._answers: dict[str, CommandDone] = {}

    def answered(self, key: str) -> CommandDone | None:
        """Return what the command `key` was answered, None for one not heard before."""
        return self._answers.get(key)

    def cancel(
        self, message: CancelOrders, *, connected: bool, bar: int
    ) -> tuple[list[Output], AuditEvent, CommandDone]:
        """Cancel what may be; return the commands for the wire, what to audit, and the answer with a fact per ref."""
        refs = tuple(dict.fromkeys(message.order_refs))
        facts = {ref: self._why_not_cancelled(ref, connected) for ref in refs}
        wires = self._cancel(ref for ref, why in facts.items() if not why)
        facts = {ref: why or _SENT for ref, why in facts.items()}
        sent = sum(fact == _SENT for fact in facts.values())
        detail = f"{sent} of {len(facts)} cancels sent" if facts else "no order was named"
        answer = self._answer(message.key, 0 < sent == len(facts), detail, facts)
        return wires, _intervention(message, "cancel orders", answer, bar), answer

    def resolve(self, message: ResolveOrder, *, bar: int) -> tuple[AuditEvent, CommandDone]:
        """Give an UNKNOWN order up as never arrived; return what to audit, and the answer."""
        order = self._book.orders.get(message.order_ref)
        why = self._why_not_resolved(order, message.order_ref)
        if order is not None and not why and order.state is OrderState.UNKNOWN:
            self._book.mark(
                message.order_ref, OrderEvent.RESOLVED, f"resolved by {message.who}: {message.reason}"
            )
        detail = why or f"{message.order_ref} never arrived"
        facts = {} if order is None else {"order_ref": message.order_ref, "before": order.state.value}
        answer = self._answer(message.key, not why, detail, facts)
        return _intervention(message, "resolve order", answer, bar), answer

    def _why_not_cancelled(self, ref: str, connected: bool) -> str:
        order = self._book.orders.get(ref)
        if order is None:
            return "refused: there is no such order"
        if order.state in FINAL_STATES:
            return f"refused: it has ended: {order.state.value}"
        if self._protects(order):
            return "refused: it protects an open position; close the position, and it ends"
        if order.state is OrderState.CANCEL_SENT:
            return _SENT
        return "" if connected else "not sent: there is no connection to the venue"

    def _why_not_resolved(self, order: OrderEntry | None, ref: str) -> str:
        if order is None:
            return f"there is no order {ref}"
        if order.state is OrderState.NEVER_ARRIVED:
            return ""  # as asked for
        if order.state is not OrderState.UNKNOWN:
            return f"{ref} is {order.state.value}: only an order of unknown outcome can be resolved"
        if order.filled_lots:
            return f"{order.filled_lots} lots of {ref} were executed: it did arrive"
        if self._protects(order):
            return f"{ref} protects an open position: close the position instead"
        return ""

    def _protects(self, order: OrderEntry) -> bool:
        return order.kind is IntentKind.STOP and self._book.positions.get((order.book, order.symbol), 0) != 0

    def _answer(self, key: str, done: bool, detail: str, facts: Mapping[str, Any]) -> CommandDone:
        answer = CommandDone(role=GATEWAY, key=key, done=done, detail=detail, facts=facts)
        self._answers[key] = answer
        while len(self._answers) > REMEMBERED:
            del self._answers[next(iter(self._answers))]
        return answer


def _intervention(
    message: CancelOrders | ResolveOrder, command: str, answer: CommandDone, bar: int
) -> AuditEvent:
    """Word what a person asked for and what was done, to be committed with it."""
    body = {
        "command": command,
        "who": message.who,
        "reason": message.reason,
        "done": answer.done,
        "detail": answer.detail,
        "facts": answer.facts,
    }
    return AuditEvent(AuditKind.INTERVENTION, 0, bar, message.key, False, body)
