from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.outbox import TRAIL_END, OutboxRecords
from storage.audit.chain import GENESIS, SEAL, trail_files
from storage.audit.checkpoints import CHECKPOINTS
from storage.audit.findings import Finding, Tampering
from storage.audit.keys import Signer
from storage.audit.recovery import orderly_end
from storage.audit.verify import verify_trail
from storage.audit.writer import TrailWriter
from tests.fakes.clock import FakeWall
from tests.fakes.records import event

SIGNER = Signer(bytes(range(32)))
FORGER = Signer(bytes(range(1, 33)))
DAY = 86_400 * 1_000_000_000
RECORDS = 250
FIRST, SECOND = "2023-11-14.jsonl", "2023-11-15.jsonl"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write 150 records on one day and 100 on the next, checkpoints also kept elsewhere."""
    trail = tmp_path_factory.mktemp("original") / "audit"
    wall = FakeWall()
    writer = TrailWriter(trail, SIGNER, wall.wall_ns, checkpoint_copy=trail.parent / "kept.jsonl")
    for n in range(1, RECORDS + 1):
        if n == 151:
            wall.now_ns += DAY
        writer.append(
            [OutboxRecords(source="gateway", first_seq=n, events=(event(n, text='a "quoted" word'),))]
        )
    writer.close()
    return trail


@pytest.fixture
def trail(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "audit"))


def verify(trail: Path, copy: Path | None = None) -> Finding | None:
    return verify_trail(trail, SIGNER.verifier, checkpoint_copy=copy).finding


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def reseal(raw: bytes, prev: bytes, seq: int) -> bytes:
    """Return the line with a new number, link and a hash to match: what an attacker without the key can do."""
    content = re.sub(rb'^\{"seq":\d+', b'{"seq":%d' % seq, raw[:-SEAL])
    content = content[:-65] + prev + b'"'
    return b'%b,"hash":"%b"}\n' % (content, sha256(content).hexdigest().encode())


def reseal_all(trail: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Rebuild the chain of all files after `change` to the first day's lines."""
    prev, seq = GENESIS.encode(), 0
    for path in trail_files(trail):
        rebuilt = []
        for raw in change(lines(path)) if path.name == FIRST else lines(path):
            seq += 1
            rebuilt.append(reseal(raw, prev, seq))
            prev = rebuilt[-1][-67:-3]
        path.write_bytes(b"".join(rebuilt))


def test_an_untouched_trail_verifies_with_its_counts(original: Path) -> None:
    result = verify_trail(original, SIGNER.verifier, checkpoint_copy=original.parent / "kept.jsonl")
    assert result.finding is None
    assert (result.records, result.files, result.signed_seq) == (RECORDS, 2, RECORDS)
    assert result.head.encode() == lines(original / SECOND)[-1][-67:-3]


def test_a_trail_that_is_not_there_verifies_empty(tmp_path: Path) -> None:
    result = verify_trail(tmp_path / "audit", SIGNER.verifier)
    assert (result.holds, result.records) == (True, 0)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), day=st.sampled_from([FIRST, SECOND]))
def test_any_flipped_bit_anywhere_is_found_at_its_line(trail: Path, place: float, bit: int, day: str) -> None:
    whole = (trail / day).read_bytes()
    at = int(place * len(whole))
    flipped = bytearray(whole)
    flipped[at] ^= 1 << bit
    (trail / day).write_bytes(flipped)
    finding = verify(trail)
    (trail / day).write_bytes(whole)
    assert finding is not None
    assert finding.file == day
    line = whole[:at].count(b"\n") + 1
    if at == len(whole) - 1 and day == SECOND:
        assert finding.kind is Tampering.TRUNCATED
    else:
        assert (finding.kind, finding.line) == (Tampering.ALTERED, line)


