"""A breaker opens, probes and closes by the time it is given, and goes on from its values (B6)."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.breakers import Breaker, BreakerState, BreakerTerms
from supervisor.breakers import build_breaker

TERMS = BreakerTerms(failures=3, timeout_s=300.0, successes=2)
S = 1_000_000_000


def breaker(terms: BreakerTerms = TERMS, values: Any = None) -> Breaker:
    return build_breaker("a", terms, values or {})


def stands(made: Breaker) -> BreakerState:
    return made.state


def opened() -> Breaker:
    """Return a breaker that opened at 100 s."""
    made = breaker()
    for _ in range(3):
        assert made.allows(100 * S)
        made.failed(100 * S)
    return made


def test_opens_after_failures_in_a_row_and_a_success_between_begins_anew() -> None:
    made = breaker()
    for outcome in (made.failed, made.failed, made.succeeded, made.failed, made.failed):
        outcome(0)
        assert stands(made) is BreakerState.CLOSED
    made.failed(0)
    assert stands(made) is BreakerState.OPEN


def test_stays_open_to_the_last_nanosecond_and_then_lets_a_probe_through() -> None:
    """No clock of this machine has a say: a replay is the same at any speed."""
    made = opened()
    assert not made.allows(400 * S - 1)
    assert stands(made) is BreakerState.OPEN
    assert made.allows(400 * S)
    assert stands(made) is BreakerState.HALF_OPEN


def test_closes_after_successes_in_a_row_and_opens_anew_at_the_first_failed_probe() -> None:
    made = opened()
    made.allows(400 * S)
    made.succeeded(400 * S)
    assert stands(made) is BreakerState.HALF_OPEN
    made.failed(401 * S)
    assert stands(made) is BreakerState.OPEN
    assert not made.allows(701 * S - 1), "the timeout counts from the failed probe"
    assert made.allows(701 * S)
    made.succeeded(701 * S)
    assert stands(made) is BreakerState.HALF_OPEN, "successes before the failure do not count"
    made.succeeded(702 * S)
    assert stands(made) is BreakerState.CLOSED
    assert made.to_values() == {}


def test_breaker_that_has_seen_nothing_has_nothing_to_keep() -> None:
    made = breaker()
    made.succeeded(5)
    assert made.to_values() == {}


class Model:
    """Be a breaker in a few lines, to compare with."""

    def __init__(self, terms: BreakerTerms) -> None:
        self.terms, self.state = terms, BreakerState.CLOSED
        self.failures = self.successes = self.opened_ns = 0

    def allows(self, at_ns: int) -> bool:
        if self.state is BreakerState.OPEN and at_ns - self.opened_ns >= self.terms.timeout_s * S:
            self.state, self.successes = BreakerState.HALF_OPEN, 0
        return self.state is not BreakerState.OPEN

    def succeeded(self, at_ns: int) -> None:
        self.failures = 0
        self.successes += self.state is BreakerState.HALF_OPEN
        if self.state is BreakerState.HALF_OPEN and self.successes >= self.terms.successes:
            self.state = BreakerState.CLOSED

    def failed(self, at_ns: int) -> None:
        self.failures += 1
        if self.state is BreakerState.HALF_OPEN or self.failures >= self.terms.failures:
            self.state, self.opened_ns = BreakerState.OPEN, at_ns


@given(
    terms=st.builds(BreakerTerms, st.integers(1, 4), st.sampled_from([0.5, 2.0]), st.integers(1, 3)),
    steps=st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.booleans()), max_size=60),
)
def test_breaker_does_what_its_terms_say_also_across_restarts(
    terms: BreakerTerms, steps: list[tuple[int, bool, bool]]
) -> None:
    made, model, at_ns = breaker(terms), Model(terms), 0
    for passed_s, fails, restarts in steps:
        at_ns += passed_s * S
        if restarts:
            made = breaker(terms, json.loads(json.dumps(made.to_values())))
        assert made.allows(at_ns) == model.allows(at_ns)
        if made.state is not BreakerState.OPEN:
            for each in (made, model):
                (each.failed if fails else each.succeeded)(at_ns)
        assert made.state is model.state
