"""The risk manager's copy of the latch rises by itself, and falls only on a word that knows all its halts (B1, B3)."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.halt_messages import LatchChanged
from domain.records import HaltTrigger, Rung
from domain.risk.risk_latch import RiskLatch
from tests.unit.domain.risk.bench import group

T = HaltTrigger


def word(version: int, rung: Rung = Rung.ACTIVE, *, lowers: bool = True, **changes: Any) -> LatchChanged:
    values: dict[str, Any] = {"active": ()} | changes
    return LatchChanged(rung=rung, lowers=lowers, version=version, **values)


def stored(latch: RiskLatch) -> RiskLatch:
    return RiskLatch(frozenset(), json.loads(json.dumps(latch.to_values())))


def test_word_that_lowers_ends_the_causes_it_does_not_name() -> None:
    latch = RiskLatch(frozenset(), {})
    latch.hold(word(4, Rung.HALTED, lowers=False, active=(T.HEAT, T.DAILY_LOSS)))
    news = latch.hold(word(5, Rung.REDUCING, active=(T.DAILY_LOSS,)))
    assert (news.changed, news.ended) == (True, {T.HEAT})
    assert (latch.rung, latch.raised, latch.version) == (Rung.REDUCING, {T.DAILY_LOSS}, 5)


def test_word_that_crossed_a_halt_of_ours_lowers_nothing_until_it_was_heard() -> None:
    latch = RiskLatch(frozenset(), {})
    latch.raise_for(group(0, {}), T.HEAT, "why")
    assert latch.hold(word(5)).ended == frozenset()
    assert latch.rung is Rung.HALTED
    latch.hold(word(5, heard=(T.HEAT,)))
    assert latch.rung is Rung.ACTIVE, "the same version, told again, knows of it now"


def test_new_peak_is_due_once_a_version_also_after_a_restart() -> None:
    """B4: a person may set a new reference peak; told again, a later equity must not become one."""
    latch = RiskLatch(frozenset(), {})
    assert latch.hold(word(5, new_peak=True)).new_peak
    for again in (latch, stored(latch)):
        assert not again.hold(word(5, new_peak=True)).new_peak
        assert not again.hold(word(4, new_peak=True)).new_peak
    assert latch.hold(word(6, new_peak=True)).new_peak


def test_scoped_halts_are_those_of_the_last_word_and_are_kept() -> None:
    latch = RiskLatch(frozenset(), {})
    both = (("book:main", Rung.HALTED), ("symbol:AAPL", Rung.REDUCING))
    assert latch.hold(word(1, lowers=False, scoped=both)).changed
    assert not latch.hold(word(1, lowers=False, scoped=both)).changed
    for copy in (latch, stored(latch)):
        assert copy.rung is Rung.ACTIVE
        assert copy.bars_entry("main", "XOM").startswith("book:main is HALTED")
        assert copy.bars_entry("other", "AAPL").startswith("symbol:AAPL is REDUCING")
        assert copy.bars_entry("other", "XOM") == ""
    assert latch.hold(word(2, lowers=False)).changed
    assert latch.bars_entry("main", "AAPL") == ""


@given(
    words=st.lists(
        st.one_of(
            st.builds(
                word,
                st.integers(1, 6),
                st.sampled_from(list(Rung)),
                lowers=st.booleans(),
                active=st.sets(st.sampled_from([T.HEAT, T.DRAWDOWN])).map(tuple),
            ),
            st.tuples(st.sampled_from(list(Rung)), st.integers(1, 6)),
            st.sampled_from([T.HEAT, T.DRAWDOWN]),
        ),
        max_size=12,
    )
)
def test_rung_falls_only_on_a_word_that_lowers_is_no_older_and_leaves_no_halt_unheard(
    words: list[Any],
) -> None:
    latch = RiskLatch(frozenset(), {})
    for each in words:
        rung, version = latch.rung, latch.version
        if isinstance(each, LatchChanged):
            latch.hold(each)
            if latch.rung < rung:
                assert each.lowers
                assert each.version >= version
                assert not latch.unheard()
        elif isinstance(each, tuple):
            latch.hear_lease(*each)
            assert latch.rung >= rung
        else:
            latch.raise_for(group(0, {}), each, "why")
            assert latch.rung >= rung
        assert latch.version >= version
        assert json.dumps(stored(latch).to_values()) == json.dumps(latch.to_values())
