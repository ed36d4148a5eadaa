"""Keep the halt latch for the coordinator: every movement durable before it is announced, reviews answered in order.

A movement is made durable in the store first, then in the latch's file, then announced; decision record 0014 says why,
and what a crash between two of these leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, assert_never

from domain.halt_causes import cause_values
from domain.halt_messages import (
    PERSON,
    HaltInbox,
    LatchFound,
    LatchHeld,
    PositionsClosed,
    RaiseHalt,
    ReviewHalt,
)
from domain.halts import HaltLadder, by_file, rung_for
from domain.latch_copy import BY_GATEWAY
from domain.messages import COORDINATOR, GATEWAY, RISK
from domain.outbox import AuditEvent, AuditKind
from domain.outputs import ClearLatch, Output, Persist, Send, WriteLatch
from domain.records import HaltRecord, HaltTrigger, MachineSnapshot, Rung
from supervisor.found_latch import NOTHING_FOUND, FoundLatch
from supervisor.lowering import Lowering

__all__ = ["LADDER", "NOTHING_FOUND", "PERSON", "FoundLatch", "LatchKeeper"]

LADDER = "ladder"
"""Name of the snapshot that keeps the halt ladder."""


class LatchKeeper:
    """Move the ladder as roles and people ask, and announce it."""

    def __init__(
        self,
        ladder: HaltLadder,
        flattening: Collection[str],
        answer_deadline_s: float,
        *,
        wall_ns: Callable[[], int] = lambda: 0,
        found: FoundLatch = NOTHING_FOUND,
    ) -> None:
        """Keep `ladder`; `flattening` names the triggers that close every position.

        `wall_ns` stamps what is recorded with UTC nanoseconds, from which the cooldown counts; without it no cooldown
        ends. `found` is compared with the ladder at the start.
        """
        self._ladder = ladder
        self._flattening = flattening
        self._wall_ns = wall_ns
        self._found = found
        self._written = found.rung
        self._lowering = Lowering(ladder, answer_deadline_s)
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
                    else [*self._keep(record), self._lowering.latch(GATEWAY, lowers=True)]
                )
            case ReviewHalt():
                return self._review(message)
            case LatchHeld(role=role, version=version):
                return self._latch_held(role, version)
            case LatchFound():
                return self._met(message)
            case _ as unreachable:
                assert_never(unreachable)

    def state(self) -> Mapping[str, Any]:
        """Return the ladder and what moved it."""
        ladder = self._ladder
        return {
            "rung": ladder.rung.name,
            "causes": [trigger.value for trigger in ladder.active],
            "scoped": [[scope, rung.name] for scope, rung in ladder.scoped],
            "halted_by": [
                cause_values(scope, trigger, cause)
                for scope in ("", *(scope for scope, _ in ladder.scoped))
                for trigger, cause in sorted(ladder.causes_of(scope).items())
            ],
            "resuming": self._lowering.under_way,
            "halts": self._halts,
            "resumed_by_rule": ladder.resumed_by_rule,
        }

    @property
    def rung(self) -> Rung:
        """Return the rung of the durable latch."""
        return self._ladder.rung

    @property
    def version(self) -> int:
        """Return the version of the durable latch."""
        return self._ladder.version

    @property
    def ladder(self) -> HaltLadder:
        """Return the ladder, to look at."""
        return self._ladder

    def wall_ns(self) -> int:
        """Return the time by which cooldowns count, UTC nanoseconds."""
        return self._wall_ns()

    # --- at a start -----------------------------------------------------------------------------------------------

    def begun(self) -> list[Output]:
        """Compare the latch's file with the ladder, once, at a start, and bring the file to the ladder.

        Nobody is told yet of what it raises: roles may not be up, and `announced` follows once they are.
        """
        found, self._found = self._found, NOTHING_FOUND
        if not found.raises(self._ladder.version, self._ladder.causes):
            self._written = Rung.ACTIVE if found.version == BY_GATEWAY else self._written
            return self._file()
        raised = self._raised_by_file(found.rung, found.detail)
        return [each for each in raised if not isinstance(each, Send)]

    def announced(self) -> list[Output]:
        """Return the word on a latch that survived a restart; nothing where none ever moved."""
        if not self._ladder.version:
            return []
        if self._ladder.lowered is not None:
            return [*self._lowering.resumed(), self._lowering.latch(RISK)]
        return [self._lowering.latch(role) for role in (GATEWAY, RISK)]

    # --- movements ------------------------------------------------------------------------------------------------

    def raise_latch(self, message: RaiseHalt) -> list[Output]:
        """Raise the latch; what is told again and on record already is only confirmed.

        Its rung is that of its trigger, where that is higher; a latch file's is what the file says.
        """
        if message.again and self._ladder.has_heard(message):
            return [self._lowering.latch(message.raised_by, heard=(message.trigger,))]
        if message.trigger is HaltTrigger.KILL_SWITCH or message.raised_by == GATEWAY:
            # Who raised it wrote the file. With our version instead, an ended cause does not come back by it.
            self._written = Rung.ACTIVE
        if message.trigger is HaltTrigger.KILL_SWITCH:
            rung = message.rung
        else:
            rung = max(message.rung, rung_for(message.trigger, self._flattening))
        record = self._ladder.raise_latch(
            message.trigger,
            rung,
            at_ns=message.at_ns,
            bar=message.bar,
            session=message.session,
            raised_by=message.raised_by,
            detail=message.detail,
            scope=message.scope,
            wall_ns=self._wall_ns(),
            number=message.number,
        )
        self._halts += record.rung is not record.previous
        return [*self._keep(record), self._lowering.latch(GATEWAY), self._lowering.latch(RISK)]

    def _met(self, file: LatchFound) -> list[Output]:
        """Raise the latch to what a person's file says; where that is on record its file alone is written anew."""
        cause = self._ladder.causes.get(HaltTrigger.KILL_SWITCH)
        if cause is None or cause.rung < file.rung or cause.detail != by_file(file.detail):
            return self._raised_by_file(file.rung, file.detail)
        self._written = Rung.ACTIVE
        return self._file(met=(file.rung, file.detail))

    def _raised_by_file(self, rung: Rung, detail: str) -> list[Output]:
        raised = RaiseHalt(
            at_ns=0,
            bar=-1,
            session=0,
            rung=rung,
            trigger=HaltTrigger.KILL_SWITCH,
            raised_by=COORDINATOR,
            detail=by_file(detail),
        )
        met = (rung, detail)
        outputs = self.raise_latch(raised)
        return [each._replace(met=met) if isinstance(each, WriteLatch) else each for each in outputs]

    def resume(self, scope: str, who: str, *, new_peak: bool) -> list[Output]:
        """Lower, by a person's word, the latch of `scope` ("" for the account); `who` says by whom and why.

        The gateway is told now and the risk manager once the gateway holds it; `holds` says when both do.
        """
        records = self._ladder.resume(scope, resumed_by=PERSON, detail=who, new_peak=new_peak)
        return [*self._keep(*records), *self._lowering.resumed()]

    def clear_file(self, key: str) -> list[Output]:
        """Remove a file that stands, unknown to us, above an account that is not halted, by the command `key`."""
        self._written = Rung.ACTIVE
        return [ClearLatch(key)]

    @property
    def resuming(self) -> bool:
        """Say whether a person's resume is on its way and not yet held by gateway and risk manager."""
        return self._lowering.under_way

    def overdue(self, timer: str) -> list[Output]:
        """Tell once more of the latch whoever is silent; raises Unanswered after `LATCH_ASKS` times."""
        return self._lowering.overdue(timer)

    def _review(self, message: ReviewHalt) -> list[Output]:
        records, new_peak = self._ladder.review(at_ns=message.at_ns, bar=message.bar, session=message.session)
        return [*self._keep(*records), *self._lowering.reviewed(message.bar, new_peak=new_peak)]

    def _latch_held(self, role: str, version: int) -> list[Output]:
        before = self._ladder.lowered
        outputs = self._lowering.held(role, version)
        settled = before is not None and self._ladder.lowered is None
        return [*self._keep(), *outputs] if settled else outputs

    # --- what is made durable ---------------------------------------------------------------------------------------

    def snapshot(self) -> MachineSnapshot:
        """Return the ladder as it is to be made durable."""
        return MachineSnapshot(name=LADDER, bar=-1, at_ns=0, values=self._ladder.to_values())

    def _keep(self, *records: HaltRecord) -> list[Output]:
        return [
            Persist((*records, self.snapshot(), *(_halt_event(record) for record in records))),
            *self._file(),
        ]

    def _file(self, met: tuple[Rung, str] | None = None) -> list[Output]:
        """Bring the latch's file to the account's rung, where it stands on another, over a person's that was `met`."""
        ladder = self._ladder
        if self._written is ladder.rung:
            return []
        self._written = ladder.rung
        detail = "; ".join(
            f"{trigger.value}: {cause.detail}" for trigger, cause in sorted(ladder.causes.items())
        )
        return [WriteLatch(ladder.rung, ladder.version, detail, met)]


def _halt_event(record: HaltRecord) -> AuditEvent:
    body = {
        "rung": record.rung.name,
        "previous": record.previous.name,
        "trigger": record.trigger.value,
        "raised_by": record.raised_by,
        "detail": record.detail,
        **({"scope": record.scope} if record.scope else {}),
    }
    key = f"{record.trigger.value}.{record.version}"
    return AuditEvent(
        AuditKind.HALT, record.at_ns, record.bar, key, record.raised_by in ("risk", "rule"), body
    )
