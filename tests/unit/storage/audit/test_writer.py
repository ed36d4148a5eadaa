from __future__ import annotations

import contextlib
import json
import os
import stat
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from domain.errors import AuditError, DurabilityError, InvariantViolation, StateError
from domain.outbox import TRAIL_END, OutboxRecords
from storage.audit.chain import GENESIS, trail_files
from storage.audit.checkpoints import CHECKPOINTS
from storage.audit.keys import Signer
from storage.audit.recovery import trail_end
from storage.audit.verify import verify_trail
from storage.audit.writer import CHECKPOINT_RECORDS, LARGEST_WRITE, TrailWriter
from storage.files import AppendFile
from tests.fakes.clock import FakeWall
from tests.fakes.records import event

SIGNER = Signer(bytes(range(32)))
SECOND = 1_000_000_000
DAY = 86_400 * SECOND


def batch(first: int, last: int, source: str = "gateway") -> OutboxRecords:
    return OutboxRecords(
        source=source, first_seq=first, events=tuple(event(n) for n in range(first, last + 1))
    )


def crash(writer: TrailWriter) -> None:
    """End a writer as a killed process would: descriptors closed, nothing signed."""
    writer._release()


def lines(directory: Path) -> list[bytes]:
    return [line for path in trail_files(directory) for line in path.read_bytes().splitlines(keepends=True)]


def test_lines_are_canonical_chained_and_verifiable_by_hand(tmp_path: Path) -> None:
    wall = FakeWall()
    writer = TrailWriter(tmp_path, SIGNER, wall.wall_ns)
    writer.append([batch(1, 2), batch(1, 1, "risk")])
    assert (writer.seq, writer.cursors) == (3, {"gateway": 2, "risk": 1})
    writer.close()
    assert trail_end(tmp_path) == (writer.seq, writer.head)
    prev = GENESIS
    for n, raw in enumerate(lines(tmp_path), start=1):
        record = json.loads(raw)
        assert list(record) == [
            "seq", "source", "source_seq", "wall_ns", "kind", "at_ns", "bar", "key", "decision", "body", "prev", "hash",
        ]  # fmt: skip
        assert (record["seq"], record["prev"], record["wall_ns"]) == (n, prev, wall.now_ns)
        assert raw == json.dumps(record, separators=(",", ":")).encode() + b"\n"
        content = raw.split(b',"hash":')[0]
        assert record["hash"] == sha256(content).hexdigest()
        prev = record["hash"]
    assert writer.head == prev


def test_the_end_of_no_trail_is_nothing(tmp_path: Path) -> None:
    assert trail_end(tmp_path / "absent") == (0, GENESIS)


def test_a_new_writer_goes_on_where_the_old_one_ended(tmp_path: Path) -> None:
    wall = FakeWall()
    for n in range(1, 4):
        writer = TrailWriter(tmp_path, SIGNER, wall.wall_ns)
        assert writer.cursors == ({"gateway": n - 1} if n > 1 else {})
        writer.append([batch(n, n)])
        writer.close() if n % 2 else crash(writer)
    assert verify_trail(tmp_path, SIGNER.verifier).records == 3
    assert verify_trail(tmp_path, SIGNER.verifier).holds


def test_files_follow_the_utc_day_and_never_go_back(tmp_path: Path) -> None:
    wall = FakeWall()
    writer = TrailWriter(tmp_path, SIGNER, wall.wall_ns)
    writer.append([batch(1, 1)])
    wall.now_ns += DAY
    writer.append([batch(2, 2)])
    wall.now_ns -= DAY
    writer.append([batch(3, 3)])
    writer.close()
    assert [path.name for path in trail_files(tmp_path)] == ["2023-11-14.jsonl", "2023-11-15.jsonl"]
    assert verify_trail(tmp_path, SIGNER.verifier).holds
    assert TrailWriter(tmp_path, SIGNER, wall.wall_ns).seq == 3


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    writer = TrailWriter(tmp_path / "audit", SIGNER, FakeWall().wall_ns)
    writer.append([batch(1, 1)])
    writer.close()
    assert stat.S_IMODE((tmp_path / "audit").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "audit").iterdir()} == {0o600}


@pytest.mark.parametrize("records", [1, 99, 100, 101, 1_000, 2_345])
def test_no_more_than_a_checkpoints_span_is_ever_unsigned(tmp_path: Path, records: int) -> None:
    writer = TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)
    writer.append([batch(1, 1)])
    writer.append([batch(2, records + 1)])
    signed = verify_trail(tmp_path, SIGNER.verifier)
    assert signed.holds
    assert records + 1 - signed.signed_seq < 100
    writer.close()
    assert verify_trail(tmp_path, SIGNER.verifier).signed_seq == records + 1


