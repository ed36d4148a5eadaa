from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.halt_messages import RaiseHalt
from domain.halts import ENDS_BY_PERSON, RUNG_OF, HaltLadder, rung_for
from domain.records import HaltRecord, HaltTrigger, Rung
from domain.risk.limits import HaltPolicy

T = HaltTrigger


def policy(resume_after_sessions: int = 0) -> HaltPolicy:
    return HaltPolicy(
        cooldown_s=300.0,
        resume_after_sessions=resume_after_sessions,
        max_consecutive_failures=3,
        failure_rate=0.5,
        failure_window=20,
        failure_window_min=10,
        flattening=frozenset(),
        keep_protective_stops=True,
    )


def raised(
    ladder: HaltLadder, trigger: HaltTrigger, session: int = 1, rung: Rung | None = None
) -> HaltRecord:
    return ladder.raise_latch(
        trigger,
        RUNG_OF[trigger] if rung is None else rung,
        at_ns=5,
        bar=7,
        session=session,
        raised_by="risk",
        detail="why",
    )


def reviewed(ladder: HaltLadder, session: int) -> tuple[list[HaltRecord], bool]:
    return ladder.review(at_ns=6, bar=8, session=session)


@pytest.mark.parametrize(
    ("trigger", "rung"),
    [
        (T.DAILY_LOSS, Rung.REDUCING),
        (T.DRAWDOWN, Rung.REDUCING),
        (T.EXPOSURE, Rung.REDUCING),
        (T.DRAWDOWN_SEVERE, Rung.HALTED),
        (T.DAILY_LOSS_SEVERE, Rung.HALTED),
        (T.HEAT, Rung.HALTED),
        (T.FAILURE_RATE, Rung.HALTED),
        (T.CONSECUTIVE_FAILURES, Rung.HALTED),
        (T.BROKER_LOST, Rung.HALTED),
        (T.TECHNICAL_FAILURE, Rung.HALTED),
        (T.LATE_ARRIVAL, Rung.HALTED),
        (T.KILL_SWITCH, Rung.HALTED),
        (T.STRATEGIES_QUARANTINED, Rung.HALTED),
        (T.MANUAL, Rung.HALTED),
        (T.MANUAL_REDUCE, Rung.REDUCING),
        (T.MANUAL_FLATTEN, Rung.FLATTENING),
    ],
)
def test_each_trigger_leads_to_its_rung(trigger: HaltTrigger, rung: Rung) -> None:
    """B1."""
    ladder = HaltLadder(policy())
    record = raised(ladder, trigger)
    assert (record.previous, record.rung, ladder.rung) == (Rung.ACTIVE, rung, rung)
    assert (record.version, record.trigger, record.raised_by, record.detail) == (1, trigger, "risk", "why")
    assert ladder.active == (trigger,)


def test_every_trigger_has_a_rung_above_active() -> None:
    assert set(RUNG_OF) == set(HaltTrigger)
    assert min(RUNG_OF.values()) > Rung.ACTIVE


def test_a_second_halt_while_halted_is_recorded_not_doubled() -> None:
    """B3."""
    ladder = HaltLadder(policy())
    raised(ladder, T.HEAT)
    record = raised(ladder, T.HEAT)
    assert (record.version, record.previous, record.rung) == (2, Rung.HALTED, Rung.HALTED)
    assert ladder.active == (T.HEAT,)


@pytest.mark.parametrize(
    ("first", "again", "stands"),
    [
        (Rung.HALTED, Rung.FLATTENING, Rung.FLATTENING),
        (Rung.FLATTENING, Rung.HALTED, Rung.FLATTENING),
        (Rung.REDUCING, Rung.REDUCING, Rung.REDUCING),
    ],
)
def test_a_cause_raised_again_may_climb_and_never_steps_down(first: Rung, again: Rung, stands: Rung) -> None:
    ladder = HaltLadder(policy())
    raised(ladder, T.TECHNICAL_FAILURE, rung=first)
    raised(ladder, T.TECHNICAL_FAILURE, rung=again)
    assert ladder.rung is stands


def test_the_ladder_stands_on_the_highest_of_its_causes() -> None:
    ladder = HaltLadder(policy())
    raised(ladder, T.DAILY_LOSS)
    raised(ladder, T.DRAWDOWN_SEVERE)
    raised(ladder, T.EXPOSURE)
    assert ladder.rung is Rung.HALTED
    reviewed(ladder, 2)
    assert (ladder.rung, ladder.active) == (Rung.HALTED, (T.DRAWDOWN_SEVERE,))


