"""Carry out a kill at a venue: look, cancel, close, and look again until nothing is left or time is up.

No engine takes part, and none is asked. A step that fails is told and tried again; it never keeps another from being
tried. Cancels may be repeated at will. A closing order is sent only after a look, under a ref that this look gives:
sent twice it is refused as a duplicate, and where its symbol traded in between the venue does not take it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from domain.broker import (
    BrokerUpdate,
    CancelMany,
    Downloaded,
    DownloadKind,
    KillCommand,
    OrderReported,
    OrderStatus,
    PlaceOrder,
    RefusalCode,
    RequestDownload,
    VenuePosition,
)
from domain.errors import BrokerUnavailable
from domain.kill import Held, KillPlan, VenueLook, plain_orders
from domain.ports import KillPort

STEP_S = 2.0
"""Longest wait for the answers to one step, so that a second try fits within the deadline."""
PAUSE_S = 0.1
"""Between a round in which something failed and the next."""

_LOOKED_AT = (DownloadKind.OPEN_ORDERS, DownloadKind.POSITIONS, DownloadKind.EXECUTIONS)


@dataclass(slots=True)
class Killed:
    """Tell what a kill met and did.

    `found` are the orders that were open at the first look, `held` the positions then; `cancelled` are refs that the
    venue confirmed, `sent` the closing orders it accepted, `refused` why it did not, by book and symbol. `closing`,
    `kept` and `left` are what the last look showed: closing orders that work, protective stops, and other open orders.
    `done` says that it showed nothing left to do.
    """

    found: tuple[OrderReported, ...] | None = None
    held: list[Held] | None = None
    cancelled: dict[str, None] = field(default_factory=dict)
    sent: dict[str, OrderReported] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    closing: list[OrderReported] = field(default_factory=list)
    kept: list[OrderReported] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    positions: tuple[VenuePosition, ...] = ()
    filled: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    done: bool = False


class KillSwitch:
    """Kill once: `run` returns what was done by `deadline_s` seconds after it began, whatever failed meanwhile."""

    def __init__(
        self,
        port: KillPort,
        *,
        closing: bool,
        why: str,
        deadline_s: float,
        is_gone: Callable[[], bool],
        now_s: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Kill through `port`; `why` goes into the venue's words on what is cancelled.

        `is_gone`, asked after a failure, says that the venue has ended, so that nothing more can be tried.
        """
        self._port, self._closing, self._why, self._is_gone = port, closing, why, is_gone
        self._deadline_s, self._now_s, self._pause = deadline_s, now_s, pause
        self._until = 0.0
        self._open = False
        self._requests = 0
        self._attempted: set[str] = set()
        self._taken: set[tuple[str, str]] = set()
        self._failed = self._ended = False
        self._told = Killed()

    def run(self) -> Killed:
        """Work in rounds until a look shows that nothing is left to do, or the time is up."""
        self._until = self._now_s() + self._deadline_s
        told = self._told
        while not self._ended and self._now_s() < self._until:
            self._failed = False
            # Entries need no position to be judged: they go first, and go where nothing else can be learnt.
            self._try("cancelling open orders", self._cancel_plain)
            self._try("closing positions" if self._closing else "looking at positions", self._settle)
            if self._failed:
                self._ended = self._ended or self._is_gone()
                self._pause(PAUSE_S)
        self._port.close()
        return told

    def _try(self, what: str, step: Callable[[], None]) -> None:
        """Do one step; whatever it fails with is told, once, and stops no other."""
        try:
            step()
        # No failure, of whatever kind, may keep the rest of a kill from being done.
        except Exception as error:
            self._failed, self._open = True, False
            kind = "" if isinstance(error, BrokerUnavailable) else f"{type(error).__name__}: "
            text = f"{what}: {kind}{error}"
            if text not in self._told.faults:
                self._told.faults.append(text)

    def _ask(self, commands: Sequence[KillCommand]) -> list[BrokerUpdate]:
        if not self._open:
            self._port.open(self._left_s())
            self._open = True
        return self._port.ask(commands, self._left_s())

    def _left_s(self) -> float:
        return max(min(STEP_S, self._until - self._now_s()), 0.05)

    def _download(self, kinds: Sequence[DownloadKind]) -> list[Downloaded]:
        asked = []
        for kind in kinds:
            self._requests += 1
            asked.append(RequestDownload(request_id=self._requests, kind=kind))
        answers = self._ask(asked)
        told = [event for answer in answers for event in answer.events if isinstance(event, Downloaded)]
        if [each.request_id for each in told] != [each.request_id for each in asked]:
            raise BrokerUnavailable(f"{len(told)} of {len(asked)} downloads came")
        return told

    def _cancel_plain(self) -> None:
        (download,) = self._download((DownloadKind.OPEN_ORDERS,))
        if self._told.found is None:
            self._told.found = download.orders
        self._cancel([order.order_ref for order in plain_orders(download.orders)])

    def _cancel(self, refs: Sequence[str]) -> None:
        if not refs:
            return
        for answer in self._ask([CancelMany(order_refs=tuple(refs), why=self._why)]):
            for event in answer.events:
                if isinstance(event, OrderReported) and event.status is OrderStatus.CANCELED:
                    self._told.cancelled[event.order_ref] = None

    def _look(self) -> VenueLook | None:
        """Return what the venue holds at one moment; None where its market moved between two answers."""
        orders, positions, history = self._download(_LOOKED_AT)
        if not orders.at_ns == positions.at_ns == history.at_ns:
            return None
        return VenueLook(orders.orders, history.executions, positions.positions, history.whole)

    def _settle(self) -> None:
        look = self._look()
        if look is None:
            return
        plan = KillPlan(look, closing=self._closing)
        refused = self._told.refused
        closings = [each for each in plan.closings(self._taken) if each.order.oca_group not in refused]
        self._note(look, plan)
        self._ended = not (plan.cancels or closings)
        self._told.done = self._ended and not refused
        self._try("cancelling open orders", lambda: self._cancel(plan.cancels))
        if closings:
            self._attempted.update(each.order.order_ref for each in closings)
            for command, answer in zip(closings, self._ask(closings), strict=True):
                self._answered(command.order, answer)

    def _answered(self, order: PlaceOrder, answer: BrokerUpdate) -> None:
        """Take in what became of a closing order; no event says that it was not taken, and a look must come first."""
        for event in answer.events:
            if not isinstance(event, OrderReported):
                continue
            if event.code is RefusalCode.DUPLICATE:
                self._taken.add((event.order_ref, event.symbol))
                self._attempted.discard(event.order_ref)  # another kill's
            elif event.status is OrderStatus.REFUSED:
                self._told.refused[order.oca_group] = f"{event.order_ref}: {event.text}"
            else:
                self._told.sent[event.order_ref] = event

    def _note(self, look: VenueLook, plan: KillPlan) -> None:
        told = self._told
        if told.held is None:
            told.held = plan.held
        for order in plan.closing.values():
            if order.order_ref in self._attempted:  # it is ours, though the answer was lost
                told.sent.setdefault(order.order_ref, order)
        told.closing, told.kept, told.left = list(plan.closing.values()), plan.kept, plan.cancels
        told.positions = look.positions
        told.filled = {}
        for execution in look.executions:
            if execution.order_ref in told.sent:
                told.filled[execution.order_ref] = told.filled.get(execution.order_ref, 0) + execution.lots