def test_a_record_is_signed_a_second_after_it_came(tmp_path: Path) -> None:
    wall = FakeWall()
    writer = TrailWriter(tmp_path, SIGNER, wall.wall_ns)
    writer.append([batch(1, 1)])
    writer.append([batch(2, 2)])
    assert verify_trail(tmp_path, SIGNER.verifier).signed_seq == 1
    wall.now_ns += SECOND
    writer.append([])
    assert verify_trail(tmp_path, SIGNER.verifier).signed_seq == 2
    writer.close()


@pytest.mark.parametrize("torn", [b"x", b'{"seq":3,"source":"gate', b"\x00" * 300])
def test_a_torn_last_line_is_cut_and_the_repair_recorded(tmp_path: Path, torn: bytes) -> None:
    writer = TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)
    writer.append([batch(1, 2)])
    crash(writer)
    (path,) = trail_files(tmp_path)
    with path.open("ab") as file:
        file.write(torn)
    assert trail_end(tmp_path)[0] == 2
    before = verify_trail(tmp_path, SIGNER.verifier)
    assert (before.holds, before.records, before.torn_bytes) == (True, 2, len(torn))
    writer = TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)
    writer.append([batch(3, 3)])
    writer.close()
    repair = json.loads(lines(tmp_path)[2])
    assert (repair["source"], repair["key"], repair["body"]["bytes"]) == ("audit", "audit.repair", len(torn))
    assert verify_trail(tmp_path, SIGNER.verifier).records == 4
    assert verify_trail(tmp_path, SIGNER.verifier).holds


def test_a_trail_cut_at_any_byte_of_its_unsigned_tail_recovers_whole_lines(tmp_path: Path) -> None:
    """Reliability: nothing acknowledged is lost; the rest is a valid prefix."""
    source = tmp_path / "source"
    writer = TrailWriter(source, SIGNER, FakeWall().wall_ns)
    writer.append([batch(1, 1)])
    writer.append([batch(2, 4)])
    crash(writer)
    (path,) = trail_files(source)
    whole, signed = path.read_bytes(), (source / CHECKPOINTS).read_bytes()
    first = len(lines(source)[0])
    for cut in range(first, len(whole) + 1, 7):
        target = tmp_path / "cut"
        target.mkdir(exist_ok=True)
        (target / path.name).write_bytes(whole[:cut])
        (target / CHECKPOINTS).write_bytes(signed)
        writer = TrailWriter(target, SIGNER, FakeWall().wall_ns)
        held = writer.cursors["gateway"]
        assert held == whole[:cut].count(b"\n")
        writer.append([batch(held + 1, held + 1)])
        writer.close()
        assert verify_trail(target, SIGNER.verifier).holds


@pytest.mark.parametrize("size", [1, 100, 300, 450])
def test_a_torn_checkpoint_is_cut_and_written_anew(tmp_path: Path, size: int) -> None:
    writer = TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)
    writer.append([batch(1, 5)])
    whole = (tmp_path / CHECKPOINTS).read_bytes()
    writer.append([batch(6, 6)])
    writer.close()
    signed = (tmp_path / CHECKPOINTS).read_bytes()
    (tmp_path / CHECKPOINTS).write_bytes(signed[: len(whole) + size])
    writer = TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)
    writer.close()
    assert verify_trail(tmp_path, SIGNER.verifier).signed_seq == 6


def test_records_without_any_checkpoint_are_not_continued(tmp_path: Path) -> None:
    """The first of them were signed before they were written."""
    writer = TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)
    writer.append([batch(1, 5)])
    writer.close()
    (tmp_path / CHECKPOINTS).unlink()
    with pytest.raises(AuditError, match="5 records follow the last checkpoint"):
        TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)


class Killed(BaseException):
    """End a writer in the midst of a write."""


class Interrupted:
    """Stand in for the files a writer appends to, and end it after so many bytes in all."""

    def __init__(self, writer: TrailWriter, left: int) -> None:
        self.left = left
        assert writer._file is not None
        for file in (writer._file, *writer._checkpoints):
            file.append = partial(self.append, file)  # type: ignore[method-assign]

    def append(self, file: AppendFile, content: bytes, *, durable: bool = True) -> None:
        del durable
        os.write(file._descriptor, content[: self.left])
        if self.left < len(content):
            raise Killed
        self.left -= len(content)
        file.size += len(content)


