"""Give a shell a mailbox and a thread: the loop of a role that has a process of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from queue import Empty, SimpleQueue
from typing import Any

from actors.mailbox import LaneMailbox
from actors.shell import Shell
from domain.errors import MailboxFull

PUBLISH_S = 0.4
"""From one publishing of the machine's state to the next, at least: about as often as somebody looks."""


class _Stop:
    """Ask the loop to end after the message it is at."""


class _Snapshot:
    """Ask the loop, between two messages, for the machine's state."""

    def __init__(self) -> None:
        self.answer: SimpleQueue[Mapping[str, Any]] = SimpleQueue()


class ShellLoop:
    """Take messages from a mailbox and hand them to a shell; `run` returns when the role has ended."""

    def __init__(self, shell: Shell, mailbox: LaneMailbox) -> None:
        """Run `shell` on what comes to `mailbox`."""
        self._shell, self._mailbox = shell, mailbox
        self._alive = False
        self._busy_since_s: float | None = None
        self._published: tuple[float, Mapping[str, Any] | None] = (float("-inf"), None)
        self.ended = threading.Event()

    def run(self) -> None:
        """Take and handle messages until stopped or failed for good; then close the ports and the journal."""
        self._alive = True
        try:
            self._loop()
        except BaseException as error:  # whatever it is, a role must not end without a word
            self._shell.fail(error)
        finally:
            self._alive = False
            self._mailbox.close()
            self._shell.close()
            self.ended.set()

    def stop(self) -> None:
        """Ask the loop to end after the message it is at; what waits is dropped."""
        self._mailbox.put(_Stop(), control=True)

    def counters(self) -> dict[str, Any]:
        """Return the shell's figures and how many messages wait, at once."""
        normal, control = self._mailbox.depths()
        return {**self._shell.counters(), "alive": self._alive, "queued": normal, "queued_control": control}

    def observed(self) -> dict[str, Any]:
        """Return how long the loop has been at its message, what waits and the last published state, at once.

        With it goes the failure that ended the loop: its word may have been lost, and the process is still there.
        """
        since_s = self._busy_since_s
        return {
            "busy_s": 0.0 if since_s is None else time.monotonic() - since_s,
            "queued": sum(self._mailbox.depths()),
            "state": self._published[1],
            "failure": self._shell.failure,
        }

    def snapshot(self, deadline_s: float) -> dict[str, Any]:
        """Return the counters and, as `state`, the machine's own state, taken between two messages.

        `state` is None when the loop has ended or stays busy for `deadline_s` seconds.
        """
        request = _Snapshot()
        state: Mapping[str, Any] | None = None
        if self._alive:
            try:
                self._mailbox.put(request, control=True)
                state = request.answer.get(timeout=deadline_s)
            except (Empty, MailboxFull):
                state = None
        return {**self.counters(), "state": state}

    def _loop(self) -> None:
        take, shell = self._mailbox.take, self._shell
        while not self._mailbox.closed:
            self._busy_since_s = None
            message = take(shell.timer_wait_s())
            self._busy_since_s = now_s = time.monotonic()
            if isinstance(message, _Stop):
                return
            # The message first: an answer that has arrived must not lose to its deadline.
            if isinstance(message, _Snapshot):
                message.answer.put(shell.machine_state())
            elif message is not None:
                shell.receive(message)
            shell.fire_timers()
            if now_s - self._published[0] >= PUBLISH_S:
                self._published = (now_s, shell.machine_state())
