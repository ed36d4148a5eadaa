"""Rule the halt ladder: what raises it, what ends it, and why it stands where it stands.

    ACTIVE ─► REDUCING ─► HALTED ─► FLATTENING

Each trigger is a cause with a rung of its own; the ladder stands on the highest rung of its causes. Any role may raise
it, only the coordinator, which owns this machine, lowers it (requirements B1 to B4).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

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
    HaltTrigger.KILL_SWITCH: Rung.FLATTENING,
}
"""The rung each trigger leads to (requirement B1)."""


def rung_for(trigger: HaltTrigger, flattening: Collection[str]) -> Rung:
    """Return the rung `trigger` leads to: FLATTENING only where configured, else its own, at most HALTED."""
    return Rung.FLATTENING if trigger.value in flattening else min(RUNG_OF[trigger], Rung.HALTED)


ENDS_WITH_SESSION = frozenset({HaltTrigger.DAILY_LOSS, HaltTrigger.EXPOSURE})
"""Causes that the next session ends by itself (requirement B4)."""


@dataclass(slots=True)
class Cause:
    """Be one trigger that holds the latch up: its rung, the session that raised it, the sessions reviewed since."""

    rung: Rung
    session: int
    sessions_since: int
    detail: str


class HaltLadder:
    """Hold the latch and its causes; every movement is a `HaltRecord` to be made durable before it is announced."""

    def __init__(self, policy: HaltPolicy, saved: Mapping[str, Any] | None = None) -> None:
        """Start ACTIVE, or where `saved` (the values of `to_values`) left off."""
        values = saved or {}
        self._policy = policy
        self.version = int(values.get("version", 0))
        self.resumed_by_rule = int(values.get("resumed_by_rule", 0))
        session, new_peak = values.get("reviewed", (-1, False))
        self._reviewed: tuple[int, bool] = (session, new_peak)
        self._heard: dict[str, tuple[int, int]] = {
            source: (at_ns, bar) for source, (at_ns, bar) in values.get("heard", {}).items()
        }
        self.causes: dict[HaltTrigger, Cause] = {
            HaltTrigger(name): Cause(Rung(rung), session, since, detail)
            for name, (rung, session, since, detail) in values.get("causes", {}).items()
        }

    def to_values(self) -> dict[str, Any]:
        """Return the ladder's whole state, JSON-able, to be persisted with each movement and review."""
        causes = {
            trigger.value: (int(cause.rung), cause.session, cause.sessions_since, cause.detail)
            for trigger, cause in sorted(self.causes.items())
        }
        return {
            "version": self.version,
            "resumed_by_rule": self.resumed_by_rule,
            "reviewed": self._reviewed,
            "heard": dict(sorted(self._heard.items())),
            "causes": causes,
        }

    @property
    def rung(self) -> Rung:
        """Return the rung the ladder stands on."""
        return max((cause.rung for cause in self.causes.values()), default=Rung.ACTIVE)

    @property
    def active(self) -> tuple[HaltTrigger, ...]:
        """Return the triggers that hold the latch up, sorted by name."""
        return tuple(sorted(self.causes))

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
    ) -> HaltRecord:
        """Add a cause and return its record; a cause already up is recorded, never doubled (requirement B3).

        Raised again it may reach a higher rung, never a lower one.
        """
        previous = self.rung
        self._heard[f"{raised_by}:{trigger.value}"] = (at_ns, bar)
        cause = self.causes.setdefault(trigger, Cause(rung, session, 0, detail))
        cause.rung = max(cause.rung, rung)
        return self._record(previous, trigger, at_ns, bar, session, raised_by, detail)

    def has_heard(self, told: RaiseHalt) -> bool:
        """Return whether `told` was raised before, or was of a session whose end has ended it."""
        if told.trigger in ENDS_WITH_SESSION and told.session < self._reviewed[0]:
            return True
        heard = self._heard.get(f"{told.raised_by}:{told.trigger.value}")
        return heard is not None and heard >= (told.at_ns, told.bar)

    def review(self, *, at_ns: int, bar: int, session: int) -> tuple[list[HaltRecord], bool]:
        """End, at the start of `session`, the causes whose rule says so.

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
            by_session = trigger in ENDS_WITH_SESSION
            patience = self._policy.resume_after_sessions
            if not by_session and not (patience > 0 and cause.sessions_since >= patience):
                continue
            previous = self.rung
            del self.causes[trigger]
            if not by_session:
                new_peak = True
                self.resumed_by_rule += 1
            why = (
                "the next session began"
                if by_session
                else f"{patience} sessions passed (resume_after_sessions)"
            )
            records.append(self._record(previous, trigger, at_ns, bar, session, "rule", f"ended: {why}"))
        self._reviewed = (session, new_peak)
        return records, new_peak

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
    ) -> HaltRecord:
        self.version += 1
        return HaltRecord(
            version=self.version,
            at_ns=at_ns,
            bar=bar,
            session=session,
            rung=self.rung,
            previous=previous,
            trigger=trigger,
            raised_by=raised_by,
            detail=detail,
        )


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
