"""Tail every role's outbox into the audit trail: in order, each event once, acknowledged when durable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, assert_never

from domain.errors import InvariantViolation
from domain.lease import NO_PULSES, PULSE_TIMER, Lease, LeaseTerms, Standing
from domain.messages import AUDIT, COORDINATOR, AuditInbox, Begin, Drain, Drained, Ready, TimerFired
from domain.outbox import TRAIL_END, OutboxAcknowledged, OutboxRecords, RequestOutbox
from domain.outputs import CancelTimer, Output, Persist, Send, SetTimer
from domain.supervision import LeaseGranted

FLUSH = "flush"
RESYNC = "resync"
LAST_CALL = "last_call"
LAST_CALL_S = 5.0
"""Wait for the sources' last events when draining; a source that has ended answers no more."""


class AuditPace(NamedTuple):
    """Say how events gather before one durable write, and how often sources are asked for what was lost.

    A write happens when `batch_events` wait or `batch_s` after the first of them came; 0 writes at once. Every
    `resync_s` each source is asked for what follows the cursor, which also lets the trail sign what is due; 0: never
    (the inline runtime loses no message).
    """

    batch_events: int = 256
    batch_s: float = 0.002
    resync_s: float = 1.0


class AuditMachine:
    """Decide what the trail takes: pure; the audit role's journal writes it.

    `cursors` are the numbers of each source's last event in the trail, as the writer found them. `sources` are the
    roles that have an outbox.
    """

    def __init__(
        self,
        sources: Iterable[str],
        cursors: Mapping[str, int],
        pace: AuditPace,
        generation: int = 0,
        lease: LeaseTerms = NO_PULSES,
    ) -> None:
        """Start from the trail's cursors; `lease` says how often to pulse."""
        self._lease = Lease(AUDIT, generation, lease)
        self._begun = self._ready = False
        self._durable = dict.fromkeys(sources, 0) | dict(cursors)
        self._sources = tuple(sources)
        self._cursors = dict(self._durable)
        self._waiting: list[OutboxRecords] = []
        self._waiting_events = 0
        self._asked: dict[str, int] = {}
        self._pace, self._generation = pace, generation
        self._draining = self._ended = False
        self._unheard: set[str] = set()
        self._duplicates = self._gaps = 0

    def handle(self, message: AuditInbox) -> list[Output]:
        """Return, in order, what follows from `message`."""
        match message:
            case Begin():
                self._begun, self._ready = True, False
                return self._beat() + self._ask_all() + self._say_ready()
            case OutboxRecords():
                return self._take(message)
            case TimerFired(name=name):
                return self._timer(name)
            case LeaseGranted():
                self._lease.grant(message)
                return self._say_ready()
            case Drain():
                return self._last_call()
            case _:
                assert_never(message)

    def state(self) -> Mapping[str, Any]:
        """Return the cursors and counts, JSON-able, for people."""
        return {
            "durable": dict(self._durable),
            "waiting": self._waiting_events,
            "duplicates": self._duplicates,
            "gaps": self._gaps,
        }

    def _beat(self) -> list[Output]:
        return self._lease.beat(Standing(ready=self._ready, at_rest=self._ended))

    def _say_ready(self) -> list[Output]:
        if self._ready or not (self._begun and self._lease.held):
            return []
        self._ready = True
        return [Send(COORDINATOR, Ready(role=AUDIT, generation=self._generation))]

    def _timer(self, name: str) -> list[Output]:
        if self._lease.owns(name):
            self._lease.run_out(name)
            return []
        match name:
            case _ if name == FLUSH:
                return self._flush()
            case _ if name == LAST_CALL:
                return self._drained()
            case _ if name == RESYNC:
                return self._resync()
            case _ if name == PULSE_TIMER:
                return self._beat()
            case _:
                raise InvariantViolation(f"the audit writer sets no timer {name}")

    def _last_call(self) -> list[Output]:
        """Ask every source for what is left: messages of different senders may have overtaken each other."""
        self._draining = True
        self._unheard = set(self._sources)
        asked = [Send(source, RequestOutbox(after_seq=self._cursors[source])) for source in self._sources]
        if not asked:
            return self._drained()
        return [*self._flush(), *asked, SetTimer(LAST_CALL, LAST_CALL_S)]

    def _drained(self) -> list[Output]:
        if not self._draining:
            return []
        self._draining, self._ended = False, True
        return [
            *(self._flush() or [Persist((TRAIL_END,))]),
            CancelTimer(LAST_CALL),
            Send(COORDINATOR, Drained(role=AUDIT)),
        ]

    def _heard(self, source: str) -> list[Output]:
        """Note that `source` has nothing more; the last one ends the drain."""
        self._unheard.discard(source)
        return self._drained() if not self._unheard else []

    def _take(self, records: OutboxRecords) -> list[Output]:
        source, cursor = records.source, self._cursors.get(records.source, 0)
        known = cursor + 1 - records.first_seq
        if known < 0:
            self._gaps += 1
            return self._ask(source)
        if self._draining and not records.events:
            return self._heard(source)
        fresh = records.events[known:]
        self._duplicates += min(known, len(records.events))
        if not fresh:
            # The acknowledgement may have been lost; said again unless the events still wait to be durable.
            durable = self._durable.get(source, 0)
            return [Send(source, OutboxAcknowledged(source=source, seq=durable))] if durable else []
        new = records if known == 0 else OutboxRecords(source=source, first_seq=cursor + 1, events=fresh)
        self._waiting.append(new)
        self._cursors[source] = cursor + len(fresh)
        first, self._waiting_events = self._waiting_events == 0, self._waiting_events + len(fresh)
        pace = self._pace
        if self._draining or self._ended or pace.batch_s <= 0 or self._waiting_events >= pace.batch_events:
            return self._flush()
        return [SetTimer(FLUSH, pace.batch_s)] if first else []

    def _flush(self) -> list[Output]:
        if not self._waiting:
            return []
        batch, self._waiting, self._waiting_events = self._waiting, [], 0
        written = sorted({records.source for records in batch})
        for source in written:
            self._durable[source] = self._cursors[source]
        acknowledged = [
            Send(source, OutboxAcknowledged(source=source, seq=self._cursors[source])) for source in written
        ]
        # What still comes after the end is taken, and the trail ended anew.
        return [Persist((*batch, TRAIL_END) if self._ended else tuple(batch)), *acknowledged]

    def _ask(self, source: str) -> list[Output]:
        """Ask once for what follows the cursor; again only when the cursor moved or time passed."""
        cursor = self._cursors.get(source, 0)
        if self._asked.get(source) == cursor:
            return []
        self._asked[source] = cursor
        return [Send(source, RequestOutbox(after_seq=cursor))]

    def _ask_all(self) -> list[Output]:
        self._asked.clear()
        asked = [output for source in self._sources for output in self._ask(source)]
        return asked + ([SetTimer(RESYNC, self._pace.resync_s)] if self._pace.resync_s > 0 else [])

    def _resync(self) -> list[Output]:
        # Nothing to write still lets the trail sign records whose age asks for a checkpoint.
        return [*(self._flush() or [Persist(())]), *self._ask_all()]