def told(trigger: HaltTrigger, bar: int = 7, session: int = 1, raised_by: str = "risk") -> RaiseHalt:
    return RaiseHalt(
        at_ns=5,
        bar=bar,
        session=session,
        rung=RUNG_OF[trigger],
        trigger=trigger,
        raised_by=raised_by,
        detail="why",
        again=True,
    )


def test_ladder_knows_what_it_has_heard_over_a_restart_and_after_its_end() -> None:
    """B3: what is told again is recorded once, whether or not its cause still stands."""
    ladder = HaltLadder(policy(resume_after_sessions=1))
    assert not ladder.has_heard(told(T.HEAT))
    raised(ladder, T.HEAT)
    for each in (ladder, HaltLadder(policy(1), json.loads(json.dumps(ladder.to_values())))):
        assert each.has_heard(told(T.HEAT))
        assert not each.has_heard(told(T.HEAT, bar=8))
        assert not each.has_heard(told(T.DRAWDOWN))
        assert not each.has_heard(told(T.HEAT, raised_by="gateway"))
        reviewed(each, 2)
        assert each.active == ()
        assert each.has_heard(told(T.HEAT))


def test_lost_halt_of_a_session_that_ended_it_counts_as_heard() -> None:
    ladder = HaltLadder(policy())
    reviewed(ladder, 2)
    assert ladder.has_heard(told(T.DAILY_LOSS, session=1))
    assert not ladder.has_heard(told(T.DAILY_LOSS, session=2))
    assert not ladder.has_heard(told(T.HEAT, session=1))


@pytest.mark.parametrize("trigger", [T.DAILY_LOSS, T.EXPOSURE])
@pytest.mark.parametrize("patience", [0, 20])
def test_reducing_for_the_day_ends_with_the_next_session(trigger: HaltTrigger, patience: int) -> None:
    """B4: not within its own session, and without a new peak."""
    ladder = HaltLadder(policy(patience))
    raised(ladder, trigger, session=3)
    assert reviewed(ladder, 3) == ([], False)
    assert ladder.rung is Rung.REDUCING
    records, new_peak = reviewed(ladder, 4)
    assert [(one.previous, one.rung, one.raised_by) for one in records] == [
        (Rung.REDUCING, Rung.ACTIVE, "rule")
    ]
    assert (new_peak, ladder.rung, ladder.resumed_by_rule) == (False, Rung.ACTIVE, 0)


LASTING = sorted(set(HaltTrigger) - {T.DAILY_LOSS, T.EXPOSURE})


@pytest.mark.parametrize("trigger", LASTING)
def test_whatever_else_halted_never_ends_by_itself_without_patience(trigger: HaltTrigger) -> None:
    """B4: only a person ends it."""
    ladder = HaltLadder(policy(0))
    raised(ladder, trigger, session=1)
    assert [reviewed(ladder, session) for session in range(2, 60)] == [([], False)] * 58
    assert ladder.active == (trigger,)


@pytest.mark.parametrize("trigger", sorted(set(LASTING) - ENDS_BY_PERSON))
def test_a_replay_goes_on_after_its_sessions_with_a_new_peak_and_counts_it(trigger: HaltTrigger) -> None:
    """B4: resume_after_sessions, counted in the summary."""
    ladder = HaltLadder(policy(3))
    raised(ladder, trigger, session=10)
    assert [reviewed(ladder, session)[0] for session in (11, 12)] == [[], []]
    records, new_peak = reviewed(ladder, 13)
    assert [one.trigger for one in records] == [trigger]
    assert "3 sessions" in records[0].detail
    assert (new_peak, ladder.rung, ladder.resumed_by_rule) == (True, Rung.ACTIVE, 1)


@pytest.mark.parametrize("trigger", sorted(ENDS_BY_PERSON))
def test_no_rule_ends_what_a_person_raised_or_must_look_at(trigger: HaltTrigger) -> None:
    """B4: `halt` in a replay stands until `resume`, however many sessions pass."""
    ladder = HaltLadder(policy(1))
    raised(ladder, trigger, session=1)
    assert [reviewed(ladder, session) for session in range(2, 30)] == [([], False)] * 28
    assert ladder.active == (trigger,)


