from __future__ import annotations

import math
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import DurabilityError, InvariantViolation, StateError
from domain.outbox import AuditEvent
from domain.ports import Journal
from domain.records import EquitySnapshot, MachineSnapshot, OrderState, Record
from simulation.chaos.journals import MemoryJournal as ChaosJournal
from storage.commit_group import REDO, CommitGroup
from storage.engine import sqlite_url
from storage.journal import LET_GO_EVERY, SqlJournal
from storage.journal_reader import JournalReader
from storage.tables import equity as equity_table
from storage.tables import outbox
from tests.contract.journal_contract import JournalContract
from tests.fakes.memory_journal import MemoryJournal
from tests.fakes.records import dividend, equity, event, execution, halt, order

ROLE = "gateway"


class TestSqlJournal(JournalContract):
    @pytest.fixture
    def journal(self, tmp_path: Path) -> Iterator[Journal]:
        journal = SqlJournal(sqlite_url(tmp_path / "gateway.db"), ROLE)
        yield journal
        journal.close()


class TestGroupedSqlJournal(JournalContract):
    @pytest.fixture
    def journal(self, tmp_path: Path) -> Iterator[Journal]:
        journal = SqlJournal(sqlite_url(tmp_path / "gateway.db"), ROLE, group=CommitGroup(tmp_path / REDO))
        yield journal
        journal.close()


class TestChaosJournal(JournalContract):
    """The journal that a fault search keeps in memory."""

    @pytest.fixture
    def journal(self) -> ChaosJournal:
        return ChaosJournal()


class TestMemoryJournal(JournalContract):
    @pytest.fixture
    def journal(self) -> Journal:
        return MemoryJournal()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return sqlite_url(tmp_path / "gateway.db")


EVERYTHING: list[Record] = [
    order(1, stop_price=150.125, state=OrderState.PARTIALLY_FILLED, text='line\n"quoted" é \x00'),
    execution(2, "e1"),
    dividend(3, "p1"),
    halt(1),
    equity(7),
    event(1),
    MachineSnapshot(name="risk", bar=7, at_ns=7, values={"peak": 101_000.5, "none": None}),
]


def test_every_field_of_every_record_survives_closing(url: str) -> None:
    journal = SqlJournal(url, ROLE)
    journal.append(EVERYTHING)
    journal.close()
    reader = JournalReader.open(url, ROLE)
    read = [
        *reader.entries(0, 9),
        *reader.halts(),
        *reader.equity(),
        *reader.outbox(0, 9),
        reader.snapshot("risk"),
    ]
    reader.close()
    assert read == EVERYTHING


def test_numbers_go_on_after_reopening_although_all_events_were_let_go(url: str) -> None:
    journal = SqlJournal(url, ROLE)
    journal.append([event(n) for n in range(LET_GO_EVERY + 5)])
    journal.acknowledge(LET_GO_EVERY + 5)
    journal.close()
    journal = SqlJournal(url, ROLE)
    assert journal.append([event(1)]) == (LET_GO_EVERY + 6, LET_GO_EVERY + 6)
    with pytest.raises(StateError, match="the trail was replaced"):
        journal.outbox(0, 10)
    journal.close()


def test_a_known_execution_is_refused_after_reopening(url: str) -> None:
    journal = SqlJournal(url, ROLE)
    journal.append([execution(1, "e1"), halt(3)])
    journal.close()
    journal = SqlJournal(url, ROLE)
    with pytest.raises(InvariantViolation, match="twice"):
        journal.append([execution(2, "e1")])
    with pytest.raises(InvariantViolation, match="version"):
        journal.append([halt(3)])
    journal.close()


@pytest.fixture
def group(tmp_path: Path) -> Iterator[CommitGroup]:
    group = CommitGroup(tmp_path / REDO)
    yield group
    group.close()


