"""A lease counts from its asking, holds while the newest answered one runs, and never comes back by an old answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.lease import NO_PULSES, PULSE_TIMER, Lease, LeaseTerms, Standing
from domain.outputs import Send, SetTimer
from domain.records import Rung
from domain.supervision import LeaseGranted, Pulse

TERMS = LeaseTerms(interval_s=1.0, valid_s=5.0)


def granted(nonce: int) -> LeaseGranted:
    return LeaseGranted(nonce=nonce, bars_head=-1, journal_head=-1, rung=Rung.ACTIVE, latch_version=0)


def test_pulse_starts_its_own_clock_and_says_where_the_role_stands() -> None:
    sent, clock, following = Lease("gateway", 3, TERMS).beat(Standing(epoch=2, head=17, ready=True))
    assert isinstance(sent, Send)
    assert sent.control
    assert sent.message == Pulse(
        role="gateway", generation=3, nonce=1, epoch=2, head=17, ready=True, at_rest=False, ended=False
    )
    assert (clock, following) == (SetTimer("lease.1", 5.0, strict=True), SetTimer(PULSE_TIMER, 1.0))


def test_no_lease_is_held_before_the_first_answer() -> None:
    lease = Lease("risk", 1, TERMS)
    lease.beat(Standing())
    assert not lease.held
    assert lease.grant(granted(1))
    assert lease.held


def test_lease_ends_with_the_clock_of_the_newest_answered_asking() -> None:
    lease = Lease("risk", 1, TERMS)
    for _ in range(3):
        lease.beat(Standing())
    lease.grant(granted(2))
    assert not lease.run_out("lease.1")
    assert lease.run_out("lease.2")
    assert not lease.held


def test_answer_that_took_longer_than_the_lease_gives_nothing() -> None:
    lease = Lease("risk", 1, TERMS)
    lease.beat(Standing())
    lease.run_out("lease.1")
    assert not lease.grant(granted(1))
    assert not lease.held


def test_answer_to_an_asking_never_made_gives_nothing() -> None:
    """A former life's answers may still be on their way."""
    lease = Lease("risk", 2, TERMS)
    lease.beat(Standing())
    assert not lease.grant(granted(40))
    assert not lease.held


def test_engine_in_one_process_always_holds_its_lease_and_sends_no_pulse() -> None:
    lease = Lease("risk", 1, NO_PULSES)
    assert lease.held
    assert lease.beat(Standing()) == []


@given(st.lists(st.sampled_from(["beat", "grant newest", "grant oldest", "clock"]), max_size=60))
def test_held_means_that_an_answered_clock_still_runs(steps: list[str]) -> None:
    lease, asked, answered, clocks = Lease("risk", 1, TERMS), 0, set[int](), list[int]()
    for step in steps:
        if step == "beat":
            lease.beat(Standing())
            asked += 1
            clocks.append(asked)
        elif step == "clock" and clocks:
            lease.run_out(f"lease.{clocks.pop(0)}")
        elif step.startswith("grant") and asked:
            nonce = asked if step.endswith("newest") else 1
            lease.grant(granted(nonce))
            answered.add(nonce)
        assert lease.held == any(nonce in clocks for nonce in answered)