@pytest.mark.parametrize(
    ("change", "kind", "line", "found"),
    [
        (lambda held: held[:41] + held[42:], Tampering.MISSING, 42, "record 43"),
        (lambda held: held[1:], Tampering.MISSING, 1, "record 2"),
        (lambda held: [*held[:41], held[42], held[41], *held[43:]], Tampering.REORDERED, 42, "record 43"),
        (lambda held: held[:42] + held[41:], Tampering.DUPLICATED, 43, "record 42"),
        (lambda held: [*held[:42], held[7], *held[42:]], Tampering.DUPLICATED, 43, "record 8"),
        (lambda held: held[:-1], Tampering.MISSING, 1, "record 151"),
        (lambda held: [*held[:41], b"\n", *held[41:]], Tampering.ALTERED, 42, ""),
        (lambda held: [*held[:41], b"{}\n", *held[41:]], Tampering.ALTERED, 42, ""),
    ],
)
def test_records_taken_added_or_moved_are_found_at_their_place(
    trail: Path, change: Callable[[list[bytes]], list[bytes]], kind: Tampering, line: int, found: str
) -> None:
    (trail / FIRST).write_bytes(b"".join(change(lines(trail / FIRST))))
    finding = verify(trail)
    assert finding is not None
    assert (finding.kind, finding.line) == (kind, line)
    assert found in finding.found
    assert str(finding.seq) in str(finding)


def test_a_record_rewritten_with_its_own_hash_is_found_at_the_next(trail: Path) -> None:
    held = lines(trail / FIRST)
    held[41] = reseal(held[41].replace(b'"n":42', b'"n":43'), held[40][-67:-3], 42)
    (trail / FIRST).write_bytes(b"".join(held))
    finding = verify(trail)
    assert finding is not None
    assert (finding.kind, finding.line) == (Tampering.UNLINKED, 43)


@pytest.mark.parametrize("at", [0, 41, 99, 149])
def test_a_chain_rebuilt_without_the_key_is_found_at_the_next_checkpoint(trail: Path, at: int) -> None:
    reseal_all(trail, lambda held: [*held[:at], held[at].replace(b'"n":', b'"n":9'), *held[at + 1 :]])
    finding = verify(trail)
    assert finding is not None
    assert finding.kind is Tampering.RESEALED
    assert at < finding.seq <= at + 101


def test_a_chain_rebuilt_without_a_record_is_found(trail: Path) -> None:
    reseal_all(trail, lambda held: held[:41] + held[42:])
    finding = verify(trail)
    assert finding is not None
    assert finding.kind is Tampering.RESEALED


@pytest.mark.parametrize("keep", [0, 1, 50, 99])
def test_a_tail_cut_beyond_the_last_checkpoint_is_found(trail: Path, keep: int) -> None:
    (trail / SECOND).write_bytes(b"".join(lines(trail / SECOND)[:keep]))
    finding = verify(trail)
    assert finding is not None
    assert (finding.kind, finding.seq) == (Tampering.TRUNCATED, 150 + keep)


def test_a_day_taken_away_is_found(trail: Path) -> None:
    (trail / FIRST).unlink()
    finding = verify(trail)
    assert finding is not None
    assert (finding.kind, finding.file, finding.line) == (Tampering.MISSING, SECOND, 1)


def test_days_joined_into_one_file_are_found(trail: Path) -> None:
    (trail / FIRST).write_bytes((trail / FIRST).read_bytes() + (trail / SECOND).read_bytes())
    (trail / SECOND).unlink()
    finding = verify(trail)
    assert finding is not None
    assert finding.kind is Tampering.MOVED


def test_a_trail_stripped_of_its_checkpoints_is_found(trail: Path) -> None:
    (trail / CHECKPOINTS).unlink()
    finding = verify(trail)
    assert finding is not None
    assert finding.kind is Tampering.UNSIGNED


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_changed_checkpoint_is_found_at_its_line(trail: Path, place: float, bit: int) -> None:
    whole = (trail / CHECKPOINTS).read_bytes()
    at = int(place * len(whole))
    flipped = bytearray(whole)
    flipped[at] ^= 1 << bit
    (trail / CHECKPOINTS).write_bytes(flipped)
    finding = verify(trail)
    (trail / CHECKPOINTS).write_bytes(whole)
    assert finding is not None
    assert (finding.kind, finding.line) == (Tampering.CHECKPOINT, whole[:at].count(b"\n") + 1)


@pytest.mark.parametrize("bit", range(8))
def test_a_changed_end_of_the_last_checkpoint_is_found(trail: Path, bit: int) -> None:
    whole = (trail / CHECKPOINTS).read_bytes()
    (trail / CHECKPOINTS).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1 << bit]))
    finding = verify(trail)
    assert finding is not None
    assert (finding.kind, finding.line) == (Tampering.CHECKPOINT, whole.count(b"\n"))