def test_a_group_is_not_on_disk_before_its_commit_and_is_after_flush(url: str, group: CommitGroup) -> None:
    journal = SqlJournal(url, ROLE, group=group)
    journal.append([order(1), event(1)])
    journal.append([order(2, "b"), event(2)])
    reader = JournalReader.open(url, ROLE)
    assert reader.head() == 0
    assert [entry.seq for entry in journal.entries(0, 10)] == [1, 2]
    assert journal.outbox(1, 10) == (2, [event(2)])
    assert reader.head() == 0, "reading the tail alone commits nothing"
    journal.append([order(3)])
    group.commit()
    assert reader.head() == 3
    journal.append([order(4)])
    assert [entry.seq for entry in journal.entries(0, 10)] == [2, 4]
    journal.flush()
    assert reader.head() == 4
    reader.close()
    journal.close()


def test_a_full_disk_ends_the_journal_and_what_was_committed_stays(url: str) -> None:
    """Reliability: no order after the first failed durable write, and never a retry."""
    journal = SqlJournal(url, ROLE)
    journal.append([order(1), event(1)])
    journal._connection.exec_driver_sql("PRAGMA max_page_count=1")
    journal._connection.rollback()
    with pytest.raises(DurabilityError, match="full"):
        journal.append([event(n, filler="x" * 4_000) for n in range(2, 200)])
    journal._connection.exec_driver_sql("PRAGMA max_page_count=100000")
    journal._connection.rollback()
    with pytest.raises(DurabilityError, match="takes nothing more"):
        journal.append([event(2)])
    with pytest.raises(DurabilityError):
        journal.flush()
    journal.close()
    journal = SqlJournal(url, ROLE)
    assert [entry.seq for entry in journal.entries(0, 10)] == [1]
    assert journal.outbox(0, 10) == (1, [event(1)])
    journal.close()


def test_a_bad_bars_nan_is_spelled_out_and_numpy_numbers_are_plain(url: str) -> None:
    journal = SqlJournal(url, ROLE)
    journal.append(
        [event(1, close=math.nan, high=[math.inf], lots=np.int64(3)), event(2, low=np.float64(1.5))]
    )
    journal.close()
    journal = SqlJournal(url, ROLE)
    _, (first, second) = journal.outbox(0, 10)
    assert first.body == {"n": 1, "close": "nan", "high": ["inf"], "lots": 3}
    assert second.body == {"n": 2, "low": 1.5}
    journal.close()


def test_a_body_that_is_no_json_is_refused_before_anything_is_taken(url: str, group: CommitGroup) -> None:
    journal = SqlJournal(url, ROLE, group=group)
    with pytest.raises(InvariantViolation, match="object"):
        journal.append([order(1), event(1, thing=object())])
    assert journal.append([order(1), event(1)]) == (1, 1)
    journal.close()


def test_a_file_of_a_later_session_is_refused(url: str) -> None:
    SqlJournal(url, ROLE, session=3).close()
    SqlJournal(url, ROLE, session=3).close()
    with pytest.raises(StateError, match="session 3, later than this session 2"):
        SqlJournal(url, ROLE, session=2)
    SqlJournal(url, ROLE, session=4).close()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["order", "execution", "dividend", "event", "reopen", "acknowledge"]),
        st.integers(0, 3),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, gathers=st.booleans())