@pytest.mark.parametrize("records", [1, 7, 100])
@pytest.mark.parametrize("ends", [False, True])
def test_whenever_a_writer_is_killed_all_but_the_last_records_are_signed(
    tmp_path: Path, records: int, ends: bool
) -> None:
    """Reliability: fewer than `checkpoint_records` records unsigned, nothing that must hold does not."""
    for left in range(0, 400_000, 13_001):
        trail = tmp_path / str(left)
        writer = TrailWriter(trail, SIGNER, FakeWall().wall_ns, checkpoint_records=records)
        writer.append([batch(1, 3)])
        Interrupted(writer, left)
        with contextlib.suppress(Killed):
            writer.append([batch(4, 250)])
            if ends:
                writer.record([TRAIL_END])
        crash(writer)
        found = verify_trail(trail, SIGNER.verifier)
        assert found.finding is None
        assert found.unsigned < records
        writer = TrailWriter(trail, SIGNER, FakeWall(1_700_000_000_000_000_007).wall_ns)
        held = writer.cursors["gateway"]
        writer.append([batch(held + 1, held + 300)])
        writer.close()
        assert verify_trail(trail, SIGNER.verifier).unsigned == 0
        assert verify_trail(trail, SIGNER.verifier).finding is None


def test_checkpoints_on_disk_without_their_records_are_what_a_loss_of_power_leaves(tmp_path: Path) -> None:
    """A checkpoint ahead of its records may outlive them; one that says they were reached may not."""
    writer = TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)
    writer.append([batch(1, 3)])
    (path,) = trail_files(tmp_path)
    before = path.read_bytes()
    writer.append([batch(4, 350)])
    crash(writer)
    after, signed = path.read_bytes(), (tmp_path / CHECKPOINTS).read_bytes().splitlines(keepends=True)
    path.write_bytes(before)
    with pytest.raises(AuditError, match="the trail was cut"):
        TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)
    (tmp_path / CHECKPOINTS).write_bytes(b"".join(signed[:-1]))
    assert verify_trail(tmp_path, SIGNER.verifier).holds
    writer = TrailWriter(tmp_path, SIGNER, FakeWall(1_700_000_000_000_000_007).wall_ns)
    assert writer.cursors == {"gateway": 3}
    writer.append([batch(4, 350)])
    writer.close()
    assert path.read_bytes() != after
    assert verify_trail(tmp_path, SIGNER.verifier).holds
    path.write_bytes(before[: len(lines(tmp_path)[0])])
    assert verify_trail(tmp_path, SIGNER.verifier).finding is not None


def test_a_trail_that_was_cut_below_what_was_signed_is_not_continued(tmp_path: Path) -> None:
    writer = TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)
    writer.append([batch(1, 5)])
    writer.close()
    (path,) = trail_files(tmp_path)
    path.write_bytes(b"".join(lines(tmp_path)[:3]))
    with pytest.raises(AuditError, match="the trail was cut"):
        TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)


def test_a_trail_whose_signed_tail_was_changed_is_not_continued(tmp_path: Path) -> None:
    writer = TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)
    writer.append([batch(1, 5)])
    writer.close()
    (path,) = trail_files(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"n":5', b'"n":6'))
    with pytest.raises(AuditError, match="record 5 is not the one that was signed"):
        TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)


def test_a_whole_line_that_does_not_follow_is_not_continued_and_not_cut(tmp_path: Path) -> None:
    writer = TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)
    writer.append([batch(1, 1)])
    writer.append([batch(2, 5)])
    crash(writer)
    (path,) = trail_files(tmp_path)
    spoilt = path.read_bytes().replace(b'"n":4', b'"n":7')
    path.write_bytes(spoilt)
    with pytest.raises(AuditError, match=r"line 3 after the last checkpoint: expected content hashing to"):
        TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)
    assert path.read_bytes() == spoilt


def test_a_long_trail_without_its_checkpoints_is_not_continued(tmp_path: Path) -> None:
    writer = TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)
    writer.append([batch(1, LARGEST_WRITE)])
    writer.append([batch(LARGEST_WRITE + 1, LARGEST_WRITE + CHECKPOINT_RECORDS)])
    writer.close()
    signed = (tmp_path / CHECKPOINTS).read_bytes().splitlines(keepends=True)
    (tmp_path / CHECKPOINTS).write_bytes(b"".join(signed[:-2]))
    with pytest.raises(AuditError, match="checkpoints were taken away"):
        TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)


