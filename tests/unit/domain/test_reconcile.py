from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.broker import (
    Downloaded,
    DownloadKind,
    Executed,
    OrderReported,
    OrderStatus,
    RequestDownload,
    Side,
    VenuePosition,
)
from domain.cash_book import CashTerms
from domain.execution_book import ExecutionBook
from domain.orders import OrderEvent
from domain.outputs import Output, Wire
from domain.reconcile import Reconciliation
from domain.records import OrderEntry, OrderState
from tests.unit.domain.gateway_bench import fill, intent, reported

REF = "1.main.AAPL.1.1"
CASH = CashTerms("USD", tolerance_micro=0)


def requests(outputs: list[Output]) -> list[RequestDownload]:
    commands = [output.command for output in outputs if isinstance(output, Wire)]
    return [command for command in commands if isinstance(command, RequestDownload)]


def answer(
    request: RequestDownload, *, orders: tuple[OrderReported, ...] = (), lots: dict[str, int] | None = None
) -> Downloaded:
    kind = request.kind
    return Downloaded(
        at_ns=0,
        request_id=request.request_id,
        kind=kind,
        positions=tuple(VenuePosition(symbol, n) for symbol, n in (lots or {}).items()),
        orders=orders if kind is DownloadKind.OPEN_ORDERS else (),
        executions=(),
        dividends=(),
        cash_micro=0,
    )


def complete(
    reconciliation: Reconciliation,
    *,
    confirming: bool = False,
    orders: tuple[OrderReported, ...] = (),
    lots: dict[str, int] | None = None,
    executions: tuple[Executed, ...] = (),
) -> None:
    for request in requests(reconciliation.begin(confirming=confirming)):
        found = answer(request, orders=orders, lots=lots)
        if request.kind is DownloadKind.EXECUTIONS:
            found = replace(found, executions=executions)
        reconciliation.take(found)


def open_order(state: OrderState, connection: int = 1) -> dict[str, OrderEntry]:
    book = ExecutionBook()
    book.send(intent(), state, connection, "")
    return dict(book.orders)


def test_all_four_kinds_are_asked_for_with_ids_of_their_own() -> None:
    reconciliation = Reconciliation(1, [])
    first, second = requests(reconciliation.begin()), requests(reconciliation.begin())
    kinds = [one.kind for one in first]
    assert sorted(kinds) == sorted(DownloadKind)
    assert kinds[-1] is DownloadKind.POSITIONS, (
        "fills that arrive meanwhile are in the answer and in the book"
    )
    assert kinds == [one.kind for one in second]
    assert len({one.request_id for one in (*first, *second)}) == 8


@given(st.permutations(range(4)))
def test_it_is_complete_with_the_last_answer_in_any_order(order: list[int]) -> None:
    reconciliation = Reconciliation(1, [])
    asked = requests(reconciliation.begin())
    assert [reconciliation.take(answer(asked[n])) for n in order] == [False, False, False, True]


@pytest.mark.parametrize("how", ["older", "abandoned", "another kind", "unknown id"])
def test_answers_that_were_not_asked_for_are_ignored(how: str) -> None:
    reconciliation = Reconciliation(1, [])
    asked = requests(reconciliation.begin())
    answers = [answer(one) for one in asked]
    match how:
        case "older":
            reconciliation.begin()
        case "abandoned":
            reconciliation.abandon()
        case "another kind":
            kinds = [asked[n - 1].kind for n in range(4)]
            answers = [
                answer(RequestDownload(request_id=one.request_id, kind=kind))
                for one, kind in zip(asked, kinds, strict=True)
            ]
        case _:
            answers = [answer(RequestDownload(request_id=99, kind=one.kind)) for one in asked]
    assert [reconciliation.take(one) for one in answers] == [False] * 4


@pytest.mark.parametrize(
    ("confirming", "state", "connection", "outcome"),
    [
        (False, OrderState.UNKNOWN, 1, "first"),
        (True, OrderState.UNKNOWN, 1, "confirmed"),
        (True, OrderState.WORKING, 1, "first"),
        (True, OrderState.UNKNOWN, 2, "not absent"),
        (True, OrderState.FILLED, 1, "not absent"),
    ],
)
def test_an_order_is_given_up_by_the_rule_alone(
    confirming: bool, state: OrderState, connection: int, outcome: str
) -> None:
    """Absent from two complete downloads an interval apart, on a connection opened after the sending one."""
    reconciliation = Reconciliation(1, [])
    complete(reconciliation)
    assert reconciliation.absent(open_order(OrderState.SENT), 2) == ([REF], [])
    complete(reconciliation, confirming=confirming)
    first, confirmed = reconciliation.absent(open_order(state, connection), 2)
    assert (first, confirmed) == (
        [REF] if outcome == "first" else [],
        [REF] if outcome == "confirmed" else [],
    )


