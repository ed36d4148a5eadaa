"""Publish checked bars: one message a moment for all symbols; in lockstep, the next when the last has settled.

Bars that break a rule never leave this machine: they are counted, recorded with their values, and kept out.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Any, assert_never

from domain.bars import Bar, BarFault, BarGroup, bar_fault
from domain.errors import InvariantViolation
from domain.messages import (
    COORDINATOR,
    BarsArrived,
    BarSettled,
    BarsPublished,
    Begin,
    DataEnded,
    Drain,
    Drained,
    FeedInbox,
    Message,
    Ready,
    RequestHistory,
    StartFeed,
    TimerFired,
)
from domain.messages import FEED as ROLE
from domain.outbox import AuditEvent, AuditKind
from domain.outputs import Output, Persist, Pull, Send, SendHistory, SetTimer

PACE_TIMER = "pace"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MarketDataSettings:
    """Configure the feed: who receives bars, which symbols, where to begin, how fast at most.

    `first` is the index of the first group to publish; `pace_s` the least seconds between two (0: as fast as bars
    settle). `consumers` are addressed in this order.
    """

    consumers: tuple[str, ...]
    symbols: frozenset[str]
    first: int
    pace_s: float
    generation: int


class MarketData:
    """Check, number and publish bars."""

    def __init__(self, settings: MarketDataSettings) -> None:
        """Stand before group `settings.first`."""
        self._settings = settings
        self._next = settings.first
        self._last_open_ns: dict[str, int] = {}
        self._last_known_ns: int | None = None
        self._published = 0
        self._refused: Counter[str] = Counter()
        self._awaiting = False
        self._paced: BarGroup | None = None
        self._pace_open = True
        self._draining: Drain | None = None
        self._ended = False

    def handle(self, message: FeedInbox) -> list[Output]:
        """Return what follows from `message`."""
        match message:
            case Begin():
                return [Send(COORDINATOR, Ready(role=ROLE, generation=self._settings.generation))]
            case StartFeed():
                return [Pull(self._next)]
            case BarsArrived(group=group):
                return self._arrived(group)
            case BarSettled(bar=bar):
                return self._settled(bar)
            case DataEnded():
                self._ended = True
                return [Send(COORDINATOR, DataEnded(bars=self._next))]
            case RequestHistory(requester=requester, block_ns=block_ns, warmup=warmup):
                # What is out is history already: a strategy that starts now never got it.
                return [SendHistory(requester, block_ns, warmup, before=self._next + self._awaiting)]
            case TimerFired(name=name):
                if name != PACE_TIMER:
                    raise InvariantViolation(f"the feed sets no timer {name}")
                self._pace_open = True
                waiting, self._paced = self._paced, None
                return [] if waiting is None else self._publish(waiting)
            case Drain():
                self._draining = message
                self._paced = None
                return [] if self._awaiting else [Send(COORDINATOR, Drained(role=ROLE))]
            case _ as unreachable:
                assert_never(unreachable)

    def state(self) -> Mapping[str, Any]:
        """Return cursor, counts and refusals."""
        return {
            "next": self._next,
            "published": self._published,
            "refused_bars": dict(sorted(self._refused.items())),
            "ended": self._ended,
        }

    def _arrived(self, group: BarGroup) -> list[Output]:
        if self._draining is not None or self._awaiting or group.index != self._next:
            return []  # too late, or sent again: what is out is not published twice
        if not self._pace_open:
            self._paced = group
            return []
        return self._publish(group)

    def _publish(self, group: BarGroup) -> list[Output]:
        accepted, refused = self._checked(group)
        outputs: list[Output] = []
        if refused:
            outputs.append(Persist(tuple(_bad_bar(group, bar, fault) for bar, fault in refused)))
            group = dataclasses.replace(group, bars=tuple(accepted))
        message: Message = BarsPublished(group=group)
        outputs += [Send(consumer, message) for consumer in self._settings.consumers]
        if self._settings.pace_s > 0.0:
            self._pace_open = False
            outputs.append(SetTimer(PACE_TIMER, self._settings.pace_s))
        self._awaiting = True
        self._published += 1
        return outputs

    def _settled(self, bar: int) -> list[Output]:
        if bar != self._next or not self._awaiting:
            return []
        self._awaiting = False
        self._next += 1
        if self._draining is not None:
            return [Send(COORDINATOR, Drained(role=ROLE))]
        return [Pull(self._next)]

    def _checked(self, group: BarGroup) -> tuple[list[Bar], list[tuple[Bar, BarFault]]]:
        accepted: list[Bar] = []
        refused: list[tuple[Bar, BarFault]] = []
        last, symbols, open_ns = self._last_open_ns, self._settings.symbols, group.open_ns
        late = self._last_known_ns is not None and group.known_ns <= self._last_known_ns
        seen: set[str] = set()
        for bar in group.bars:
            symbol, fault = bar.symbol, bar_fault(bar)
            before = last.get(symbol)
            if symbol not in symbols:
                fault = BarFault.UNKNOWN_SYMBOL
            elif symbol in seen or before == open_ns:
                fault = BarFault.DUPLICATE
            elif before is not None and open_ns < before:
                fault = BarFault.OUT_OF_ORDER
            elif late:
                fault = BarFault.LATE  # its moment was published without it
            if fault is None:
                accepted.append(bar)
                seen.add(symbol)
                last[symbol] = open_ns
            else:
                refused.append((bar, fault))
                self._refused[fault.value] += 1
        if accepted:
            self._last_known_ns = group.known_ns
        return accepted, refused


def _bad_bar(group: BarGroup, bar: Bar, fault: BarFault) -> AuditEvent:
    body = {"symbol": bar.symbol, "fault": fault.value, "values": [repr(value) for value in bar[1:]]}
    return AuditEvent(
        AuditKind.BAD_BAR, group.known_ns, group.index, f"{bar.symbol}.{fault.value}", True, body
    )
