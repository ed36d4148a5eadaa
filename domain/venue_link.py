"""Follow the gateway's connection: when it was lost, what was asked since, and whether the gate is open.

The gate opens when a reconciliation ended with no order newly absent. It closes when the link is lost, when an order is
not answered in time, and with each new connection. Time without a reconciled connection is one outage, however often
the link comes and goes meanwhile; it ends when the four downloads are complete.

A circuit breaker counts attempts that fail, links lost and answers overdue; each completed reconciliation is a success.
While it is open nothing is attempted, and until it is closed the gate is: where it wants more than one success, the
same connection is asked anew after the absence interval, until there were enough.
"""

from __future__ import annotations

from domain.breakers import BreakerState
from domain.broker import BrokerLink, Downloaded
from domain.execution_book import ExecutionBook
from domain.gateway_policy import GatewaySettings
from domain.history_check import miscounted
from domain.orders import LOSABLE_STATES, OrderEvent
from domain.outputs import CancelTimer, Connect, Output, SetTimer
from domain.reconcile import Findings, Reconciliation
from domain.venue_breaker import VenueBreaker

ABSENCE_TIMER, DOWNLOAD_TIMER, LOST_TIMER, RECONNECT_TIMER = "absence", "download", "broker_lost", "reconnect"


class VenueLink:
    """Hold the connection's state; mark in the book what a lost connection leaves unknown.

    `up` says that there is a connection, `caught_up` that what it had missed was downloaded, `gate_open` that orders
    may pass.
    """

    def __init__(self, settings: GatewaySettings, book: ExecutionBook, breaker: VenueBreaker) -> None:
        """Start unconnected, a first attempt under way; connections are numbered on from the journal's last."""
        self._settings = settings
        self._book = book
        self._reconciliation = Reconciliation(settings.session, miscounted(book))
        self._last_seen = 0
        self._attempt = 0
        self._outage = False
        self._attempting = True
        self.breaker = breaker
        self.number = max((order.connection for order in book.orders.values()), default=0)
        self.up = False
        self.gate_open = False
        self.caught_up = False

    def changed(self, link: BrokerLink) -> list[Output]:
        """Take in that the link came up or was lost; what is about an older connection changes nothing."""
        if link.connected:
            if link.connection <= self._last_seen:
                return []
            self._last_seen = link.connection
            self.number = max(link.connection, self.number + 1)
            self._lose("the connection that carried it has ended")
            self.up, self._attempting = True, False
            return [
                CancelTimer(RECONNECT_TIMER),
                CancelTimer(ABSENCE_TIMER),
                *self._download(confirming=False),
            ]
        if 0 < link.connection < self._last_seen:
            return []
        # A loss overtakes what waits: that this very connection came up may still be heard, and is over.
        self._last_seen = max(self._last_seen, link.connection)
        counted = self._failed(link.text or "connection lost")
        self._lose("connection lost")
        outputs: list[Output] = [*self._outage_begins(), CancelTimer(DOWNLOAD_TIMER), *counted]
        if self.breaker.state is BreakerState.OPEN:
            return [*outputs, CancelTimer(RECONNECT_TIMER)]
        delays = self._settings.reconnect_delays_s
        delay = delays[min(self._attempt, len(delays) - 1)]
        self._attempt += 1
        return [*outputs, SetTimer(RECONNECT_TIMER, delay)]

    def renew(self, why: str) -> list[Output]:
        """Close the gate and connect anew, since an answer did not come in time."""
        counted = self._failed(why)
        self._lose(why)
        return [*self._outage_begins(), CancelTimer(DOWNLOAD_TIMER), *counted, *self.reconnect()]

    def reconnect(self) -> list[Output]:
        """Try again after a lost link, unless it came back meanwhile or the breaker is open."""
        if self.up or self.breaker.state is BreakerState.OPEN:
            return []
        self._attempting = True
        return [Connect()]

    def probe(self) -> list[Output]:
        """Try once, the breaker's time being over; a link that came up by itself is asked instead."""
        if not self.breaker.time_is_over():
            return []
        return self._download(confirming=False) if self.up else self.reconnect()

    @property
    def closed_because(self) -> str:
        """Say in words why the gate is closed; "" where it is open."""
        if self.gate_open:
            return ""
        if self.breaker.state is BreakerState.CLOSED:
            return "the gate is closed: the venue is not connected and reconciled"
        state = self.breaker.state.value.replace("_", "-")
        return f"the gate is closed: the circuit breaker of the broker is {state}"

    def overdue(self) -> list[Output]:
        """Give up on downloads that did not end in time."""
        return self.renew("the venue's downloads did not end in time") if self.up else []

    def recheck(self) -> list[Output]:
        """Ask again, the absence interval having passed; without a link the next one begins the count anew."""
        return self._download(confirming=True) if self.up else []

    def take(self, download: Downloaded) -> bool:
        """Keep one answer; return True when it was the last one missing."""
        return self._reconciliation.take(download)

    def reconcile(self, at_ns: int, bar: int) -> tuple[Findings, list[Output]]:
        """Bring the book to what the complete downloads say; the gate opens unless an order is newly absent."""
        findings = self._reconciliation.settle(self._book, at_ns, bar, self.number, self._settings.cash)
        self._attempt, self._outage, self.caught_up = 0, False, True
        counted = self.breaker.succeeded()
        outputs: list[Output] = [CancelTimer(DOWNLOAD_TIMER), CancelTimer(LOST_TIMER), *counted]
        self.gate_open = not findings.recheck and self.breaker.state is BreakerState.CLOSED
        if findings.recheck or self.breaker.state is BreakerState.HALF_OPEN:
            outputs.append(SetTimer(ABSENCE_TIMER, self._settings.absence_interval_s))
        return findings, outputs

    def _download(self, *, confirming: bool) -> list[Output]:
        deadline = SetTimer(DOWNLOAD_TIMER, self._settings.absence_interval_s)
        return [*self._reconciliation.begin(confirming=confirming), deadline]

    def _failed(self, why: str) -> list[Output]:
        """Count a failure once: of one lost link each command that meets it tells, and nothing is lost twice."""
        counts = self.up or self._attempting
        self._attempting = False
        return self.breaker.failed(why) if counts else []

    def _lose(self, why: str) -> None:
        self.gate_open = self.up = self.caught_up = False
        self._reconciliation.abandon()
        for ref in tuple(self._book.open_refs):
            if self._book.orders[ref].state in LOSABLE_STATES:
                self._book.mark(ref, OrderEvent.OUTCOME_LOST, why)

    def _outage_begins(self) -> list[Output]:
        if self._outage:
            return []
        self._outage = True
        return [SetTimer(LOST_TIMER, self._settings.broker_lost_s)]
