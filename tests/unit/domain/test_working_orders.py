from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.broker import Side
from domain.orders import FINAL_STATES, OPEN_STATES
from domain.records import IntentKind, OrderState
from domain.working_orders import WorkingOrder, WorkingOrders
from tests.fakes.records import order
from tests.unit.domain.gateway_bench import intent

REF = "1.main.AAPL.1.1"


def following(*entries: Any) -> WorkingOrders:
    working = WorkingOrders()
    for entry in entries:
        working.follow(entry)
    return working


@pytest.mark.parametrize(("side", "lots"), [(Side.BUY, 10), (Side.SELL, -10)])
def test_exposure_is_reserved_from_the_approval_on(side: Side, lots: int) -> None:
    working = WorkingOrders()
    working.approve(intent(side=side))
    assert working.of("main", "AAPL") == (REF, WorkingOrder("main", "AAPL", IntentKind.ENTRY, lots))
    assert len(working) == 1


@pytest.mark.parametrize("state", sorted(OPEN_STATES))
def test_exposure_stays_reserved_in_every_open_state_unknown_included(state: OrderState) -> None:
    working = following(order(1, REF, state=state, filled_lots=4))
    assert working.of("main", "AAPL") == (REF, WorkingOrder("main", "AAPL", IntentKind.ENTRY, 6))


@pytest.mark.parametrize("state", sorted(FINAL_STATES))
def test_the_end_of_an_order_releases_its_exposure(state: OrderState) -> None:
    working = following(order(1, REF), order(2, REF, state=state))
    assert working.of("main", "AAPL") is None
    assert len(working) == 0


def test_an_order_that_turns_up_again_is_reserved_again() -> None:
    working = following(
        order(1, REF, state=OrderState.NEVER_ARRIVED), order(2, REF, state=OrderState.WORKING, side=Side.SELL)
    )
    assert working.of("main", "AAPL") == (REF, WorkingOrder("main", "AAPL", IntentKind.ENTRY, -10))


def test_books_and_symbols_are_told_apart() -> None:
    working = following(order(1, "a", book="one"), order(2, "b", symbol="KO", kind=IntentKind.EXIT))
    assert working.of("main", "AAPL") is None
    assert working.of("one", "KO") is None
    found = working.of("main", "KO")
    assert found is not None
    assert found[0] == "b"


def test_entries_are_listed_by_ref_without_exits_and_stops() -> None:
    working = following(
        order(1, "c"), order(2, "a"), order(3, "b", kind=IntentKind.EXIT), order(4, "d", kind=IntentKind.STOP)
    )
    assert [ref for ref, _ in working.entries()] == ["a", "c"]
    assert len(working) == 3


def test_stops_are_known_by_their_price_while_they_work() -> None:
    stop = order(1, f"{REF}.stop", kind=IntentKind.STOP, stop_price=97.0)
    assert following(stop).stops() == {("main", "AAPL"): 97.0}
    moved = order(2, f"{REF}.stop", kind=IntentKind.STOP, stop_price=98.5)
    assert following(stop, moved).stops() == {("main", "AAPL"): 98.5}
    ended = order(3, f"{REF}.stop", kind=IntentKind.STOP, state=OrderState.FILLED)
    assert following(stop, ended, ended).stops() == {}


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(OrderState), st.integers(0, 10)), max_size=20)
)
def test_what_works_is_what_the_newest_states_leave_open(states: list[tuple[str, OrderState, int]]) -> None:
    working = WorkingOrders()
    newest = {}
    for seq, (ref, state, filled) in enumerate(states, start=1):
        working.follow(order(seq, ref, state=state, filled_lots=filled))
        newest[ref] = (state, filled)
    left = {ref: 10 - filled for ref, (state, filled) in newest.items() if state in OPEN_STATES}
    assert {ref: one.lots for ref, one in working.entries()} == left


def test_an_approval_that_the_gateway_never_named_expires_with_its_bar() -> None:
    """Signals and intents expire: losing one costs a trade, not the symbol."""
    working = WorkingOrders()
    working.approve(intent())
    working.expire(intent().bar)
    assert len(working) == 1
    working.expire(intent().bar + 1)
    assert working.of("main", "AAPL") is None


def test_an_approval_that_the_journal_named_does_not_expire() -> None:
    working = WorkingOrders()
    working.approve(intent())
    working.follow(order(1, REF))
    working.expire(intent().bar + 9)
    assert len(working) == 1


UNTRADED = (OrderState.REFUSED, OrderState.EXPIRED, OrderState.NEVER_ARRIVED)


@pytest.mark.parametrize(
    ("kind", "state", "filled_lots", "owed"),
    [
        *((IntentKind.EXIT, state, 0, True) for state in UNTRADED),
        *((IntentKind.ENTRY, state, 0, False) for state in UNTRADED),
        (IntentKind.EXIT, OrderState.EXPIRED, 4, False),
        (IntentKind.EXIT, OrderState.CANCELED, 0, False),
        (IntentKind.EXIT, OrderState.WORKING, 0, False),
        (IntentKind.EXIT, OrderState.FILLED, 10, False),
    ],
)
def test_exit_that_ended_before_it_traded_is_owed(
    kind: IntentKind, state: OrderState, filled_lots: int, owed: bool
) -> None:
    working = following(order(1, REF, kind=kind, state=state, filled_lots=filled_lots))
    assert working.exit_owed("main", "AAPL") is owed
    assert not following(order(1, REF, kind=kind, state=state), order(2, "b")).exit_owed("main", "AAPL")
