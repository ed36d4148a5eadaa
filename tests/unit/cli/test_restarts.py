from __future__ import annotations

from pathlib import Path

from cli.restarts import restarts
from domain.outbox import AuditKind
from storage.audit.chain import parse_line, trail_files
from tests.unit.cli.conftest import Traded


def test_only_whole_records_of_a_start_count(traded: Traded) -> None:
    """Neither a record that tells of a start in other words nor the torn end of a killed writer is one."""
    trail = traded.path / "audit"
    (file,) = trail_files(trail)
    lines = file.read_bytes().splitlines(keepends=True)
    first = lines[0]
    assert parse_line(first).kind == AuditKind.STARTED.value
    assert restarts(trail) == 0
    file.write_bytes(b"".join([*lines, first, first]))
    assert restarts(trail) == 2
    other = first.replace(b'"kind":"started"', b'"kind":"failure"', 1).replace(
        b'"body":{', b'"body":{"kind":"started",', 1
    )
    file.write_bytes(b"".join([*lines, other, first, first[:200]]))
    assert restarts(trail) == 1


def test_starts_of_all_days_count(traded: Traded) -> None:
    trail = traded.path / "audit"
    (file,) = trail_files(trail)
    first = file.read_bytes().splitlines(keepends=True)[0]
    (trail / "2999-01-01.jsonl").write_bytes(first)
    (trail / "2999-01-02.jsonl").write_bytes(b"")
    assert restarts(trail) == 1


def test_no_trail_tells_of_no_start(tmp_path: Path) -> None:
    assert restarts(tmp_path / "audit") == 0
