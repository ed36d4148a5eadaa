from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.errors import InvariantViolation
from domain.halt_messages import HaltReviewed, LatchChanged, LatchHeld, RaiseHalt, ReviewHalt
from domain.halts import HaltLadder
from domain.messages import (
    AUDIT,
    FEED,
    GATEWAY,
    RISK,
    Begin,
    CoordinatorInbox,
    DataEnded,
    Drain,
    Drained,
    Ready,
    RoleFailed,
    StartFeed,
    TimerFired,
)
from domain.outbox import AuditEvent, AuditKind
from domain.outputs import CancelTimer, Persist, Send, SetTimer, WriteLatch
from domain.records import HaltRecord, HaltTrigger, MachineSnapshot, Rung
from supervisor.coordinator import ENDED, Coordinator, CoordinatorSettings, Phase
from supervisor.latch_keeper import LADDER
from supervisor.lowering import HELD_TIMER
from tests.fakes.memory_journal import MemoryJournal
from tests.unit.domain.test_halts import policy

STRATEGIES = ("strategy:a", "strategy:b")
STAGES = ((AUDIT,), (GATEWAY,), (RISK,), (FEED,), STRATEGIES)
STOP_ORDER = (FEED, GATEWAY, *STRATEGIES, RISK, AUDIT)


class Bench:
    """Own a coordinator, keep its records in a journal, and collect what it sends."""

    def __init__(self, patience: int = 0, *, cancel_entries: bool = True, saved: Any = None) -> None:
        self.settings = CoordinatorSettings(
            stages=STAGES,
            stop_order=STOP_ORDER,
            cancel_entries=cancel_entries,
            started={"session": 1},
            answer_deadline_s=6.0,
        )
        self.machine = Coordinator(self.settings, HaltLadder(policy(patience), saved))
        self.journal = MemoryJournal()
        self.timers: list[SetTimer | CancelTimer] = []
        self.files: list[WriteLatch] = []
        self.saved = (saved or {}).get("version", 0)

    def give(self, message: CoordinatorInbox) -> list[Send]:
        """Have `message` handled; return what is sent, each with all records before it durable."""
        outputs = self.machine.handle(message)
        sends: list[Send] = []
        for output in outputs:
            if isinstance(output, Persist):
                self.journal.append(output.records)
            elif isinstance(output, SetTimer | CancelTimer):
                self.timers.append(output)
            elif isinstance(output, WriteLatch):
                self.files.append(output)
            else:
                assert isinstance(output, Send)
                if isinstance(output.message, LatchChanged):
                    durable = self.journal.snapshot(LADDER)
                    version = self.saved if durable is None else durable.values["version"]
                    assert output.message.version == version, "durable before it is announced (B3)"
                sends.append(output)
        return sends

    def run(self) -> None:
        """Bring every stage up."""
        self.give(Begin())
        for stage in STAGES:
            for role in stage:
                self.give(Ready(role=role, generation=1))
        assert self.phase is Phase.RUNNING

    def stop(self) -> None:
        """Drain every role that is still to be drained."""
        while self.phase is Phase.DRAINING:
            self.give(Drained(role=self.machine.state()["waiting_for"][0]))

    @property
    def phase(self) -> Phase:
        return self.machine.phase

    def events(self, kind: AuditKind) -> list[AuditEvent]:
        return [one for one in self.journal.records if isinstance(one, AuditEvent) and one.kind is kind]

    def movements(self) -> list[HaltRecord]:
        return [one for one in self.journal.records if isinstance(one, HaltRecord)]


@pytest.fixture
def bench() -> Bench:
    """Return a coordinator of a running engine."""
    running = Bench()
    running.run()
    return running


def halt(
    trigger: HaltTrigger = HaltTrigger.DAILY_LOSS, rung: Rung = Rung.REDUCING, session: int = 1
) -> RaiseHalt:
    return RaiseHalt(
        at_ns=5, bar=7, session=session, rung=rung, trigger=trigger, raised_by="risk", detail="down 2.1 %"
    )


