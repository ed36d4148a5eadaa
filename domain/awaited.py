"""Ask again for an answer that does not come: any message between roles may be lost."""

from __future__ import annotations

from domain.errors import Unanswered
from domain.outputs import CancelTimer, SetTimer

LATCH_ASKS = 3
"""How often the gateway is told of a lowered latch before its silence is a failure; the risk manager waits longer."""


class Awaited:
    """Count how often an answer was asked for in vain; the timer `timer` says when to ask again."""

    def __init__(self, timer: str, deadline_s: float, asks: int) -> None:
        """Wait `deadline_s` seconds of the control clock for each of at most `asks` askings."""
        self._timer = timer
        self._deadline_s = deadline_s
        self._asks = asks
        self._asked = 0

    def asked(self) -> SetTimer:
        """Note that it was asked for, or that a part of the answer came: the count begins anew."""
        self._asked = 1
        return SetTimer(self._timer, self._deadline_s)

    def again(self, what: str) -> SetTimer:
        """Return the timer of one more asking for `what`; raises Unanswered when it was asked for often enough."""
        if self._asked >= self._asks:
            raise Unanswered(
                f"{what} did not come: asked for {self._asked} times, {self._deadline_s:g} s each"
            )
        self._asked += 1
        return SetTimer(self._timer, self._deadline_s)

    def answered(self) -> CancelTimer:
        """Note that the answer came."""
        return CancelTimer(self._timer)