def test_a_trail_rolled_back_behind_its_kept_checkpoints_is_not_continued(tmp_path: Path) -> None:
    trail, copy = tmp_path / "audit", tmp_path / "elsewhere" / "checkpoints.jsonl"
    writer = TrailWriter(trail, SIGNER, FakeWall().wall_ns, checkpoint_copy=copy)
    writer.append([batch(1, 5)])
    writer.close()
    backup = {path.name: path.read_bytes() for path in trail.iterdir()}
    writer = TrailWriter(trail, SIGNER, FakeWall().wall_ns, checkpoint_copy=copy)
    writer.append([batch(6, 9)])
    writer.close()
    for name, content in backup.items():
        (trail / name).write_bytes(content)
    with pytest.raises(AuditError, match="rolled back"):
        TrailWriter(trail, SIGNER, FakeWall().wall_ns, checkpoint_copy=copy)


@pytest.mark.parametrize(
    ("records", "signed"), [(1, [1, 2, 3, 4, 5, 6, 7, 7]), (3, [3, 6, 7]), (100, [7, 7])]
)
def test_checkpoints_are_as_far_apart_as_configured(tmp_path: Path, records: int, signed: list[int]) -> None:
    writer = TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns, checkpoint_records=records)
    writer.append([batch(1, 7)])
    crash(writer)
    content = (tmp_path / CHECKPOINTS).read_bytes().splitlines()
    assert [json.loads(line)["seq"] for line in content] == signed
    assert {json.loads(line)["window"] for line in content} == {records - 1}


def test_a_trail_left_by_a_writer_with_a_wider_window_is_taken_up(tmp_path: Path) -> None:
    writer = TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns, checkpoint_records=5_000)
    writer.append([batch(1, 1)])
    writer.append([batch(2, 4_001)])
    assert verify_trail(tmp_path, SIGNER.verifier).unsigned == 4_000
    crash(writer)
    writer = TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns, checkpoint_records=1)
    assert writer.seq == 4_001
    writer.close()
    assert verify_trail(tmp_path, SIGNER.verifier).holds


def test_no_record_between_checkpoints_is_a_contradiction(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="checkpoint_records"):
        TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns, checkpoint_records=0)


def test_a_second_writer_is_refused_with_the_process_that_holds_the_trail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.audit.writer.WRITER_WAIT_S", 0.1)
    writer = TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)
    with pytest.raises(StateError, match=f"process {os.getpid()}"):
        TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)
    writer.close()
    TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns).close()


@pytest.mark.parametrize(("first", "last"), [(1, 1), (2, 3), (4, 4)])
def test_a_batch_that_does_not_continue_its_source_is_a_contradiction(
    tmp_path: Path, first: int, last: int
) -> None:
    writer = TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)
    writer.append([batch(1, 2)])
    with pytest.raises(InvariantViolation, match="expected 3"):
        writer.append([batch(first, last)])
    writer.append([batch(3, 3)])
    writer.close()


def test_after_a_failed_write_nothing_more_is_taken(tmp_path: Path) -> None:
    """Reliability: after a failed write or fsync stop, never retry."""
    writer = TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)
    writer.append([batch(1, 1)])
    assert writer._file is not None
    kept, writer._file._descriptor = writer._file._descriptor, os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(DurabilityError, match="No space left"):
        writer.append([batch(2, 2)])
    os.close(writer._file._descriptor)
    writer._file._descriptor = kept
    with pytest.raises(DurabilityError, match="takes nothing more"):
        writer.append([batch(2, 2)])
    writer.close()
    assert verify_trail(tmp_path, SIGNER.verifier).records == 1


def test_after_a_failed_fsync_nothing_more_is_taken(tmp_path: Path) -> None:
    """A pipe takes writes and refuses fsync: the failure a lost disk gives."""
    writer = TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)
    writer.append([batch(1, 1)])
    assert writer._file is not None
    reading, writing = os.pipe()
    kept, writer._file._descriptor = writer._file._descriptor, writing
    with pytest.raises(DurabilityError, match="cannot be written"):
        writer.append([batch(2, 2)])
    writer._file._descriptor = kept
    with pytest.raises(DurabilityError, match="takes nothing more"):
        writer.append([batch(2, 2)])
    writer.close()
    os.close(reading)
    os.close(writing)
