"""Decide what the venue does with one input: bars that move the market, and commands of a gateway or a kill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from domain.broker import (
    BrokerUpdate,
    CancelMany,
    CancelOrder,
    ClosePosition,
    Downloaded,
    DownloadKind,
    PlaceOrder,
    RequestDownload,
)
from domain.messages import GATEWAY, BarsPublished
from domain.outputs import Send
from simulation.venue.acceptance import cancel, close, place
from simulation.venue.matching import match_group
from simulation.venue.settings import VenueSettings
from simulation.venue.turn import NO_HISTORY, Commit, Turn, VenueHistory, VenueState

VenueInput = BarsPublished | PlaceOrder | CancelOrder | CancelMany | ClosePosition | RequestDownload
VenueOutput = Commit | Send
NO_ADVANCE = -1


class VenueMachine:
    """Be a venue: an account, an order book and a market that moves one bar group at a time.

    Every input is answered by exactly one `BrokerUpdate` to the gateway, after a `Commit` where anything changed.
    Groups must come in rising order of index; one at or below the cursor changes nothing and is answered without
    events. What it does is a function of its settings, its history and its inputs alone.
    """

    def __init__(self, settings: VenueSettings, history: VenueHistory = NO_HISTORY) -> None:
        """Go on from `history`."""
        self._state = VenueState(settings, history)

    @property
    def now_ns(self) -> int:
        """Return the venue's time: when the last group became known (0 before the first)."""
        return self._state.cursor.known_ns

    @property
    def group(self) -> int:
        """Return the index of the last group handled (-1 before the first)."""
        return self._state.cursor.group

    def handle(self, message: VenueInput) -> list[VenueOutput]:
        """Return what follows from `message`: a commit, if anything changed, and the update."""
        before = self._state.cursor
        turn, advanced = Turn(self._state, before.group), NO_ADVANCE
        match message:
            case BarsPublished(group=group):
                advanced = group.index
                if group.index > before.group:
                    turn.bar = group.index
                    match_group(turn, group)
            case PlaceOrder():
                place(turn, message)
            case CancelOrder(order_ref=ref):
                cancel(turn, ref)
            case CancelMany(order_refs=refs, why=why):
                for ref in refs:
                    cancel(turn, ref, why)
            case ClosePosition():
                close(turn, message)
            case RequestDownload():
                turn.events.append(self._download(message))
            case _:
                assert_never(message)
        update = BrokerUpdate(at_ns=self.now_ns, advanced=advanced, events=tuple(turn.events))
        return [*turn.commit(self._state.cursor is not before), Send(GATEWAY, update)]

    def state(self) -> Mapping[str, Any]:
        """Return the venue's present state, JSON-able, for people."""
        state = self._state
        return {
            "cursor": state.cursor._asdict(),
            "cash_micro": state.account.cash_micro,
            "positions": dict(sorted(state.account.positions.items())),
            "working": [order.order_ref for order in state.book.working()],
            "orders": len(state.book),
            "executions": len(state.executions),
            "dividends": len(state.dividends),
        }

    def _download(self, request: RequestDownload) -> Downloaded:
        state, kind = self._state, request.kind
        book = state.book
        orders = {
            DownloadKind.OPEN_ORDERS: book.working,
            DownloadKind.COMPLETED_ORDERS: book.completed,
        }.get(kind, list)()
        history = kind is DownloadKind.EXECUTIONS
        return Downloaded(
            at_ns=self.now_ns,
            request_id=request.request_id,
            kind=kind,
            positions=state.account.held() if kind is DownloadKind.POSITIONS else (),
            orders=tuple(order.report() for order in orders),
            executions=tuple(state.executions) if history else (),
            dividends=tuple(state.dividends) if history else (),
            cash_micro=state.account.cash_micro if kind is DownloadKind.POSITIONS else 0,
            whole=history,
        )
