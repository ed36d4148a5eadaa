"""Compare what we know with what the venue says, after every (re)connect, before the gate opens.

Four downloads must each have ended. An order we sent that no complete download names is absent; absent twice, at least
`absence_interval_s` apart, on a connection opened after the one that sent it, it never arrived.
"""

from __future__ import annotations

from collections.abc import Mapping

from domain.broker import Downloaded, DownloadKind, RequestDownload
from domain.orders import OPEN_STATES
from domain.outputs import Output, Wire
from domain.records import OrderEntry, OrderState


class Reconciliation:
    """Ask for the four downloads, collect them, and remember which orders were absent."""

    def __init__(self) -> None:
        """Start with nothing asked."""
        self._last_request = 0
        self._expected: dict[int, DownloadKind] = {}
        self.received: dict[DownloadKind, Downloaded] = {}
        self._absent_once: dict[str, int] = {}

    def begin(self) -> list[Output]:
        """Ask for all four downloads; answers to earlier requests are ignored from now on."""
        self._expected.clear()
        self.received.clear()
        outputs: list[Output] = []
        for kind in DownloadKind:
            self._last_request += 1
            self._expected[self._last_request] = kind
            outputs.append(Wire(RequestDownload(request_id=self._last_request, kind=kind)))
        return outputs

    def take(self, download: Downloaded) -> bool:
        """Keep one answer; return True when it was the last one missing."""
        if self._expected.get(download.request_id) is not download.kind:
            return False
        del self._expected[download.request_id]
        self.received[download.kind] = download
        return not self._expected

    def absent(self, orders: Mapping[str, OrderEntry], connection: int) -> tuple[list[str], list[str]]:
        """Return the refs of open orders missing from this complete download: (for the first time, confirmed).

        An order counts only where it was sent on an earlier connection than `connection`: on the same one it may
        still be on its way.
        """
        named = {order.order_ref for kind in _ORDER_KINDS for order in self.received[kind].orders}
        missing = [
            ref
            for ref, order in sorted(orders.items())
            if order.state in OPEN_STATES and ref not in named and order.connection < connection
        ]
        confirmed = [ref for ref in missing if ref in self._absent_once]
        first = [ref for ref in missing if ref not in self._absent_once]
        self._absent_once = dict.fromkeys(first, connection)
        return first, confirmed

    def position_mismatches(self, ours: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Return {symbol: (ours, venue's)} in lots where the two differ."""
        theirs = {row.symbol: row.lots for row in self.received[DownloadKind.POSITIONS].positions}
        symbols = sorted(set(ours) | set(theirs))
        pairs = {symbol: (ours.get(symbol, 0), theirs.get(symbol, 0)) for symbol in symbols}
        return {symbol: pair for symbol, pair in pairs.items() if pair[0] != pair[1]}


_ORDER_KINDS = (DownloadKind.OPEN_ORDERS, DownloadKind.COMPLETED_ORDERS)

LOSABLE_STATES = frozenset({OrderState.SENT, OrderState.CANCEL_SENT})
"""States in which a lost connection leaves the outcome unknown."""
