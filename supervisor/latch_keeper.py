"""Keep the halt latch for the coordinator: every movement durable before it is announced, reviews answered in order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, assert_never

from domain.awaited import LATCH_ASKS, Awaited
from domain.halt_messages import (
    HaltInbox,
    HaltReviewed,
    LatchChanged,
    LatchHeld,
    PositionsClosed,
    RaiseHalt,
    ReviewHalt,
)
from domain.halts import HaltLadder, rung_for
from domain.messages import GATEWAY, RISK
from domain.outbox import AuditEvent, AuditKind
from domain.outputs import Output, Persist, Send
from domain.records import HaltRecord, HaltTrigger, MachineSnapshot, Rung

LADDER = "ladder"
"""Name of the snapshot that keeps the halt ladder."""

HELD_TIMER = "latch_held"


class _ReviewDue(NamedTuple):
    """Be a review whose answer waits until the gateway holds the latch at `version`."""

    version: int
    bar: int
    new_peak: bool


class LatchKeeper:
    """Move the ladder as roles ask, and announce it."""

    def __init__(self, ladder: HaltLadder, flattening: Collection[str], answer_deadline_s: float) -> None:
        """Keep `ladder`; `flattening` names the triggers that close every position."""
        self._ladder = ladder
        self._flattening = flattening
        self._review_due: _ReviewDue | None = None
        self._held = Awaited(HELD_TIMER, answer_deadline_s, LATCH_ASKS)
        self._halts = 0

    def handle(self, message: HaltInbox) -> list[Output]:
        """Return what follows from `message`."""
        match message:
            case RaiseHalt():
                return self.raise_latch(message)
            case PositionsClosed(at_ns=at_ns, bar=bar, session=session):
                record = self._ladder.end_flattening(at_ns=at_ns, bar=bar, session=session)
                return (
                    []
                    if record is None
                    else [self._keep(record), Send(GATEWAY, self._latch(lowers=True), True)]
                )
            case ReviewHalt():
                return self._review(message)
            case LatchHeld():
                return self._latch_held(message)
            case _ as unreachable:
                assert_never(unreachable)

    @property
    def rung(self) -> Rung:
        """Return the rung of the durable latch."""
        return self._ladder.rung

    @property
    def version(self) -> int:
        """Return the version of the durable latch."""
        return self._ladder.version

    def state(self) -> Mapping[str, Any]:
        """Return the ladder and what moved it."""
        return {
            "rung": self._ladder.rung.name,
            "causes": [trigger.value for trigger in self._ladder.active],
            "halts": self._halts,
            "resumed_by_rule": self._ladder.resumed_by_rule,
        }

    def announced(self) -> list[Output]:
        """Return the word on a latch that survived a restart; nothing where none ever moved."""
        latch = self._latch(lowers=False)
        return [Send(role, latch, True) for role in (GATEWAY, RISK)] if latch.version else []

    def raise_latch(self, message: RaiseHalt) -> list[Output]:
        """Raise the latch; what is told again and on record already is only confirmed."""
        if message.again and self._ladder.has_heard(message):
            latch = self._latch(lowers=False, heard=(message.trigger,))
            return [Send(message.raised_by, latch, True)]
        record = self._ladder.raise_latch(
            message.trigger,
            max(message.rung, rung_for(message.trigger, self._flattening)),
            at_ns=message.at_ns,
            bar=message.bar,
            session=message.session,
            raised_by=message.raised_by,
            detail=message.detail,
        )
        self._halts += record.rung is not record.previous
        latch = self._latch(lowers=False)
        return [self._keep(record), Send(GATEWAY, latch, True), Send(RISK, latch, True)]

    def overdue(self) -> list[Output]:
        """Tell the gateway once more of the latch a review waits for; raises Unanswered after `LATCH_ASKS` times."""
        if self._review_due is None:
            return []
        timer = self._held.again("word that the gateway holds the lowered halt latch")
        return [Send(GATEWAY, self._latch(lowers=True, bar=self._review_due.bar), True), timer]

    def _review(self, message: ReviewHalt) -> list[Output]:
        records, new_peak = self._ladder.review(at_ns=message.at_ns, bar=message.bar, session=message.session)
        waiting = self._review_due
        # The gateway holds the lowered latch before the risk manager acts on it, so that no approval meets the old one.
        # It is told also when nothing ends now: a crash may have swallowed an earlier lowering.
        new_peak = new_peak or (waiting is not None and waiting.new_peak)
        self._review_due = _ReviewDue(self._ladder.version, message.bar, new_peak)
        timer = [] if waiting is not None else [self._held.asked()]
        return [self._keep(*records), Send(GATEWAY, self._latch(lowers=True, bar=message.bar), True), *timer]

    def _latch_held(self, message: LatchHeld) -> list[Output]:
        due = self._review_due
        if due is None or message.role != GATEWAY or message.version < due.version:
            return []
        self._review_due = None
        return [self._held.answered(), self._answer(due.bar, due.new_peak)]

    def _answer(self, bar: int, new_peak: bool) -> Send:
        """Answer a review with the ladder as it is now: it may have been raised since.

        In the control lane, like every latch: an older answer that is overtaken by a raised latch would undo it.
        """
        ladder = self._ladder
        answer = HaltReviewed(
            bar=bar, rung=ladder.rung, version=ladder.version, active=ladder.active, new_peak=new_peak
        )
        return Send(RISK, answer, True)

    def _latch(self, *, lowers: bool, bar: int = -1, heard: tuple[HaltTrigger, ...] = ()) -> LatchChanged:
        ladder = self._ladder
        return LatchChanged(
            rung=ladder.rung,
            lowers=lowers,
            version=ladder.version,
            active=ladder.active,
            bar=bar,
            heard=heard,
        )

    def _keep(self, *records: HaltRecord) -> Persist:
        values = self._ladder.to_values()
        snapshot = MachineSnapshot(name=LADDER, bar=-1, at_ns=0, values=values)
        return Persist((*records, snapshot, *(_halt_event(record) for record in records)))


def _halt_event(record: HaltRecord) -> AuditEvent:
    body = {
        "rung": record.rung.name,
        "previous": record.previous.name,
        "trigger": record.trigger.value,
        "raised_by": record.raised_by,
        "detail": record.detail,
    }
    key = f"{record.trigger.value}.{record.version}"
    return AuditEvent(
        AuditKind.HALT, record.at_ns, record.bar, key, record.raised_by in ("risk", "rule"), body
    )
