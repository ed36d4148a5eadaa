"""Test how outputs are carried out."""

from __future__ import annotations

from typing import Any

import pytest

from actors.carrier import HISTORY_BARS, HISTORY_GROUPS, OUTBOX_BATCH, Carrier
from actors.mailbox import LaneMailbox
from actors.outbox_pump import LONGEST_S, MOST_EVENTS
from actors.parts import Parts
from actors.timers import Timers
from domain.alerts import Alert, Noticed, Severity
from domain.bars import Bar, BarGroup
from domain.broker import BrokerLink, CancelOrder
from domain.errors import BrokerUnavailable, DurabilityError, InvariantViolation, Recoverable
from domain.halt_messages import LatchCleared, LatchFound
from domain.messages import AUDIT, COORDINATOR, FEED, RISK, VENUE, BarHistory, BarsArrived, BarSettled
from domain.outbox import AuditEvent, AuditKind, OutboxRecords, RequestOutbox
from domain.outputs import (
    CancelTimer,
    ClearLatch,
    LookAtLatch,
    Persist,
    Pull,
    Send,
    SendHistory,
    SetTimer,
    Wire,
    WriteLatch,
)
from domain.records import MachineSnapshot, Rung
from tests.fakes.ports import FakeAlerts, FakeBroker, FakeFeed, FakeJournal, FakeLatch, fake_context

SETTLED = BarSettled(bar=3)


class Nothing:
    def handle(self, message: Any) -> list[Any]:
        return []

    def state(self) -> dict[str, Any]:
        return {}


class Desk:
    """Hold a carrier with fakes all round."""

    def __init__(
        self,
        groups: tuple[BarGroup, ...] = (),
        *,
        ports: bool = True,
        latch: FakeLatch | None = None,
        **others: Any,
    ) -> None:
        self.context, self.mailbox, self.clock, self.log = fake_context()
        self.journal, self.broker, self.feed, self.venue = (
            FakeJournal(),
            FakeBroker(),
            FakeFeed(groups),
            LaneMailbox(VENUE, capacity=1),
        )
        self.timers = Timers(self.clock)
        self.posted: list[tuple[str, Any, bool]] = []
        self.lost: list[Recoverable] = []
        parts = Parts(machine=Nothing(), routes={VENUE: self.venue})
        if ports:
            parts = Parts(
                machine=Nothing(),
                journal=self.journal,
                broker=self.broker,
                feed=self.feed,
                latch=latch,
                routes={VENUE: self.venue},
                **others,
            )
        self.carrier = Carrier(
            parts, self.context, self.timers, lambda *post: self.posted.append(post), self.lost.append
        )


def event(number: int) -> AuditEvent:
    return AuditEvent(AuditKind.ORDER, 1, number, str(number), True, {})


def group(index: int, bars: int = 1) -> BarGroup:
    return BarGroup(index, index, index, 1, (Bar("A", 1.0, 1.0, 1.0, 1.0, 1.0, 0.0),) * bars)


def test_send_reaches_other_role_own_mailbox_or_local_route() -> None:
    desk = Desk()
    desk.carrier.carry_out(Send(RISK, SETTLED, True))
    desk.carrier.carry_out(Send("gateway", SETTLED))
    desk.carrier.carry_out(Send(VENUE, SETTLED))
    assert desk.posted == [(RISK, SETTLED, True)]
    assert desk.mailbox.take(0.0) == SETTLED
    assert desk.venue.take(0.0) == SETTLED


@pytest.mark.parametrize("stands", [(Rung.HALTED, 0, "bob: storm"), (Rung.ACTIVE, 0, "")])
def test_a_cleared_latch_file_is_told_with_what_it_said(stands: tuple[Rung, int, str]) -> None:
    latch = FakeLatch(*stands)
    desk = Desk(latch=latch)
    desk.carrier.carry_out(ClearLatch("k"))
    assert latch.read() is Rung.ACTIVE
    assert desk.mailbox.take(0.0) == LatchCleared(key="k", rung=stands[0], detail=stands[2])


def test_a_latch_file_that_a_person_wrote_stays_until_it_was_met() -> None:
    latch = FakeLatch(Rung.HALTED, 0, "bob: storm")
    desk = Desk(latch=latch)
    desk.carrier.carry_out(WriteLatch(Rung.REDUCING, 3, "daily_loss"))
    assert latch.stands == (Rung.HALTED, 0, "bob: storm")
    assert desk.mailbox.take(0.0) == LatchFound(rung=Rung.HALTED, detail="bob: storm")
    desk.carrier.carry_out(WriteLatch(Rung.HALTED, 4, "both", (Rung.HALTED, "bob: storm")))
    assert latch.stands == (Rung.HALTED, 4, "both")
    desk.carrier.carry_out(WriteLatch(Rung.ACTIVE, 5, ""))
    assert (latch.read(), desk.mailbox.take(0.0)) == (Rung.ACTIVE, None)


