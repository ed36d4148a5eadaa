"""Put the simulated venue's two broker ports, inline and over the socket, on the contract's bench."""

from __future__ import annotations

import os
import queue
import signal
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from domain.broker import BrokerCommand, BrokerLink, BrokerUpdate
from domain.messages import BarsPublished, Message
from domain.ports import BrokerPort
from simulation.venue.address import is_running, venue_directory
from simulation.venue.durable import DurableVenue
from simulation.venue.inline import InlineBroker
from simulation.venue.launch import start_venue, stop_venue
from simulation.venue.link import VenueBroker, VenueMarket
from simulation.venue.settings import VenueSettings
from tests.contract.venue_world import settings, update_of

DEADLINE_S = 30.0


class Inbox:
    """Be the gateway's mailbox."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Message] = queue.Queue()

    def put(self, message: Message, *, control: bool = False) -> None:
        self._queue.put(message)

    def take(self, timeout_s: float = DEADLINE_S) -> Message:
        return self._queue.get(timeout=timeout_s)

    def clear(self) -> None:
        """Forget what has arrived; nothing may be arriving."""
        while not self.is_empty():
            self.take()

    def is_empty(self) -> bool:
        return self._queue.empty()

    def link(self) -> BrokerLink:
        found = self.take()
        assert isinstance(found, BrokerLink)
        return found

    def update(self) -> BrokerUpdate:
        found = self.take()
        assert isinstance(found, BrokerUpdate)
        return found


class InlineBench:
    """Run the venue within the test, as the inline runtime does; `guard` stands between the gateway and its port."""

    def __init__(
        self, state_dir: Path, guard: Callable[[BrokerPort], BrokerPort] = lambda broker: broker
    ) -> None:
        self._state_dir, self._guard = state_dir, guard
        self._settings = settings(participation=0.1)
        self._commands: deque[BrokerCommand] = deque()
        self._start()

    def _start(self) -> None:
        self._venue = DurableVenue(venue_directory(self._state_dir), self._settings)
        self._broker = InlineBroker(self._venue, self._commands.append)
        self._port = self._guard(self._broker)

    def connect(self) -> BrokerLink:
        inbox = Inbox()
        self._port.open(inbox)
        return inbox.link()

    def close(self) -> None:
        self._port.close()

    def tell(self, command: BrokerCommand) -> BrokerUpdate:
        self._port.send(command)
        return update_of(self._broker.handle(self._commands.popleft()))

    def move(self, bars: BarsPublished) -> BrokerUpdate:
        return update_of(self._broker.handle(bars))

    def crash(self) -> BrokerLink | None:
        self._venue.abandon()
        self._start()
        return None

    def end(self) -> None:
        self._port.close()
        self._venue.close()


class SocketBench:
    """Run the venue as a process."""

    def __init__(self, state_dir: Path, venue: VenueSettings | None = None) -> None:
        self.state_dir = state_dir
        self._settings = venue or settings(participation=0.1)
        self.inbox = Inbox()
        self.broker = VenueBroker(state_dir)
        self.market = VenueMarket(state_dir)
        self.restart()

    def restart(self) -> None:
        self.process = start_venue(self.state_dir, self._settings)
        self.market.open()

    def connect(self) -> BrokerLink:
        self.broker.open(self.inbox)
        return self.inbox.link()

    def close(self) -> None:
        self.broker.close()

    def tell(self, command: BrokerCommand) -> BrokerUpdate:
        self.broker.send(command)
        return self.inbox.update()

    def move(self, bars: BarsPublished) -> BrokerUpdate:
        self.market.put(bars)
        return self.inbox.update()

    def crash(self) -> BrokerLink | None:
        os.kill(self.process.address.pid, signal.SIGKILL)
        lost = self.inbox.link()
        deadline = time.monotonic() + DEADLINE_S
        while is_running(self.state_dir):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        self.restart()
        return lost

    def end(self) -> None:
        self.broker.close()
        self.market.close()
        stop_venue(self.state_dir)
