"""Reach a venue process over its socket: the gateway's broker port and the feed's market side."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path

from domain.broker import BrokerCommand, BrokerLink, BrokerUpdate
from domain.errors import BrokerUnavailable, CodecError
from domain.messages import BarsPublished
from domain.ports import Mailbox
from simulation.venue.address import read_address, venue_directory
from simulation.venue.frames import (
    LINK_CODEC,
    MAX_FROM_VENUE,
    ClientRole,
    FrameError,
    FrameReader,
    Hello,
    Welcome,
    framed,
)

DEADLINE_S = 5.0
_CHUNK = 2**18


def _timeval(seconds: float) -> bytes:
    return struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))


class VenueConnection:
    """Be one greeted connection to a venue."""

    def __init__(self, state_dir: Path, role: ClientRole, deadline_s: float = DEADLINE_S) -> None:
        """Connect and exchange hello and welcome, each step within `deadline_s`; raises BrokerUnavailable."""
        address = read_address(state_dir)
        where = venue_directory(state_dir)
        if address is None:
            raise BrokerUnavailable(f"{where}: no venue runs there. Start the engine, which starts it.")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.reader = FrameReader(MAX_FROM_VENUE)
        try:
            self.socket.settimeout(deadline_s)
            self.socket.connect(address.path)
            self.write(Hello(role=role, token=address.token))
            self.welcome = self._welcomed()
            self.socket.settimeout(None)
            # Reading waits as long as it takes; a venue that stopped reading must not hold up its sender.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(DEADLINE_S))
        except (OSError, CodecError, FrameError) as error:
            self.socket.close()
            raise BrokerUnavailable(f"{where}: the venue cannot be reached: {error}") from error

    def _welcomed(self) -> Welcome:
        welcome = self.receive()
        if not isinstance(welcome, Welcome):
            raise FrameError("the venue refused the connection")
        return welcome

    def write(self, message: object) -> None:
        """Put one message on the wire, all of it; raises CodecError before, OSError after anything was written."""
        self.socket.sendall(framed(LINK_CODEC.encode(message)))

    def receive(self) -> object | None:
        """Return the next message, or None when the venue closed; raises OSError, CodecError, FrameError."""
        while (payload := self.reader.next()) is None:
            data = self.socket.recv(_CHUNK)
            if not data:
                return None
            self.reader.feed(data)
        message: object = LINK_CODEC.decode(payload)
        return message

    def close(self) -> None:
        """End the connection, also under a thread that reads from it."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class VenueBroker:
    """Be the gateway's broker port to a venue process: a thread reads updates and posts them to the mailbox.

    A lost connection is told once, as `BrokerLink(connected=False)` with the number of the connection; opening again
    is for the gateway to decide. Closing by oneself tells nothing.
    """

    def __init__(self, state_dir: Path) -> None:
        """Reach the venue of `state_dir`; nothing happens before `open`."""
        self._state_dir = state_dir
        self._connection: VenueConnection | None = None
        self._reader: threading.Thread | None = None
        self._sending = threading.Lock()

    def open(self, mailbox: Mailbox) -> None:
        """Connect, replacing an older connection; raises BrokerUnavailable within five seconds' silence."""
        self.close()
        connection = VenueConnection(self._state_dir, ClientRole.GATEWAY)
        welcome = connection.welcome
        mailbox.put(
            BrokerLink(
                at_ns=welcome.at_ns, connected=True, connection=welcome.connection, text="venue process"
            )
        )
        self._connection = connection
        self._reader = threading.Thread(
            target=self._read, args=(connection, mailbox), name="venue-link", daemon=True
        )
        self._reader.start()

    def send(self, command: BrokerCommand) -> None:
        """Put `command` on the wire.

        Raises BrokerUnavailable when nothing reached it and CodecError for what cannot be written. When the
        connection broke in between, nothing is raised: the link's loss follows, and the outcome is unknown.
        """
        connection = self._connection
        if connection is None:
            raise BrokerUnavailable("not connected to the venue: open the connection first")
        payload = framed(LINK_CODEC.encode(command))
        with self._sending:
            _send_all_or_tell(connection.socket, payload)

    def close(self) -> None:
        """Disconnect; harmless when closed."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        connection.close()
        reader, self._reader = self._reader, None
        if reader is not None and reader is not threading.current_thread():
            reader.join(DEADLINE_S)

    def _read(self, connection: VenueConnection, mailbox: Mailbox) -> None:
        """Post updates until the connection ends or the mailbox is full, then say so, unless we ended it ourselves."""
        at_ns, why = connection.welcome.at_ns, "the venue closed the connection"
        try:
            while (message := connection.receive()) is not None:
                if not isinstance(message, BrokerUpdate):
                    raise FrameError(f"{type(message).__name__} from the venue")
                at_ns = message.at_ns
                mailbox.put(message)
        except Exception as error:  # whatever it was, updates no longer arrive, and that is what must be told
            why = f"{type(error).__name__}: {error}"
        if self._connection is connection:
            self._connection = None
            connection.close()
            number = connection.welcome.connection
            # In the control lane: orders that wait in the normal one must find the gate closed.
            mailbox.put(BrokerLink(at_ns=at_ns, connected=False, connection=number, text=why), control=True)


def _send_all_or_tell(wire: socket.socket, payload: bytes) -> None:
    """Write `payload`; raise BrokerUnavailable when not one byte of it left."""
    try:
        sent = wire.send(payload)
    except OSError as error:
        raise BrokerUnavailable(f"the venue cannot be reached: {error}") from error
    try:
        wire.sendall(payload[sent:])
    except OSError:
        with suppress(OSError):
            wire.shutdown(socket.SHUT_RDWR)


class VenueMarket:
    """Bring published bars to a venue process."""

    def __init__(self, state_dir: Path) -> None:
        """Reach the venue of `state_dir`; nothing happens before `open`."""
        self._state_dir = state_dir
        self._connection: VenueConnection | None = None

    def open(self) -> int:
        """Connect and return the index of the last group the venue handled; raises BrokerUnavailable."""
        self.close()
        self._connection = VenueConnection(self._state_dir, ClientRole.MARKET)
        return self._connection.welcome.group

    def put(self, message: BarsPublished) -> None:
        """Put one group of bars on the wire; raises BrokerUnavailable.

        Sending a group again is harmless: after a failure open again and do.
        """
        if self._connection is None:
            raise BrokerUnavailable("not connected to the venue: open the connection first")
        try:
            self._connection.write(message)
        except OSError as error:
            self.close()
            raise BrokerUnavailable(f"the venue cannot be reached: {error}") from error

    def close(self) -> None:
        """Disconnect; harmless when closed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