def test_a_journal_that_is_reopened_at_random_equals_one_in_memory(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], gathers: bool
) -> None:
    place = tmp_path_factory.mktemp("journal")
    url, group = sqlite_url(place / "gateway.db"), CommitGroup(place / REDO) if gathers else None
    durable, memory = SqlJournal(url, ROLE, group=group), MemoryJournal()
    seq = events = acknowledged = 0
    for kind, number in steps:
        if kind == "reopen":
            durable.close()
            durable = SqlJournal(url, ROLE, group=group)
        elif kind == "acknowledge":
            acknowledged = events
            durable.acknowledge(events)
        else:
            batch = [_make(kind, seq + n) for n in range(1, number + 1)]
            assert durable.append(batch) == memory.append(batch)
            seq, events = (seq, events + number) if kind == "event" else (seq + number, events)
            assert list(durable.entries(seq // 2, 7)) == list(memory.entries(seq // 2, 7))
    assert list(durable.entries(0, 1_000)) == list(memory.entries(0, 1_000))
    assert list(durable.orders()) == list(memory.orders())
    assert durable.outbox(acknowledged, 50) == memory.outbox(acknowledged, 50)
    durable.close()


def _make(kind: str, seq: int) -> Record:
    match kind:
        case "order":
            return order(seq, f"o{seq % 3}")
        case "execution":
            return execution(seq, f"e{seq}")
        case "dividend":
            return dividend(seq, f"p{seq}")
        case _:
            return event(seq)


def test_a_log_cut_at_any_byte_opens_with_a_whole_prefix(tmp_path: Path) -> None:
    """Reliability: journal cut at every byte of its tail."""
    source = tmp_path / "source"
    source.mkdir()
    url = sqlite_url(source / "gateway.db")
    SqlJournal(url, ROLE).close()
    journal = SqlJournal(url, ROLE)
    log = source / "gateway.db-wal"
    sizes = []
    for n in range(1, 6):
        journal.append([order(n, f"o{n}"), event(n)])
        sizes.append(log.stat().st_size)
    whole, database = log.read_bytes(), (source / "gateway.db").read_bytes()
    journal.close()
    cuts = sorted(
        {
            *range(0, len(whole), 397),
            *sizes,
            *(size - 1 for size in sizes),
            *(size + 1 for size in sizes[:-1]),
        }
    )
    for cut in cuts:
        target = tmp_path / "cut"
        target.mkdir()
        (target / "gateway.db").write_bytes(database)
        (target / "gateway.db-wal").write_bytes(whole[:cut])
        reopened = SqlJournal(sqlite_url(target / "gateway.db"), ROLE)
        committed = sum(1 for size in sizes if size <= cut)
        assert [entry.seq for entry in reopened.entries(0, 99)] == list(range(1, committed + 1)), cut
        assert len(reopened.outbox(0, 99)[1]) == committed, cut
        reopened.append([order(committed + 1, "next")])
        reopened.close()
        shutil.rmtree(target)


def test_commits_are_written_through_to_the_disk(url: str) -> None:
    journal = SqlJournal(url, ROLE)
    assert journal._connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    assert journal._connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    journal.close()


def test_a_second_writer_of_a_locked_file_fails_as_a_durability_error(url: str, tmp_path: Path) -> None:
    journal = SqlJournal(url, ROLE)
    journal._connection.exec_driver_sql("PRAGMA busy_timeout=10")
    journal._connection.rollback()
    other = sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DurabilityError, match="locked"):
        journal.append([event(1)])
    other.close()
    journal.close()


def snapshot(bar: int, **values: object) -> MachineSnapshot:
    """Return a snapshot of the risk manager at `bar`."""
    return MachineSnapshot(name="risk", bar=bar, at_ns=bar, values=values)


def test_of_snapshots_that_gather_the_newest_is_committed(url: str, group: CommitGroup) -> None:
    journal = SqlJournal(url, ROLE, group=group)
    for bar in range(1, 6):
        journal.append([event(bar), snapshot(bar, equity=1000.5 + bar)])
    journal.close()
    journal = SqlJournal(url, ROLE)
    assert journal.snapshot("risk") == snapshot(5, equity=1005.5)
    journal.close()


def test_a_snapshot_that_is_no_json_is_refused_before_anything_is_taken(url: str) -> None:
    journal = SqlJournal(url, ROLE)
    with pytest.raises(InvariantViolation, match="machine snapshot"):
        journal.append([order(1), event(1), snapshot(1, thing=object())])
    assert journal.append([order(1), event(1), snapshot(1, thing=1)]) == (1, 1)
    journal.close()


def test_what_is_made_at_every_bar_has_its_tables_columns_in_their_order() -> None:
    """Their rows are bound by place, not by name."""
    assert EquitySnapshot._fields == tuple(equity_table.columns.keys())
    assert ("seq", *AuditEvent._fields) == tuple(outbox.columns.keys())