@pytest.mark.parametrize(
    ("version", "told"), [(0, [LatchFound(rung=Rung.HALTED, detail="bob")]), (1, []), (-1, [])]
)
def test_a_look_tells_of_a_latch_file_that_a_person_wrote_and_of_no_other(
    version: int, told: list[LatchFound]
) -> None:
    desk = Desk(latch=FakeLatch(Rung.HALTED, version, "bob"))
    desk.carrier.carry_out(LookAtLatch())
    assert [message for message in (desk.mailbox.take(0.0),) if message is not None] == told


def test_message_that_a_full_route_refuses_is_reported_and_no_error() -> None:
    desk = Desk()
    for _ in range(2):
        desk.carrier.carry_out(Send(VENUE, SETTLED))
    assert len(desk.lost) == 1


def test_persisted_events_go_to_the_audit_writer_with_their_numbers() -> None:
    desk = Desk()
    snapshot = MachineSnapshot(name="risk", bar=1, at_ns=1, values={})
    desk.carrier.carry_out(Persist((event(1), snapshot, event(2))))
    desk.carrier.carry_out(Persist((snapshot,)))
    desk.carrier.tell_trail()
    desk.clock.now_s += 2 * LONGEST_S
    desk.carrier.carry_out(Persist((event(3),)))
    desk.carrier.tell_trail()
    assert desk.posted == [
        (AUDIT, OutboxRecords(source="gateway", first_seq=1, events=(event(1), event(2))), False),
        (AUDIT, OutboxRecords(source="gateway", first_seq=3, events=(event(3),)), False),
    ]


def test_failed_commit_raises_and_sends_nothing() -> None:
    desk = Desk()
    desk.journal.fails = True
    with pytest.raises(DurabilityError):
        desk.carrier.carry_out(Persist((event(1),)))
    assert desk.posted == []


def test_long_outbox_goes_out_a_batch_a_turn() -> None:
    desk = Desk()
    desk.journal.kept = [event(number) for number in range(1, OUTBOX_BATCH + 6)]
    desk.carrier.answer_outbox(RequestOutbox(after_seq=2))
    request = desk.mailbox.take(0.0)
    assert request == RequestOutbox(after_seq=OUTBOX_BATCH + 2)
    assert isinstance(request, RequestOutbox)
    desk.carrier.answer_outbox(request)
    assert desk.mailbox.take(0.0) is None
    batches = [message for to, message, control in desk.posted if to == AUDIT and not control]
    assert [(batch.first_seq, len(batch.events)) for batch in batches] == [
        (3, OUTBOX_BATCH),
        (OUTBOX_BATCH + 3, 3),
        (OUTBOX_BATCH + 6, 0),
    ]


def test_empty_outbox_is_answered_by_an_empty_batch_so_that_the_writer_knows_it_has_all() -> None:
    desk = Desk()
    desk.carrier.answer_outbox(RequestOutbox(after_seq=0))
    assert desk.posted == [(AUDIT, OutboxRecords(source="gateway", first_seq=1, events=()), False)]
    assert desk.mailbox.take(0.0) is None


def test_unreachable_broker_becomes_a_lost_link_that_overtakes() -> None:
    desk = Desk()
    desk.carrier.carry_out(Wire(CancelOrder(order_ref="1")))
    desk.broker.reachable = False
    desk.mailbox.put(SETTLED)
    desk.carrier.carry_out(Wire(CancelOrder(order_ref="2")))
    desk.carrier.open()
    assert desk.broker.sent == [CancelOrder(order_ref="1")]
    for text in ("the connection is closed", "nobody at 127.0.0.1:4002"):
        link = BrokerLink(at_ns=0, connected=False, connection=0, text=text)
        assert desk.mailbox.take(0.0) == link
    assert desk.mailbox.take(0.0) == SETTLED


def test_timers_are_set_and_cancelled() -> None:
    desk = Desk()
    desk.carrier.carry_out(SetTimer("ack", 2.0))
    assert desk.timers.wait_s() == 2.0
    desk.carrier.carry_out(CancelTimer("ack"))
    assert desk.timers.wait_s() is None


def test_pulled_group_comes_to_the_mailbox() -> None:
    desk = Desk((group(0), group(1)))
    desk.carrier.open()
    desk.carrier.carry_out(Pull(1))
    assert desk.mailbox.take(0.0) == BarsArrived(group=group(1))


