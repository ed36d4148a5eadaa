"""Know who speaks over the control socket, and keep what each has said, is waiting for and has still to be told."""

from __future__ import annotations

import os
import pwd
import socket
import struct
import sys
from typing import NamedTuple

from supervisor.control_wire import LONGEST_LINE

_CHUNK = 16 * 1024


class Limits(NamedTuple):
    """Bound what others may ask of the socket; times are in seconds of the monotonic clock.

    `read_s` is from the first byte of a request to its last, `idle_s` without any, `answer_s` until the coordinator
    must have answered, `write_s` until an answer must have been taken.
    """

    connections: int = 32
    read_s: float = 5.0
    idle_s: float = 60.0
    answer_s: float = 30.0
    write_s: float = 5.0


class Peer:
    """Be one connection: what came in, what goes out, the request it waits for, and when its patience ends."""

    def __init__(self, connection: socket.socket, limits: Limits, now_s: float) -> None:
        """Serve `connection`, which does not block; raises OSError when it is gone already."""
        self.connection = connection
        self.uid, self.who = _credentials(connection)
        self.request = 0
        self.closing = False
        self._limits = limits
        self._received = bytearray()
        self._to_send = bytearray()
        self.deadline_s = now_s + limits.idle_s

    @property
    def wants_to_send(self) -> bool:
        """Say whether something is still to be told."""
        return bool(self._to_send)

    @property
    def is_idle(self) -> bool:
        """Say whether nothing of a request has come and nothing is to be told."""
        return not (self.request or self._received or self._to_send)

    @property
    def wants_to_read(self) -> bool:
        """Say whether a further request may come: not while one is being answered."""
        return not (self.request or self._to_send or self.closing)

    def receive(self, now_s: float) -> bool:
        """Take what has come; return whether the other end is still there."""
        try:
            chunk = self.connection.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        if chunk and not self._received:
            self.deadline_s = now_s + self._limits.read_s
        self._received += chunk
        # Who says more while he waits for an answer than one request may have is cut off.
        return bool(chunk) and len(self._received) <= 2 * LONGEST_LINE

    def next_line(self) -> bytes | None:
        """Return the next whole request, None while there is none; raises ValueError for one that is too long."""
        end = self._received.find(b"\n")
        if max(end, len(self._received) if end < 0 else 0) > LONGEST_LINE:
            raise ValueError(f"a request may have {LONGEST_LINE:,} bytes")
        if end < 0:
            return None
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line

    def asked(self, request: int, now_s: float) -> None:
        """Note that `request` is at the coordinator."""
        self.request = request
        self.deadline_s = now_s + self._limits.answer_s

    def tell(self, line: bytes, now_s: float, *, last: bool = False) -> None:
        """Queue an answer; `last` ends the connection after it."""
        self.request = 0
        self.closing = self.closing or last
        self._to_send += line
        self.deadline_s = now_s + self._limits.write_s

    def send(self, now_s: float) -> bool:
        """Send what can be sent now; return whether the connection goes on."""
        try:
            del self._to_send[: self.connection.send(self._to_send)]
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        if not self._to_send:
            self.deadline_s = now_s + (self._limits.read_s if self._received else self._limits.idle_s)
        return not (self.closing and not self._to_send)

    def close(self) -> None:
        """End the connection."""
        self.connection.close()


def _credentials(connection: socket.socket) -> tuple[int, str]:
    """Return the user's number, and in words who is at the other end, as the system knows it."""
    if sys.platform == "darwin":
        raw = connection.getsockopt(0, 1, struct.calcsize("2i"))  # SOL_LOCAL, LOCAL_PEERCRED: struct xucred
        uid, pid = struct.unpack("2i", raw)[1], connection.getsockopt(0, 2)  # LOCAL_PEERPID
    else:
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid, uid, _ = struct.unpack("3i", raw)
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"user {uid}"
    return uid, f"{name} (process {pid})"


def may_command(uid: int) -> bool:
    """Say whether a user may command this engine: the one who runs it, and the system's administrator."""
    return uid in (os.getuid(), 0)