def review(session: int) -> ReviewHalt:
    return ReviewHalt(at_ns=6, bar=8, session=session)


def failed(role: str, *, fatal: bool = True) -> RoleFailed:
    return RoleFailed(role=role, error="ValueError: no", traceback="...", fatal=fatal)


def to(sends: list[Send]) -> list[str]:
    return [send.to for send in sends]


def drains(sends: list[Send]) -> list[str]:
    return [send.to for send in sends if isinstance(send.message, Drain)]


# --- the start --------------------------------------------------------------------------------------------------------


def test_stages_begin_in_order_each_when_the_one_before_is_ready() -> None:
    """C4: dependency order."""
    bench = Bench()
    assert bench.give(Begin()) == [Send(AUDIT, Begin())]
    assert bench.machine.state()["waiting_for"] == [AUDIT]
    assert bench.give(Ready(role=AUDIT, generation=1)) == [Send(GATEWAY, Begin())]
    assert bench.give(Ready(role=GATEWAY, generation=1)) == [Send(RISK, Begin())]
    assert bench.give(Ready(role=RISK, generation=1)) == [Send(FEED, Begin())]
    assert to(bench.give(Ready(role=FEED, generation=1))) == [*STRATEGIES]
    assert bench.give(Ready(role=STRATEGIES[1], generation=1)) == []
    assert bench.machine.state()["phase"] == "starting"
    assert bench.give(Ready(role=STRATEGIES[0], generation=1)) == [Send(FEED, StartFeed())]
    assert bench.phase is Phase.RUNNING
    (event,) = bench.events(AuditKind.STARTED)
    assert event.body == {"session": 1}


def test_a_role_that_is_ready_early_or_twice_starts_nothing_out_of_turn() -> None:
    bench = Bench()
    assert bench.give(Ready(role=AUDIT, generation=1)) == []
    bench.give(Begin())
    assert bench.give(Ready(role=RISK, generation=1)) == []
    assert to(bench.give(Ready(role=AUDIT, generation=1))) == [GATEWAY]
    assert bench.give(Ready(role=AUDIT, generation=1)) == []
    assert to(bench.give(Ready(role=GATEWAY, generation=1))) == [RISK]
    assert bench.machine.state()["waiting_for"] == [RISK], "what it said before it was begun does not count"
    assert to(bench.give(Ready(role=RISK, generation=1))) == [FEED]


@pytest.mark.parametrize("phase", ["starting", "running", "stopped"])
def test_begin_told_again_begins_nothing_again(phase: str) -> None:
    bench = Bench()
    bench.give(Begin())
    if phase != "starting":
        bench.run()
    if phase == "stopped":
        bench.give(Drain(reason="signal", cancel_entries=True))
        bench.stop()
    before = bench.phase
    assert bench.give(Begin()) == []
    assert bench.phase is before
    assert len(bench.events(AuditKind.STARTED)) == 1


def test_a_latch_that_survived_is_announced_before_the_feed_starts() -> None:
    """B3: a halt survives restarts."""
    earlier = Bench()
    earlier.run()
    earlier.give(halt(HaltTrigger.HEAT, Rung.HALTED))
    kept = earlier.journal.snapshot(LADDER)
    assert kept is not None
    bench = Bench(saved=kept.values)
    bench.give(Begin())
    sends: list[Send] = []
    for stage in STAGES:
        for role in stage:
            sends = bench.give(Ready(role=role, generation=1))
    latch = LatchChanged(rung=Rung.HALTED, lowers=False, version=1, active=(HaltTrigger.HEAT,))
    assert sends == [Send(GATEWAY, latch, True), Send(RISK, latch, True), Send(FEED, StartFeed())]


# --- halts ------------------------------------------------------------------------------------------------------------


