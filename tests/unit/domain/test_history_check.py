"""A journal that differs from the venue's history halts, whatever was edited in it (I2, I3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from domain.broker import Executed, OrderStatus
from domain.execution_book import ExecutionBook
from domain.history_check import orders_not_ours
from domain.outbox import AuditEvent, AuditKind
from domain.records import ExecutionEntry, HaltTrigger, JournalEntry, OrderEntry, OrderState, Record, Rung
from tests.unit.domain.gateway_bench import Bench, FakeVenue, approved, fill, intent, lost, reported, update

REF = "1.main.AAPL.1.1"


class WholeVenue(FakeVenue):
    """Tell executions back to the account's first, as a simulated venue does."""

    def download(self, request):  # type: ignore[no-untyped-def]
        return replace(super().download(request), whole=True)


def traded(venue: FakeVenue) -> Bench:
    """Return a gateway whose one entry of 10 lots was filled in two executions."""
    bench = Bench()
    bench.open(1, venue)
    bench.give(approved(intent()))
    venue.take(bench.wires.pop())
    venue.fill(REF, 4)
    venue.fill(REF, 6)
    for said in venue.said:
        bench.give(said)
    assert bench.order(REF).state is OrderState.FILLED
    return bench


def resume_edited(bench: Bench, venue: FakeVenue, edit: Callable[[Record], Record | None]) -> None:
    """Let the gateway go on from a journal in which each record is what `edit` makes of it (None: deleted)."""
    kept: list[Record] = []
    seq = 0
    for record in (edited for one in bench.journal.records if (edited := edit(one)) is not None):
        match record:  # the fake journal holds to rising numbers without gaps
            case OrderEntry():
                seq += 1
                kept.append(record._replace(seq=seq))
            case ExecutionEntry():
                seq += 1
                kept.append(replace(record, seq=seq))
            case _:
                kept.append(record)
    bench.journal.records = kept
    bench.restart()
    bench.told = bench.book.seq
    bench.open(2, venue)


def halted_for(bench: Bench, words: str) -> bool:
    return [halt.trigger for halt in bench.halts] == [HaltTrigger.TECHNICAL_FAILURE] and (
        words in bench.halts[0].detail and bench.rung is Rung.HALTED
    )


def execution_edited(**changes: object) -> Callable[[Record], Record | None]:
    def edit(record: Record) -> Record | None:
        if isinstance(record, ExecutionEntry) and record.execution.exec_id == "E0000":
            return replace(record, execution=replace(record.execution, **changes))  # type: ignore[arg-type]
        return record

    return edit


@pytest.mark.parametrize(
    "changes", [{"lots": 5}, {"price": 99.0}, {"commission_micro": 7}, {"symbol": "KO"}, {"corrects": "E9"}]
)
def test_an_execution_that_the_venue_tells_otherwise_halts(changes: dict[str, object]) -> None:
    venue = FakeVenue()
    bench = traded(venue)
    resume_edited(bench, venue, execution_edited(**changes))
    assert halted_for(bench, "executions that the venue tells otherwise: E0000: ")
    found = [r for r in bench.journal.records if isinstance(r, AuditEvent) and r.body.get("history")]
    assert [event.kind for event in found] == [AuditKind.RECONCILIATION]


def test_a_deleted_execution_is_booked_again_once_and_halts() -> None:
    """An order of 10 lots is never filled to 14."""
    venue = FakeVenue()
    bench = traded(venue)

    def edit(record: Record) -> Record | None:
        gone = isinstance(record, ExecutionEntry) and record.execution.exec_id == "E0000"
        return None if gone else record

    resume_edited(bench, venue, edit)
    assert halted_for(bench, f"{REF} (filled 10 of 10, executed 6)")
    assert bench.order(REF).filled_lots == 10
    assert bench.book.account_positions() == {"AAPL": 10}


