"""Serve a venue to its clients, gateway, market and kill, on a Unix socket, in one thread."""

from __future__ import annotations

import hmac
import logging
import selectors
import socket
import time
from typing import Any

from domain.adoption import NO_WORD
from domain.bars import bar_fault
from domain.broker import (
    BrokerUpdate,
    CancelMany,
    CancelOrder,
    ClosePosition,
    KillCommand,
    OrderReported,
    PlaceOrder,
    RequestDownload,
)
from domain.errors import CodecError
from domain.messages import BarsPublished
from simulation.venue.durable import DurableVenue
from simulation.venue.frames import (
    LINK_CODEC,
    MAX_TO_VENUE,
    ClientRole,
    FrameError,
    FrameReader,
    Hello,
    Welcome,
    framed,
)

HELLO_DEADLINE_S = 5.0
MAX_CLIENTS = 16
MAX_BACKLOG = 64 * 2**20
"""Bytes that may wait for a slow client before it is dropped (one larger answer may wait alone)."""

_CHUNK = 2**18
_COMMANDS = (PlaceOrder, CancelOrder, RequestDownload)
_KILL_COMMANDS = (CancelMany, ClosePosition, RequestDownload)

log = logging.getLogger("breakwater.venue")


_FIRST: dict[ClientRole | None, int] = {ClientRole.KILL: 0, ClientRole.GATEWAY: 1}
"""Whose commands come before anything else, and in which order."""


def _is_news(update: Any) -> bool:
    """Return whether an update tells of an order: not that a kill's command met none, or one that there was."""
    told = update.events if isinstance(update, BrokerUpdate) else ()
    return any(not (isinstance(each, OrderReported) and each.code in NO_WORD) for each in told)


class _Client:
    """Be one connection: what came in, what waits to go out, and who it is once it said so."""

    def __init__(self, connection: socket.socket, now_s: float) -> None:
        self.socket = connection
        self.reader = FrameReader(MAX_TO_VENUE)
        self.waiting = bytearray()
        self.role: ClientRole | None = None
        self.since_s = now_s
        self.events = selectors.EVENT_READ
        self.open = True


