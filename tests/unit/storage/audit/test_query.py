from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.errors import AuditError
from domain.outbox import AuditEvent, AuditKind, OutboxRecords
from storage.audit.chain import trail_files
from storage.audit.export import ExportFormat, export_records
from storage.audit.index import AuditIndex
from storage.audit.keys import Signer
from storage.audit.query import AuditQuery, run_query
from storage.audit.writer import TrailWriter
from storage.engine import sqlite_url
from tests.fakes.clock import FakeWall

SIGNER = Signer(bytes(range(32)))


def told(kind: AuditKind, n: int, key: str, **body: Any) -> AuditEvent:
    return AuditEvent(kind, 1_000 * n, n, key, kind is not AuditKind.STARTED, body)


EVENTS = (
    told(AuditKind.STARTED, -1, "risk", role="risk"),
    told(AuditKind.SIGNALS, 1, "", momentum=[["AAPL", 1, 0.9]], vwap=[["XOM", -1, 0.7]]),
    told(AuditKind.ORDER, 1, "main.AAPL.1.0", symbol="AAPL", note="Größe 10%"),
    told(AuditKind.EXECUTION, 2, "e1", symbol="AAPL", intent="main.AAPL.1.0"),
    told(AuditKind.ORDER_STATE, 3, "main.AAPL.1.0.stop.working", state="working"),
    told(AuditKind.ORDER, 4, "main.XOM.4.0", symbol="XOM", note="10_lots"),
)


class Trail:
    def __init__(self, path: Path) -> None:
        self.path, self.wall = path, FakeWall()
        self.taken = 0

    def write(self, *events: AuditEvent) -> None:
        writer = TrailWriter(self.path / "audit", SIGNER, self.wall.wall_ns)
        for event in events:
            writer.append([OutboxRecords(source="risk", first_seq=self.taken + 1, events=(event,))])
            self.taken += 1
            self.wall.now_ns += 1_000
        writer.close()


@pytest.fixture
def trail(tmp_path: Path) -> Trail:
    trail = Trail(tmp_path)
    trail.write(*EVENTS)
    return trail


@pytest.fixture
def index(trail: Trail) -> Iterator[AuditIndex]:
    index = AuditIndex(trail.path / "audit", sqlite_url(trail.path / "audit.db"))
    yield index
    index.close()


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (AuditQuery(), [1, 2, 3, 4, 5, 6]),
        (AuditQuery(kinds=(AuditKind.ORDER, AuditKind.EXECUTION)), [3, 4, 6]),
        (AuditQuery(symbol="AAPL"), [2, 3, 4, 5]),
        (AuditQuery(symbol="XOM"), [2, 6]),
        (AuditQuery(strategy="momentum"), [2]),
        (AuditQuery(strategy="moment"), []),
        (AuditQuery(source="gateway"), []),
        (AuditQuery(ref="1.main.AAPL.1.0"), [3, 4, 5]),
        (AuditQuery(ref="main.AAPL.1.0"), [3, 4, 5]),
        (AuditQuery(ref="main.AAPL.1"), [3, 4, 5]),
        (AuditQuery(ref="main.AAPL.1.0.stop"), [5]),
        (AuditQuery(ref="%"), []),
        (AuditQuery(from_bar=1, to_bar=2), [2, 3, 4]),
        (AuditQuery(since_ns=2_000, until_ns=3_000), [4, 5]),
        (AuditQuery(wall_since_ns=FakeWall().now_ns + 4_000), [5, 6]),
        (AuditQuery(wall_until_ns=FakeWall().now_ns + 1_000), [1, 2]),
        (AuditQuery(text="GRößE"), [3]),
        (AuditQuery(text="MAIN.xom"), [6]),
        (AuditQuery(text="10_"), [6]),
        (AuditQuery(text="10%"), [3]),
        (AuditQuery(decisions_only=True, limit=2), [2, 3]),
        (AuditQuery(newest_first=True, limit=2), [6, 5]),
    ],
)
def test_a_query_finds_what_it_asks_for(index: AuditIndex, query: AuditQuery, numbers: list[int]) -> None:
    assert [record.seq for record in run_query(index, query)] == numbers


def test_a_record_comes_back_whole(index: AuditIndex, trail: Trail) -> None:
    (record,) = run_query(index, AuditQuery(kinds=(AuditKind.EXECUTION,)))
    line = json.loads(trail_files(trail.path / "audit")[0].read_bytes().splitlines()[3])
    shown = {name: getattr(record, name) for name in record.__slots__}
    assert shown == {name: line[name] for name in shown}


def test_the_index_takes_in_only_what_is_new(index: AuditIndex, trail: Trail) -> None:
    assert index.update() == 6
    assert index.update() == 0
    trail.wall.now_ns += 86_400 * 1_000_000_000
    trail.write(*EVENTS[:2])
    assert index.update() == 2
    assert len(list(run_query(index, AuditQuery()))) == 8


def test_a_torn_line_waits_until_it_is_whole(index: AuditIndex, trail: Trail) -> None:
    (path,) = trail_files(trail.path / "audit")
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    assert index.update() == 5
    path.write_bytes(whole)
    assert index.update() == 1


def test_an_index_of_another_trail_is_built_anew(index: AuditIndex, trail: Trail, tmp_path: Path) -> None:
    index.update()
    other = Trail(tmp_path / "other")
    other.path.mkdir()
    other.wall.now_ns += 5
    other.write(*EVENTS[:3])
    for path in trail_files(trail.path / "audit"):
        path.unlink()
    for path in trail_files(other.path / "audit"):
        path.rename(trail.path / "audit" / path.name)
    assert index.update() == 3


def test_a_line_that_is_no_record_is_named_and_nothing_is_taken(index: AuditIndex, trail: Trail) -> None:
    with trail_files(trail.path / "audit")[0].open("ab") as file:
        file.write(b"nonsense\n")
    with pytest.raises(AuditError, match="nonsense"):
        index.update()


def test_export_as_csv_reads_back_and_disarms_formulas(index: AuditIndex, trail: Trail) -> None:
    trail.write(told(AuditKind.INTERVENTION, 5, "=HYPERLINK(1)", reason="-1+1", by="é"))
    target = io.StringIO(newline="")
    assert export_records(run_query(index, AuditQuery()), target, ExportFormat.CSV) == 7
    rows = list(csv.DictReader(io.StringIO(target.getvalue())))
    assert rows[-1]["key"] == "'=HYPERLINK(1)"
    assert json.loads(rows[-1]["body"]) == {"reason": "-1+1", "by": "é"}
    assert [row["seq"] for row in rows] == [str(n) for n in range(1, 8)]


def test_export_as_json_lines_holds_the_fields_of_the_trail(index: AuditIndex, trail: Trail) -> None:
    target = io.StringIO()
    assert export_records(run_query(index, AuditQuery()), target, ExportFormat.JSONL) == 6
    exported = [json.loads(line) for line in target.getvalue().splitlines()]
    written = [json.loads(line) for line in trail_files(trail.path / "audit")[0].read_bytes().splitlines()]
    assert exported == [{name: line[name] for name in line if name != "prev"} for line in written]
