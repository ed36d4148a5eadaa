"""Hold what we booked to the history that the venue tells: a journal that was edited must not be traded on.

The venue tells at each reconciliation what it executed, in whole or the recent part. An execution it tells otherwise
than we booked it, one we booked that a whole history lacks, an order of ours that our journal lacks, and an order whose
filled lots are not those of its executions are each a fault (I2, I3). What was never booked is none: it is news.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from domain.broker import Downloaded, Executed, OrderReported
from domain.execution_book import ExecutionBook

_COMPARED = ("order_ref", "symbol", "side", "lots", "price", "commission_micro", "corrects")
"""What an execution is. Not when: a venue may tell the time again with less digits."""

_NAMED = 5


def told_otherwise(book: ExecutionBook, history: Downloaded) -> list[str]:
    """Return where booked executions differ from `history`, to be called before it is booked."""
    pairs = ((book.execution(told.exec_id), told) for told in history.executions)
    differ = [text for ours, told in pairs if ours is not None and (text := _difference(ours, told))]
    known = {told.exec_id for told in history.executions} if history.whole else set(book.exec_ids())
    unknown = [exec_id for exec_id in book.exec_ids() if exec_id not in known]
    return [
        *_named("executions that the venue tells otherwise", differ),
        *_named("executions that the venue does not know", unknown),
    ]


def orders_not_ours(book: ExecutionBook, reports: Iterable[OrderReported], session: int) -> list[str]:
    """Return the orders that the venue got from this `session`, by their refs, and that our journal lacks."""
    missing = [
        report.order_ref
        for report in reports
        if report.order_ref.startswith(f"{session}.") and report.order_ref not in book.orders
    ]
    return _named("orders of this session that the journal lacks", missing)


def miscounted(book: ExecutionBook) -> list[str]:
    """Return the orders whose filled lots, as the journal has them, are not those of their executions."""
    found = [
        f"{order.order_ref} (filled {order.filled_lots} of {order.lots}, executed {book.executed_lots(ref)})"
        for ref, order in book.orders.items()
        if order.filled_lots != book.executed_lots(ref) or order.filled_lots > order.lots
    ]
    return _named("orders whose filled lots their executions do not make up", found)


def _difference(ours: Executed, told: Executed) -> str:
    pairs = ((name, getattr(ours, name), getattr(told, name)) for name in _COMPARED)
    texts = [f"{name} {mine} (venue: {theirs})" for name, mine, theirs in pairs if mine != theirs]
    return f"{told.exec_id}: {', '.join(texts)}" if texts else ""


def _named(what: str, found: Sequence[str]) -> list[str]:
    """Return one text that names the first of `found` and counts the others; none where there are none."""
    if not found:
        return []
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return [f"{what}: {'; '.join(found[:_NAMED])}{more}"]