def test_a_checkpoint_that_a_crash_cut_anywhere_is_no_tampering(trail: Path) -> None:
    whole = (trail / CHECKPOINTS).read_bytes()
    last = lines(trail / CHECKPOINTS)[-1]
    for kept in range(1, len(last)):
        (trail / CHECKPOINTS).write_bytes(whole + last[:kept])
        assert verify(trail) is None


def test_a_whole_last_checkpoint_without_its_newline_is_held_to_its_signature(trail: Path) -> None:
    whole = (trail / CHECKPOINTS).read_bytes()
    (trail / CHECKPOINTS).write_bytes(whole.replace(b'"kind":"head"', b'"kind":"lied"')[:-1])
    finding = verify(trail)
    assert finding is not None
    assert finding.kind is Tampering.CHECKPOINT


@pytest.fixture
def ended(tmp_path: Path) -> Path:
    """Write a trail that ends in order."""
    trail = tmp_path / "ended"
    writer = TrailWriter(trail, SIGNER, FakeWall().wall_ns)
    for first in range(1, RECORDS, 50):
        events = tuple(event(n) for n in range(first, first + 50))
        writer.append([OutboxRecords(source="gateway", first_seq=first, events=events)])
    writer.record([TRAIL_END])
    writer.close()
    return trail


def cut_checkpoints(trail: Path, last: int) -> int:
    """Take the last checkpoints away and return the record that is signed last."""
    kept = lines(trail / CHECKPOINTS)[:-last]
    (trail / CHECKPOINTS).write_bytes(b"".join(kept))
    return int(re.findall(rb'"seq":(\d+)', kept[-1])[0])


@pytest.mark.parametrize("last", [2, 3, 4, 5])
def test_a_trail_that_ended_in_order_must_be_signed_to_its_end(ended: Path, last: int) -> None:
    assert verify(ended) is None
    signed = cut_checkpoints(ended, last)
    finding = verify(ended)
    assert finding is not None
    assert (finding.kind, finding.seq) == (Tampering.UNSIGNED, RECORDS + 1)
    assert signed < RECORDS + 1


def test_a_record_added_after_the_end_is_found(ended: Path) -> None:
    held = lines(ended / FIRST)
    held.append(reseal(held[-1], held[-1][-67:-3], RECORDS + 2))
    (ended / FIRST).write_bytes(b"".join(held))
    finding = verify(ended)
    assert finding is not None
    assert (finding.kind, finding.seq) == (Tampering.UNSIGNED, RECORDS + 2)
    assert "at most 0 records" in finding.expected


@pytest.mark.parametrize("more", [b"\0" * 4_096, b'{"seq":', b"{"])
def test_bytes_added_after_the_end_are_found(ended: Path, more: bytes) -> None:
    with (ended / FIRST).open("ab") as file:
        file.write(more)
    finding = verify(ended)
    assert finding is not None
    assert (finding.kind, finding.seq) == (Tampering.UNSIGNED, RECORDS + 1)
    assert f"{len(more):,} bytes more" in finding.found


@pytest.mark.parametrize("records", [1, 100])
def test_a_line_that_a_crash_cut_is_none_where_the_trail_had_not_ended(tmp_path: Path, records: int) -> None:
    writer = TrailWriter(tmp_path / "audit", SIGNER, FakeWall().wall_ns, checkpoint_records=records)
    writer.append([OutboxRecords(source="gateway", first_seq=1, events=(event(1),))])
    writer.close()
    with (tmp_path / "audit" / FIRST).open("ab") as file:
        file.write(b'{"seq":2')
    result = verify_trail(tmp_path / "audit", SIGNER.verifier)
    assert (result.finding, result.torn_bytes) == (None, 8)


def test_a_trail_that_goes_on_after_its_end_verifies(ended: Path) -> None:
    writer = TrailWriter(ended, SIGNER, FakeWall().wall_ns)
    events = (event(1),)
    writer.append([OutboxRecords(source="gateway", first_seq=RECORDS + 1, events=events)])
    result = verify_trail(ended, SIGNER.verifier)
    assert (result.finding, result.unsigned, result.records) == (None, 1, RECORDS + 2)
    writer.close()