class VenueServer:
    """Bring the clients' messages to the venue and its answers to the gateway.

    A newer gateway or market replaces the older; of kills there may be several, and none stands in another client's
    way. A kill hears the answers to its own commands; what they changed the gateway is told too, as of any order of its
    account. What cannot be understood costs its sender the connection, nothing else. All commands that were sent before
    a bar group are handled before that group, a kill's first.
    """

    def __init__(self, venue: DurableVenue, listener: socket.socket, token: str) -> None:
        """Serve `venue` on `listener` (listening); clients must show `token`."""
        self._venue = venue
        self._token = token
        self._listener = listener
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._clients: dict[socket.socket, _Client] = {}
        self._by_role: dict[ClientRole, _Client] = {}
        self._stopping = False
        self._bell, self._bell_end = socket.socketpair()
        for end in (self._bell, self._bell_end):
            end.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ)

    @property
    def bell(self) -> socket.socket:
        """Return the socket that wakes the loop when written to (for `signal.set_wakeup_fd`)."""
        return self._bell_end

    def stop(self) -> None:
        """Make `run` return after what it is doing; callable from a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Serve until stopped; raises DurabilityError when the journal failed."""
        try:
            while not self._stopping:
                ready = self._selector.select(1.0)
                for key, events in sorted(ready, key=self._precedence):
                    self._turn(key.fileobj, events)
                self._drop_silent()
        finally:
            for client in list(self._clients.values()):
                self._drop(client, "the venue stops")
            self._selector.close()
            self._bell.close()
            self._bell_end.close()

    def _precedence(self, ready: tuple[selectors.SelectorKey, int]) -> int:
        """Sort kills first, then the gateway: their commands come before bars that were sent later."""
        client = self._clients.get(ready[0].fileobj)  # type: ignore[call-overload]
        return _FIRST.get(client.role, len(_FIRST)) if client is not None else len(_FIRST)

    def _turn(self, source: Any, events: int) -> None:
        if source is self._listener:
            self._accept()
            return
        if source is self._bell:
            self._bell.recv(_CHUNK)
            return
        client = self._clients.get(source)
        if client is not None and events & selectors.EVENT_WRITE:
            self._write(client)
        if client is not None and client.open and events & selectors.EVENT_READ:
            self._read(client)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError as error:
            log.warning("a connection was lost before it was accepted: %s", error)
            return
        if len(self._clients) >= MAX_CLIENTS:
            log.warning("a connection beyond %d was refused", MAX_CLIENTS)
            connection.close()
            return
        connection.setblocking(False)
        self._clients[connection] = _Client(connection, time.monotonic())
        self._selector.register(connection, selectors.EVENT_READ)

    def _read(self, client: _Client) -> bool:
        """Take one chunk from `client` and handle its whole frames; return whether there was any."""
        try:
            data = client.socket.recv(_CHUNK)
        except BlockingIOError:
            return False
        except OSError as error:
            self._drop(client, f"lost: {error}")
            return False
        if not data:
            self._drop(client, "gone")
            return False
        client.reader.feed(data)
        try:
            while client.open and (payload := client.reader.next()) is not None:
                self._message(client, LINK_CODEC.decode(payload))
        except (CodecError, FrameError) as error:
            self._drop(client, f"sent what is not a message: {error}")
        return client.open

    def _message(self, client: _Client, message: Any) -> None:
        if client.role is None:
            self._greet(client, message)
        elif client.role is ClientRole.GATEWAY and isinstance(message, _COMMANDS):
            self._answer(self._venue.handle(message))
        elif client.role is ClientRole.KILL and isinstance(message, _KILL_COMMANDS):
            self._kill(client, message)
        elif client.role is ClientRole.MARKET and isinstance(message, BarsPublished):
            self._advance(message)
        else:
            raise FrameError(f"{type(message).__name__} from the {client.role}")

    def _advance(self, message: BarsPublished) -> None:
        faults = [(bar.symbol, fault) for bar in message.group.bars if (fault := bar_fault(bar)) is not None]
        if faults or message.group.index < 0:
            raise FrameError(f"group {message.group.index} with bad bars {faults[:5]}")
        waiting = [client for client in self._clients.values() if client.role in _FIRST]
        for client in sorted(waiting, key=lambda each: _FIRST[each.role]):
            while client.open and self._read(client):
                pass
        self._answer(self._venue.handle(message))

    def _kill(self, client: _Client, message: KillCommand) -> None:
        answers = self._venue.handle(message)
        for answer in answers:
            self._queue(client, LINK_CODEC.encode(answer.message))
        if not isinstance(message, RequestDownload):
            self._answer([answer for answer in answers if _is_news(answer.message)])

    def _greet(self, client: _Client, message: Any) -> None:
        if not isinstance(message, Hello) or not hmac.compare_digest(
            message.token.encode(), self._token.encode()
        ):
            raise FrameError("a first message that is no hello with the right token")
        client.role = message.role
        if message.role is not ClientRole.KILL:
            older = self._by_role.get(message.role)
            if older is not None:
                self._drop(older, "replaced by a newer connection")
            self._by_role[message.role] = client
        connection = self._venue.connect() if message.role is ClientRole.GATEWAY else 0
        log.info("%s connected (%d)", message.role, connection)
        welcome = Welcome(at_ns=self._venue.now_ns, connection=connection, group=self._venue.group)
        self._queue(client, LINK_CODEC.encode(welcome))

    def _answer(self, answers: list[Any]) -> None:
        gateway = self._by_role.get(ClientRole.GATEWAY)
        for answer in answers:
            if gateway is not None and gateway.open:
                self._queue(gateway, LINK_CODEC.encode(answer.message))

    def _queue(self, client: _Client, payload: bytes) -> None:
        if client.waiting and len(client.waiting) + len(payload) > MAX_BACKLOG:
            self._drop(client, f"reads too slowly: {len(client.waiting)} bytes wait")
            return
        client.waiting += framed(payload)
        self._write(client)

    def _write(self, client: _Client) -> None:
        try:
            sent = client.socket.send(client.waiting)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._drop(client, f"lost: {error}")
            return
        del client.waiting[:sent]
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.waiting else 0)
        if events != client.events:
            client.events = events
            self._selector.modify(client.socket, events)

    def _drop_silent(self) -> None:
        late = time.monotonic() - HELLO_DEADLINE_S
        for client in list(self._clients.values()):
            if client.role is None and client.since_s < late:
                self._drop(client, "said no hello in time")

    def _drop(self, client: _Client, why: str) -> None:
        if not client.open:
            return
        log.info("%s dropped: %s", client.role or "a stranger", why)
        client.open = False
        self._selector.unregister(client.socket)
        del self._clients[client.socket]
        if client.role is not None and self._by_role.get(client.role) is client:
            del self._by_role[client.role]
        client.socket.close()