def test_a_halt_is_durable_audited_and_reaches_gateway_and_risk_manager(bench: Bench) -> None:
    """B2, B3: durable before it is announced, in the lane that overtakes."""
    sends = bench.give(halt())
    latch = LatchChanged(rung=Rung.REDUCING, lowers=False, version=1, active=(HaltTrigger.DAILY_LOSS,))
    assert sends == [Send(GATEWAY, latch, True), Send(RISK, latch, True)]
    (record,) = bench.movements()
    assert (record.version, record.rung, record.trigger) == (1, Rung.REDUCING, HaltTrigger.DAILY_LOSS)
    (event,) = bench.events(AuditKind.HALT)
    assert (event.body["trigger"], event.body["rung"], event.decision) == ("daily_loss", "REDUCING", True)
    assert isinstance(bench.journal.snapshot(LADDER), MachineSnapshot)


def test_halts_are_counted_once_however_often_their_cause_is_raised(bench: Bench) -> None:
    """B3: recorded, not doubled."""
    for _ in range(3):
        bench.give(halt())
    assert (bench.machine.state()["halts"], len(bench.movements())) == (1, 3)
    bench.give(halt(HaltTrigger.HEAT, Rung.HALTED))
    bench.give(halt(HaltTrigger.TECHNICAL_FAILURE, Rung.HALTED))
    assert bench.machine.state()["halts"] == 2
    assert bench.machine.state()["causes"] == ["daily_loss", "heat", "technical_failure"]


def test_a_halt_told_again_is_recorded_only_where_it_was_never_heard(bench: Bench) -> None:
    """B3: the answer names what is on record, so that its teller may forget it."""
    again = replace(halt(), again=True)
    assert to(bench.give(again)) == [GATEWAY, RISK]
    assert len(bench.movements()) == 1
    heard = LatchChanged(
        rung=Rung.REDUCING, lowers=False, version=1, active=(again.trigger,), heard=(again.trigger,)
    )
    assert bench.give(again) == [Send(RISK, heard, True)]
    assert len(bench.movements()) == 1
    bench.give(halt())
    assert len(bench.movements()) == 2, "a second halt of this life is recorded"


def test_a_review_that_ends_nothing_makes_sure_of_the_gateway_too(bench: Bench) -> None:
    """B3: what ended before a crash may have swallowed the word of it."""
    bench.give(halt(HaltTrigger.HEAT, Rung.HALTED))
    told = LatchChanged(rung=Rung.HALTED, lowers=True, version=1, active=(HaltTrigger.HEAT,), bar=8)
    assert bench.give(review(2)) == [Send(GATEWAY, told, True)]
    answer = HaltReviewed(bar=8, rung=Rung.HALTED, version=1, active=(HaltTrigger.HEAT,), new_peak=False)
    assert bench.give(LatchHeld(role=GATEWAY, version=1)) == [Send(RISK, answer, True)]


def test_the_gateway_holds_the_lowered_latch_before_the_risk_manager_hears(bench: Bench) -> None:
    """B4: otherwise an approval would meet the old latch."""
    bench.give(halt())
    lowered = LatchChanged(rung=Rung.ACTIVE, lowers=True, version=2, active=(), bar=8)
    assert bench.give(review(2)) == [Send(GATEWAY, lowered, True)]
    answer = HaltReviewed(bar=8, rung=Rung.ACTIVE, version=2, active=(), new_peak=False)
    assert bench.give(LatchHeld(role=GATEWAY, version=2)) == [Send(RISK, answer, True)]
    assert bench.give(LatchHeld(role=GATEWAY, version=2)) == []


@pytest.mark.parametrize("held", [LatchHeld(role=GATEWAY, version=1), LatchHeld(role=RISK, version=2)])
def test_word_of_an_older_latch_or_of_another_role_releases_no_review(bench: Bench, held: LatchHeld) -> None:
    """I5: the gateway's word on the raised latch may still be on its way when the lowered one leaves."""
    bench.give(halt())
    bench.give(review(2))
    assert bench.give(held) == []
    assert to(bench.give(LatchHeld(role=GATEWAY, version=2))) == [RISK]


