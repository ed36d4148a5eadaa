"""Measure an order's commit before the wire against a bare fsynced insert, side by side; and a grouped record.

Floor: the commit's 99th percentile is at most 2 times the bare insert's (both on this disk, in turns).
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from pathlib import Path
from time import perf_counter_ns, process_time_ns

from benchmarks.report import Bound, Figure, report
from domain.broker import OrderType, Side
from domain.outbox import AuditEvent, AuditKind
from domain.records import EquitySnapshot, IntentKind, OrderEntry, OrderState, Record, Rung
from storage.commit_group import REDO, CommitGroup
from storage.engine import CHECKPOINT_PAGES, sqlite_url
from storage.journal import SqlJournal

COMMITS = 1_500
BARS = 4_000
EVENTS_A_BAR = 8
MOST_TIMES_BARE = 2.0
MOST_GROUPED_US = 8.0

BODY = {
    "symbol": "AAPL",
    "direction": 1,
    "confidence": 0.734,
    "strategy": "momentum",
    "votes": {"a": 1, "b": -1},
}


def order_entry(seq: int) -> OrderEntry:
    """Return an order as the gateway journals it before the wire."""
    return OrderEntry(
        seq=seq,
        at_ns=seq,
        order_ref=f"1.main.AAPL.{seq}.0",
        parent_ref="",
        book="main",
        symbol="AAPL",
        kind=IntentKind.ENTRY,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        lots=10,
        filled_lots=0,
        reference_price=155.25,
        stop_price=0.0,
        state=OrderState.SENT,
        bar=seq,
        connection=1,
        text="",
    )


def event(bar: int) -> AuditEvent:
    """Return an event of common size."""
    return AuditEvent(AuditKind.VOTE, bar, bar, "main/AAPL", True, BODY)


def bare_database(path: Path) -> sqlite3.Connection:
    """Return a database with one table, as durable as the journal's."""
    bare = sqlite3.connect(path, isolation_level=None)
    for setting in ("journal_mode=WAL", "synchronous=FULL", f"wal_autocheckpoint={CHECKPOINT_PAGES}"):
        bare.execute(f"PRAGMA {setting}")
    bare.execute("CREATE TABLE one (id INTEGER PRIMARY KEY, text TEXT)")
    return bare


def commit_times(folder: Path) -> tuple[list[int], list[int]]:
    """Return the durations in ns, sorted, of bare inserts and of order commits, taken in turns."""
    bare = bare_database(folder / "bare.db")
    journal = SqlJournal(sqlite_url(folder / "gateway.db"), "gateway")
    plain, ours = [], []
    for seq in range(1, COMMITS + 1):
        records: list[Record] = [order_entry(seq), event(seq)]
        begun = perf_counter_ns()
        bare.execute("INSERT INTO one (text) VALUES (?)", ("x" * 200,))
        between = perf_counter_ns()
        journal.append(records)
        ended = perf_counter_ns()
        plain.append(between - begun)
        ours.append(ended - between)
    journal.close()
    bare.close()
    return sorted(plain), sorted(ours)


def grouped_us(folder: Path) -> float:
    """Return the microseconds of processor time a record costs when 500 bars are committed together."""
    group = CommitGroup(folder / REDO)
    journal = SqlJournal(sqlite_url(folder / "risk.db"), "risk", group=group)
    begun = process_time_ns()
    for bar in range(BARS):
        figures = EquitySnapshot(
            bar=bar,
            at_ns=bar,
            session=1,
            equity=1e5,
            cash_micro=10**11,
            peak_equity=1e5,
            day_start_equity=1e5,
            gross_exposure=0.4,
            heat=0.01,
            drawdown=0.0,
            rung=Rung.ACTIVE,
        )
        journal.append([*(event(bar) for _ in range(EVENTS_A_BAR)), figures])
        journal.acknowledge(max(0, (bar - 500) * EVENTS_A_BAR))
        if bar % 500 == 499:
            group.commit()
    journal.close()
    return (process_time_ns() - begun) / 1e3 / (BARS * (EVENTS_A_BAR + 1))


def main() -> int:
    """Measure, show and keep the figures; return 1 when a floor is missed."""
    with tempfile.TemporaryDirectory() as name:
        plain, ours = commit_times(Path(name))
        grouped = grouped_us(Path(name))
    half, most = COMMITS // 2, COMMITS * 99 // 100
    how = f"{COMMITS:,} commits, in turns with as many bare inserts"
    return report(
        "commit",
        [
            Figure("bare fsynced insert, p50", plain[half] / 1e6, "ms", how),
            Figure("bare fsynced insert, p99", plain[most] / 1e6, "ms", how),
            Figure(
                "order commit, p50",
                ours[half] / 1e6,
                "ms",
                how,
                beside=f"{ours[half] / plain[half]:.2f} x bare",
            ),
            Figure("order commit, p99", ours[most] / 1e6, "ms", how),
            Figure(
                "order commit to bare, p99", ours[most] / plain[most], "", how, MOST_TIMES_BARE, Bound.AT_MOST
            ),
            Figure(
                "record, grouped, processor time",
                grouped,
                "us",
                f"{BARS * (EVENTS_A_BAR + 1):,} records, 500 bars a commit",
                MOST_GROUPED_US,
                Bound.AT_MOST,
            ),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
