"""Publish checked bars: one message a moment for all symbols; in lockstep, the next when the last has settled.

Bars that break a rule never leave this machine: they are counted, recorded with their values, and kept out.

The bar that has not settled is kept and published again when the coordinator says that a role came back, or when no
word of it comes in time: it counts once for everybody, and who had it answers again what it answered. A feed that
restarted asks the risk manager which bar was decided last, and begins with that one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, assert_never

from domain.awaited import Awaited
from domain.bar_screen import BarScreen, bad_bar
from domain.bars import BarGroup
from domain.errors import InvariantViolation
from domain.lease import NO_PULSES, PULSE_TIMER, Lease, LeaseTerms, Standing
from domain.messages import (
    COORDINATOR,
    RISK,
    BarsArrived,
    BarSettled,
    BarsPublished,
    Begin,
    DataEnded,
    Drain,
    Drained,
    FeedInbox,
    Ready,
    RequestHistory,
    StartFeed,
    TimerFired,
)
from domain.messages import FEED as ROLE
from domain.outputs import CancelTimer, Output, Persist, Pull, Send, SendHistory, SetTimer
from domain.supervision import BarCursor, LeaseGranted, PublishAgain, RequestBarCursor

PACE_TIMER = "pace"
SETTLE_TIMER = "settle"
CURSOR_TIMER = "bar_cursor"
CURSOR_ASKS = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MarketDataSettings:
    """Configure the feed: who receives bars, which symbols, where to begin, how fast at most.

    `first` is the index of the first group to publish; `pace_s` the least seconds between two (0: as fast as bars
    settle). `consumers` are addressed in this order. With `pause_on_lapse` nothing is published while no lease is held.
    A bar that has not settled `answer_deadline_s` seconds after it was published is published again (0: it is not).
    """

    consumers: tuple[str, ...]
    symbols: frozenset[str]
    first: int
    pace_s: float
    generation: int
    lease: LeaseTerms = NO_PULSES
    pause_on_lapse: bool = False
    answer_deadline_s: float = 0.0


class MarketData:
    """Check, number and publish bars."""

    def __init__(self, settings: MarketDataSettings) -> None:
        """Stand before group `settings.first`; a restarted feed learns where it stands."""
        self._settings = settings
        self._lease = Lease(ROLE, settings.generation, settings.lease)
        self._screen = BarScreen(settings.symbols)
        self._next = settings.first
        self._placed = settings.generation <= 1
        self._started = False
        self._out: BarsPublished | None = None
        self._held_back: BarGroup | None = None
        self._again_due = False
        self._pace_open = True
        self._published = 0
        self._begun = self._ready = self._ended = False
        self._draining: Drain | None = None
        self._asked_for: dict[str, RequestHistory] = {}
        self._settle_due = Awaited(SETTLE_TIMER, settings.answer_deadline_s, asks=1)
        self._cursor_due = Awaited(CURSOR_TIMER, settings.answer_deadline_s, CURSOR_ASKS)

    def handle(self, message: FeedInbox) -> list[Output]:
        """Return what follows from `message`."""
        match message:
            case BarsArrived(group=group):
                return self._arrived(group)
            case BarSettled(bar=bar):
                return self._settled(bar)
            case TimerFired(name=name):
                return self._timer(name)
            case LeaseGranted():
                return self._granted(message)
            case Begin():
                return self._begin()
            case StartFeed():
                self._started = True
                return self._pull()
            case PublishAgain():
                return self._publish_again()
            case BarCursor(bar=bar):
                return self._place(bar)
            case DataEnded():
                self._ended = True
                return [Send(COORDINATOR, DataEnded(bars=self._next))]
            case RequestHistory():
                return self._history(message)
            case Drain():
                self._draining, self._held_back = message, None
                return [] if self._out is not None else [Send(COORDINATOR, Drained(role=ROLE))]
            case _ as unreachable:
                assert_never(unreachable)

    def state(self) -> Mapping[str, Any]:
        """Return cursor, counts and refusals, and whether a lapsed lease keeps bars back."""
        return {
            "next": self._next,
            "published": self._published,
            "refused_bars": dict(sorted(self._screen.refused.items())),
            "ended": self._ended,
            "paused": self._paused,
        }

    # --- start and lease --------------------------------------------------------------------------------------------

    def _begin(self) -> list[Output]:
        self._begun, self._ready = True, False
        outputs = self._beat()
        if not self._placed:
            outputs.append(Send(RISK, RequestBarCursor(requester=ROLE)))
            outputs += self._when_waited_for(self._cursor_due.asked)
        return [*outputs, *self._say_ready()]

    def _say_ready(self) -> list[Output]:
        if self._ready or not (self._begun and self._placed and self._lease.held):
            return []
        self._ready = True
        return [Send(COORDINATOR, Ready(role=ROLE, generation=self._settings.generation))]

    def _place(self, decided: int) -> list[Output]:
        """Begin with the bar that was decided last: only whether it was also settled is not known."""
        if self._placed:
            return []  # came twice
        self._placed = True
        self._next = max(self._next, decided)
        asked, self._asked_for = self._asked_for, {}
        answers = [output for request in asked.values() for output in self._history(request)]
        cancelled = self._when_waited_for(self._cursor_due.answered)
        return [*cancelled, *answers, *self._say_ready(), *self._pull()]

    def _granted(self, answer: LeaseGranted) -> list[Output]:
        back = self._lease.grant(answer)
        outputs = self._say_ready()
        if back:
            outputs += self._publish_again() if self._again_due else self._go_on()
        return outputs

    def _beat(self) -> list[Output]:
        return self._lease.beat(
            Standing(
                head=self._next - (self._out is None),
                ready=self._ready,
                at_rest=self._draining is not None and self._out is None,
                ended=self._ended,
            )
        )

    @property
    def _paused(self) -> bool:
        return self._settings.pause_on_lapse and not self._lease.held

    # --- bars -------------------------------------------------------------------------------------------------------

    def _pull(self) -> list[Output]:
        ready = self._started and self._placed and self._draining is None
        return [Pull(self._next)] if ready and self._out is None else []

    def _arrived(self, group: BarGroup) -> list[Output]:
        if self._draining is not None or self._out is not None or group.index != self._next:
            return []  # too late, or sent again: what is out is not published twice
        self._held_back = group
        return self._go_on()

    def _go_on(self) -> list[Output]:
        """Publish what has come, unless pace or a lapse keep it back."""
        if self._held_back is None or not self._pace_open or self._paused:
            return []
        group, self._held_back = self._held_back, None
        accepted, refused = self._screen.screen(group)
        outputs: list[Output] = []
        if refused:
            outputs.append(Persist(tuple(bad_bar(group, bar, fault) for bar, fault in refused)))
            group = dataclasses.replace(group, bars=tuple(accepted))
        self._out = BarsPublished(group=group)
        outputs += self._sends(self._out)
        if self._settings.pace_s > 0.0:
            self._pace_open = False
            outputs.append(SetTimer(PACE_TIMER, self._settings.pace_s))
        self._published += 1
        return [*outputs, *self._when_waited_for(self._settle_due.asked)]

    def _publish_again(self) -> list[Output]:
        """Publish what has not settled once more; a feed that restarted may begin with this."""
        self._again_due = False
        self._started = self._started or self._settings.generation > 1
        if self._out is None:
            return self._pull()  # what was pulled may have been refused by a full mailbox
        if self._paused:
            self._again_due = True
            return []
        return [*self._sends(self._out), *self._when_waited_for(self._settle_due.asked)]

    def _settled(self, bar: int) -> list[Output]:
        if self._out is None or bar != self._next:
            return []
        self._out, self._again_due = None, False
        self._next += 1
        answered = self._when_waited_for(self._settle_due.answered)
        if self._draining is not None:
            return [*answered, Send(COORDINATOR, Drained(role=ROLE))]
        return [*answered, *self._pull()]

    def _sends(self, published: BarsPublished) -> list[Output]:
        return [Send(consumer, published) for consumer in self._settings.consumers]

    def _history(self, request: RequestHistory) -> list[Output]:
        """Give what has settled, then what is out: who asks may never have got it, and must still speak of it."""
        if not self._placed:
            self._asked_for[request.requester] = request
            return []
        out = [] if self._out is None else [Send(request.requester, self._out)]
        return [SendHistory(request.requester, request.block_ns, request.warmup, before=self._next), *out]

    # --- what does not come -----------------------------------------------------------------------------------------

    def _when_waited_for(self, timer: Callable[[], SetTimer | CancelTimer]) -> list[Output]:
        return [timer()] if self._settings.answer_deadline_s > 0.0 else []

    def _timer(self, name: str) -> list[Output]:
        if self._lease.owns(name):
            self._lease.run_out(name)
            return []
        match name:
            case _ if name == PACE_TIMER:
                self._pace_open = True
                return self._go_on()
            case _ if name == SETTLE_TIMER:
                return self._unsettled()
            case _ if name == CURSOR_TIMER:
                if self._placed:
                    return []
                timer = self._cursor_due.again("the bar that the risk manager decided last")
                return [Send(RISK, RequestBarCursor(requester=ROLE)), timer]
            case _ if name == PULSE_TIMER:
                return self._beat()
            case _:
                raise InvariantViolation(f"the feed sets no timer {name}")

    def _unsettled(self) -> list[Output]:
        """Publish again what has not settled, for as long as that takes: what it waits for has deadlines of its own.

        An order of which nothing is known keeps a bar for longer than any patience here: it must be absent twice.
        """
        if self._out is None:
            return []
        if self._paused:
            self._again_due = True
            return [self._settle_due.asked()]
        return [*self._sends(self._out), self._settle_due.asked()]