def test_a_halt_raised_while_a_review_waits_is_in_its_answer(bench: Bench) -> None:
    """I5: an answer from before the halt would lower the risk manager's latch under it."""
    bench.give(halt())
    bench.give(review(2))
    bench.give(halt(HaltTrigger.HEAT, Rung.HALTED, session=2))
    (send,) = bench.give(LatchHeld(role=GATEWAY, version=2))
    assert send.message == HaltReviewed(
        bar=8, rung=Rung.HALTED, version=3, active=(HaltTrigger.HEAT,), new_peak=False
    )


def test_a_review_asked_for_again_waits_for_the_gateway_too() -> None:
    """A restarted risk manager asks again while the first answer still waits; the new peak is not lost."""
    bench = Bench(patience=1)
    bench.run()
    bench.give(halt(HaltTrigger.DRAWDOWN))
    bench.give(review(2))
    assert to(bench.give(review(2))) == [GATEWAY]
    (send,) = bench.give(LatchHeld(role=GATEWAY, version=2))
    assert isinstance(send.message, HaltReviewed)
    assert send.message.new_peak
    assert bench.machine.state()["resumed_by_rule"] == 1


def test_a_latch_held_that_nobody_waits_for_is_taken_note_of(bench: Bench) -> None:
    assert bench.give(LatchHeld(role=GATEWAY, version=0)) == []


# --- the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("configured", "asked"), [(True, True), (True, False), (False, True)])
def test_roles_drain_one_after_another_in_the_order_of_the_plan(configured: bool, asked: bool) -> None:
    """C3: data first, the audit writer last; entries are cancelled where both the plan and the asker say so."""
    bench = Bench(cancel_entries=configured)
    bench.run()
    drain = Drain(reason="signal 15", cancel_entries=configured and asked)
    sends = bench.give(Drain(reason="signal 15", cancel_entries=asked))
    for role in STOP_ORDER:
        assert sends == [Send(role, drain)]
        assert bench.machine.state()["waiting_for"] == [role]
        sends = bench.give(Drained(role=role))
    assert sends == []
    assert bench.phase is Phase.STOPPED
    assert [event.body["reason"] for event in bench.events(AuditKind.STOPPED)] == ["signal 15"]


def test_the_end_of_the_data_stops_the_engine_and_keeps_entries(bench: Bench) -> None:
    assert bench.give(DataEnded(bars=3)) == [Send(FEED, Drain(reason="the data ended", cancel_entries=False))]
    bench.stop()
    assert (bench.phase, bench.machine.state()["completed"]) == (Phase.STOPPED, True)


@pytest.mark.parametrize("first", ["drain", "data"])
def test_the_first_of_signal_and_end_of_data_names_the_reason(bench: Bench, first: str) -> None:
    messages: list[Drain | DataEnded] = [Drain(reason="signal", cancel_entries=True), DataEnded(bars=3)]
    sends = [bench.give(one) for one in (messages if first == "drain" else reversed(messages))]
    assert [drains(one) for one in sends] == [[FEED], []]
    state = bench.machine.state()
    assert (state["reason"], state["completed"]) == ("signal" if first == "drain" else "the data ended", True)


@pytest.mark.parametrize("when", ["draining", "stopped"])
def test_a_second_drain_changes_nothing(bench: Bench, when: str) -> None:
    bench.give(Drain(reason="first", cancel_entries=False))
    if when == "stopped":
        bench.stop()
    assert bench.give(Drain(reason="second", cancel_entries=True)) == []
    assert bench.machine.state()["reason"] == "first"


@pytest.mark.parametrize("role", [GATEWAY, AUDIT, "nobody"])
def test_drained_by_a_role_out_of_turn_moves_nothing(bench: Bench, role: str) -> None:
    assert bench.give(Drained(role=FEED)) == []
    bench.give(Drain(reason="signal", cancel_entries=True))
    assert bench.give(Drained(role=role)) == []
    assert bench.machine.state()["waiting_for"] == [FEED]


def test_drained_twice_moves_on_once(bench: Bench) -> None:
    bench.give(Drain(reason="signal", cancel_entries=True))
    assert drains(bench.give(Drained(role=FEED))) == [GATEWAY]
    assert bench.give(Drained(role=FEED)) == []