@pytest.mark.parametrize(
    ("groups", "bars", "sizes"),
    [
        (0, 1, [0]),
        (3, 1, [3]),
        (HISTORY_GROUPS, 1, [HISTORY_GROUPS]),
        (HISTORY_GROUPS + 1, 1, [HISTORY_GROUPS, 1]),
        (5, HISTORY_BARS // 2, [2, 2, 1]),
        (2, HISTORY_BARS + 1, [1, 1]),
    ],
)
def test_history_is_bounded_a_message_complete_and_ends_with_last(
    groups: int, bars: int, sizes: list[int]
) -> None:
    desk = Desk(tuple(group(index, bars) for index in range(groups)))
    desk.carrier.carry_out(SendHistory("strategy:a", 512, 20, groups))
    assert desk.feed.asked == [(groups, 512, 20)]
    messages = [message for to, message, control in desk.posted if to == "strategy:a" and not control]
    assert all(isinstance(message, BarHistory) for message in messages)
    assert [len(message.groups) for message in messages] == sizes
    assert [message.last for message in messages] == [False] * (len(sizes) - 1) + [True]
    assert [(message.number, message.before) for message in messages] == [
        (number, groups) for number in range(len(sizes))
    ]
    assert [g.index for message in messages for g in message.groups] == list(range(groups))


@pytest.mark.parametrize(
    "output", [Persist((event(1),)), Wire(CancelOrder(order_ref="1")), Pull(0), SendHistory(FEED, 1, 1, 1)]
)
def test_output_without_its_port_is_a_contradiction(output: Any) -> None:
    with pytest.raises(InvariantViolation, match="gateway"):
        Desk(ports=False).carrier.carry_out(output)


def test_close_closes_every_port_whatever_one_does() -> None:
    desk = Desk()

    def fail() -> None:
        raise OSError("gone")

    desk.feed.close = fail  # type: ignore[method-assign]
    assert [str(error) for error in desk.carrier.close()] == ["gone"]
    assert desk.broker.closed
    assert desk.journal.closed


def test_events_wait_for_company_but_not_for_long() -> None:
    desk = Desk()
    for number in range(1, MOST_EVENTS + 3):
        desk.carrier.carry_out(Persist((event(number),)))
        desk.carrier.tell_trail()
    sizes = [(message.first_seq, len(message.events)) for _, message, _ in desk.posted]
    assert sizes == [(1, 1), (2, MOST_EVENTS)]
    desk.carrier.answer_outbox(RequestOutbox(after_seq=0))
    desk.clock.now_s += 2 * LONGEST_S
    desk.carrier.carry_out(Persist((event(MOST_EVENTS + 3),)))
    desk.carrier.tell_trail()
    assert desk.posted[-1][1].first_seq == MOST_EVENTS + 3


def test_bars_that_a_dead_venue_cannot_take_are_reported_and_what_follows_is_carried_out() -> None:
    desk = Desk()

    def refuse(message: Any, *, control: bool = False) -> None:
        raise BrokerUnavailable("the venue cannot be reached")

    desk.venue.put = refuse  # type: ignore[method-assign]
    desk.carrier.carry_out(Send(VENUE, BarSettled(bar=1)))
    desk.carrier.carry_out(Send(RISK, BarSettled(bar=2)))
    assert [str(error) for error in desk.lost] == ["the venue cannot be reached"]
    assert [to for to, _, _ in desk.posted] == [RISK]


BREAKER = AuditEvent(
    AuditKind.BREAKER, 1, 1, "x", True, {"before": "closed", "after": "open", "cause": "3 in a row"}
)


@pytest.mark.parametrize("notices", [True, False])
def test_coordinator_is_told_of_committed_events_that_concern_people_where_a_role_tells(
    notices: bool,
) -> None:
    desk = Desk(notices=notices)
    signals = AuditEvent(AuditKind.SIGNALS, 1, 1, "x", True, {})
    desk.carrier.carry_out(Persist((signals, BREAKER)))
    told = [(to, message, control) for to, message, control in desk.posted if to == COORDINATOR]
    assert told == ([(COORDINATOR, Noticed(role="gateway", event=BREAKER), True)] if notices else [])


def test_nobody_is_told_of_what_was_not_committed() -> None:
    desk = Desk(notices=True)
    desk.journal.fails = True
    with pytest.raises(DurabilityError):
        desk.carrier.carry_out(Persist((BREAKER,)))
    assert desk.posted == []


def test_alert_goes_to_the_port_and_without_one_is_refused() -> None:
    port, alert = FakeAlerts(), Alert(Severity.INFO, "t")
    with pytest.raises(InvariantViolation, match="has no channel"):
        Desk().carrier.carry_out(alert)
    desk = Desk(alerts=port)
    desk.carrier.open()
    desk.carrier.carry_out(alert)
    assert list(desk.carrier.close()) == []
    assert port.did == ["open", alert, "close"]
