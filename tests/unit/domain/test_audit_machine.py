from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.audit_machine import FLUSH, LAST_CALL, LAST_CALL_S, RESYNC, AuditMachine, AuditPace
from domain.errors import InvariantViolation
from domain.lease import LeaseTerms
from domain.messages import AUDIT, COORDINATOR, Begin, Drain, Drained, Ready, TimerFired
from domain.outbox import TRAIL_END, OutboxAcknowledged, OutboxRecords, RequestOutbox
from domain.outputs import CancelTimer, Output, Persist, Send, SetTimer
from domain.records import Rung
from domain.supervision import LeaseGranted, Pulse
from tests.fakes.records import event

AT_ONCE = AuditPace(batch_events=1, batch_s=0.0, resync_s=0.0)
GATHERING = AuditPace(batch_events=4, batch_s=0.01, resync_s=1.0)


def records(first: int, last: int, source: str = "gateway") -> OutboxRecords:
    return OutboxRecords(
        source=source, first_seq=first, events=tuple(event(n) for n in range(first, last + 1))
    )


def acknowledged(seq: int, source: str = "gateway") -> Send:
    return Send(source, OutboxAcknowledged(source=source, seq=seq))


def test_begin_asks_every_source_from_the_trails_cursor_and_reports_ready() -> None:
    machine = AuditMachine(["gateway", "risk"], {"risk": 7}, GATHERING, generation=3)
    assert machine.handle(Begin()) == [
        Send("gateway", RequestOutbox(after_seq=0)),
        Send("risk", RequestOutbox(after_seq=7)),
        SetTimer(RESYNC, 1.0),
        Send(COORDINATOR, Ready(role=AUDIT, generation=3)),
    ]


def test_with_pulses_it_is_ready_once_it_holds_its_first_lease_and_tells_when_it_is_at_rest() -> None:
    machine = AuditMachine([], {}, AT_ONCE, generation=3, lease=LeaseTerms(1.0, 5.0))
    ready = Send(COORDINATOR, Ready(role=AUDIT, generation=3))
    granted = LeaseGranted(nonce=1, bars_head=-1, journal_head=-1, rung=Rung.ACTIVE, latch_version=0)
    pulse, clock, timer = machine.handle(Begin())
    assert (clock, timer) == (SetTimer("lease.1", 5.0, strict=True), SetTimer("pulse", 1.0))
    assert machine.handle(granted) == [ready]
    assert machine.handle(granted) == []
    assert machine.handle(TimerFired(name="lease.1")) == []
    machine.handle(Drain(reason="stop", cancel_entries=False))
    later, *_ = machine.handle(TimerFired(name="pulse"))
    told = [each.message for each in (pulse, later) if isinstance(each, Send)]
    assert [(each.ready, each.at_rest) for each in told if isinstance(each, Pulse)] == [
        (False, False),
        (True, True),
    ]


def test_events_are_acknowledged_after_they_are_durable_never_before() -> None:
    machine = AuditMachine(["gateway"], {}, AT_ONCE)
    assert machine.handle(records(1, 2)) == [Persist((records(1, 2),)), acknowledged(2)]


def test_events_gather_until_the_timer_or_the_batch_is_full() -> None:
    machine = AuditMachine(["gateway", "risk"], {}, GATHERING)
    assert machine.handle(records(1, 1)) == [SetTimer(FLUSH, 0.01)]
    assert machine.handle(records(1, 1, "risk")) == []
    assert machine.handle(TimerFired(name=FLUSH)) == [
        Persist((records(1, 1), records(1, 1, "risk"))),
        acknowledged(1),
        acknowledged(1, "risk"),
    ]
    assert machine.handle(TimerFired(name=FLUSH)) == []
    assert machine.handle(records(2, 5)) == [Persist((records(2, 5),)), acknowledged(5)]


def test_a_gap_is_asked_for_once_until_time_has_passed() -> None:
    machine = AuditMachine(["gateway"], {"gateway": 2}, GATHERING)
    assert machine.handle(records(5, 6)) == [Send("gateway", RequestOutbox(after_seq=2))]
    assert machine.handle(records(7, 7)) == []
    resync = machine.handle(TimerFired(name=RESYNC))
    assert resync == [Persist(()), Send("gateway", RequestOutbox(after_seq=2)), SetTimer(RESYNC, 1.0)]
    assert machine.state()["gaps"] == 2


