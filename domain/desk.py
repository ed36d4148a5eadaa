"""Turn votes into order intents: target minus position minus working, at most one working order a book and symbol.

A book's rule decides what its strategies' signals on one symbol and bar mean (requirement A3):

* `vote`: an entry needs `min_votes` strategies with the same direction; a position is left when `min_votes` strategies
  say the opposite; fewer hold. Entry votes on both sides cancel out.
* `independent`: one vote is enough.

An exit that the gateway (its gate closed: the venue is away) or the venue refused stands: it is made again, under a new
ref, at each next bar until it works or the position is closed.

When a strategy that votes on a symbol failed at this bar, no order for that symbol is made from it (requirement A2);
the protective stop, held at the venue, still works.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from domain.messages import SignalBatch
from domain.risk.limits import BookSettings


class Action(StrEnum):
    """Name what a book wants of a symbol at a bar."""

    ENTER = "enter"
    EXIT = "exit"
    HOLD = "hold"


class Tally(NamedTuple):
    """Hold the votes of one book on one symbol at one bar; ids sorted, confidences in the same order."""

    longs: tuple[str, ...]
    shorts: tuple[str, ...]
    long_confidence: float
    short_confidence: float
    failed: tuple[str, ...]


NO_VOTES = Tally(longs=(), shorts=(), long_confidence=0.0, short_confidence=0.0, failed=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Be what the desk decided: an action, its direction (1 long, -1 short, 0 none), confidence and words."""

    action: Action
    direction: int
    confidence: float
    reason: str


def ballots(book: BookSettings, batches: Iterable[SignalBatch]) -> dict[str, Ballot]:
    """Return the votes of the book's strategies by symbol; a symbol that none spoke of is left out.

    `batches` are sorted by strategy. They are not added up yet, which most symbols at most bars do not need.
    """
    counts: defaultdict[str, Ballot] = defaultdict(Ballot)
    for batch in batches:
        strategy = batch.strategy
        if strategy not in book.strategies:
            continue
        for symbol, direction, confidence in batch.signals:
            count = counts[symbol]
            if direction > 0:
                count.longs += (strategy,)
                count.long_sum = count.long_sum + confidence
            else:
                count.shorts += (strategy,)
                count.short_sum = count.short_sum + confidence
        for failure in batch.failures:
            counts[failure.symbol].failed += (strategy,)
    return counts


class Ballot:
    """Count the votes on one symbol; few strategies vote, so tuples that grow cost less than lists."""

    __slots__ = ("failed", "long_sum", "longs", "short_sum", "shorts")

    def __init__(self) -> None:
        self.longs: tuple[str, ...] = ()
        self.shorts: tuple[str, ...] = ()
        self.failed: tuple[str, ...] = ()
        self.long_sum = self.short_sum = 0.0

    def matters(self, needed: int) -> bool:
        """Say whether these votes can lead to anything: where `needed` agree, or any failed."""
        return bool(len(self.longs) >= needed or len(self.shorts) >= needed or self.failed)

    def tally(self) -> Tally:
        """Return the votes added up."""
        return Tally(
            self.longs,
            self.shorts,
            self.long_sum / len(self.longs) if self.longs else 0.0,
            self.short_sum / len(self.shorts) if self.shorts else 0.0,
            self.failed,
        )


def votes_needed(book: BookSettings) -> int:
    """Return how many strategies of `book` must agree."""
    return book.min_votes if book.rule == "vote" else 1


def target(book: BookSettings, votes: Tally, position_lots: int, *, shortable: bool) -> Target:
    """Return what `book` wants of a symbol it holds `position_lots` (signed) of."""
    needed = votes_needed(book)
    if votes.failed:
        return _hold(f"{', '.join(votes.failed)} failed: no order from this bar")
    long, short = len(votes.longs) >= needed, len(votes.shorts) >= needed
    if position_lots > 0:
        return _exit(votes.short_confidence, votes.shorts, "against the long") if short else _HOLD
    if position_lots < 0:
        return _exit(votes.long_confidence, votes.longs, "against the short") if long else _HOLD
    if long and short:
        return _hold(f"{len(votes.longs)} votes to buy and {len(votes.shorts)} to sell cancel out")
    if long:
        return _enter(1, votes.long_confidence, votes.longs, "to buy")
    if short and book.allow_short and shortable:
        return _enter(-1, votes.short_confidence, votes.shorts, "to sell short")
    return _HOLD


def _enter(direction: int, confidence: float, voters: tuple[str, ...], words: str) -> Target:
    reason = f"{len(voters)} votes {words}: {', '.join(voters)}"
    return Target(action=Action.ENTER, direction=direction, confidence=confidence, reason=reason)


def _exit(confidence: float, voters: tuple[str, ...], words: str) -> Target:
    reason = f"{len(voters)} votes {words}: {', '.join(voters)}"
    return Target(action=Action.EXIT, direction=0, confidence=confidence, reason=reason)


def _hold(reason: str) -> Target:
    return Target(action=Action.HOLD, direction=0, confidence=0.0, reason=reason)


_HOLD = _hold("")


def votes_body(votes: Tally) -> Mapping[str, object]:
    """Return the votes as the audit trail keeps them."""
    return {
        "long": list(votes.longs),
        "short": list(votes.shorts),
        "long_confidence": votes.long_confidence,
        "short_confidence": votes.short_confidence,
        "failed": list(votes.failed),
    }
