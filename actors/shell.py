"""Run one machine: hand it messages, have its outputs carried out in order, report its failures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from actors.carrier import Carrier, Router
from actors.parts import ActorContext, Parts
from actors.timers import Timers
from domain.error_texts import describe, traced
from domain.errors import Recoverable
from domain.messages import COORDINATOR, Begin, RoleFailed, TimerFired
from domain.outbox import OutboxAcknowledged, RequestOutbox
from domain.outputs import Output, Send

_OWN = frozenset({Begin, RequestOutbox, OutboxAcknowledged})
"""Messages that the shell itself acts on."""


class Shell:
    """Own a machine and its ports; whoever runs it calls `receive` with one message at a time.

    A Recoverable failure of the machine is reported to the coordinator and the role goes on. Any other failure is
    raised by `receive`; who runs the shell then calls `fail` and nothing more: outputs that were not carried out by
    then never are.
    """

    def __init__(self, parts: Parts, context: ActorContext, router: Router) -> None:
        """Run `parts.machine` as `context.role`; `router` reaches the other roles."""
        self.machine, self._context = parts.machine, context
        self._timers = Timers(context.clock)
        self._carrier = Carrier(parts, context, self._timers, router, self._message_lost)
        self._post, self._carry_out = self._carrier.post, self._carrier.carry_out
        self._tell_trail = self._carrier.tell_trail
        self._opened = False
        self._handled = 0
        self.failure = ""

    def receive(self, message: Any) -> None:
        """Handle one message, carry out what follows, and tell the trail last; raises what is not Recoverable."""
        if self._timers.strict_from_s < math.inf:
            for name in self._timers.strict_due():
                self.receive(TimerFired(name=name))
        outputs: Sequence[Output] = ()
        to_machine = type(message) not in _OWN or self._receive_own(message)
        if to_machine:
            try:
                outputs = self.machine.handle(message)
            except Recoverable as error:
                self.report_fault(error, fatal=False)
        post, carry_out, not_only_sent = self._post, self._carry_out, False
        for output in outputs:
            if type(output) is Send:  # as most are: a message takes the short way
                post(*output)
            else:
                carry_out(output)
                not_only_sent = True
        if not_only_sent:  # something may have been committed
            self._tell_trail()
        self._handled += 1

    def fire_timers(self) -> None:
        """Handle the timers that have run out."""
        for name in self._timers.due():
            self.receive(TimerFired(name=name))

    def timer_wait_s(self) -> float | None:
        """Return the seconds until the next timer runs out, None when there is none."""
        return self._timers.wait_s()

    def machine_state(self) -> Mapping[str, Any]:
        """Return the machine's own state."""
        return self.machine.state()

    def counters(self) -> dict[str, Any]:
        """Return the shell's own figures: messages handled, and the failure that ended it."""
        return {
            "role": self._context.role,
            "generation": self._context.generation,
            "alive": not self.failure,
            "failure": self.failure,
            "handled": self._handled,
        }

    def fail(self, error: BaseException) -> None:
        """Note and report the failure that ends this role; what it committed goes to the trail first."""
        self.failure = describe(error)
        try:
            self._carrier.tell_trail(at_once=True)
        except Exception as lost:  # whatever it is, the failure itself must be told
            self._context.log.error("trail_unreachable", error=describe(lost))
        self.report_fault(error, fatal=True)

    def report_fault(self, error: BaseException, *, fatal: bool) -> None:
        """Log `error` with its traceback and tell the coordinator as far as that is possible."""
        role, name = self._context.role, describe(error)
        text = traced(error)
        self._context.log.error("role_failed", error=name, fatal=fatal, traceback=text)
        if role == COORDINATOR:
            return
        try:
            failed = RoleFailed(role=role, error=name, traceback=text, fatal=fatal)
            self._carrier.deliver(COORDINATOR, failed, True)
        except Exception as lost:
            self._context.log.error("coordinator_unreachable", error=describe(lost))

    def close(self) -> None:
        """Close the ports and the journal; what goes wrong is reported."""
        for fault in self._carrier.close():
            self.report_fault(fault, fatal=True)

    def _receive_own(self, message: Begin | RequestOutbox | OutboxAcknowledged) -> bool:
        """Do the shell's part of `message`; return whether it is the machine's too, as `Begin` is."""
        if isinstance(message, RequestOutbox):
            self._carrier.answer_outbox(message)
            return False
        if isinstance(message, OutboxAcknowledged):
            self._carrier.acknowledge(message.seq)
            return False
        # Told again where nobody is sure that it was heard: a connection opened anew would end what the first one
        # is about, an absence that takes half a minute to prove for one.
        if not self._opened:
            self._opened = True
            self._carrier.open()
        return True

    def _message_lost(self, error: Recoverable) -> None:
        self.report_fault(error, fatal=False)
