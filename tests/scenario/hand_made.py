"""Run the whole engine, inline, on prices and votes made by hand, and return what its stores then hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cli.inline_engine import InlineEngine
from cli.plan import EnginePlan, SessionPlan
from config.loader import SHIPPED, load
from domain.bars import BarTable
from domain.outbox import AuditKind
from domain.records import EquitySnapshot, ExecutionEntry, HaltRecord, OrderEntry
from storage.audit.index import AuditIndex
from storage.audit.query import AuditQuery, AuditRecord, run_query
from storage.catalogue import write_bars
from storage.engine import sqlite_url
from storage.journal_reader import JournalReader

DAY_NS = 86_400_000_000_000
FIRST_SESSION = 735_000
FAIL = "fail"
"""A vote of this makes the strategy fail on that symbol at that bar."""

Vote = tuple[int, float] | str
Votes = Mapping[str, Mapping[str, Mapping[int, Vote]]]
"""What each strategy says: by its id, symbol and bar index, from bar 1 on; silence abstains."""
Prices = Mapping[str, Sequence[float | tuple[float, float, float, float] | None]]
"""Closes, or (open, high, low, close), a bar each; None where the symbol has no bar."""

FREE_AND_WHOLE = {
    "broker.yaml": {
        "fees.equity.per_unit_usd": 0.0,
        "fees.equity.minimum_usd": 0.0,
        "slippage_bps": 0.0,
        "partial_fills": False,
    }
}
"""No costs, orders filled whole: money stays in whole figures."""

SCRIPTED = '''
"""Say what a test wrote down."""

from dataclasses import dataclass

import numpy as np

from domain.strategies.protocol import SignalArrays, StrategyDefinition

VOTES = {votes!r}


@dataclass(frozen=True)
class NoParameters:
    pass


def scripted(name):
    def signals(bars, params):
        said = VOTES[name].get(bars.symbol, {{}})
        votes = [said.get(int(open_ns) // {bar_ns}, (0, 0.0)) for open_ns in bars.open_ns]
        failed = (0, float("nan"))
        heard = [failed if vote == "fail" else vote for vote in votes]
        return SignalArrays(
            np.array([vote[0] for vote in heard], np.int8), np.array([vote[1] for vote in heard], np.float64)
        )

    return StrategyDefinition(
        name="scripted_" + name,
        summary="Says what a test wrote down.",
        source="tests",
        parameters=NoParameters,
        ranges={{}},
        warmup=lambda params: 1,
        signals=signals,
    )


{definitions}
'''


@dataclass(frozen=True, kw_only=True)
class Ran:
    """Hold what a run left behind."""

    states: Mapping[str, Mapping[str, Any]]
    orders: list[OrderEntry]
    executions: list[ExecutionEntry]
    equity: list[EquitySnapshot]
    halts: list[HaltRecord]
    audit: list[AuditRecord]

    def order(self, ref: str) -> OrderEntry:
        """Return the order of that ref."""
        (found,) = (order for order in self.orders if order.order_ref == ref)
        return found

    @property
    def refs(self) -> list[str]:
        """Return the refs of all orders, by bar and name."""
        return [order.order_ref for order in sorted(self.orders, key=lambda o: (o.bar, o.order_ref))]

    @property
    def rungs(self) -> list[str]:
        """Return the rung after each bar."""
        return [snapshot.rung.name for snapshot in self.equity]

    def denials(self) -> dict[int, list[str]]:
        """Return why orders were denied, by bar."""
        found: dict[int, list[str]] = {}
        for record in self.audit:
            if record.kind == AuditKind.ASSESSMENT.value and record.body["denied"]:
                found.setdefault(record.bar, []).append(record.body["denied"])
        return found


def table_of(prices: Prices, sessions: Sequence[int] | None = None, bar_ns: int = DAY_NS) -> BarTable:
    """Return bars of `prices`, one `bar_ns`; `sessions` numbers each bar's session (default: one a bar)."""
    symbols = tuple(sorted(prices))
    length = max(len(column) for column in prices.values())
    days = list(range(length)) if sessions is None else list(sessions)
    rows = []
    starts = [0]
    for index in range(length):
        for number, symbol in enumerate(symbols):
            bar = prices[symbol][index] if index < len(prices[symbol]) else None
            if bar is not None:
                values = bar if isinstance(bar, tuple) else (bar, bar, bar, bar)
                rows.append((number, index, days[index], *values))
        starts.append(len(rows))
    columns = np.array(rows, np.float64)
    opens = columns[:, 1].astype(np.int64) * bar_ns
    return BarTable(
        symbols=symbols,
        bar_ns=bar_ns,
        continuous=False,
        fingerprint="made by hand",
        starts=np.array(starts, np.int64),
        symbol_id=columns[:, 0].astype(np.int16),
        open_ns=opens,
        known_ns=opens + bar_ns // 2,
        session=(columns[:, 2] + FIRST_SESSION).astype(np.int32),
        open=columns[:, 3].copy(),
        high=columns[:, 4].copy(),
        low=columns[:, 5].copy(),
        close=columns[:, 6].copy(),
        volume=np.full(len(rows), 1e6),
        dividend=np.zeros(len(rows)),
    )


