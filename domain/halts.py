"""Rule the halt ladder: what raises it, what ends it, and why it stands where it stands.

    ACTIVE ─► REDUCING ─► HALTED ─► FLATTENING

Each trigger is a cause with a rung of its own; the ladder stands on the highest rung of its causes. Any role may raise
it, only the coordinator, which owns this machine, lowers it (requirements B1 to B4). A halt of a book or of a symbol
stands beside it and never moves it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from domain.halt_causes import Cause, Causes, causes_from, causes_to_values, cooldown_left_s, highest
from domain.halt_messages import RaiseHalt
from domain.messages import COORDINATOR, RoleFailed
from domain.records import HaltRecord, HaltTrigger, Rung
from domain.risk.limits import HaltPolicy

RUNG_OF: dict[HaltTrigger, Rung] = {
    HaltTrigger.DAILY_LOSS: Rung.REDUCING,
    HaltTrigger.DRAWDOWN: Rung.REDUCING,
    HaltTrigger.EXPOSURE: Rung.REDUCING,
    HaltTrigger.DAILY_LOSS_SEVERE: Rung.HALTED,
    HaltTrigger.DRAWDOWN_SEVERE: Rung.HALTED,
    HaltTrigger.HEAT: Rung.HALTED,
    HaltTrigger.FAILURE_RATE: Rung.HALTED,
    HaltTrigger.CONSECUTIVE_FAILURES: Rung.HALTED,
    HaltTrigger.BROKER_LOST: Rung.HALTED,
    HaltTrigger.TECHNICAL_FAILURE: Rung.HALTED,
    HaltTrigger.LATE_ARRIVAL: Rung.HALTED,
    HaltTrigger.KILL_SWITCH: Rung.HALTED,
    HaltTrigger.STRATEGIES_QUARANTINED: Rung.HALTED,
    HaltTrigger.MANUAL: Rung.HALTED,
    HaltTrigger.MANUAL_REDUCE: Rung.REDUCING,
    HaltTrigger.MANUAL_FLATTEN: Rung.FLATTENING,
}
"""The rung each trigger leads to (requirement B1), unless it is configured to close every position.

Who halts chooses the rung by the command. A latch file (KILL_SWITCH) holds that choice: its own rung stands, and the
one here for a file that cannot be read.
"""


def rung_for(trigger: HaltTrigger, flattening: Collection[str]) -> Rung:
    """Return the rung `trigger` leads to: FLATTENING only where configured or asked for, else its own up to HALTED."""
    if trigger is HaltTrigger.MANUAL_FLATTEN or trigger.value in flattening:
        return Rung.FLATTENING
    return min(RUNG_OF[trigger], Rung.HALTED)


ENDS_WITH_SESSION = frozenset({HaltTrigger.DAILY_LOSS, HaltTrigger.EXPOSURE})
"""Causes that the next session ends by itself (requirement B4)."""

ENDS_BY_PERSON = frozenset(
    {
        HaltTrigger.KILL_SWITCH,
        HaltTrigger.STRATEGIES_QUARANTINED,
        HaltTrigger.MANUAL,
        HaltTrigger.MANUAL_REDUCE,
        HaltTrigger.MANUAL_FLATTEN,
    }
)
"""Causes that no rule ends, a replay's either: a person raised them, or must first look at what did."""


