"""Compare what we know with what the venue says, after every (re)connect, before the gate opens.

Four downloads must each have ended. Positions must then agree to the lot, and cash within the tolerance stated: 0 for a
simulated venue. An order we sent that no complete download names is absent; absent twice, the second time in the
download that the absence timer asked for, on a connection opened after the one that sent it, it never arrived. A link
lost in between begins the count anew: only the timer's download knows the interval has passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, assert_never

from domain.broker import (
    NO_BAR,
    DividendPaid,
    Downloaded,
    DownloadKind,
    Executed,
    OrderReported,
    RequestDownload,
)
from domain.cash_book import CashTerms
from domain.execution_book import ExecutionBook
from domain.history_check import miscounted, orders_not_ours, told_otherwise
from domain.instruments import MICRO
from domain.orders import OPEN_STATES, OrderEvent
from domain.outbox import AuditEvent, AuditKind
from domain.outputs import Output, Wire
from domain.records import IntentKind, OrderEntry, OrderState

_ASKED = (
    DownloadKind.OPEN_ORDERS,
    DownloadKind.COMPLETED_ORDERS,
    DownloadKind.EXECUTIONS,
    DownloadKind.POSITIONS,
)
"""The order of asking. Positions come last: fills that arrive meanwhile are in them, and in the book by then."""

_ORDER_KINDS = (DownloadKind.COMPLETED_ORDERS, DownloadKind.OPEN_ORDERS)


VenueEvent = OrderReported | Executed | DividendPaid


class Absent(NamedTuple):
    """Name the refs of open orders that a complete download does not hold: for the first time, and confirmed."""

    first: list[str]
    confirmed: list[str]


class Findings(NamedTuple):
    """Be what a reconciliation found: what to audit, whether orders are newly absent, and what must halt."""

    events: list[AuditEvent]
    recheck: bool
    faults: list[str]


class Reconciliation:
    """Ask for the four downloads, collect them, and remember which orders were absent."""

    def __init__(self, session: int, miscounted: list[str]) -> None:
        """Start with nothing asked; orders of `session` are ours, `miscounted` is told at the first settling."""
        self._session, self._miscounted = session, miscounted
        self._last_request = 0
        self._expected: dict[int, DownloadKind] = {}
        self._received: dict[DownloadKind, Downloaded] = {}
        self._absent_once: frozenset[str] = frozenset()
        self._confirming = False

    def begin(self, *, confirming: bool = False) -> list[Output]:
        """Ask for all four downloads; answers to earlier requests are ignored from now on.

        `confirming` says that the absence interval has passed on this connection.
        """
        self.abandon()
        self._confirming = confirming
        outputs: list[Output] = []
        for kind in _ASKED:
            self._last_request += 1
            self._expected[self._last_request] = kind
            outputs.append(Wire(RequestDownload(request_id=self._last_request, kind=kind)))
        return outputs

    def abandon(self) -> None:
        """Ignore the answers still to come: the connection that asked is gone."""
        self._expected.clear()
        self._received.clear()

    def take(self, download: Downloaded) -> bool:
        """Keep one answer; return True when it was the last one missing."""
        if self._expected.get(download.request_id) is not download.kind:
            return False
        del self._expected[download.request_id]
        self._received[download.kind] = download
        return not self._expected

    def settle(self, book: ExecutionBook, at_ns: int, bar: int, connection: int, cash: CashTerms) -> Findings:
        """Bring `book` to what the complete downloads say and return what was found.

        Attached stops are taken in first, so that their executions find them; then executions, then states.
        """
        reports = [report for kind in _ORDER_KINDS for report in self._received[kind].orders]
        history = self._received[DownloadKind.EXECUTIONS]
        history_faults = [*self._miscounted, *told_otherwise(book, history)]
        self._miscounted = []
        for report in reports:
            book.adopt(report, _bar_of(report, bar))
        told: list[VenueEvent] = [*history.executions, *history.dividends, *reports]
        events = [found for event in told for found in booked(book, event, bar, complete=True)]
        history_faults += [*miscounted(book), *orders_not_ours(book, reports, self._session)]
        absent = self.absent({ref: book.orders[ref] for ref in book.open_refs}, connection)
        for ref in absent.first:
            book.mark(ref, OrderEvent.OUTCOME_LOST, "absent from the venue's orders")
        for ref in absent.confirmed:
            book.mark(ref, OrderEvent.ABSENT_TWICE, "absent twice: it never arrived")
        mismatches = self.position_mismatches(book.account_positions())
        cash_mismatch = self.cash_mismatch(book.cash.cash_micro(cash.currency), cash)
        body = {
            "absent": absent.first,
            "never_arrived": absent.confirmed,
            "mismatches": mismatches,
            "cash_mismatches": cash_mismatch,
            "cash_unknown_for": sorted(book.cash.unknown),
            "history": history_faults,
            "connection": connection,
        }
        events.append(AuditEvent(AuditKind.RECONCILIATION, at_ns, bar, f"{connection}", False, body))
        faults = [*_differing(mismatches, cash_mismatch), *history_faults]
        stops = [ref for ref in absent.confirmed if book.orders[ref].kind is IntentKind.STOP]
        faults += [f"the venue no longer knows the protective stop {ref}" for ref in stops]
        return Findings(events, bool(absent.first), faults)

    def absent(self, orders: Mapping[str, OrderEntry], connection: int) -> Absent:
        """Return which open orders are missing from this complete download.

        An order counts only where it was sent on an earlier connection than `connection`: on the same one it may
        still be on its way. One that was heard of since it was first absent begins anew.
        """
        named = {order.order_ref for kind in _ORDER_KINDS for order in self._received[kind].orders}
        missing = [
            ref
            for ref, order in sorted(orders.items())
            if order.state in OPEN_STATES and ref not in named and order.connection < connection
        ]
        confirmed = [
            ref
            for ref in missing
            if self._confirming and ref in self._absent_once and orders[ref].state is OrderState.UNKNOWN
        ]
        first = [ref for ref in missing if ref not in confirmed]
        self._absent_once = frozenset(first)
        return Absent(first, confirmed)

    def position_mismatches(self, ours: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Return {symbol: (ours, venue's)} in lots where the two differ."""
        theirs = {row.symbol: row.lots for row in self._received[DownloadKind.POSITIONS].positions}
        symbols = sorted(set(ours) | set(theirs))
        pairs = {symbol: (ours.get(symbol, 0), theirs.get(symbol, 0)) for symbol in symbols}
        return {symbol: pair for symbol, pair in pairs.items() if pair[0] != pair[1]}

    def cash_mismatch(self, ours_micro: int | None, cash: CashTerms) -> dict[str, tuple[int, int]]:
        """Return {currency: (ours, venue's)} in micro-units where the two differ by more than is tolerated."""
        theirs_micro = self._received[DownloadKind.POSITIONS].cash_micro
        if ours_micro is None or abs(ours_micro - theirs_micro) <= cash.tolerance_micro:
            return {}
        return {cash.currency: (ours_micro, theirs_micro)}


