from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from domain.errors import AuditError, StateError
from domain.outbox import OutboxRecords
from storage.audit.chain import trail_files
from storage.audit.checkpoints import PRUNED
from storage.audit.findings import Tampering
from storage.audit.keys import Signer
from storage.audit.retention import prune_trail
from storage.audit.verify import verify_trail
from storage.audit.writer import TrailWriter
from tests.fakes.clock import FakeWall
from tests.fakes.records import event

SIGNER = Signer(bytes(range(32)))
DAY = 86_400 * 1_000_000_000
TODAY = date(2031, 3, 1)


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """Hold five days, 2023-11-14 to 18, 30 records each."""
    wall = FakeWall()
    writer = TrailWriter(tmp_path / "audit", SIGNER, wall.wall_ns)
    for day in range(5):
        events = tuple(event(n) for n in range(30))
        writer.append([OutboxRecords(source="risk", first_seq=30 * day + 1, events=events)])
        wall.now_ns += DAY
    writer.close()
    return tmp_path / "audit"


def names(trail: Path) -> list[str]:
    return [path.stem for path in trail_files(trail)]


@pytest.mark.parametrize("before", [date(2024, 3, 2), date(2030, 1, 1)])
def test_nothing_younger_than_seven_years_is_deleted(trail: Path, before: date) -> None:
    with pytest.raises(StateError, match="nothing after 2024-03-01 may be deleted"):
        prune_trail(trail, before, TODAY, SIGNER)
    assert len(names(trail)) == 5


def test_a_pruned_trail_verifies_goes_on_and_can_be_pruned_again(trail: Path) -> None:
    deleted = prune_trail(trail, date(2023, 11, 16), TODAY, SIGNER)
    assert [path.stem for path in deleted] == ["2023-11-14", "2023-11-15"]
    assert names(trail) == ["2023-11-16", "2023-11-17", "2023-11-18"]
    result = verify_trail(trail, SIGNER.verifier)
    assert (result.finding, result.records) == (None, 90)
    writer = TrailWriter(trail, SIGNER, FakeWall().wall_ns)
    assert writer.seq == 150
    writer.append([OutboxRecords(source="risk", first_seq=151, events=(event(1),))])
    writer.close()
    prune_trail(trail, date(2023, 11, 17), TODAY, SIGNER)
    assert verify_trail(trail, SIGNER.verifier).holds
    assert prune_trail(trail, date(2023, 11, 17), TODAY, SIGNER) == []


def test_the_newest_file_always_stays(trail: Path) -> None:
    prune_trail(trail, date(2024, 1, 1), TODAY, SIGNER)
    assert names(trail) == ["2023-11-18"]


def test_days_deleted_without_the_signed_statement_are_found(trail: Path) -> None:
    prune_trail(trail, date(2023, 11, 16), TODAY, SIGNER)
    (trail / "2023-11-16.jsonl").unlink()
    finding = verify_trail(trail, SIGNER.verifier).finding
    assert finding is not None
    assert finding.kind is Tampering.MISSING
    (trail / PRUNED).unlink()
    assert not verify_trail(trail, SIGNER.verifier).holds


def test_a_trail_that_does_not_verify_or_is_being_written_is_left_alone(trail: Path, tmp_path: Path) -> None:
    writer = TrailWriter(trail, SIGNER, FakeWall().wall_ns)
    with pytest.raises(StateError, match="is written by"):
        prune_trail(trail, date(2023, 11, 16), TODAY, SIGNER)
    writer.close()
    spoilt = Path(shutil.copytree(trail, tmp_path / "spoilt"))
    path = trail_files(spoilt)[0]
    path.write_bytes(path.read_bytes().replace(b"momentum-3", b"momentum-4"))
    with pytest.raises(AuditError, match="does not verify"):
        prune_trail(spoilt, date(2023, 11, 16), TODAY, SIGNER)
    assert len(names(spoilt)) == 5
