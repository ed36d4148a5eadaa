"""Show that a venue killed at any point and sent the same inputs again ends as one never killed."""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from sqlalchemy import text

from domain.broker import (
    BrokerUpdate,
    CancelOrder,
    Downloaded,
    DownloadKind,
    OrderReported,
    OrderStatus,
    OrderType,
    PlaceOrder,
    RefusalCode,
    RequestDownload,
    Side,
    TimeInForce,
)
from domain.errors import DurabilityError, StateError
from domain.messages import BarsPublished
from simulation.venue.durable import DurableVenue
from simulation.venue.journal import FILE_NAME, VenueJournal
from simulation.venue.machine import VenueInput, VenueMachine
from storage.commit_group import REDO, CommitGroup
from tests.contract.venue_world import CASH, IB_FIXED, MINUTE, ask, bar, buy, group, settings, update_of

VENUE = settings(equity_fees=IB_FIXED, participation=0.2, leverage=2.0)
SYMBOLS = ("A", "B", "LONG")
FLAT = bar("A", 100.0, 100.0, 100.0, 100.0)


@st.composite
def candles(draw: st.DrawFn, symbol: str) -> Any:
    """Draw one bar around 100, on tick, with or without volume and dividend."""
    prices = sorted(draw(st.lists(st.integers(8000, 12000), min_size=4, max_size=4)))
    open_, close = draw(st.permutations(prices[1:3]))
    volume = draw(st.sampled_from([float("nan"), 0.0, 40.0, 400.0]))
    dividend = draw(st.sampled_from([0.0, 0.0, 0.0, 0.25]))
    return bar(symbol, open_ / 100, prices[3] / 100, prices[0] / 100, close / 100, volume, dividend)


@st.composite
def orders(draw: st.DrawFn) -> PlaceOrder:
    """Draw an order; refs repeat now and then."""
    price = draw(st.integers(8500, 11500)) / 100
    kind = draw(st.sampled_from(list(OrderType)))
    return PlaceOrder(
        order_ref=f"o{draw(st.integers(0, 25))}",
        symbol=draw(st.sampled_from(SYMBOLS)),
        side=draw(st.sampled_from(list(Side))),
        lots=draw(st.sampled_from([1, 7, 30, 200])),
        order_type=kind,
        time_in_force=draw(st.sampled_from(list(TimeInForce))),
        limit_price=price if kind is OrderType.LIMIT else 0.0,
        stop_price=price if kind is OrderType.STOP else 0.0,
        attached_stop_pct=draw(st.sampled_from([0.0, 0.03, 0.1])),
        oca_group=draw(st.sampled_from(["", "g", "h"])),
    )


