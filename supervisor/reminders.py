"""Say again, now and then, what may have been lost: who has heard it does nothing more.

The halt latch's file is looked at as often: a person may have written it where no message came through.
"""

from __future__ import annotations

from domain.messages import FEED, StartFeed
from domain.outputs import LookAtLatch, Output, Send, SetTimer
from supervisor.child import Status
from supervisor.children import Children
from supervisor.draining import Draining
from supervisor.phase import Phase

BEGIN_TIMER = "begin"


def reminders(phase: Phase, children: Children, draining: Draining, after_s: float) -> list[Output]:
    """Return what to say again in `phase`, and the timer of the next time, `after_s` seconds later."""
    match phase:
        case Phase.STARTING:
            outputs = children.begin_again()
        case Phase.RUNNING:
            outputs = [*children.begin_again(), Send(FEED, StartFeed())]
        case Phase.DRAINING:
            outputs = [*children.begin_again(), *draining.asked(children.in_status(Status.READY))]
        case _:
            return []
    return [*outputs, LookAtLatch(), SetTimer(BEGIN_TIMER, after_s)]
