"""Tell roles what they must know when one of them went away, came back or asks for a lease."""

from __future__ import annotations

from domain.messages import FEED, GATEWAY, RISK, StartFeed
from domain.outputs import Output, Send
from domain.records import Rung
from domain.supervision import LeaseGranted, PublishAgain, Pulse, StrategiesAbsent
from supervisor.children import Children
from supervisor.latch_keeper import LatchKeeper


class Upkeep:
    """Word what the coordinator sends so that a role's end costs a trade at most."""

    def __init__(self, children: Children, latch: LatchKeeper) -> None:
        """Speak of `children`, under `latch`."""
        self._children, self._latch = children, latch
        self._heads: dict[str, int] = {}

    def absent(self) -> Send:
        """Tell the risk manager which strategies cannot speak: it does not wait for them."""
        return Send(RISK, StrategiesAbsent(absent=self._children.absent()), True)

    def back(self, role: str) -> list[Output]:
        """Tell the others, and the role itself, what it missed, and have the bar under way published again."""
        outputs: list[Output] = []
        if role in (GATEWAY, RISK):
            outputs += self._latch.announced()
        if role == RISK or self._children[role].plan.strategies:
            outputs.append(self.absent())
        if role == FEED:
            outputs.append(Send(FEED, StartFeed()))
        return [*outputs, Send(FEED, PublishAgain())]

    def running(self) -> list[Output]:
        """Say again, after the coordinator's own restart, what may have been lost with its former life."""
        return [*self._latch.announced(), self.absent(), Send(FEED, StartFeed())]

    def lease(self, pulse: Pulse) -> list[Output]:
        """Grant the lease that `pulse` asks for, with the heads of both logs and the durable latch.

        A former generation gets none: given up for dead, it must not go on acting.
        """
        role = pulse.role
        if role not in self._children or self._children[role].generation != pulse.generation:
            return []
        if role in (FEED, GATEWAY):
            self._heads[role] = pulse.head
        answer = LeaseGranted(
            nonce=pulse.nonce,
            bars_head=self._heads.get(FEED, -1),
            journal_head=self._heads.get(GATEWAY, -1),
            rung=Rung(self._latch.rung),
            latch_version=self._latch.version,
        )
        return [Send(role, answer, True)]
