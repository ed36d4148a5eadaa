"""Hold the risk manager's copy of the halt latch, and which halts of its own nobody may have heard of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from domain.bars import BarGroup
from domain.halt_messages import HaltReviewed, LatchChanged, RaiseHalt
from domain.halts import ENDS_WITH_SESSION, rung_for
from domain.messages import RISK
from domain.records import HaltTrigger, Rung


class _Raised(NamedTuple):
    """Be where and why a halt was raised."""

    at_ns: int
    bar: int
    session: int
    why: str


class LatchNews(NamedTuple):
    """Say what a word on the latch changed: anything that must last, causes that ended, a new reference peak due."""

    changed: bool
    ended: frozenset[HaltTrigger]
    new_peak: bool


NO_NEWS = LatchNews(changed=False, ended=frozenset(), new_peak=False)


class RiskLatch:
    """Raise by itself, follow the coordinator, and lower only on its word."""

    def __init__(self, flattening: Collection[str], values: Mapping[str, Any]) -> None:
        """Go on from `values` (of `to_values`); `flattening` names the triggers that close every position."""
        self._flattening = flattening
        self.rung = Rung(values.get("rung", 0))
        self.raised = {HaltTrigger(name) for name in values.get("raised", ())}
        self.version = int(values.get("latch_version", 0))
        self.scoped = {scope: Rung(rung) for scope, rung in values.get("scoped", {}).items()}
        self._unheard = {HaltTrigger(name): _Raised(*told) for name, *told in values.get("unheard", ())}
        self._peak_version = int(values.get("peak_version", 0))

    def to_values(self) -> dict[str, Any]:
        """Return the state to persist, JSON-able."""
        return {
            "rung": int(self.rung),
            "raised": sorted(self.raised),
            "unheard": [(trigger.value, *told) for trigger, told in self._unheard.items()],
            "latch_version": self.version,
            "scoped": {scope: int(rung) for scope, rung in sorted(self.scoped.items())},
            "peak_version": self._peak_version,
        }

    def raise_for(self, group: BarGroup, trigger: HaltTrigger, why: str) -> RaiseHalt:
        """Raise the local latch for `trigger` and return what to tell the coordinator."""
        self.raised.add(trigger)
        told = self._unheard[trigger] = _Raised(group.known_ns, group.index, group.session, why)
        halt = self._told(trigger, told)
        self.rung = max(self.rung, halt.rung)
        return halt

    def unheard(self) -> list[RaiseHalt]:
        """Return, as and in the order they were raised, the halts of which the coordinator may never have heard."""
        return [self._told(trigger, told, again=True) for trigger, told in self._unheard.items()]

    def _told(self, trigger: HaltTrigger, told: _Raised, *, again: bool = False) -> RaiseHalt:
        return RaiseHalt(
            at_ns=told.at_ns,
            bar=told.bar,
            session=told.session,
            rung=rung_for(trigger, self._flattening),
            trigger=trigger,
            raised_by=RISK,
            detail=told.why,
            again=again,
        )

    def hold(self, latch: LatchChanged) -> LatchNews:
        """Take over the durable latch; news older than ours tells nothing.

        It lowers the rung only where it says so and knows of every halt of ours. One that crossed a halt of ours on
        its way does not; the coordinator says it anew once it has heard. A version names one state of the latch, so
        that a lowering told again, at the version held, does no harm.
        """
        if latch.version < self.version:
            return NO_NEWS
        self._heard((*latch.active, *latch.heard))
        scoped = dict(latch.scoped)
        before, self.scoped, self.version = (self.rung, self.scoped), scoped, latch.version
        if not latch.lowers or self._unheard:
            self.rung = max(self.rung, latch.rung)
            self.raised.update(latch.active)
            return LatchNews(changed=before[1] != scoped, ended=frozenset(), new_peak=False)
        ended = frozenset(self.raised.difference(latch.active))
        self.rung, self.raised = latch.rung, set(latch.active)
        new_peak = latch.new_peak and latch.version > self._peak_version
        if new_peak:  # told again, a later equity must not become the peak
            self._peak_version = latch.version
        changed = before != (self.rung, scoped) or bool(ended) or new_peak
        return LatchNews(changed=changed, ended=ended, new_peak=new_peak)

    def hear_lease(self, rung: Rung, version: int) -> None:
        """Raise to the durable latch that came with a lease.

        Where that lowers nothing is taken over, so that the word which lowers it is still news when it comes.
        """
        if version >= self.version and rung > self.rung:
            self.rung, self.version = rung, version

    def review(self, answer: HaltReviewed) -> list[tuple[HaltTrigger, str]]:
        """Hold what the review left standing; return the halts of ours that the coordinator never heard of.

        Such a halt was lost on its way and is to be raised again, unless the session would have ended it by now. An
        answer that a newer latch overtook lowers nothing; the next session's review does.
        """
        self._heard(answer.active)
        lost = [
            (trigger, told.why) for trigger, told in self._unheard.items() if trigger not in ENDS_WITH_SESSION
        ]
        self._unheard.clear()
        if answer.version >= self.version:
            self.rung, self.version = answer.rung, answer.version
            self.raised = set(answer.active)
        return lost

    def bars_entry(self, book: str, symbol: str) -> str:
        """Return why no entry of `book` into `symbol` may be made although the account may trade; "" where it may."""
        for scope in (f"book:{book}", f"symbol:{symbol}"):
            rung = self.scoped.get(scope, Rung.ACTIVE)
            if rung > Rung.ACTIVE:
                return f"{scope} is {rung.name}: nothing that increases its exposure"
        return ""

    def _heard(self, active: Iterable[HaltTrigger]) -> None:
        for trigger in active:
            self._unheard.pop(trigger, None)