def test_a_tail_rewritten_without_its_end_is_found_by_what_the_session_noted(ended: Path) -> None:
    """Inside the trail alone it looks like a crash's."""
    end = orderly_end(ended, SIGNER.verifier)
    assert end == (RECORDS + 1, lines(ended / FIRST)[-1][-67:-3].decode())
    assert verify_trail(ended, SIGNER.verifier, known_end=end).holds
    signed = cut_checkpoints(ended, 3)
    held = lines(ended / FIRST)[:-1]
    for at in range(signed, len(held)):
        held[at] = reseal(held[at].replace(b'"n":', b'"n":9'), held[at - 1][-67:-3], at + 1)
    (ended / FIRST).write_bytes(b"".join(held))
    assert verify(ended) is None
    finding = verify_trail(ended, SIGNER.verifier, known_end=end).finding
    assert finding is not None
    assert finding.kind is Tampering.ROLLED_BACK
    assert orderly_end(ended, SIGNER.verifier) == (0, GENESIS)


@pytest.mark.parametrize("last", range(1, 6))
def test_no_checkpoints_can_be_taken_away_to_rewrite_more_than_a_span(trail: Path, last: int) -> None:
    signed = cut_checkpoints(trail, last)
    assert (verify(trail) is None) == (RECORDS - signed < 100)


def test_checkpoints_forged_with_another_key_are_found(trail: Path, tmp_path: Path) -> None:
    other = tmp_path / "forged"
    writer = TrailWriter(other, FORGER, FakeWall().wall_ns)
    writer.append([OutboxRecords(source="gateway", first_seq=1, events=(event(1),))])
    writer.close()
    finding = verify(other)
    assert finding is not None
    assert finding.kind is Tampering.CHECKPOINT
    assert "key" in finding.found


def roll_back(trail: Path) -> None:
    """Cut trail and checkpoints together to what was true earlier: inside the directory nothing contradicts it."""
    (trail / SECOND).unlink()
    signed = lines(trail / CHECKPOINTS)
    (trail / CHECKPOINTS).write_bytes(
        b"".join(raw for raw in signed if int(re.findall(rb'"seq":(\d+)', raw)[0]) <= 101)
    )


def test_a_roll_back_is_found_only_by_the_checkpoints_kept_elsewhere(trail: Path, original: Path) -> None:
    roll_back(trail)
    assert verify(trail) is None, "the window that docs/audit.md names"
    finding = verify(trail, original.parent / "kept.jsonl")
    assert finding is not None
    assert (finding.kind, finding.seq) == (Tampering.ROLLED_BACK, 150)


def test_another_trail_in_its_place_is_found_by_the_checkpoints_kept_elsewhere(
    tmp_path: Path, original: Path
) -> None:
    writer = TrailWriter(tmp_path / "audit", SIGNER, FakeWall(1_800_000_000_000_000_000).wall_ns)
    writer.append([OutboxRecords(source="gateway", first_seq=1, events=tuple(event(n) for n in range(300)))])
    writer.close()
    finding = verify(tmp_path / "audit", original.parent / "kept.jsonl")
    assert finding is not None
    assert finding.kind is Tampering.ROLLED_BACK


def test_a_trail_signed_anew_with_a_stolen_key_is_found_by_the_checkpoints_kept_elsewhere(
    tmp_path: Path,
) -> None:
    for name, last in (("told", 2), ("retold", 3)):
        copy = tmp_path / "kept.jsonl" if name == "told" else None
        writer = TrailWriter(tmp_path / name, SIGNER, FakeWall().wall_ns, checkpoint_copy=copy)
        writer.append([OutboxRecords(source="gateway", first_seq=1, events=(event(1),))])
        writer.append([OutboxRecords(source="gateway", first_seq=2, events=(event(last),))])
        writer.close()
    assert verify(tmp_path / "told", tmp_path / "kept.jsonl") is None
    assert verify(tmp_path / "retold") is None
    finding = verify(tmp_path / "retold", tmp_path / "kept.jsonl")
    assert finding is not None
    assert (finding.kind, finding.seq) == (Tampering.RESEALED, 2)


def test_verifying_while_the_trail_grows_sees_what_was_there(tmp_path: Path) -> None:
    writer = TrailWriter(tmp_path, SIGNER, FakeWall().wall_ns)
    for n in range(1, 400):
        writer.append([OutboxRecords(source="gateway", first_seq=n, events=(event(n),))])
        if n % 37 == 0:
            result = verify_trail(tmp_path, SIGNER.verifier)
            assert (result.holds, result.records) == (True, n)
    writer.close()
