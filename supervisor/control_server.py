"""Serve the control socket: a thread beside the coordinator that takes requests and hands back answers.

Nothing that comes over the socket, and nobody who leaves, is slow or asks without end, reaches the coordinator but as
a `Command` in its mailbox: the thread reads, checks and bounds everything first, and never waits for one connection.
"""

from __future__ import annotations

import contextlib
import hmac
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from actors.clock import SystemClock
from actors.logs import Log
from domain.commands import Command, Verb
from domain.errors import MailboxFull
from domain.ports import Clock, Mailbox
from supervisor.control_peers import Limits, Peer, may_command
from supervisor.control_place import ControlPlace
from supervisor.control_wire import ADDRESS, Request, read_request, write_line

_TICK_S = 0.5
"""Longest wait between two looks at the deadlines."""

_STAYS_WANTED = frozenset({Verb.HALT, Verb.REDUCE, Verb.FLATTEN})
"""What is carried out also when its asker has gone meanwhile: it can only make the engine do less."""

_LIMITS = Limits()


class ControlServer:
    """Take commands of people and programs over a Unix socket (port: `domain.ports.ControlPort`)."""

    def __init__(
        self, state_dir: Path, log: Log, clock: Clock | None = None, limits: Limits = _LIMITS
    ) -> None:
        """Listen for the engine of `state_dir` once opened; `clock` is the real one, in inline engines too."""
        self._state_dir, self._log, self._limits = state_dir, log, limits
        self._clock = SystemClock() if clock is None else clock
        self._place = ControlPlace(state_dir)
        self._peers: dict[socket.socket, Peer] = {}
        self._asking: dict[int, Peer] = {}
        self._last = 0
        self._answers: deque[tuple[int, bytes]] = deque()
        self._closing = False
        self._thread: threading.Thread | None = None

    def open(self, mailbox: Mailbox) -> None:
        """Listen; raises EnvironmentFault when that is not possible."""
        self.close()
        self._mailbox, self._closing = mailbox, False
        self._listener = self._place.listen()
        self._wake_read, self._wake_write = socket.socketpair()
        for end in (self._wake_read, self._wake_write):
            end.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()

    def answer(self, request_id: int, body: Mapping[str, Any]) -> None:
        """Answer a request, from any thread; one whose asker went away is dropped."""
        try:
            line = write_line(body)
        except (TypeError, ValueError, RecursionError) as error:
            self._log.error("control_answer", error=str(error))
            line = _refusal("the answer could not be told", "internal")
        self._answers.append((request_id, line))
        self._wake()

    def close(self) -> None:
        """Stop listening; harmless when closed. Who still waits is told so."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._closing = True
        self._wake()
        thread.join()
        self._place.leave()

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        try:
            while not self._closing:
                for key, _ in self._selector.select(_TICK_S):
                    self._ready(key.fileobj)
                self._deliver()
                self._drop_overdue()
            self._deliver()
            for peer in tuple(self._asking.values()):
                peer.tell(_refusal("the engine stops listening", "ending"), self._now(), last=True)
        except Exception:  # a fault of ours: the engine trades on without its socket, and its log says so
            self._log.error("control_ended", exc_info=True)
        finally:
            for peer in tuple(self._peers.values()):
                peer.send(self._now())
                self._drop(peer)
            for end in (self._listener, self._wake_read, self._wake_write):
                end.close()
            self._selector.close()

    def _ready(self, source: Any) -> None:
        try:
            if source is self._listener:
                self._accept()
            elif source is self._wake_read:
                with contextlib.suppress(BlockingIOError):
                    self._wake_read.recv(4_096)
            elif source in self._peers:
                self._attend(self._peers[source])
        except Exception:  # a fault of ours with one of them must not end the socket for the others
            self._log.error("control_fault", exc_info=True)
            if source in self._peers:
                self._drop(self._peers[source])

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (
            OSError
        ) as error:  # no descriptor left, for one: it is tried again, at a pace that burns nothing
            self._log.warning("control_accept", error=str(error))
            time.sleep(_TICK_S / 10.0)
            return
        connection.setblocking(False)
        try:
            peer = Peer(connection, self._limits, self._now())
        except OSError:
            connection.close()
            return
        if len(self._peers) >= self._limits.connections and not self._make_room():
            peer.tell(_refusal("too many connections", "busy"), self._now(), last=True)
            peer.send(self._now())
            peer.close()
            return
        self._peers[connection] = peer
        self._selector.register(connection, selectors.EVENT_READ)

    def _make_room(self) -> bool:
        """End the connection that has asked nothing for longest, so that no silent crowd keeps commands out."""
        idle = [peer for peer in self._peers.values() if peer.is_idle]
        if idle:
            self._drop(min(idle, key=lambda peer: peer.deadline_s))
        return bool(idle)

    def _attend(self, peer: Peer) -> None:
        now = self._now()
        if not (peer.send(now) if peer.wants_to_send else peer.receive(now)):
            self._drop(peer)
            return
        self._take_lines(peer)

    def _take_lines(self, peer: Peer) -> None:
        """Ask what has come whole, one request at a time, and see what to wait for next."""
        try:
            if peer.wants_to_read and (line := peer.next_line()) is not None:
                self._ask(peer, read_request(line))
        except (ValueError, UnicodeError) as error:
            text = f"no request: {str(error)[:200]}; expected one JSON object a line"
            peer.tell(_refusal(text, "malformed"), self._now(), last=True)
        # While an answer is awaited nothing is read but the end of the connection, once what was said is full.
        events = selectors.EVENT_WRITE if peer.wants_to_send else selectors.EVENT_READ
        if peer.connection in self._peers:
            self._selector.modify(peer.connection, events)

    def _ask(self, peer: Peer, request: Request) -> None:
        now = self._now()
        if not hmac.compare_digest(request.token.encode("utf-8"), self._place.token.encode("ascii")):
            peer.tell(_refusal(f"token: not that of {self._state_dir / ADDRESS}", "token"), now, last=True)
            return
        if not may_command(peer.uid):
            peer.tell(_refusal("this engine runs as another user", "user"), now, last=True)
            return
        if now > request.until_s and request.verb not in _STAYS_WANTED:
            peer.tell(_refusal("it came too late: its asker had waited long enough", "late"), now)
            return
        self._last += 1
        command = Command(
            request_id=self._last,
            key=request.key,
            verb=request.verb,
            arguments=request.arguments,
            who=f"{peer.who} as {request.name}" if request.name else peer.who,
            reason=request.reason,
            mode=request.mode,
            at_ns=self._clock.wall_ns(),
        )
        peer.asked(self._last, now)
        self._asking[self._last] = peer
        try:
            self._mailbox.put(command, control=True)
        except MailboxFull as error:
            del self._asking[self._last]
            peer.tell(_refusal(f"the coordinator is busy: {error}", "busy"), now)

    def _deliver(self) -> None:
        while self._answers:
            request_id, line = self._answers.popleft()
            peer = self._asking.pop(request_id, None)
            if peer is not None:
                self._tell(peer, line)

    def _tell(self, peer: Peer, line: bytes, *, last: bool = False) -> None:
        now = self._now()
        peer.tell(line, now, last=last)
        if peer.send(now):
            self._take_lines(peer)
        else:
            self._drop(peer)

    def _drop_overdue(self) -> None:
        now = self._now()
        for peer in [peer for peer in self._peers.values() if now > peer.deadline_s]:
            if peer.request:
                self._asking.pop(peer.request, None)
                self._tell(peer, _refusal("the coordinator did not answer in time", "busy"), last=True)
            else:
                self._drop(peer)

    def _drop(self, peer: Peer) -> None:
        self._asking.pop(peer.request, None)
        if self._peers.pop(peer.connection, None) is not None:
            self._selector.unregister(peer.connection)
        peer.close()

    def _now(self) -> float:
        return self._clock.monotonic_s()

    def _wake(self) -> None:
        if self._thread is not None or self._closing:
            with contextlib.suppress(OSError):  # full: it is awake; closed: it has ended
                self._wake_write.send(b"\0")


def _refusal(detail: str, error: str) -> bytes:
    """Return the answer to a request that never came to the coordinator."""
    body = {"ok": False, "requested": True, "acknowledged": False, "effective": False}
    return write_line({**body, "detail": detail, "error": error})