def test_mixed_causes_end_each_by_its_own_rule() -> None:
    ladder = HaltLadder(policy(3))
    raised(ladder, T.DAILY_LOSS, session=1)
    raised(ladder, T.DRAWDOWN, session=1)
    assert [one.trigger for one in reviewed(ladder, 2)[0]] == [T.DAILY_LOSS]
    raised(ladder, T.HEAT, session=3)
    assert reviewed(ladder, 3) == ([], False)
    records, new_peak = reviewed(ladder, 4)
    assert [(one.trigger, one.rung) for one in records] == [(T.DRAWDOWN, Rung.HALTED)]
    assert new_peak
    assert ladder.active == (T.HEAT,)
    reviewed(ladder, 5)
    assert reviewed(ladder, 6)[0][0].rung is Rung.ACTIVE
    assert ladder.resumed_by_rule == 2


def test_a_session_counts_once_and_its_review_answers_alike() -> None:
    """A restarted risk manager asks again: sessions must not run faster for it, nor a new peak be lost."""
    ladder = HaltLadder(policy(2))
    raised(ladder, T.DRAWDOWN, session=1)
    for _ in range(5):
        assert reviewed(ladder, 2) == ([], False)
    assert reviewed(ladder, 3)[1]
    assert reviewed(ladder, 3) == ([], True)
    assert reviewed(ladder, 2) == ([], False)
    assert reviewed(ladder, 4) == ([], False)


def test_flattening_ends_halted_once_every_position_is_closed() -> None:
    """B1: positions closed, then HALTED; a second kill flattens again."""
    ladder = HaltLadder(policy())
    assert ladder.end_flattening(at_ns=1, bar=1, session=1) is None
    raised(ladder, T.MANUAL_FLATTEN)
    raised(ladder, T.DAILY_LOSS)
    record = ladder.end_flattening(at_ns=1, bar=1, session=1)
    assert record is not None
    assert (record.previous, record.rung, record.trigger) == (Rung.FLATTENING, Rung.HALTED, T.MANUAL_FLATTEN)
    assert ladder.active == (T.DAILY_LOSS, T.MANUAL_FLATTEN)
    assert ladder.end_flattening(at_ns=1, bar=1, session=1) is None
    raised(ladder, T.MANUAL_FLATTEN)
    assert ladder.rung is Rung.FLATTENING


@pytest.mark.parametrize("trigger", [T.KILL_SWITCH, T.HEAT, T.MANUAL_FLATTEN, T.MANUAL])
def test_only_who_asks_for_it_or_configures_it_flattens(trigger: HaltTrigger) -> None:
    """B1: `flatten` is an order of its own; the others close positions where configured so."""
    assert rung_for(trigger, {trigger.value}) is Rung.FLATTENING
    expected = Rung.FLATTENING if trigger is T.MANUAL_FLATTEN else Rung.HALTED
    assert rung_for(trigger, ()) is expected


# --- parts of the account ---------------------------------------------------------------------------------------------


def raised_part(ladder: HaltLadder, scope: str, rung: Rung = Rung.HALTED, wall_ns: int = 0) -> HaltRecord:
    return ladder.raise_latch(
        T.MANUAL,
        rung,
        at_ns=0,
        bar=-1,
        session=0,
        raised_by="person",
        detail="why",
        scope=scope,
        wall_ns=wall_ns,
    )


def test_a_halt_of_a_book_or_a_symbol_never_moves_the_accounts_rung() -> None:
    ladder = HaltLadder(policy())
    record = raised_part(ladder, "book:main")
    assert (record.scope, record.previous, record.rung, record.version) == (
        "book:main",
        Rung.ACTIVE,
        Rung.HALTED,
        1,
    )
    raised_part(ladder, "symbol:AAPL", Rung.REDUCING)
    assert (ladder.rung, ladder.active) == (Rung.ACTIVE, ())
    assert ladder.scoped == (("book:main", Rung.HALTED), ("symbol:AAPL", Rung.REDUCING))
    assert reviewed(ladder, 99) == ([], False)
    assert ladder.scoped != ()


def test_a_part_of_the_account_is_halted_but_never_flattened() -> None:
    ladder = HaltLadder(policy())
    assert raised_part(ladder, "book:main", Rung.FLATTENING).rung is Rung.HALTED


