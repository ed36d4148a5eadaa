from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import DurabilityError, InvariantViolation
from domain.outbox import OutboxRecords
from domain.ports import Journal
from storage.audit.journal import AuditJournal
from storage.audit.keys import Signer
from storage.audit.verify import verify_trail
from storage.audit.writer import TrailWriter
from tests.fakes.clock import FakeWall
from tests.fakes.records import event, order

SIGNER = Signer(bytes(range(32)))


def test_others_events_and_its_own_become_lines_and_no_outbox_number_is_given(tmp_path: Path) -> None:
    writer = TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)
    journal: Journal = AuditJournal(writer)
    batch = OutboxRecords(source="risk", first_seq=1, events=(event(1), event(2)))
    first, last = journal.append([batch, event(3)])
    assert first > last
    assert writer.cursors == {"risk": 2, "audit": 1}
    assert (journal.entries(0, 9), journal.orders(), journal.outbox(0, 9)) == ((), (), (1, ()))
    assert journal.snapshot("audit") is None
    journal.close()
    assert verify_trail(tmp_path, SIGNER.verifier).records == 3
    with pytest.raises(DurabilityError):
        journal.append([event(4)])


def test_what_is_no_event_is_refused(tmp_path: Path) -> None:
    journal = AuditJournal(TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns))
    with pytest.raises(InvariantViolation, match="OrderEntry"):
        journal.append([order(1)])
    journal.close()


def test_what_must_be_committed_first_is_committed_before_the_trail_is_written(tmp_path: Path) -> None:
    """Else a crash could leave in the trail what its source never committed."""
    writer = TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)
    seen: list[int] = []
    journal = AuditJournal(writer, before_append=lambda: seen.append(writer.seq))
    journal.append([OutboxRecords(source="risk", first_seq=1, events=(event(1),))])
    journal.append([OutboxRecords(source="risk", first_seq=2, events=(event(2),))])
    assert seen == [0, 1]

    def fail() -> None:
        raise DurabilityError("the source's disk is full")

    broken = AuditJournal(writer, before_append=fail)
    with pytest.raises(DurabilityError, match="source's disk"):
        broken.append([OutboxRecords(source="risk", first_seq=3, events=(event(3),))])
    assert writer.seq == 2
    journal.close()