def _differing(
    positions: Mapping[str, tuple[int, int]], cash_micro: Mapping[str, tuple[int, int]]
) -> list[str]:
    return [
        *(f"{symbol}: ours {ours} lots, venue {theirs}" for symbol, (ours, theirs) in positions.items()),
        *(
            f"cash: ours {ours / MICRO:.6f} {currency}, venue {theirs / MICRO:.6f}"
            for currency, (ours, theirs) in cash_micro.items()
        ),
    ]


def _bar_of(event: VenueEvent, bar: int) -> int:
    return bar if event.bar == NO_BAR else event.bar


def booked(book: ExecutionBook, event: VenueEvent, bar: int, *, complete: bool = False) -> list[AuditEvent]:
    """Bring one event of the venue into `book`; return what to audit beside it: an order that is not ours.

    It happened at the bar that the venue names, whenever we learn of it; where it names none, at `bar`. `complete` says
    that every execution there is was brought before.
    """
    bar = _bar_of(event, bar)
    match event:
        case OrderReported():
            if book.report(event, bar, complete=complete) is None:
                body = {"order": event.order_ref, "symbol": event.symbol, "status": event.status.value}
                key = f"foreign.{event.order_ref}"
                return [AuditEvent(AuditKind.RECONCILIATION, event.at_ns, bar, key, False, body)]
        case Executed():
            book.execute(event, bar)
        case DividendPaid():
            book.pay(event, bar)
        case _ as unreachable:
            assert_never(unreachable)
    return []
