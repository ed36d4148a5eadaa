"""Join what one bar needs before it is decided: its group, the market's word, and what each strategy says.

Messages may come in any order and more than once. A strategy that cannot speak is not waited for: while it abstains it
is left out, else it has failed on each symbol of the bar. One that comes back is waited for from the next bar on.
"""

from __future__ import annotations

from collections.abc import Iterable

from domain.bars import BarGroup
from domain.messages import SignalBatch
from domain.signals import SignalFailure
from domain.supervision import AbsentStrategy

ABSENT = "absent"
STILL_ABSENT = "still absent"
"""Kind of the failures of every bar of an absence but its first: a process that ended has failed once (B1)."""


class BarJoin:
    """Hold the bar at hand and what has come for it."""

    def __init__(self, strategies: tuple[str, ...], *, lockstep: bool) -> None:
        """Wait for all `strategies`, and in `lockstep` for the market, which moves before anything is decided."""
        self._strategies = strategies
        self._in_order = sorted(strategies)
        self._lockstep = lockstep
        self.newest = -1
        self.group: BarGroup | None = None
        self.marked = False
        self._advanced = -1
        self._batches: dict[int, dict[str, SignalBatch]] = {}
        self._absent: dict[str, AbsentStrategy] = {}
        self._excused: dict[str, AbsentStrategy] = {}
        self._left_out: dict[str, AbsentStrategy] = {}
        self._counted: set[str] = set()

    def begin(self, group: BarGroup, left_out: Iterable[AbsentStrategy] = ()) -> None:
        """Take `group` in hand without those `left_out` of it; what was said of earlier bars is dropped."""
        self.newest = group.index
        self.group, self.marked = group, False
        self._left_out = {each.strategy: each for each in left_out}
        self._excused = self._absent | self._left_out
        self._batches = {bar: spoken for bar, spoken in self._batches.items() if bar >= group.index}

    def advance(self, advanced: int) -> None:
        """Note that the market has finished group `advanced` (-1: none)."""
        self._advanced = max(self._advanced, advanced)

    def take(self, batch: SignalBatch) -> None:
        """Keep what came for its own bar, the first of each strategy; where that is over, the next bar drops it."""
        if batch.strategy in self._strategies:
            self._batches.setdefault(batch.bar, {}).setdefault(batch.strategy, batch)

    def take_absent(self, absent: Iterable[AbsentStrategy]) -> None:
        """Wait no more for these, all that are absent now; the bar at hand waits for none that was absent before."""
        self._absent = {each.strategy: each for each in absent}
        self._counted &= self._absent.keys()
        if self.group is not None:
            self._excused = self._excused | self._absent | self._left_out

    def market_is_done(self, group: BarGroup) -> bool:
        """Say whether the market's word on `group` has come, where it is waited for."""
        return not self._lockstep or self._advanced >= group.index

    def is_complete(self, group: BarGroup) -> bool:
        """Say whether everyone who is waited for has spoken of `group`."""
        spoken = self._batches.get(group.index, {})
        if not self._excused:
            return len(spoken) == len(self._strategies)
        return all(name in spoken or name in self._excused for name in self._strategies)

    def time_out(self, group: BarGroup) -> None:
        """Count those who have not spoken of `group` in time as failed."""
        spoken = self._batches.setdefault(group.index, {})
        for name in self._strategies:
            if name not in spoken and name not in self._excused:
                spoken[name] = failed_batch(name, group, "timeout", "no answer within the deadline")

    def close(self, group: BarGroup) -> list[SignalBatch]:
        """Let go of `group` and return what was said of it, sorted by strategy."""
        spoken = self._batches.pop(group.index, {})
        self.group = None
        if not self._excused:
            return [spoken[name] for name in sorted(spoken)]
        found = []
        for name in self._in_order:
            absent = self._excused.get(name)
            if absent is not None and absent.abstains:
                continue
            batch = spoken.get(name)
            if batch is None and absent is not None:
                batch = failed_batch(
                    name, group, STILL_ABSENT if name in self._counted else ABSENT, absent.why
                )
                self._counted.add(name)
            if batch is not None:
                found.append(batch)
        return found

    @property
    def absent(self) -> tuple[AbsentStrategy, ...]:
        """Return who cannot speak now, sorted."""
        return tuple(sorted(self._absent.values()))


def failed_batch(strategy: str, group: BarGroup, kind: str, error: str) -> SignalBatch:
    """Return what counts as said by a strategy that did not speak: a failure on each symbol."""
    failures = tuple(SignalFailure(strategy, bar.symbol, kind, error, "") for bar in group.bars)
    return SignalBatch(
        at_ns=group.known_ns,
        bar=group.index,
        strategy=strategy,
        evaluated=len(group.bars),
        signals=(),
        failures=failures,
    )
