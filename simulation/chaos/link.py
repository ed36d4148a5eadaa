"""Connect the gateway to the venue, and let everything go wrong that may between them.

One connection at a time, as a socket is: what was sent on it keeps its order, and is lost or still arrives when it
breaks. What the venue answers goes to the connection that asked, if that is still there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from domain.broker import (
    BrokerCommand,
    BrokerLink,
    BrokerUpdate,
    Downloaded,
    OrderStatus,
    PlaceOrder,
)
from domain.errors import BrokerUnavailable
from domain.messages import GATEWAY, BarsPublished
from domain.outputs import Send
from domain.ports import Clock, Mailbox
from simulation.chaos.faults import FaultKind
from simulation.chaos.perils import Perils
from simulation.chaos.venue import ChaosVenue


class Carried(NamedTuple):
    """Be a command on its way to the venue, on a connection; `answered` says whether its answer will come."""

    connection: int
    command: BrokerCommand
    answered: bool = True
    cuts: bool = False


class Wire(Protocol):
    """Carry what is between the two ends (`simulation.chaos.runtime.ChaosRuntime`)."""

    def carry(self, carried: Carried, delay_s: float) -> None:
        """Bring `carried` to the venue, in order of its connection, not before `delay_s` have passed."""
        ...

    def lose_answers(self) -> None:
        """Lose what the venue has sent and the gateway has not got."""
        ...


class ChaosLink:
    """Be the gateway's broker port and the venue's role at once; it outlives the engine."""

    def __init__(self, venue: ChaosVenue, perils: Perils, clock: Callable[[], Clock]) -> None:
        """Serve `venue`; `plug` connects a runtime."""
        self.venue, self._perils, self._clock = venue, perils, clock
        self._wire: Wire | None = None
        self._mailbox: Mailbox | None = None
        self._number = 0
        self._down_until_s = 0.0

    def plug(self, wire: Wire) -> None:
        """Let `wire` carry what is sent from now on; nothing is connected."""
        self._wire, self._mailbox, self._down_until_s = wire, None, 0.0

    # --- the gateway's port -----------------------------------------------------------------------------------------

    def open(self, mailbox: Mailbox) -> None:
        """Connect anew, unless the venue is down."""
        self.close()
        self._perils.effect(GATEWAY)
        if self._clock().monotonic_s() < self._down_until_s:
            raise BrokerUnavailable("the venue is down")
        self._number += 1
        self._mailbox = mailbox
        self._perils.timeline.note(f"connected {self._number}")
        mailbox.put(
            BrokerLink(at_ns=self.venue.now_ns, connected=True, connection=self._number, text="fault search")
        )

    def send(self, command: BrokerCommand) -> None:
        """Put `command` on the wire, or meet what strikes there; raises BrokerUnavailable when nothing reached it."""
        perils, wire = self._perils, self._wire
        if self._mailbox is None or wire is None:
            raise BrokerUnavailable("not connected to the venue")
        perils.effect(GATEWAY)
        down = perils.strikes(FaultKind.VENUE_DOWN)
        if down is not None:
            self._down_until_s = self._clock().monotonic_s() + down.value
            self.cut("the venue went down")
            return
        before = perils.strikes(FaultKind.CUT_BEFORE)
        if before is not None and before.value < 0.5:
            self._disconnect()
            raise BrokerUnavailable("the connection broke: nothing was written")
        perils.timeline.wired(self._number, command)
        if before is not None:
            self.cut("the connection broke: what was written is lost")
            return
        if perils.strikes(FaultKind.SWALLOWED) is not None:
            return
        late = perils.strikes(FaultKind.COMMAND_LATE)
        answered = perils.strikes(FaultKind.UNANSWERED) is None
        cuts = perils.strikes(FaultKind.CUT_AFTER) is not None
        wire.carry(Carried(self._number, command, answered, cuts), 0.0 if late is None else late.value)

    def close(self) -> None:
        """Disconnect without a word; what was sent may still arrive."""
        if self._mailbox is not None:
            self._disconnect()

    def cut(self, why: str) -> None:
        """Break the connection and let the gateway's end notice."""
        mailbox, number = self._mailbox, self._number
        self._disconnect()
        if mailbox is not None:
            lost = BrokerLink(at_ns=self.venue.now_ns, connected=False, connection=number, text=why)
            mailbox.put(lost, control=True)

    def _disconnect(self) -> None:
        self._mailbox = None
        self._perils.timeline.note(f"disconnected {self._number}")
        if self._wire is not None:
            self._wire.lose_answers()

    # --- the venue's end --------------------------------------------------------------------------------------------

    def handle(self, message: BarsPublished | Carried) -> list[Send]:
        """Let the venue answer; nothing goes to a connection that is gone."""
        if isinstance(message, Carried):
            update = self._commanded(message.command)
            if message.cuts and message.connection == self._number:
                self.cut("the connection broke after the venue had taken it")
                return []
            if not message.answered or message.connection != self._number:
                return []
        else:
            update = self.venue.answered(message)
        return [Send(GATEWAY, self._distorted(update))] if self._mailbox is not None else []

    def state(self) -> Mapping[str, Any]:
        """Return the venue's state."""
        return self.venue.state()

    def _commanded(self, command: BrokerCommand) -> BrokerUpdate:
        if not isinstance(command, PlaceOrder):
            return self.venue.answered(command)
        new = self.venue.book.get(command.order_ref) is None
        if self._perils.strikes(FaultKind.ORDER_REFUSED) is None:
            update = self.venue.answered(command)
        else:
            update = self.venue.refuse(command)
        order = self.venue.book.get(command.order_ref)
        accepted = new and order is not None and order.status is OrderStatus.WORKING
        self._perils.timeline.took(command.order_ref, new=new, accepted=accepted)
        return update

    def _distorted(self, update: BrokerUpdate) -> BrokerUpdate:
        """Say some of it twice, correct what was said before, and say it in another order."""
        perils, events = self._perils, list(update.events)
        if any(isinstance(event, Downloaded) for event in events):
            return update  # it is one moment's whole state: nothing of another moment may stand in it
        doubled = perils.strikes(FaultKind.EXECUTION_DOUBLED)
        if doubled is not None:
            many = 1 + int(doubled.value * 4.0)
            events += self.venue.executions[-many:]
        corrected = perils.strikes(FaultKind.EXECUTION_CORRECTED)
        if corrected is not None and (done := self.venue.correct(corrected.value)) is not None:
            events.append(done)
        if len(events) > 1 and perils.strikes(FaultKind.EVENTS_REORDERED) is not None:
            events.reverse()
        return replace(update, events=tuple(events))

    def delivered(self, update: BrokerUpdate) -> None:
        """Note which downloads the gateway was given."""
        for event in update.events:
            if isinstance(event, Downloaded):
                self._perils.timeline.downloaded(self._number, event.kind)
