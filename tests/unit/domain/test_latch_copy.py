"""Halts of the account, a book or a symbol: what they refuse, what they cancel, and who may lower them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.broker import CancelOrder, Side
from domain.halt_messages import LatchChanged, LatchFound
from domain.latch_copy import BY_GATEWAY, LatchCopy
from domain.messages import Begin
from domain.outputs import WriteLatch
from domain.records import HaltTrigger, IntentKind, OrderState, Rung
from tests.unit.domain.gateway_bench import (
    Bench,
    FakeVenue,
    approved,
    fill,
    granted,
    intent,
    latch,
    lost,
    reported,
    update,
)

AAPL, KO, OTHER = "1.main.AAPL.1.1", "1.main.KO.1.1", "1.other.AAPL.1.1"
HALTED = Rung.HALTED


@pytest.fixture
def bench() -> Bench:
    """Return a gateway with three entries working: AAPL and KO for book main, AAPL for book other."""
    ready = Bench()
    ready.open()
    ready.give(approved(intent(), intent(symbol="KO"), intent(intent_id=OTHER, book="other")))
    ready.give(update(reported(AAPL), reported(KO, symbol="KO"), reported(OTHER)))
    ready.wires.clear()
    return ready


def cancels(bench: Bench) -> list[str]:
    return [one.order_ref for one in bench.wires if isinstance(one, CancelOrder)]


def placed(bench: Bench, **changes: Any) -> bool:
    ref = f"1.{changes.get('book', 'main')}.{changes.get('symbol', 'AAPL')}.2.9"
    bench.give(approved(intent(9, bar=2, intent_id=ref, **changes), bar=2))
    return bench.placed[ref] == 1


# --- what a scope covers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "cancelled", "refused"),
    [
        ("book:main", [AAPL, KO], {("main", "AAPL"), ("main", "KO")}),
        ("book:other", [OTHER], {("other", "AAPL")}),
        ("symbol:AAPL", [AAPL, OTHER], {("main", "AAPL"), ("other", "AAPL")}),
        ("symbol:KO", [KO], {("main", "KO")}),
        ("symbol:GE", [], set()),
        ("book:mai", [], set()),
    ],
)
def test_scoped_halt_cancels_and_refuses_what_it_covers_alone(
    bench: Bench, scope: str, cancelled: list[str], refused: set[tuple[str, str]]
) -> None:
    bench.give(latch(Rung.ACTIVE, 1, scoped=((scope, HALTED),)))
    assert cancels(bench) == cancelled
    for book, symbol in (("main", "AAPL"), ("main", "KO"), ("other", "AAPL")):
        assert placed(bench, book=book, symbol=symbol) is ((book, symbol) not in refused)


def test_refusal_names_the_scope(bench: Bench) -> None:
    bench.give(latch(Rung.ACTIVE, 1, scoped=(("symbol:AAPL", Rung.REDUCING),)))
    placed(bench)
    why = "gateway: REDUCING for symbol:AAPL: only orders that shrink a position may pass"
    assert bench.order("1.main.AAPL.2.9").text == why


def test_exits_and_stops_pass_a_scoped_halt(bench: Bench) -> None:
    """B2."""
    stop = reported(f"{AAPL}.stop", parent_ref=AAPL, side=Side.SELL, stop_price=97.0)
    bench.give(update(fill(AAPL, "E1"), stop))
    bench.give(latch(Rung.ACTIVE, 1, scoped=(("book:main", HALTED),)))
    assert bench.order(f"{AAPL}.stop").state is OrderState.WORKING
    assert placed(bench, kind=IntentKind.EXIT)


def test_rung_of_the_account_counts_where_it_is_higher(bench: Bench) -> None:
    bench.give(latch(HALTED, 1, scoped=(("symbol:KO", Rung.REDUCING),)))
    assert not placed(bench, symbol="KO")
    assert "HALTED: only" in bench.order("1.main.KO.2.9").text


def test_entry_of_a_halted_symbol_that_the_venue_still_works_after_a_reconnect_is_cancelled(
    bench: Bench,
) -> None:
    venue = FakeVenue()
    venue.orders = {ref: reported(ref, symbol="KO" if ref == KO else "AAPL") for ref in (AAPL, KO, OTHER)}
    bench.give(lost(1))
    bench.give(latch(Rung.ACTIVE, 1, scoped=(("symbol:KO", HALTED),)))
    assert cancels(bench) == []
    bench.open(2, venue)
    assert cancels(bench) == [KO]


# --- who raises and lowers --------------------------------------------------------------------------------------------


def scopes(bench: Bench) -> dict[str, str]:
    return dict(bench.machine.state()["scoped"])


def test_scoped_halts_are_durable_before_they_are_announced_held(bench: Bench) -> None:
    bench.give(latch(Rung.ACTIVE, 3, scoped=(("book:main", HALTED), ("symbol:KO", Rung.REDUCING))))
    bench.restart()
    assert scopes(bench) == {"book:main": "HALTED", "symbol:KO": "REDUCING"}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (latch(Rung.ACTIVE, 6), {"book:main": "HALTED"}),
        (latch(Rung.ACTIVE, 6, lowers=True), {}),
        (latch(Rung.ACTIVE, 4, lowers=True), {"book:main": "HALTED"}),
        (
            latch(Rung.ACTIVE, 6, lowers=True, scoped=(("book:main", Rung.REDUCING),)),
            {"book:main": "REDUCING"},
        ),
        (latch(Rung.ACTIVE, 6, scoped=(("book:main", Rung.REDUCING),)), {"book:main": "HALTED"}),
        (
            latch(Rung.ACTIVE, 6, scoped=(("symbol:KO", HALTED),)),
            {"book:main": "HALTED", "symbol:KO": "HALTED"},
        ),
        (
            latch(Rung.ACTIVE, 5, scoped=(("symbol:KO", HALTED),)),
            {"book:main": "HALTED", "symbol:KO": "HALTED"},
        ),
        (latch(Rung.ACTIVE, 4, scoped=(("symbol:KO", HALTED),)), {"book:main": "HALTED"}),
        (granted(0, Rung.ACTIVE, 9), {"book:main": "HALTED"}),
        (approved(bar=2, version=9), {"book:main": "HALTED"}),
    ],
)
def test_only_a_newer_announcement_that_lowers_ends_a_scoped_halt(
    bench: Bench, message: Any, expected: dict[str, str]
) -> None:
    bench.give(latch(Rung.ACTIVE, 5, scoped=(("book:main", HALTED),)))
    bench.give(message)
    assert scopes(bench) == expected


def test_scope_at_rung_active_is_none(bench: Bench) -> None:
    bench.give(latch(Rung.ACTIVE, 1, scoped=(("book:main", Rung.ACTIVE),)))
    assert scopes(bench) == {}
    assert cancels(bench) == []


def test_own_halt_is_in_the_file_before_it_is_announced(bench: Bench) -> None:
    """B3: the file outlives every database; `Bench` holds the order."""
    bench.timers["broker_lost"] = 1.0
    bench.fire("broker_lost")
    assert bench.file is not None
    assert (bench.file.rung, bench.file.version) == (HALTED, BY_GATEWAY), "of no movement of the ladder"
    assert bench.file.detail == bench.halts[0].detail


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Rung),
            st.integers(1, 6),
            st.booleans(),
            st.sampled_from(("changed", "lease", "risk")),
        ),
        max_size=20,
    )
)
def test_copy_falls_by_an_announcement_that_lowers_and_by_nothing_else(
    words: list[tuple[Rung, int, bool, str]],
) -> None:
    """B3, I5: whatever comes in any order; and versions never go back."""
    copy = LatchCopy(None)
    for rung, version, lowers, how in words:
        before, known = copy.rung, copy.version
        if how == "changed":
            copy.changed(LatchChanged(rung=rung, lowers=lowers, version=version, active=()), decided=0)
        elif how == "lease":
            copy.granted(granted(1, rung, version))
        else:
            copy.approved(rung, version)
        assert copy.version >= known
        assert copy.rung >= before or (how == "changed" and lowers and version > known and rung <= copy.rung)
        assert LatchCopy(copy.snapshot(0).values).rung is copy.rung


def test_own_halt_survives_a_saved_copy_until_it_is_heard_of() -> None:
    copy = LatchCopy(None)
    copy.raise_here(HaltTrigger.BROKER_LOST, 7, "gone")
    again = LatchCopy(copy.snapshot(7).values)
    again.changed(LatchChanged(rung=Rung.ACTIVE, lowers=True, version=1, active=()), decided=7)
    assert (again.rung, again.unheard()) == (HALTED, [HaltTrigger.BROKER_LOST])
    assert again.told(HaltTrigger.BROKER_LOST, again=True).bar == 7


# --- a latch file that the ladder does not know of --------------------------------------------------------------------


@pytest.mark.parametrize("rung", [Rung.REDUCING, Rung.HALTED, Rung.FLATTENING])
def test_a_found_file_halts_at_its_rung_and_is_told(bench: Bench, rung: Rung) -> None:
    """B2, I5: the kill path wrote it while no message came through."""
    bench.file = WriteLatch(rung, 0, "bob: storm")
    bench.give(LatchFound(rung=rung, detail="bob: storm"))
    (halt,) = bench.halts
    assert (halt.rung, halt.trigger, halt.detail, halt.again) == (
        rung,
        HaltTrigger.KILL_SWITCH,
        "latch file: bob: storm",
        False,
    )
    assert bench.rung is rung
    assert cancels(bench) == [AAPL, KO, OTHER]
    bench.give(LatchFound(rung=rung, detail="bob: storm"))
    assert len(bench.halts) == 1, "each order that is held back tells it"


def test_a_found_file_is_told_again_after_a_restart_until_the_coordinator_has_it(bench: Bench) -> None:
    bench.file = WriteLatch(Rung.REDUCING, 0, "")
    bench.give(LatchFound(rung=Rung.REDUCING, detail=""))
    bench.restart()
    bench.give(Begin())
    assert [(halt.rung, halt.again, halt.detail) for halt in bench.halts] == [
        (Rung.REDUCING, False, "latch file"),
        (Rung.REDUCING, True, "latch file"),
    ]
    bench.give(latch(Rung.ACTIVE, 1, lowers=True))
    assert bench.rung is Rung.REDUCING, "a lowering that crossed it does not know of it"
    bench.give(latch(Rung.REDUCING, 2, active=(HaltTrigger.KILL_SWITCH,)))
    bench.give(latch(Rung.ACTIVE, 3, lowers=True))
    assert bench.rung is Rung.ACTIVE


def test_a_found_file_that_says_no_more_than_is_held_changes_nothing(bench: Bench) -> None:
    bench.give(latch(Rung.HALTED, 1))
    assert bench.give(LatchFound(rung=Rung.HALTED, detail="bob")) == []
    assert bench.halts == []
