"""Put the venue into the engine's own process: no socket, the runtime's mailboxes carry commands and updates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from domain.broker import BrokerCommand, BrokerLink
from domain.errors import BrokerUnavailable
from domain.outputs import Send
from domain.ports import Mailbox
from simulation.venue.durable import DurableVenue
from simulation.venue.machine import VenueInput


class InlineBroker:
    """Be the gateway's broker port and the venue role of an inline runtime at once.

    `post` queues a command in the venue's mailbox; the runtime then calls `handle` with it, as with published bars,
    and delivers what that returns. While no gateway is connected, updates go nowhere: downloads tell of them.
    """

    def __init__(self, venue: DurableVenue, post: Callable[[BrokerCommand], None]) -> None:
        """Serve `venue`; the caller closes it."""
        self._venue = venue
        self._post = post
        self._open = False

    def open(self, mailbox: Mailbox) -> None:
        """Connect, and tell the gateway."""
        self._open = True
        number = self._venue.connect()
        mailbox.put(BrokerLink(at_ns=self._venue.now_ns, connected=True, connection=number, text="inline"))

    def send(self, command: BrokerCommand) -> None:
        """Queue `command` for the venue; raises BrokerUnavailable when not connected."""
        if not self._open:
            raise BrokerUnavailable("not connected to the venue: open the connection first")
        self._post(command)

    def close(self) -> None:
        """Disconnect; harmless when closed."""
        self._open = False

    def handle(self, message: VenueInput) -> list[Send]:
        """Return the venue's answer to `message`, for the gateway; nothing while it is not connected."""
        answers = self._venue.handle(message)
        return answers if self._open else []

    def state(self) -> Mapping[str, Any]:
        """Return the venue's present state, JSON-able."""
        return self._venue.state()
