"""Join what one bar needs before it is decided: its group, the market's word, and what each strategy says.

Messages may come in any order and more than once. A strategy that cannot speak is not waited for: while it abstains it
is left out, else it has failed on each symbol of the bar. One that comes back is waited for from the next bar on.

Where a strategy's symbols are shared out among parts, each part is waited for, times out, is absent and fails by
itself, on its own symbols; what they say is joined into one batch, as if one had spoken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from domain.bars import BarGroup
from domain.messages import SignalBatch
from domain.signals import Signal, SignalFailure, speaker_name, strategy_of
from domain.supervision import AbsentStrategy

ABSENT = "absent"
STILL_ABSENT = "still absent"
"""Kind of the failures of every bar of an absence but its first: a process that ended has failed once (B1)."""


class BarJoin:
    """Hold the bar at hand and what has come for it."""

    def __init__(
        self, strategies: Iterable[str], shards: Mapping[str, tuple[frozenset[str], ...]], *, lockstep: bool
    ) -> None:
        """Wait for all `strategies`, and in `lockstep` for the market, which moves before anything is decided.

        `shards` are the symbols of each part, for those whose symbols are shared out.
        """
        self._speakers: dict[str, tuple[str, ...]] = {}
        self._symbols: dict[str, frozenset[str] | None] = {}
        for strategy in sorted(strategies):
            parts = shards.get(strategy, ())
            names = [speaker_name(strategy, part, len(parts)) for part in range(1, len(parts) + 1)]
            self._speakers[strategy] = tuple(names) or (strategy,)
            self._symbols |= dict(zip(names, parts, strict=True)) if names else {strategy: None}
        self._sharded = len(self._symbols) > len(self._speakers)
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
        self._left_out = {
            name: each for each in left_out for name in self._speakers.get(each.strategy, (each.strategy,))
        }
        self._excused = self._absent | self._left_out
        self._batches = {bar: spoken for bar, spoken in self._batches.items() if bar >= group.index}

    def advance(self, advanced: int) -> None:
        """Note that the market has finished group `advanced` (-1: none)."""
        self._advanced = max(self._advanced, advanced)

    def take(self, batch: SignalBatch) -> None:
        """Keep what came for its own bar, the first of each speaker; where that is over, the next bar drops it."""
        speaker = batch.speaker
        if speaker in self._symbols:
            self._batches.setdefault(batch.bar, {}).setdefault(speaker, batch)

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
            return len(spoken) == len(self._symbols)
        return all(name in spoken or name in self._excused for name in self._symbols)

    def time_out(self, group: BarGroup) -> None:
        """Count those who have not spoken of `group` in time as failed."""
        spoken = self._batches.setdefault(group.index, {})
        for name in self._symbols:
            if name not in spoken and name not in self._excused:
                spoken[name] = self._failed(name, group, "timeout", "no answer within the deadline")

    def close(self, group: BarGroup) -> list[SignalBatch]:
        """Let go of `group` and return what was said of it, one batch a strategy, sorted."""
        spoken = self._batches.pop(group.index, {})
        self.group = None
        if not self._excused and not self._sharded:
            return [spoken[name] for name in sorted(spoken)]
        said = [
            [batch for name in names if (batch := self._said(name, spoken, group)) is not None]
            for names in self._speakers.values()
        ]
        return [joined(batches) for batches in said if batches]

    def _said(self, name: str, spoken: Mapping[str, SignalBatch], group: BarGroup) -> SignalBatch | None:
        """Return what counts as said by one that is waited for; None where it abstains."""
        absent = self._excused.get(name)
        if absent is not None and absent.abstains:
            return None
        batch = spoken.get(name)
        if batch is None and absent is not None:
            batch = self._failed(name, group, STILL_ABSENT if name in self._counted else ABSENT, absent.why)
            self._counted.add(name)
        return batch

    def _failed(self, name: str, group: BarGroup, kind: str, error: str) -> SignalBatch:
        """Return what counts as said by one that did not speak: a failure on each symbol that is its own."""
        strategy, mine = strategy_of(name), self._symbols[name]
        symbols = [bar.symbol for bar in group.bars if mine is None or bar.symbol in mine]
        return SignalBatch(
            at_ns=group.known_ns,
            bar=group.index,
            strategy=strategy,
            evaluated=len(symbols),
            signals=(),
            failures=tuple(SignalFailure(strategy, symbol, kind, error, "") for symbol in symbols),
        )

    @property
    def absent(self) -> tuple[AbsentStrategy, ...]:
        """Return who cannot speak now, sorted."""
        return tuple(sorted(self._absent.values()))


def joined(batches: Sequence[SignalBatch]) -> SignalBatch:
    """Return what the parts of a strategy say of a bar as one batch, in order of symbols, as bars are."""
    if len(batches) == 1:
        return batches[0]
    return batches[0]._replace(
        evaluated=sum(batch.evaluated for batch in batches),
        signals=tuple(sorted(chain.from_iterable(batch.signals for batch in batches), key=_symbol)),
        failures=tuple(sorted(chain.from_iterable(batch.failures for batch in batches), key=_symbol)),
        part=1,
        parts=1,
    )


def _symbol(said: Signal | SignalFailure) -> str:
    return said.symbol
