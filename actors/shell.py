"""Run one machine: receive, handle, have the outputs carried out in order, report failures."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Mapping
from queue import Empty, SimpleQueue
from typing import Any

from actors.carrier import Carrier, Router
from actors.mailbox import LaneMailbox
from actors.parts import ActorContext, Parts
from actors.timers import Timers
from domain.errors import MailboxFull, Recoverable
from domain.messages import COORDINATOR, Begin, RoleFailed, TimerFired
from domain.outbox import OutboxAcknowledged, RequestOutbox


class _Stop:
    """Ask the loop to end after the message it is at."""


class _Snapshot:
    """Ask the loop, between two messages, for the machine's state."""

    def __init__(self) -> None:
        self.answer: SimpleQueue[Mapping[str, Any]] = SimpleQueue()


class Shell:
    """Own a machine and its ports; `run` is the loop, on a thread of its own, and returns when the role has ended.

    A Recoverable failure of the machine is reported to the coordinator and the loop goes on. Any other failure is
    reported as fatal and ends the loop at once: outputs that were not carried out by then never are.
    """

    def __init__(self, parts: Parts, context: ActorContext, mailbox: LaneMailbox, router: Router) -> None:
        self._machine, self._context, self._mailbox = parts.machine, context, mailbox
        self._timers = Timers(context.clock)
        self._carrier = Carrier(parts, context, self._timers, router, self._message_lost)
        self._handled = 0
        self._last_handle_ns = 0
        self._failure = ""
        self._alive = False
        self.ended = threading.Event()

    # --- from any thread ----------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Ask the loop to end after the message it is at; what waits is dropped."""
        self._mailbox.put(_Stop(), control=True)

    def counters(self) -> dict[str, Any]:
        """Return the shell's own figures, at once: messages handled, queue depths, how long the last one took."""
        normal, control = self._mailbox.depths()
        return {
            "role": self._context.role,
            "generation": self._context.generation,
            "alive": self._alive,
            "failure": self._failure,
            "handled": self._handled,
            "queued": normal,
            "queued_control": control,
            "last_handle_ns": self._last_handle_ns,
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

    def report_fault(self, error: BaseException, *, fatal: bool) -> None:
        """Log `error` with its traceback and tell the coordinator as far as that is possible."""
        role, name = self._context.role, f"{type(error).__name__}: {error}"
        text = "".join(traceback.format_exception(error))
        self._context.log.error("role_failed", error=name, fatal=fatal, traceback=text)
        if role == COORDINATOR:
            return
        try:
            failed = RoleFailed(role=role, error=name, traceback=text, fatal=fatal)
            self._carrier.deliver(COORDINATOR, failed, True)
        except Exception as lost:
            self._context.log.error("coordinator_unreachable", error=f"{type(lost).__name__}: {lost}")

    # --- the loop -----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Take and handle messages until stopped or failed for good; then close the ports and the journal."""
        self._alive = True
        try:
            self._loop()
        except BaseException as error:  # whatever it is, a role must not end without a word
            self._failure = f"{type(error).__name__}: {error}"
            self.report_fault(error, fatal=True)
        finally:
            self._alive = False
            self._mailbox.close()
            for fault in self._carrier.close():
                self.report_fault(fault, fatal=True)
            self.ended.set()

    def _loop(self) -> None:
        take, timers = self._mailbox.take, self._timers
        while not self._mailbox.closed:
            message = take(timers.wait_s())
            if isinstance(message, _Stop):
                return
            for name in timers.due():
                self._handle(TimerFired(name=name))
            if isinstance(message, _Snapshot):
                message.answer.put(self._machine.state())
            elif message is not None:
                self._handle(message)

    def _handle(self, message: Any) -> None:
        started_ns = time.perf_counter_ns()
        if isinstance(message, RequestOutbox):
            self._carrier.answer_outbox(message)
        elif isinstance(message, OutboxAcknowledged):
            self._carrier.acknowledge(message.seq)
        else:
            if isinstance(message, Begin):
                self._carrier.open()
            self._decide(message)
        self._handled += 1
        self._last_handle_ns = time.perf_counter_ns() - started_ns

    def _decide(self, message: Any) -> None:
        try:
            outputs = self._machine.handle(message)
        except Recoverable as error:
            self.report_fault(error, fatal=False)
            return
        for output in outputs:
            self._carrier.carry_out(output)

    def _message_lost(self, error: MailboxFull) -> None:
        self.report_fault(error, fatal=False)
