"""Tell roles what they must know when one of them went away, came back or asks for a lease."""

from __future__ import annotations

from typing import NamedTuple

from domain.halt_messages import RaiseHalt
from domain.messages import COORDINATOR, FEED, GATEWAY, RISK, RoleFailed, StartFeed
from domain.outbox import AuditKind
from domain.outputs import Output, Send
from domain.records import HaltTrigger, Rung
from domain.supervision import (
    LeaseGranted,
    PublishAgain,
    Pulse,
    RoleEnded,
    StrategiesAbsent,
    StrategiesQuarantined,
)
from supervisor.child import Status, Verdict
from supervisor.children import Children
from supervisor.events import event
from supervisor.faults import failure_of
from supervisor.latch_keeper import LatchKeeper


class Ending(NamedTuple):
    """Be what the end of a role's process leads to; `failed` says that the engine cannot go on without it."""

    verdict: Verdict
    outputs: list[Output]
    failed: RoleFailed | None = None


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

    def first(self) -> list[Output]:
        """Let the feed begin, under the latch that stands and without those that a former run left out."""
        absent = [self.absent()] if self._children.absent() else []
        return [*self._latch.announced(), *absent, Send(FEED, StartFeed())]

    def running(self) -> list[Output]:
        """Say again, after the coordinator's own restart, what may have been lost with its former life."""
        return [*self._latch.announced(), self.absent(), Send(FEED, StartFeed())]

    def ended(self, message: RoleEnded, *, stopping: bool) -> Ending:
        """Note the end of a role's process; return what follows, recorded."""
        verdict, outputs = self._children.ended(message, stopping=stopping)
        if verdict in (Verdict.STALE, Verdict.EXPECTED):
            return Ending(verdict, [])
        child = self._children[message.role]
        body = {"error": child.why, "verdict": verdict.value, "generation": message.generation}
        told = event(AuditKind.FAILURE, message.role, body)
        if verdict is Verdict.EXHAUSTED:
            most, within_s = self._children.intensity
            error = f"ended more than {most} times in {within_s:g} s: {child.why}"
            return Ending(verdict, [told], failure_of(message.role, error))
        if child.plan.strategies:
            outputs += [self.absent(), *self.half_out()]
        return Ending(verdict, [told, *outputs])

    def held_out(self, told: StrategiesQuarantined) -> list[Output] | None:
        """Note whom breakers keep out; return what follows, None where nothing changed."""
        before = self._children.held_out()
        self._children.hold_out({each.strategy: each.why for each in told.quarantined})
        after = self._children.held_out()
        if after == before:
            return None
        return self.half_out() if after.keys() - before.keys() else []

    def half_out(self) -> list[Output]:
        """Halt when half of the strategies are quarantined (requirement B1); nothing while that is on record.

        Where breakers alone did it, the risk manager halts by itself, at the bar of the last one.
        """
        if not self._children.in_status(Status.QUARANTINED):
            return []
        quarantined, trigger = self._children.quarantined(), HaltTrigger.STRATEGIES_QUARANTINED
        if 2 * quarantined.out < quarantined.strategies or trigger in self._latch.ladder.active:
            return []
        out = f"{float(quarantined.out):g} of {quarantined.strategies}"
        halt = RaiseHalt(
            at_ns=0,
            bar=-1,
            session=0,
            rung=Rung.HALTED,
            trigger=trigger,
            raised_by=COORDINATOR,
            detail=f"{out} strategies are quarantined: {', '.join(quarantined.names)}",
        )
        return self._latch.raise_latch(halt)

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
