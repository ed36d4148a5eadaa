from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.broker import OrderType, Side, signed
from domain.execution_book import ExecutionBook
from domain.gateway_policy import GateView, audit_order, place_order, reduces_by_size, refusal
from domain.orders import OPEN_STATES
from domain.records import IntentKind, OrderState
from tests.unit.domain.gateway_bench import SETTINGS, approval, fill, intent

OPEN = GateView("", "", 1, 1, 0)
EXIT = IntentKind.EXIT


def holding(lots: int, *open_orders: Any) -> ExecutionBook:
    """Return a book that holds `lots` of AAPL and has `open_orders` at the venue."""
    book = ExecutionBook()
    for one in open_orders:
        book.send(one, OrderState.WORKING, 1, "")
    if lots:
        entry = intent(99, lots=abs(lots))
        book.send(entry, OrderState.SENT, 1, "")
        side = Side.BUY if lots > 0 else Side.SELL
        book.execute(fill(entry.intent_id, "H", abs(lots), side=side), 1)
    return book


def judged(view: GateView = OPEN, book: ExecutionBook | None = None, **changes: Any) -> str:
    epoch, expires = changes.pop("epoch", 1), changes.pop("expires", None)
    of = approval(intent(**changes), epoch=epoch, expires=expires)
    return refusal(of, view, book or ExecutionBook(), SETTINGS.limits)


def test_an_order_within_all_limits_passes() -> None:
    assert judged() == ""


@pytest.mark.parametrize(
    ("view", "changes", "why"),
    [
        (OPEN._replace(closed="not reconciled"), {}, "not reconciled"),
        (OPEN._replace(epoch=3), {"epoch": 2}, "approved in risk epoch 2, the newest is 3"),
        (OPEN._replace(epoch=3), {"epoch": 3}, ""),
        (OPEN._replace(bar=2), {"expires": 1}, "expired at bar 1, now 2"),
        (OPEN._replace(bar=2), {"expires": 2}, ""),
        (OPEN._replace(sent=4), {}, ""),
        (OPEN._replace(sent=5), {}, "more than 5 orders for one bar"),
        (OPEN, {"lots": 0}, "0 lots, allowed 1 to 1000"),
        (OPEN, {"lots": -1}, "-1 lots, allowed 1 to 1000"),
        (OPEN, {"lots": 1_000, "reference_price": 1.0}, ""),
        (OPEN, {"lots": 1_001, "reference_price": 1.0}, "1001 lots, allowed 1 to 1000"),
        (OPEN, {"lots": 100, "reference_price": 100.0}, ""),
        (OPEN, {"lots": 100, "reference_price": 100.01}, "value 10001.00"),
        (OPEN, {"reference_price": 0.0}, "reference price 0.0"),
        (OPEN, {"reference_price": -1.0}, "reference price -1.0"),
        (OPEN, {"reference_price": float("nan")}, "reference price nan"),
        (OPEN, {"reference_price": float("inf")}, "reference price inf"),
        (OPEN, {"symbol": "XYZ"}, "no instrument XYZ"),
        (OPEN, {"stop_loss_pct": 0.0}, "stop_loss_pct 0.0"),
        (OPEN, {"stop_loss_pct": 1.0}, "stop_loss_pct 1.0"),
        (OPEN, {"stop_loss_pct": float("nan")}, "stop_loss_pct nan"),
        (OPEN, {"kind": IntentKind.STOP}, "orders of kind stop are the venue's own"),
        (OPEN, {"kind": EXIT}, "an exit that does not shrink a position"),
        (OPEN._replace(no_increase="HALTED: why"), {}, "HALTED: why"),
    ],
)
def test_the_gateway_refuses_by_itself(view: GateView, changes: dict[str, Any], why: str) -> None:
    """A4, B2: each hard limit at, below and above; taking out any one check fails a row."""
    found = judged(view, **changes)
    assert found.startswith(why) if why else found == ""