def test_a_resume_ends_its_own_scope_and_no_other() -> None:
    ladder = HaltLadder(policy())
    raised(ladder, T.HEAT)
    raised(ladder, T.DRAWDOWN)
    raised_part(ladder, "book:main")
    lifted = ladder.resume("book:main", resumed_by="person", detail="ok", new_peak=False)
    assert [(one.scope, one.previous, one.rung) for one in lifted] == [
        ("book:main", Rung.HALTED, Rung.ACTIVE)
    ]
    assert (ladder.scoped, ladder.active) == ((), (T.DRAWDOWN, T.HEAT))
    records = ladder.resume("", resumed_by="person", detail="ok", new_peak=True)
    assert [(one.trigger, one.rung, one.raised_by, one.detail) for one in records] == [
        (T.DRAWDOWN, Rung.HALTED, "person", "ok"),
        (T.HEAT, Rung.ACTIVE, "person", "ok"),
    ]
    assert (ladder.rung, ladder.lowered) == (Rung.ACTIVE, (records[-1].version, True))


def test_a_new_peak_that_is_due_is_not_forgotten_by_the_next_resume() -> None:
    ladder = HaltLadder(policy())
    raised(ladder, T.DRAWDOWN)
    ladder.resume("", resumed_by="person", detail="ok", new_peak=True)
    raised_part(ladder, "book:main")
    ladder.resume("book:main", resumed_by="person", detail="ok", new_peak=False)
    assert ladder.lowered == (ladder.version, True)


SECOND = 1_000_000_000


@pytest.mark.parametrize(("passed_s", "left_s"), [(0, 300.0), (299, 1.0), (300, 0.0), (900, 0.0)])
def test_the_cooldown_counts_wall_seconds_from_the_last_raise(passed_s: int, left_s: float) -> None:
    """B4."""
    ladder = HaltLadder(policy())
    raised_part(ladder, "", wall_ns=5 * SECOND)
    raised_part(ladder, "", wall_ns=1_000 * SECOND)
    later = HaltLadder(policy(), json.loads(json.dumps(ladder.to_values())))
    for each in (ladder, later):
        assert each.cooldown_left_s("", (1_000 + passed_s) * SECOND) == left_s
        assert each.cooldown_left_s("book:main", 1_000 * SECOND) == 0.0


def test_a_clock_that_was_set_back_begins_the_cooldown_anew_and_no_more() -> None:
    ladder = HaltLadder(policy())
    raised_part(ladder, "", wall_ns=90_000 * SECOND)
    assert ladder.cooldown_left_s("", 100 * SECOND) == 300.0
    assert ladder.cooldown_left_s("", 400 * SECOND) == 0.0


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("raise"), st.sampled_from(HaltTrigger)),
        st.tuples(st.just("session"), st.just(None)),
        st.tuples(st.just("again"), st.just(None)),
        st.tuples(st.just("flat"), st.just(None)),
        st.tuples(st.just("part"), st.sampled_from(("book:main", "symbol:AAPL"))),
        st.tuples(st.just("resume"), st.sampled_from(("", "book:main", "symbol:AAPL"))),
    ),
    max_size=25,
)


def _walk(ladder: HaltLadder, session: int, step: str, trigger: Any) -> Any:
    match step:
        case "raise":
            return raised(ladder, trigger, session)
        case "flat":
            return ladder.end_flattening(at_ns=1, bar=1, session=session)
        case "part":
            return raised_part(ladder, trigger)
        case "resume":
            return ladder.resume(trigger, resumed_by="person", detail="ok", new_peak=False)
        case _:
            return reviewed(ladder, session)


@given(STEPS, st.integers(0, 3), st.integers(0, 25))
def test_a_ladder_saved_anywhere_goes_on_the_same(
    steps: list[tuple[str, Any]], patience: int, cut: int
) -> None:
    """B3: a halt survives restarts, and so does the count of its sessions; versions rise by one."""
    straight, resumed, session, version = HaltLadder(policy(patience)), HaltLadder(policy(patience)), 1, 0
    for number, (step, trigger) in enumerate(steps):
        if number == cut:
            resumed = HaltLadder(policy(patience), json.loads(json.dumps(resumed.to_values())))
        session += step == "session"
        found = _walk(straight, session, step, trigger)
        assert _walk(resumed, session, step, trigger) == found
        moved = found[0] if isinstance(found, tuple) else found
        records = moved if isinstance(moved, list) else [moved] * (moved is not None)
        for record in records:
            version += 1
            assert record.version == version
        assert resumed.to_values() == straight.to_values()
        assert straight.rung is max(rungs(straight), default=Rung.ACTIVE)


def rungs(ladder: HaltLadder) -> list[Rung]:
    return [cause.rung for cause in ladder.causes.values()]