def test_an_order_named_in_between_is_not_given_up() -> None:
    reconciliation = Reconciliation(1, [])
    unknown = open_order(OrderState.UNKNOWN)
    complete(reconciliation)
    reconciliation.absent(unknown, 2)
    complete(reconciliation, orders=(reported(REF),))
    assert reconciliation.absent(unknown, 2) == ([], [])
    complete(reconciliation, confirming=True)
    assert reconciliation.absent(unknown, 2) == ([REF], [])


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ({}, {}, {}),
        ({"AAPL": 10}, {"AAPL": 10}, {}),
        ({"AAPL": 10}, {}, {"AAPL": (10, 0)}),
        ({}, {"KO": -5}, {"KO": (0, -5)}),
        ({"AAPL": 10, "KO": 1}, {"AAPL": 9, "KO": 1}, {"AAPL": (10, 9)}),
    ],
)
def test_positions_that_differ_are_named_with_both_sides(
    ours: dict[str, int], theirs: dict[str, int], expected: dict[str, tuple[int, int]]
) -> None:
    reconciliation = Reconciliation(1, [])
    complete(reconciliation, lots=theirs)
    assert reconciliation.position_mismatches(ours) == expected


def test_what_is_found_is_marked_audited_and_reported() -> None:
    book = ExecutionBook()
    book.send(intent(), OrderState.SENT, 1, "")
    book.execute(fill("by.hand", "E1", 2), 1)
    reconciliation = Reconciliation(1, [])
    complete(reconciliation)
    findings = reconciliation.settle(book, 5, 3, 2, CASH)
    assert findings.recheck
    assert findings.faults == ["AAPL: ours 2 lots, venue 0"]
    assert [event.body["absent"] for event in findings.events] == [[REF]]
    assert book.orders[REF].state is OrderState.UNKNOWN
    complete(reconciliation, confirming=True, lots={"AAPL": 2})
    findings = reconciliation.settle(book, 6, 3, 2, CASH)
    assert (findings.recheck, findings.faults) == (False, [])
    assert book.orders[REF].state is OrderState.NEVER_ARRIVED


def test_a_stop_is_taken_in_before_its_executions_whatever_the_venue_calls_it() -> None:
    """I3: its fill would land unassigned, and the position it closed would be sold again."""
    book = ExecutionBook()
    book.send(intent(), OrderState.SENT, 1, "")
    stop = reported("S-77", OrderStatus.FILLED, parent_ref=REF, side=Side.SELL, filled_lots=10)
    done = (fill(REF, "E1"), fill("S-77", "E2", side=Side.SELL))
    reconciliation = Reconciliation(1, [])
    complete(
        reconciliation, orders=(reported(REF, OrderStatus.FILLED, filled_lots=10), stop), executions=done
    )
    assert reconciliation.settle(book, 5, 3, 2, CASH).faults == []
    assert dict(book.positions) == {("main", "AAPL"): 0}
    assert book.orders["S-77"].state is OrderState.FILLED


def test_an_order_told_filled_has_ended_once_all_executions_are_downloaded() -> None:
    """A correction took lots off: what is missing never comes, and no bar may wait for it."""
    book = ExecutionBook()
    book.send(intent(), OrderState.UNKNOWN, 1, "")
    told = reported(REF, OrderStatus.FILLED, filled_lots=10)
    reconciliation = Reconciliation(1, [])
    complete(reconciliation, orders=(told,), executions=(fill(REF, "E1", 4),), lots={"AAPL": 4})
    assert not reconciliation.settle(book, 5, 3, 2, CASH).recheck
    assert (book.orders[REF].state, book.orders[REF].filled_lots) == (OrderState.FILLED, 4)


def test_a_given_up_order_stays_given_up_without_further_word() -> None:
    book = ExecutionBook()
    book.send(intent(), OrderState.UNKNOWN, 1, "")
    book.mark(REF, OrderEvent.ABSENT_TWICE)
    reconciliation = Reconciliation(1, [])
    complete(reconciliation)
    assert not reconciliation.settle(book, 5, 3, 2, CASH).recheck
