"""Follow the gateway's connection: when it was lost, what was asked since, and whether the gate is open.

The gate opens when a reconciliation ended with no order newly absent. It closes when the link is lost, when an order is
not answered in time, and with each new connection. Time without a reconciled connection is one outage, however often
the link comes and goes meanwhile; it ends when the four downloads are complete.
"""

from __future__ import annotations

from domain.broker import BrokerLink, Downloaded
from domain.execution_book import ExecutionBook
from domain.gateway_policy import GatewaySettings
from domain.history_check import miscounted
from domain.orders import OrderEvent
from domain.outputs import CancelTimer, Connect, Output, SetTimer
from domain.reconcile import LOSABLE_STATES, Findings, Reconciliation

ABSENCE_TIMER, DOWNLOAD_TIMER, LOST_TIMER, RECONNECT_TIMER = "absence", "download", "broker_lost", "reconnect"


class VenueLink:
    """Hold the connection's state; mark in the book what a lost connection leaves unknown.

    `up` says that there is a connection, `caught_up` that what it had missed was downloaded, `gate_open` that orders
    may pass.
    """

    def __init__(self, settings: GatewaySettings, book: ExecutionBook) -> None:
        """Start unconnected; connections are numbered on from the journal's last."""
        self._settings = settings
        self._book = book
        self._reconciliation = Reconciliation(settings.session, miscounted(book))
        self._last_seen = 0
        self._attempt = 0
        self._outage = False
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
            self.up = True
            return [
                CancelTimer(RECONNECT_TIMER),
                CancelTimer(ABSENCE_TIMER),
                *self._download(confirming=False),
            ]
        if 0 < link.connection < self._last_seen:
            return []
        # A loss overtakes what waits: that this very connection came up may still be heard, and is over.
        self._last_seen = max(self._last_seen, link.connection)
        self._lose("connection lost")
        delays = self._settings.reconnect_delays_s
        delay = delays[min(self._attempt, len(delays) - 1)]
        self._attempt += 1
        return [*self._outage_begins(), CancelTimer(DOWNLOAD_TIMER), SetTimer(RECONNECT_TIMER, delay)]

    def renew(self, why: str) -> list[Output]:
        """Close the gate and connect anew, since an answer did not come in time."""
        self._lose(why)
        return [*self._outage_begins(), CancelTimer(DOWNLOAD_TIMER), Connect()]

    def reconnect(self) -> list[Output]:
        """Try again after a lost link, unless it came back meanwhile."""
        return [] if self.up else [Connect()]

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
        outputs: list[Output] = [CancelTimer(DOWNLOAD_TIMER), CancelTimer(LOST_TIMER)]
        self.gate_open = not findings.recheck
        if findings.recheck:
            outputs.append(SetTimer(ABSENCE_TIMER, self._settings.absence_interval_s))
        return findings, outputs

    def _download(self, *, confirming: bool) -> list[Output]:
        deadline = SetTimer(DOWNLOAD_TIMER, self._settings.absence_interval_s)
        return [*self._reconciliation.begin(confirming=confirming), deadline]

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