@pytest.mark.parametrize(
    ("held", "open_exits", "side", "lots", "passes"),
    [
        (10, [], Side.SELL, 10, True),
        (10, [], Side.SELL, 9, True),
        (10, [], Side.SELL, 11, False),
        (10, [], Side.BUY, 1, False),
        (-10, [], Side.BUY, 10, True),
        (-10, [], Side.BUY, 11, False),
        (-10, [], Side.SELL, 1, False),
        (0, [], Side.SELL, 1, False),
        (10, [6], Side.SELL, 4, True),
        (10, [6], Side.SELL, 5, False),
        (10, [3, 3], Side.SELL, 4, True),
        (10, [3, 3], Side.SELL, 5, False),
    ],
)
@pytest.mark.parametrize("no_increase", ["", "HALTED: only orders that shrink a position may pass"])
def test_sell_beyond_position_is_denied_whatever_the_rung(
    no_increase: str, held: int, open_exits: list[int], side: Side, lots: int, passes: bool
) -> None:
    """B1: size decides, not side; all open exits together can at most close the position."""
    exits = [intent(n, kind=EXIT, lots=size) for n, size in enumerate(open_exits, start=50)]
    book = holding(held, *exits)
    assert (
        judged(OPEN._replace(no_increase=no_increase), book, kind=EXIT, side=side, lots=lots) == ""
    ) is passes


def test_an_open_entry_against_the_position_counts_like_an_exit() -> None:
    against = intent(50, side=Side.SELL, lots=6)
    assert reduces_by_size(intent(kind=EXIT, lots=4), holding(10, against))
    assert not reduces_by_size(intent(kind=EXIT, lots=5), holding(10, against))


def test_an_entry_never_counts_as_reducing() -> None:
    """B1: its attached stop would open exposure again."""
    assert not reduces_by_size(intent(side=Side.SELL, lots=5), holding(10))


def test_an_order_that_only_reduces_has_no_largest_value() -> None:
    """A4: order value limits never hold up an exit."""
    book = holding(1_000)
    assert judged(OPEN, book, kind=EXIT, lots=1_000, reference_price=500.0) == ""


def test_another_books_position_does_not_count() -> None:
    assert not reduces_by_size(intent(kind=EXIT, lots=1, book="other"), holding(10))


@given(st.integers(-20, 20), st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 20)), max_size=6))
def test_exits_that_pass_can_never_flip_a_position(held: int, wanted: list[tuple[Side, int]]) -> None:
    """B1, I5: whatever is asked, one after the other, all that passed together leaves the position's sign."""
    book = holding(held)
    for number, (side, lots) in enumerate(wanted):
        one = intent(number, kind=EXIT, side=side, lots=lots)
        if reduces_by_size(one, book):
            book.send(one, OrderState.SENT, 1, "")
    sent = [order for order in book.orders.values() if order.state in OPEN_STATES]
    assert held * (held + sum(signed(order.side, order.lots) for order in sent)) >= 0


@pytest.mark.parametrize(
    ("changes", "limit_price", "stop_pct"),
    [
        ({}, 0.0, 0.03),
        ({"order_type": OrderType.LIMIT}, 100.0, 0.03),
        ({"kind": EXIT, "stop_loss_pct": 0.03}, 0.0, 0.0),
    ],
)
def test_only_entries_bring_a_stop_and_only_limits_a_price(
    changes: dict[str, Any], limit_price: float, stop_pct: float
) -> None:
    command = place_order(intent(**changes), reduces=False)
    assert (command.limit_price, command.attached_stop_pct, command.stop_price) == (
        limit_price,
        stop_pct,
        0.0,
    )
    assert command.order_ref == "1.main.AAPL.1.1"
    assert command.oca_group == "main/AAPL"


def test_an_order_is_audited_with_what_it_was_refused_for() -> None:
    """C6."""
    event = audit_order(approval(intent()), "value too large")
    assert (event.key, event.decision) == ("main.AAPL.1.1", True)
    assert event.body["refused"] == "value too large"
    assert event.body["lots"] == 10