@st.composite
def scripts(draw: st.DrawFn) -> list[VenueInput]:
    """Draw a session: bar groups in order, commands between them."""
    script: list[VenueInput] = []
    for index in range(draw(st.integers(2, 10))):
        present = draw(st.lists(st.sampled_from(SYMBOLS), unique=True))
        bars = [draw(candles(symbol)) for symbol in present]
        script.append(group(index, *bars, session=1 + index // 3))
        script += draw(st.lists(orders(), max_size=3))
        refs = draw(st.lists(st.integers(0, 25), max_size=1))
        script += [CancelOrder(order_ref=f"o{ref}") for ref in refs]
    return script


def everything(machine: VenueMachine | DurableVenue) -> list[Any]:
    """Return what the venue would tell who asks for all of it."""
    answers = []
    for number, kind in enumerate(DownloadKind):
        (answer,) = update_of(machine.handle(RequestDownload(request_id=number, kind=kind))).events
        answers.append(answer)
    return answers


@effort(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scripts(), st.data())
def test_killed_at_any_point_and_sent_the_same_again_it_ends_the_same(
    script: list[VenueInput], data: st.DataObject
) -> None:
    """The venue dies before, or after, an input's commit; the input is sent again: a command's ref shields it."""
    plain = VenueMachine(VENUE)
    for each in script:
        plain.handle(each)
    deaths = data.draw(st.sets(st.integers(0, len(script) - 1), max_size=4))
    with tempfile.TemporaryDirectory() as place:
        venue = DurableVenue(Path(place), VENUE)
        for number, each in enumerate(script):
            if number in deaths:
                if data.draw(st.booleans()):
                    venue.handle(each)
                venue.abandon()
                venue = DurableVenue(Path(place), VENUE)
            venue.handle(each)
        assert everything(venue) == everything(plain)
        venue.close()


@effort(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scripts())
def test_grouped_commits_close_to_the_same_journal(script: list[VenueInput]) -> None:
    plain = VenueMachine(VENUE)
    with tempfile.TemporaryDirectory() as place:
        group = CommitGroup(Path(place) / REDO)
        with DurableVenue(Path(place), VENUE, group) as venue:
            for n, each in enumerate(script):
                assert update_of(venue.handle(each)) == update_of(plain.handle(each))
                if n % 5 == 4:
                    group.commit()
        with DurableVenue(Path(place), VENUE) as again:
            assert everything(again) == everything(plain)
            assert again.state() == plain.state()


@effort(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scripts())
def test_positions_and_cash_are_the_sum_of_what_was_reported(script: list[VenueInput]) -> None:
    """I1: one order per ref. I2, I3: executions unique, their sum is the position; cash follows from them."""
    machine = VenueMachine(VENUE)
    updates = [update_of(machine.handle(each)) for each in script]
    found = {answer.kind: answer for answer in everything(machine)}
    executions = found[DownloadKind.EXECUTIONS].executions
    dividends = found[DownloadKind.EXECUTIONS].dividends
    reported = [event for update in updates for event in update.events]
    assert [e for e in reported if e in executions] == list(executions)
    assert len({e.exec_id for e in executions}) == len(executions)
    assert len({d.payment_id for d in dividends}) == len(dividends)
    lots: Counter[str] = Counter()
    cash = CASH + sum(d.amount_micro for d in dividends)
    for e in executions:
        sign = 1 if e.side is Side.BUY else -1
        lots[e.symbol] += sign * e.lots
        cash -= sign * round(e.price * e.lots * 1e6) + e.commission_micro
    positions = found[DownloadKind.POSITIONS]
    assert dict(positions.positions) == {symbol: n for symbol, n in lots.items() if n}
    assert abs(positions.cash_micro - cash) <= len(executions)
    assert dict(positions.positions).get("LONG", 0) >= 0
    _check_orders(found, executions)


def _check_orders(found: dict[DownloadKind, Downloaded], executions: tuple[Any, ...]) -> None:
    """See each order once, filled by just its executions, never beyond its lots, protected while it fills."""
    orders = (*found[DownloadKind.OPEN_ORDERS].orders, *found[DownloadKind.COMPLETED_ORDERS].orders)
    by_ref = {order.order_ref: order for order in orders}
    assert len(by_ref) == len(orders)
    filled: Counter[str] = Counter()
    for e in executions:
        filled[e.order_ref] += e.lots
    for order in orders:
        assert order.filled_lots == filled[order.order_ref]
        assert 0 <= order.filled_lots <= order.lots
        assert (order.status is OrderStatus.FILLED) == (
            order.filled_lots == order.lots > 0
        ) or order.text == "oca"
    for order in found[DownloadKind.OPEN_ORDERS].orders:
        child = by_ref.get(order.order_ref + ".stop")
        assert child is None or child.status is OrderStatus.WORKING


@effort(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scripts())
def test_every_input_is_answered_by_one_update(script: list[VenueInput]) -> None:
    machine = VenueMachine(VENUE)
    for each in script:
        update = update_of(machine.handle(each))
        assert isinstance(update, BrokerUpdate)
        assert update.advanced == (each.group.index if isinstance(each, BarsPublished) else -1)


def test_an_answer_leaves_only_after_its_commit(tmp_path: Path) -> None:
    """What an update told is in the file, seen by another connection, before the next input."""
    venue = DurableVenue(tmp_path, VENUE)
    venue.handle(group(0, FLAT))
    venue.handle(buy("o", "A", 5))
    venue.handle(group(1, FLAT))
    with sqlite3.connect(tmp_path / FILE_NAME) as other:
        assert other.execute("select order_ref, status from orders").fetchall() == [("o", "filled")]
        assert other.execute("select order_ref, lots from executions").fetchall() == [("o", 5)]
    other.close()
    venue.abandon()


def test_a_quiet_group_outlives_its_process(tmp_path: Path) -> None:
    venue = DurableVenue(tmp_path, VENUE)
    for index in range(3):
        venue.handle(group(index, FLAT))
    venue.abandon()
    with DurableVenue(tmp_path, VENUE) as again:
        assert (again.group, again.now_ns) == (2, 3 * MINUTE)
        report = update_of(again.handle(buy("o", "A", 10**9))).events[0]
        assert isinstance(report, OrderReported)
        assert report.code is RefusalCode.BUYING_POWER


def test_only_what_moves_orders_or_money_waits_for_the_disk(tmp_path: Path) -> None:
    with DurableVenue(tmp_path, VENUE) as venue:
        journal = venue._journal
        found = []
        for each in (group(0, FLAT), buy("o", "A", 5), group(1, FLAT), group(2, FLAT)):
            venue.handle(each)
            found.append(journal._connection.execute(text("PRAGMA synchronous")).scalar_one())
            journal._connection.rollback()
    normal, full = 1, 2
    assert found == [normal, full, full, normal]


def test_a_group_of_commits_is_lost_as_one(tmp_path: Path) -> None:
    together = CommitGroup(tmp_path / REDO)
    venue = DurableVenue(tmp_path, VENUE, together)
    ask_all(venue, group(0, FLAT), buy("1", "A", 5), group(1, FLAT))
    together.commit()
    ask_all(venue, buy("2", "A", 5), group(2, FLAT))
    venue.abandon()
    with DurableVenue(tmp_path, VENUE) as again:
        assert (again.group, again.state()["orders"]) == (1, 1)


def test_a_failed_write_stops_everything_after_it(tmp_path: Path) -> None:
    """Nothing is answered and nothing is retried; the journal stays as it was."""
    venue = DurableVenue(tmp_path, VENUE)
    venue.handle(group(0, FLAT))
    thief = sqlite3.connect(tmp_path / FILE_NAME)
    thief.execute("drop table orders")
    thief.commit()
    for command in (buy("1", "A", 5), buy("2", "A", 5)):
        with pytest.raises(DurabilityError, match=FILE_NAME):
            venue.handle(command)
    venue.close()
    assert thief.execute("select count(*) from executions").fetchone() == (0,)
    with pytest.raises(sqlite3.OperationalError):
        thief.execute("select count(*) from orders")
    thief.close()


def test_connections_count_on_in_the_journals_life(tmp_path: Path) -> None:
    for expected in (1, 3):
        venue = DurableVenue(tmp_path, VENUE)
        assert [venue.connect(), venue.connect()] == [expected, expected + 1]
        venue.abandon()


@pytest.mark.parametrize(
    "content",
    [b"not a database, but long enough to look like one" * 40, b"SQLite format 3\x00" + b"x" * 9000],
)
def test_a_corrupt_journal_is_refused_with_its_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(StateError, match=FILE_NAME):
        DurableVenue(tmp_path, VENUE)


def test_a_journal_with_a_strange_order_is_refused(tmp_path: Path) -> None:
    with DurableVenue(tmp_path, VENUE) as venue:
        ask_all(venue, group(0, FLAT), buy("o", "A", 5))
    with sqlite3.connect(tmp_path / FILE_NAME) as other:
        other.execute("update orders set status = 'lost'")
    other.close()
    with pytest.raises(StateError, match="lost"):
        DurableVenue(tmp_path, VENUE)


def test_a_journal_of_another_account_is_refused(tmp_path: Path) -> None:
    VenueJournal(tmp_path, VENUE).close()
    with pytest.raises(StateError, match=r"deposit_micro 100000000000 \(now 5\)"):
        VenueJournal(tmp_path, settings(cash_micro=5))


def ask_all(venue: DurableVenue, *inputs: VenueInput) -> None:
    for each in inputs:
        venue.handle(each)


def test_the_machine_alone_answers_the_same(tmp_path: Path) -> None:
    machine = VenueMachine(VENUE)
    with DurableVenue(tmp_path, VENUE) as venue:
        for each in (group(0, FLAT), buy("o", "A", 5), group(1, FLAT)):
            assert update_of(venue.handle(each)) == ask(machine, each)
