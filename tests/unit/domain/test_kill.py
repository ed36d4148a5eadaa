"""What a kill cancels and closes, from what a venue says alone (reliability: a flatten never flips a position)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.broker import Executed, OrderReported, OrderType, Side, TimeInForce, VenuePosition, signed
from domain.execution_book import UNASSIGNED
from domain.kill import Held, KillPlan, VenueLook, held_by_books, plain_orders
from domain.order_refs import Owner, kill_ref
from tests.unit.domain.gateway_bench import fill, reported

ENTRY, STOP = "2.main.AAPL.7.1", "2.main.AAPL.7.1.stop"
KILL = kill_ref(Owner(2, "main"), "AAPL", 1)


def look(
    orders: Sequence[OrderReported] = (),
    executions: Sequence[Executed] = (),
    *,
    whole: bool = True,
    positions: dict[str, int] | None = None,
) -> VenueLook:
    """Return a look whose positions are what the executions come to, unless others are given."""
    totals: dict[str, int] = {}
    for done in executions:
        totals[done.symbol] = totals.get(done.symbol, 0) + signed(done.side, done.lots)
    held = tuple(VenuePosition(*each) for each in sorted((positions or totals).items()) if each[1])
    return VenueLook(tuple(orders), tuple(executions), held, whole)


def bought(ref: str = ENTRY, lots: int = 10, **changes: Any) -> Executed:
    return fill(ref, f"x{ref}{lots}", lots, **changes)


def stop(lots: int = 10, **changes: Any) -> OrderReported:
    values: dict[str, Any] = {"parent_ref": ENTRY, "side": Side.SELL, "order_type": OrderType.STOP}
    return reported(STOP, lots=lots, **(values | changes))


def closer(lots: int = 10, **changes: Any) -> OrderReported:
    return reported(KILL, lots=lots, **({"side": Side.SELL} | changes))


def test_a_position_is_closed_by_one_market_order_that_shares_its_stops_group() -> None:
    plan = KillPlan(look([stop()], [bought()]), closing=True)
    ((order, executions),) = [(each.order, each.executions) for each in plan.closings()]
    assert (order.order_ref, order.symbol, order.side, order.lots) == (KILL, "AAPL", Side.SELL, 10)
    assert (order.order_type, order.time_in_force) == (OrderType.MARKET, TimeInForce.GTC)
    assert (order.oca_group, order.reduces, order.attached_stop_pct) == ("main/AAPL", True, 0.0)
    assert executions == 1
    assert ([each.order_ref for each in plan.kept], plan.cancels) == ([STOP], [])


def test_a_short_position_is_bought_back() -> None:
    (closing,) = KillPlan(look((), [bought(side=Side.SELL)]), closing=True).closings()
    assert (closing.order.side, closing.order.lots) == (Side.BUY, 10)


@pytest.mark.parametrize("closing", [True, False])
@pytest.mark.parametrize(
    "order",
    [
        reported("2.main.AAPL.8.1"),
        reported("2.main.AAPL.8.1", side=Side.SELL),
        reported("2.main.KO.8.1", symbol="KO", order_type=OrderType.LIMIT),
        reported("2.main.KO.8.1", symbol="KO", order_type=OrderType.STOP, side=Side.SELL, stop_price=9.0),
        reported("by hand"),
        reported("2.main.KO.8.1.stop", symbol="KO", parent_ref="2.main.KO.8.1", side=Side.SELL),
        stop(side=Side.BUY),
    ],
    ids=["entry", "exit", "limit", "stop entry", "foreign", "stop of nothing", "stop of the wrong side"],
)
def test_whatever_is_no_protective_stop_of_an_open_position_is_cancelled(
    order: OrderReported, closing: bool
) -> None:
    """B2."""
    plan = KillPlan(look([order, stop()], [bought()]), closing=closing)
    assert (plan.cancels, [each.order_ref for each in plan.kept]) == ([order.order_ref], [STOP])


def test_only_cancelling_leaves_positions_and_ends_the_orders_of_an_earlier_kill() -> None:
    plan = KillPlan(look([stop(), closer()], [bought()]), closing=False)
    assert (plan.closings(), plan.cancels) == ([], [KILL])


@pytest.mark.parametrize(
    ("working", "kept"),
    [
        (closer(), True),
        (closer(lots=14, filled_lots=4), True),
        (closer(lots=6), False),
        (closer(lots=14), False),
        (closer(side=Side.BUY), False),
    ],
)
def test_a_second_kill_keeps_a_closing_order_that_closes_to_the_lot_and_replaces_any_other(
    working: OrderReported, kept: bool
) -> None:
    """Two orders of one OCA group take their lots off each other: beside a smaller one a second closes too little."""
    plan = KillPlan(look([working], [bought()]), closing=True)
    assert plan.cancels == ([] if kept else [KILL])
    assert [each.order.order_ref for each in plan.closings()] == (
        [] if kept else [kill_ref(Owner(2, "main"), "AAPL", 2)]
    )


def test_refs_that_were_used_are_not_used_again() -> None:
    earlier = [bought(), fill(KILL, "K", 10, side=Side.SELL), bought("2.main.AAPL.9.1", 5)]
    plan = KillPlan(look((), earlier), closing=True)
    taken = kill_ref(Owner(2, "main"), "AAPL", 2)
    refs = [[each.order.order_ref for each in plan.closings(found)] for found in ((), [(taken, "AAPL")])]
    assert refs[0] == [taken]
    assert refs[1] == [kill_ref(Owner(2, "main"), "AAPL", 3)]


def test_books_that_hold_against_each_other_are_closed_each_by_itself() -> None:
    short = bought("2.other.AAPL.7.1", 4, side=Side.SELL)
    plan = KillPlan(look((), [bought(), short]), closing=True)
    closings = {each.order.oca_group: (each.order.side, each.order.lots) for each in plan.closings()}
    assert closings == {"main/AAPL": (Side.SELL, 10), "other/AAPL": (Side.BUY, 4)}


def test_what_no_execution_explains_is_closed_under_a_book_of_its_own() -> None:
    found = look((), [bought(), bought("by hand", 3)], positions={"AAPL": 15, "KO": -2})
    assert held_by_books(found) == [
        Held("main", "AAPL", 10),
        Held(UNASSIGNED, "AAPL", 5),
        Held(UNASSIGNED, "KO", -2),
    ]


def test_a_corrected_execution_does_not_count_beside_its_correction() -> None:
    wrong = bought(lots=10)
    right = fill(ENTRY, "right", 7, corrects=wrong.exec_id)
    assert held_by_books(look((), [wrong, right], positions={"AAPL": 7})) == [Held("main", "AAPL", 7)]


def test_a_history_in_part_says_nothing_of_books_and_no_stop_is_lost_by_it() -> None:
    found = look([stop()], (), whole=False, positions={"AAPL": 10})
    plan = KillPlan(found, closing=True)
    assert ([each.order_ref for each in plan.kept], plan.cancels) == ([STOP], [])
    assert [(each.order.lots, each.order.side) for each in plan.closings()] == [(10, Side.SELL)]


def test_plain_orders_are_those_that_no_position_can_save() -> None:
    entry = reported("2.main.KO.8.1", symbol="KO")
    assert plain_orders([entry, stop(), closer()]) == [entry]


BOOKS = st.sampled_from(["main", "other"])


@given(
    st.lists(st.tuples(BOOKS, st.sampled_from(["AAPL", "KO"]), st.integers(-9, 9).filter(bool)), max_size=12)
)
def test_closing_orders_bring_every_book_and_the_account_to_nothing(
    trades: list[tuple[str, str, int]],
) -> None:
    """And once they have filled, a look finds nothing left to do."""
    done = [
        fill(f"1.{b}.{s}.{n}.1", f"x{n}", abs(lots), symbol=s, side=Side.BUY if lots > 0 else Side.SELL)
        for n, (b, s, lots) in enumerate(trades)
    ]
    orders = [each.order for each in KillPlan(look((), done), closing=True).closings()]
    done += [
        fill(each.order_ref, each.order_ref, each.lots, symbol=each.symbol, side=each.side) for each in orders
    ]
    after = look((), done)
    assert (after.positions, KillPlan(after, closing=True).closings()) == ((), [])
    assert len({each.order_ref for each in orders}) == len(orders)