def test_what_the_trail_holds_is_dropped_and_acknowledged_again() -> None:
    machine = AuditMachine(["gateway"], {"gateway": 5}, AT_ONCE)
    assert machine.handle(records(1, 5)) == [acknowledged(5)]
    assert machine.handle(records(4, 7)) == [Persist((records(6, 7),)), acknowledged(7)]
    assert machine.state()["duplicates"] == 7


def test_the_empty_batch_that_ends_a_sources_answer_uncovers_what_was_lost_before_it() -> None:
    machine = AuditMachine(["gateway"], {}, AT_ONCE)
    machine.handle(records(1, 2))
    assert machine.handle(records(3, 2)) == [acknowledged(2)]
    assert machine.handle(records(5, 4)) == [Send("gateway", RequestOutbox(after_seq=2))]


def test_what_still_waits_is_not_acknowledged_when_it_comes_again() -> None:
    machine = AuditMachine(["gateway"], {}, GATHERING)
    machine.handle(records(1, 2))
    assert machine.handle(records(1, 2)) == []


def test_drain_writes_what_waits_and_hears_every_source_out() -> None:
    machine = AuditMachine(["gateway"], {}, GATHERING)
    machine.handle(records(1, 2))
    draining = machine.handle(Drain(reason="stop", cancel_entries=False))
    assert draining == [
        Persist((records(1, 2),)),
        acknowledged(2),
        Send("gateway", RequestOutbox(after_seq=2)),
        SetTimer(LAST_CALL, LAST_CALL_S),
    ]
    assert machine.handle(records(3, 3)) == [Persist((records(3, 3),)), acknowledged(3)]
    ended = OutboxRecords(source="gateway", first_seq=4, events=())
    drained = [CancelTimer(LAST_CALL), Send(COORDINATOR, Drained(role=AUDIT))]
    assert machine.handle(ended) == [Persist((TRAIL_END,)), *drained]


def test_what_comes_after_the_end_is_taken_and_ended_anew() -> None:
    """C6: a clean stop's trail ends with a signed end, whatever a role still says."""
    machine = AuditMachine(["gateway"], {}, GATHERING)
    machine.handle(Drain(reason="stop", cancel_entries=False))
    machine.handle(OutboxRecords(source="gateway", first_seq=1, events=()))
    assert machine.handle(records(1, 2)) == [Persist((records(1, 2), TRAIL_END)), acknowledged(2)]
    assert machine.handle(TimerFired(name=LAST_CALL)) == []


def test_a_source_that_does_not_answer_the_last_call_holds_the_drain_up_for_a_while_only() -> None:
    machine = AuditMachine(["gateway", "risk"], {}, GATHERING)
    machine.handle(Drain(reason="stop", cancel_entries=False))
    assert machine.handle(OutboxRecords(source="risk", first_seq=1, events=())) == []
    assert Send(COORDINATOR, Drained(role=AUDIT)) in machine.handle(TimerFired(name=LAST_CALL))
    assert machine.handle(TimerFired(name=LAST_CALL)) == []


@given(
    st.lists(st.one_of(st.tuples(st.integers(1, 12), st.integers(1, 12)), st.just((0, 0))), max_size=40),
    st.integers(1, 6),
)
def test_whatever_is_lost_doubled_or_reordered_the_trail_holds_each_event_once_in_order(
    deliveries: Sequence[tuple[int, int]], batch: int
) -> None:
    machine = AuditMachine(["gateway"], {}, AuditPace(batch_events=batch, batch_s=0.01, resync_s=1.0))
    outputs: list[Output] = []
    for a, b in deliveries:
        outputs += machine.handle(TimerFired(name=FLUSH) if a == 0 else records(min(a, b), max(a, b)))
    outputs += machine.handle(records(1, 12)) + machine.handle(TimerFired(name=FLUSH))
    durable = 0
    for output in outputs:
        match output:
            case Persist(records=batches):
                for written in batches:
                    assert isinstance(written, OutboxRecords)
                    assert written.first_seq == durable + 1
                    durable += len(written.events)
            case Send(message=OutboxAcknowledged(seq=seq)):
                assert seq <= durable, "acknowledged before it was durable"
    assert durable == 12


def test_unknown_timer_is_a_fault() -> None:
    with pytest.raises(InvariantViolation, match="the audit writer sets no timer x"):
        AuditMachine((), {}, AuditPace()).handle(TimerFired(name="x"))