def test_orders_deleted_from_the_journal_halt() -> None:
    venue = FakeVenue()
    bench = traded(venue)
    resume_edited(bench, venue, lambda record: None if isinstance(record, OrderEntry) else record)
    assert halted_for(bench, f"orders of this session that the journal lacks: {REF}")


@pytest.mark.parametrize(("venue", "halts"), [(WholeVenue(), True), (FakeVenue(), False)])
def test_a_booked_execution_is_missed_only_in_a_whole_history(venue: FakeVenue, halts: bool) -> None:
    """A broker that tells the day's executions only has forgotten nothing."""
    bench = traded(venue)
    venue.executions, forgotten = [], venue.executions
    bench.give(lost())
    venue.positions = lambda: {"AAPL": 10}  # type: ignore[method-assign]
    cash = venue.deposit_micro - sum(round(done.price * done.lots * 1e6) for done in forgotten)
    venue.cash_micro = lambda: cash  # type: ignore[method-assign]
    bench.open(2, venue)
    assert halted_for(bench, "the venue does not know: E0000; E0001") is halts
    assert bool(bench.halts) is halts


def test_an_untouched_journal_halts_nothing() -> None:
    venue = WholeVenue()
    bench = traded(venue)
    venue.correct(0, 3)
    bench.give(venue.said[-1])
    resume_edited(bench, venue, lambda record: record)
    assert bench.halts == []
    assert bench.book.account_positions() == {"AAPL": 9}


@pytest.mark.parametrize(
    ("ref", "ours"), [("1.main.KO.3.1", True), ("11.main.KO.3.1", False), ("by hand", False)]
)
def test_only_refs_of_this_session_are_ours(ref: str, ours: bool) -> None:
    found = orders_not_ours(ExecutionBook(), [reported(ref, OrderStatus.FILLED)], session=1)
    assert bool(found) is ours


def test_many_differences_are_counted_not_all_named() -> None:
    reports = [reported(f"1.main.KO.{bar}.1") for bar in range(8)]
    (text,) = orders_not_ours(ExecutionBook(), reports, session=1)
    assert text.endswith("and 3 more")


# --- at which bar -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["live", "download", "restart"])
def test_a_fill_belongs_to_the_bar_that_the_venue_names_whenever_it_is_learnt(how: str) -> None:
    """The digest of a killed run is that of one never killed, whatever the moment of the kill."""
    venue = FakeVenue()
    bench = Bench()
    bench.open(1, venue)
    bench.give(approved(intent()))
    venue.take(bench.wires.pop())
    venue.fill(REF, 10)
    venue.executions = [replace(done, bar=7) for done in venue.executions]
    venue.orders = {ref: replace(order, bar=7) for ref, order in venue.orders.items()}
    if how == "live":
        bench.give(update(*venue.executions, *venue.orders.values()))
    bench.give(update(advanced=9))
    if how == "download":
        bench.give(lost())
        bench.open(2, venue)
    if how == "restart":
        bench.restart()
        bench.open(2, venue)
    booked: list[JournalEntry] = [entry for entry in bench.entries() if isinstance(entry, ExecutionEntry)]
    assert [entry.bar for entry in booked if isinstance(entry, ExecutionEntry)] == [7]
    assert bench.order(f"{REF}.stop").bar == 7
    events = [r for r in bench.journal.records if isinstance(r, AuditEvent)]
    told = (AuditKind.EXECUTION, AuditKind.ORDER_STATE)
    assert {event.bar for event in events if event.kind in told} == {7}


def test_a_fill_of_a_venue_without_bars_belongs_to_the_bar_at_which_it_is_learnt() -> None:
    bench = Bench()
    bench.open()
    bench.give(approved(intent(bar=3), bar=3))
    done: Executed = fill("1.main.AAPL.3.1", "E1")
    bench.give(update(done))
    (entry,) = [entry for entry in bench.entries() if isinstance(entry, ExecutionEntry)]
    assert entry.bar == 3