def test_a_stop_while_starting_drains_what_is_ready_and_starts_nothing_more() -> None:
    bench = Bench()
    bench.give(Begin())
    bench.give(Ready(role=AUDIT, generation=1))
    assert drains(bench.give(Drain(reason="signal", cancel_entries=True))) == [AUDIT]
    assert bench.give(Ready(role=GATEWAY, generation=1)) == []
    bench.give(Drained(role=AUDIT))
    assert bench.phase is Phase.STOPPED


# --- failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [FEED, GATEWAY, RISK, AUDIT, *STRATEGIES])
def test_a_role_that_fails_for_good_halts_and_stops_the_others(bench: Bench, role: str) -> None:
    sends = bench.give(failed(role))
    feed_told = [Drain] if role in (GATEWAY, RISK) else []
    assert [type(send.message) for send in sends] == [LatchChanged, LatchChanged, *feed_told, Drain]
    assert bench.machine.state()["causes"] == ["technical_failure"]
    assert bench.machine.state()["rung"] == "HALTED"
    bench.stop()
    assert bench.phase is Phase.FAILED
    assert bench.machine.state()["failures"] == [f"{role}: ValueError: no"]
    (event,) = bench.events(AuditKind.FAILURE)
    assert (event.key, event.body["fatal"], event.body["traceback"]) == (role, True, "...")


def test_a_role_that_failed_is_not_drained(bench: Bench) -> None:
    drained = drains(bench.give(failed(GATEWAY)))
    while bench.phase is Phase.DRAINING:
        drained += drains(bench.give(Drained(role=drained[-1])))
    assert drained == [role for role in STOP_ORDER if role != GATEWAY]


@pytest.mark.parametrize("role", [GATEWAY, RISK])
def test_feed_whose_bar_can_no_longer_settle_is_not_waited_for(bench: Bench, role: str) -> None:
    """The feed answers once its bar has settled, which takes risk manager and gateway."""
    bench.give(failed(role))
    assert bench.machine.state()["waiting_for"] == [next(each for each in STOP_ORDER[1:] if each != role)]


def test_a_failure_while_starting_drains_what_was_ready() -> None:
    bench = Bench()
    bench.give(Begin())
    bench.give(Ready(role=AUDIT, generation=1))
    assert drains(bench.give(failed(GATEWAY))) == [AUDIT]
    bench.give(Drained(role=AUDIT))
    assert bench.phase is Phase.FAILED


@pytest.mark.parametrize(("role", "next_drain"), [(FEED, [GATEWAY]), (RISK, [FEED, GATEWAY]), (AUDIT, [])])
def test_a_failure_while_draining_moves_on_only_where_the_drain_waited_for_it(
    bench: Bench, role: str, next_drain: list[str]
) -> None:
    bench.give(Drain(reason="signal", cancel_entries=True))
    assert drains(bench.give(failed(role))) == next_drain
    assert role not in bench.machine.state()["waiting_for"]
    bench.stop()
    assert bench.phase is Phase.FAILED


def test_a_failure_of_the_last_role_to_drain_ends_the_engine(bench: Bench) -> None:
    bench.give(Drain(reason="signal", cancel_entries=True))
    for role in STOP_ORDER[:-1]:
        bench.give(Drained(role=role))
    bench.give(failed(AUDIT))
    assert bench.phase is Phase.FAILED


def test_a_failure_of_a_role_already_drained_lets_the_drain_go_on(bench: Bench) -> None:
    bench.give(Drain(reason="signal", cancel_entries=True))
    bench.give(Drained(role=FEED))
    assert drains(bench.give(failed(FEED))) == []
    assert bench.machine.state()["waiting_for"] == [GATEWAY]


def test_a_failure_after_the_stop_is_no_clean_end(bench: Bench) -> None:
    bench.give(Drain(reason="signal", cancel_entries=True))
    bench.stop()
    assert bench.phase is Phase.STOPPED
    bench.give(failed(AUDIT))
    assert bench.phase is Phase.FAILED