class HaltLadder:
    """Hold the latch and its causes; every movement is a `HaltRecord` to be made durable before it is announced.

    `lowered` is what a person lowered and not every role holds yet: the version, and whether a new peak is due.
    """

    def __init__(self, policy: HaltPolicy, saved: Mapping[str, Any] | None = None) -> None:
        """Start ACTIVE, or where `saved` (the values of `to_values`) left off."""
        values = saved or {}
        self._policy = policy
        self.version = int(values.get("version", 0))
        self.resumed_by_rule = int(values.get("resumed_by_rule", 0))
        session, new_peak = values.get("reviewed", (-1, False))
        self._reviewed: tuple[int, bool] = (session, new_peak)
        # Each is (number, time, bar); stores of before there were numbers hold (time, bar).
        self._heard: dict[str, tuple[int, ...]] = {
            source: (0, *told)[-3:] for source, told in values.get("heard", {}).items()
        }
        self.causes = causes_from(values.get("causes", {}))
        self._parts: dict[str, Causes] = {
            scope: causes_from(causes) for scope, causes in values.get("scoped", {}).items()
        }
        lowered = values.get("lowered")
        self.lowered: tuple[int, bool] | None = None if lowered is None else (lowered[0], lowered[1])

    def to_values(self) -> dict[str, Any]:
        """Return the ladder's whole state, JSON-able, to be persisted with each movement and review."""
        return {
            "version": self.version,
            "resumed_by_rule": self.resumed_by_rule,
            "reviewed": self._reviewed,
            "heard": dict(sorted(self._heard.items())),
            "causes": causes_to_values(self.causes),
            "scoped": {scope: causes_to_values(causes) for scope, causes in sorted(self._parts.items())},
            "lowered": self.lowered,
        }

    @property
    def rung(self) -> Rung:
        """Return the rung the account stands on."""
        return highest(self.causes)

    @property
    def active(self) -> tuple[HaltTrigger, ...]:
        """Return the triggers that hold the account's latch up, sorted by name."""
        return tuple(sorted(self.causes))

    @property
    def scoped(self) -> tuple[tuple[str, Rung], ...]:
        """Return the halts of books and symbols, each scope with its rung, sorted."""
        return tuple((scope, highest(causes)) for scope, causes in sorted(self._parts.items()))

    def causes_of(self, scope: str) -> Mapping[HaltTrigger, Cause]:
        """Return what holds the latch of `scope` up, "" for the account."""
        return self.causes if not scope else self._parts.get(scope, {})

    def raise_latch(
        self,
        trigger: HaltTrigger,
        rung: Rung,
        *,
        at_ns: int,
        bar: int,
        session: int,
        raised_by: str,
        detail: str,
        scope: str = "",
        wall_ns: int = 0,
        number: int = 0,
    ) -> HaltRecord:
        """Add a cause and return its record; a cause already up is recorded, never doubled (requirement B3).

        Raised again it may reach a higher rung, never a lower one. A part of the account is never flattened.
        """
        causes = self.causes if not scope else self._parts.setdefault(scope, {})
        previous = highest(causes)
        if scope:
            rung = min(rung, Rung.HALTED)
        else:
            self._heard[f"{raised_by}:{trigger.value}"] = (number, at_ns, bar)
        cause = causes.setdefault(trigger, Cause(rung, session, 0, detail))
        cause.rung = max(cause.rung, rung)
        cause.wall_ns = wall_ns
        return self._record(previous, trigger, at_ns, bar, session, raised_by, detail, scope)

    def has_heard(self, told: RaiseHalt) -> bool:
        """Return whether `told` was raised before, or was of a session whose end has ended it."""
        if told.scope:
            return told.trigger in self.causes_of(told.scope)
        if told.trigger in ENDS_WITH_SESSION and told.session < self._reviewed[0]:
            return True
        heard = self._heard.get(f"{told.raised_by}:{told.trigger.value}")
        return heard is not None and heard >= (told.number, told.at_ns, told.bar)

    def review(self, *, at_ns: int, bar: int, session: int) -> tuple[list[HaltRecord], bool]:
        """End, at the start of `session`, the causes whose rule says so; those of books and symbols have none.

        Returns the records of the causes ended and whether a new reference peak is due (a cause other than a daily
        loss ended after `resume_after_sessions`, which replays and backtests may set). A session counts once: asked
        about again, after a restart of who asked, the answer is the same and nothing moves.
        """
        reviewed, peak_was_due = self._reviewed
        if session <= reviewed:
            return [], peak_was_due and session == reviewed
        records: list[HaltRecord] = []
        new_peak = False
        for trigger in self.active:
            cause = self.causes[trigger]
            if session <= cause.session:
                continue
            cause.sessions_since += 1
            why = self._ended_by_rule(trigger, cause)
            if not why:
                continue
            previous = self.rung
            del self.causes[trigger]
            if trigger not in ENDS_WITH_SESSION:
                new_peak = True
                self.resumed_by_rule += 1
            records.append(self._record(previous, trigger, at_ns, bar, session, "rule", f"ended: {why}"))
        self._reviewed = (session, new_peak)
        return records, new_peak

    def _ended_by_rule(self, trigger: HaltTrigger, cause: Cause) -> str:
        patience = self._policy.resume_after_sessions
        if trigger in ENDS_WITH_SESSION:
            return "the next session began"
        if trigger in ENDS_BY_PERSON or not 0 < patience <= cause.sessions_since:
            return ""
        return f"{patience} sessions passed (resume_after_sessions)"

    def cooldown_left_s(self, scope: str, wall_ns: int) -> float:
        """Return the wall seconds until a person may resume `scope` unforced (requirement B4)."""
        return cooldown_left_s(self.causes_of(scope), wall_ns, self._policy.cooldown_s)

    def resume(self, scope: str, *, resumed_by: str, detail: str, new_peak: bool) -> list[HaltRecord]:
        """End every cause of `scope`, by a person's word; returns their records, of which none tells an event time.

        Until every role holds it, it stands in `lowered`.
        """
        causes = self.causes if not scope else self._parts.get(scope, {})
        records = []
        for trigger in sorted(causes):
            previous = highest(causes)
            del causes[trigger]
            records.append(self._record(previous, trigger, 0, -1, 0, resumed_by, detail, scope))
        if scope:
            self._parts.pop(scope, None)
        self.lowered = (self.version, new_peak or (self.lowered is not None and self.lowered[1]))
        return records

    def end_flattening(self, *, at_ns: int, bar: int, session: int) -> HaltRecord | None:
        """Step from FLATTENING to HALTED once every position is closed; None when not flattening."""
        previous = self.rung
        if previous is not Rung.FLATTENING:
            return None
        trigger = next(name for name in self.active if self.causes[name].rung is Rung.FLATTENING)
        for cause in self.causes.values():
            cause.rung = min(cause.rung, Rung.HALTED)
        return self._record(previous, trigger, at_ns, bar, session, "rule", "every position is closed")

    def _record(
        self,
        previous: Rung,
        trigger: HaltTrigger,
        at_ns: int,
        bar: int,
        session: int,
        raised_by: str,
        detail: str,
        scope: str = "",
    ) -> HaltRecord:
        self.version += 1
        return HaltRecord(
            version=self.version,
            at_ns=at_ns,
            bar=bar,
            session=session,
            rung=highest(self.causes_of(scope)),
            previous=previous,
            trigger=trigger,
            raised_by=raised_by,
            detail=detail,
            scope=scope,
        )


def by_file(words: str) -> str:
    """Return the detail of a halt that a latch file raised, whose writer said `words`."""
    return f"latch file: {words}" if words else "latch file"


def technical_failure(failed: RoleFailed) -> RaiseHalt:
    """Word the halt that a role's unknown failure leads to; a failure knows neither bar nor session."""
    return RaiseHalt(
        at_ns=0,
        bar=-1,
        session=0,
        rung=Rung.HALTED,
        trigger=HaltTrigger.TECHNICAL_FAILURE,
        raised_by=COORDINATOR,
        detail=f"{failed.role}: {failed.error}",
    )
