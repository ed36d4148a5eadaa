"""Pulse the coordinator, and know whether the leave to act that it grants still holds: a dead-man switch.

Every pulse asks for a lease and starts a clock of its own on the asking side; a lease holds as long as the clock of the
newest answered asking runs. So it counts from when it was asked for, however long the answer was on its way, and
nobody compares two machines' clocks.
"""

from __future__ import annotations

from typing import NamedTuple

from domain.messages import COORDINATOR
from domain.outputs import Output, Send, SetTimer
from domain.supervision import LeaseGranted, Pulse

PULSE_TIMER = "pulse"
_CLOCK = "lease."


class LeaseTerms(NamedTuple):
    """Say how often a role pulses and how long a lease is valid, in seconds of the control clock.

    An interval of 0 is for engines in one process, which live and die as one: no pulse is sent and the lease holds.
    """

    interval_s: float
    valid_s: float


NO_PULSES = LeaseTerms(interval_s=0.0, valid_s=0.0)


class Standing(NamedTuple):
    """Be what a role says of itself in a pulse (`domain.supervision.Pulse`)."""

    epoch: int = 0
    head: int = -1
    ready: bool = False
    at_rest: bool = False
    ended: bool = False


class Lease:
    """Ask, and keep until when what was granted holds; the machine hands it its timers and the answers."""

    def __init__(self, role: str, generation: int, terms: LeaseTerms) -> None:
        """Hold none yet; `beat` asks for the first."""
        self._role, self._generation, self._terms = role, generation, terms
        self._asked = self._granted = self._run_out = 0

    @property
    def held(self) -> bool:
        """Say whether the role may act."""
        return self._terms.interval_s == 0.0 or self._granted > self._run_out

    @property
    def lapsed(self) -> bool:
        """Say whether the leave to act ended, or was asked for in vain for as long as one is valid.

        Before that, while the first is on its way, nothing needs undoing.
        """
        return self._run_out > 0 and not self.held

    def beat(self, standing: Standing) -> list[Output]:
        """Return one pulse, the clock of its lease and the timer of the next; nothing for an engine in one process."""
        terms = self._terms
        if terms.interval_s == 0.0:
            return []
        self._asked += 1
        pulse = Pulse(role=self._role, generation=self._generation, nonce=self._asked, **standing._asdict())
        return [
            Send(COORDINATOR, pulse, True),
            SetTimer(f"{_CLOCK}{self._asked}", terms.valid_s, strict=True),
            SetTimer(PULSE_TIMER, terms.interval_s),
        ]

    def grant(self, answer: LeaseGranted) -> bool:
        """Take the answer to a pulse; return True when it gives back a lease that had run out, or gives the first.

        One whose clock has run out before it came gives nothing.
        """
        before = self.held
        if answer.nonce <= self._asked:
            self._granted = max(self._granted, answer.nonce)
        return self.held and not before

    def owns(self, timer: str) -> bool:
        """Say whether `timer` is the clock of an asking."""
        return timer.startswith(_CLOCK)

    def run_out(self, timer: str) -> bool:
        """Note that the clock `timer` ran out; return True when the lease ended with it."""
        before = self.held
        self._run_out = max(self._run_out, int(timer.removeprefix(_CLOCK)))
        return before and not self.held