def test_a_failure_after_a_failure_is_kept_too(bench: Bench) -> None:
    bench.give(failed(GATEWAY))
    bench.give(failed(RISK))
    assert bench.machine.state()["failures"] == ["gateway: ValueError: no", "risk: ValueError: no"]
    assert bench.machine.state()["halts"] == 1


@pytest.mark.parametrize("phase", ["starting", "running", "draining"])
def test_a_fault_that_a_role_survives_is_audited_and_stops_nothing(phase: str) -> None:
    """B1, C6: only what is fatal halts and stops."""
    bench = Bench()
    bench.give(Begin())
    if phase != "starting":
        bench.run()
    if phase == "draining":
        bench.give(Drain(reason="signal", cancel_entries=True))
    assert bench.give(failed(FEED, fatal=False)) == []
    state = bench.machine.state()
    assert (state["phase"], state["rung"], state["failures"]) == (phase, "ACTIVE", [])
    assert (state["faults"], state["last_fault"]) == (1, "feed: ValueError: no")
    (event,) = bench.events(AuditKind.FAILURE)
    assert (event.body["fatal"], event.decision) == (False, False)


def test_an_engine_that_survived_a_fault_ends_clean(bench: Bench) -> None:
    bench.give(failed(FEED, fatal=False))
    bench.give(DataEnded(bars=1))
    bench.stop()
    assert bench.phase is Phase.STOPPED


def test_a_halt_while_draining_still_reaches_the_gateway(bench: Bench) -> None:
    bench.give(Drain(reason="signal", cancel_entries=True))
    assert to(bench.give(halt(HaltTrigger.TECHNICAL_FAILURE, Rung.HALTED))) == [GATEWAY, RISK]


def test_unknown_timer_is_a_fault(bench: Bench) -> None:
    with pytest.raises(InvariantViolation, match="sets no timer tea"):
        bench.machine.handle(TimerFired(name="tea"))


def test_gateway_is_told_again_of_the_latch_a_review_waits_for(bench: Bench) -> None:
    """Any message may be lost: told again, it answers, and the timer goes."""
    bench.give(halt())
    (told,) = bench.give(review(2))
    assert bench.timers == [SetTimer(HELD_TIMER, 6.0)]
    assert bench.give(TimerFired(name=HELD_TIMER)) == [told]
    assert to(bench.give(LatchHeld(role=GATEWAY, version=2))) == [RISK]
    assert bench.timers[1:] == [SetTimer(HELD_TIMER, 6.0), CancelTimer(HELD_TIMER)]
    assert bench.give(TimerFired(name=HELD_TIMER)) == [], "ran out with the answer"


def test_gateway_that_never_holds_the_latch_has_failed(bench: Bench) -> None:
    """A lost message must not stall a run: asked for three times in vain, the engine stops, halted."""
    bench.give(halt())
    bench.give(review(2))
    for _ in range(2):
        bench.give(TimerFired(name=HELD_TIMER))
        bench.give(review(2))  # the risk manager asks again too; that gives no more patience
    bench.give(TimerFired(name=HELD_TIMER))
    (failure,) = bench.machine.state()["failures"]
    assert failure == (
        "gateway: Unanswered: word that the gateway holds the lowered halt latch did not come: "
        "asked for 3 times, 6 s each"
    )
    assert (bench.phase, bench.machine.state()["rung"]) == (Phase.DRAINING, "HALTED")


def test_nothing_more_happens_in_the_ended_phases() -> None:
    assert frozenset({Phase.STOPPED, Phase.FAILED}) == ENDED


def test_a_role_whose_process_was_killed_stops_the_engine_without_a_halt(bench: Bench) -> None:
    """The next start goes on where this one stopped: a killed process decided nothing wrong."""
    killed = RoleFailed(role=RISK, error="its process ended", traceback="", fatal=True, ended=True)
    bench.give(killed)
    bench.stop()
    assert bench.phase is Phase.FAILED
    assert (bench.machine.state()["rung"], bench.machine.state()["halts"]) == ("ACTIVE", 0)