def configuration(
    directory: Path,
    votes: Votes,
    overrides: Mapping[str, Mapping[str, Any]],
    books: Sequence[Mapping[str, Any]],
    bar_ns: int,
) -> Path:
    """Write a configuration whose strategies say `votes`; overrides are by file and dotted key."""
    directory.mkdir(parents=True)
    for file in {*overrides, *FREE_AND_WHOLE}:
        document = yaml.safe_load((SHIPPED / file).read_text(encoding="utf-8"))
        for key, value in {**FREE_AND_WHOLE.get(file, {}), **overrides.get(file, {})}.items():
            *above, last = key.split(".")
            part = document
            for name in above:
                part = part[name]
            part[last] = value
        _write(directory / file, document)
    definitions = "\n".join(f"{name.upper()} = scripted({name!r})" for name in votes)
    script = SCRIPTED.format(votes=dict(votes), definitions=definitions, bar_ns=bar_ns)
    (directory / "script.py").write_text(script, encoding="utf-8")
    entries = [
        {"id": name, "strategy": f"scripted_{name}", "parameters": {}, "file": "script.py"} for name in votes
    ]
    _write(directory / "strategies.yaml", {"strategies": entries})
    book = {"id": "main", "share": 1.0, "rule": "vote", "min_votes": 2, "allow_short": False}
    _write(directory / "books.yaml", {"books": list(books) or [{**book, "strategies": sorted(votes)}]})
    return directory


def _write(path: Path, document: object) -> None:
    path.write_text(yaml.safe_dump(document), encoding="utf-8")


def run(
    tmp_path: Path,
    prices: Prices,
    votes: Votes,
    *,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    books: Sequence[Mapping[str, Any]] = (),
    sessions: Sequence[int] | None = None,
    bar_ns: int = DAY_NS,
) -> Ran:
    """Trade `prices` on `votes` to the end and return what the stores hold."""
    settings = load(configuration(tmp_path / "config", votes, overrides or {}, books, bar_ns), {})
    table, state = table_of(prices, sessions, bar_ns), tmp_path / "state"
    state.mkdir()
    write_bars(state / "bars.parquet", table)
    session = SessionPlan(number=1, first=0, state_dir=state, bars=state / "bars.parquet")
    engine = InlineEngine(EnginePlan(settings=settings, table=table, session=session, pace_s=0.0))
    try:
        while not engine.advance():
            pass
        states = engine.states()
    finally:
        engine.close()
    assert states["coordinator"]["failures"] == []
    return _read(state, states)


def _read(state: Path, states: Mapping[str, Mapping[str, Any]]) -> Ran:
    readers = {
        role: JournalReader.open(sqlite_url(state / f"{role}.db"), role)
        for role in ("coordinator", "gateway", "risk")
    }
    index = AuditIndex(state / "audit", sqlite_url(state / "index.db"))
    try:
        entries = readers["gateway"].entries(0, 10_000)
        return Ran(
            states=states,
            orders=[entry for entry in entries if isinstance(entry, OrderEntry)],
            executions=[entry for entry in entries if isinstance(entry, ExecutionEntry)],
            equity=readers["risk"].equity(),
            halts=readers["coordinator"].halts(),
            audit=list(run_query(index, AuditQuery())),
        )
    finally:
        index.engine.dispose()
        for reader in readers.values():
            reader.close()
