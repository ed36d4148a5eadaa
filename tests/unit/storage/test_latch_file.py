"""The latch's file: absent is ACTIVE, nonsense is HALTED, and what was written is there after a crash."""

from __future__ import annotations

import builtins
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import DurabilityError
from domain.records import Rung
from storage.latch_file import NAME, LatchFile, keep_persons_halt

UP = [rung for rung in Rung if rung is not Rung.ACTIVE]


def test_nothing_is_halted_where_there_is_no_file(tmp_path: Path) -> None:
    assert LatchFile(tmp_path).read() is Rung.ACTIVE
    assert LatchFile(tmp_path / "missing").read() is Rung.ACTIVE


@pytest.mark.parametrize("rung", UP)
def test_every_reader_sees_what_was_written(tmp_path: Path, rung: Rung) -> None:
    reader = LatchFile(tmp_path)
    assert reader.read() is Rung.ACTIVE
    LatchFile(tmp_path).write(rung, 7, "drawdown 16 %")
    assert reader.read() is rung
    assert json.loads((tmp_path / NAME).read_bytes()) == {
        "rung": rung.name,
        "version": 7,
        "detail": "drawdown 16 %",
    }
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_active_removes_it(tmp_path: Path) -> None:
    latch = LatchFile(tmp_path)
    latch.write(Rung.HALTED, 1, "why")
    latch.write(Rung.ACTIVE, 2, "resumed")
    assert not (tmp_path / NAME).exists()
    assert latch.read() is Rung.ACTIVE
    latch.write(Rung.ACTIVE, 3, "again")
    LatchFile(tmp_path / "missing").write(Rung.ACTIVE, 1, "")


@pytest.mark.parametrize("before", list(Rung))
@pytest.mark.parametrize("rung", UP)
def test_a_person_raises_it_and_never_lowers_it(tmp_path: Path, before: Rung, rung: Rung) -> None:
    latch = LatchFile(tmp_path)
    latch.write(before, 3, "drawdown 16 %")
    stands = LatchFile(tmp_path).raise_to(rung, "ann: storm")
    assert stands is latch.read() is max(before, rung)
    assert latch.word() == ((0, "ann: storm") if before <= rung else (3, "drawdown 16 %"))


def test_what_a_person_wrote_is_said_more_of_only_while_it_stands(tmp_path: Path) -> None:
    """A coordinator that took the file up meanwhile has made it its own."""
    latch = LatchFile(tmp_path)
    latch.raise_to(Rung.FLATTENING, "ann: storm")
    assert latch.reword("ann: storm", "ann: storm (done)")
    assert (latch.read(), latch.word()) == (Rung.FLATTENING, (0, "ann: storm (done)"))
    latch.write(Rung.HALTED, 4, "kill_switch: ann: storm (done)")
    for before in ("ann: storm (done)", "kill_switch: ann: storm (done)"):
        assert not latch.reword(before, "more")
    assert (latch.read(), latch.word()) == (Rung.HALTED, (4, "kill_switch: ann: storm (done)"))
    latch.write(Rung.ACTIVE, 5, "")
    assert not latch.reword("ann: storm (done)", "more")
    assert latch.read() is Rung.ACTIVE


def test_file_that_was_replaced_is_read_anew_each_time(tmp_path: Path) -> None:
    reader, writer = LatchFile(tmp_path), LatchFile(tmp_path)
    for number in range(50):
        writer.write(UP[number % len(UP)], number, "")
        assert reader.read() is UP[number % len(UP)]


def test_file_that_did_not_change_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at before each order: that must cost a `stat`."""
    latch = LatchFile(tmp_path)
    latch.write(Rung.HALTED, 1, "why")
    assert latch.read() is Rung.HALTED

    def fail(*_: Any) -> None:
        raise AssertionError("opened again")

    monkeypatch.setattr(builtins, "open", fail)
    for _ in range(5):
        assert latch.read() is Rung.HALTED


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"null",
        b"5",
        b'{"rung": 2}',
        b'{"rung": "OFF"}',
        b'{"rung": []}',
        b'{"version": 1}',
        b"[" * 100_000,
    ],
)
def test_nonsense_reads_as_halted(tmp_path: Path, content: bytes) -> None:
    """Whoever wrote it, with an editor in a hurry or with half a disk, wanted no more orders."""
    (tmp_path / NAME).write_bytes(content)
    assert LatchFile(tmp_path).read() is Rung.HALTED


@given(content=st.binary(max_size=60))
def test_any_content_reads_as_a_rung(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    place = tmp_path_factory.mktemp("latch")
    (place / NAME).write_bytes(content)
    assert LatchFile(place).read() in Rung


def test_file_that_cannot_be_read_is_halted(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    assert LatchFile(tmp_path).read() is Rung.HALTED


def test_place_that_cannot_be_looked_at_is_halted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    assert LatchFile(tmp_path / "file").read() is Rung.HALTED


def test_pipe_or_directory_in_its_place_is_halted_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / NAME)
    assert LatchFile(tmp_path).read() is Rung.HALTED
    assert LatchFile(tmp_path).word() == (0, "")
    with pytest.raises(DurabilityError, match="a pipe and no regular file"):
        LatchFile(tmp_path).write(Rung.REDUCING, 3, "a limit")
    (tmp_path / "other" / NAME).mkdir(parents=True)
    assert LatchFile(tmp_path / "other").read() is Rung.HALTED


def test_link_to_nothing_is_halted_and_is_removed_like_any(tmp_path: Path) -> None:
    """It may lead to a disk that is not mounted; "absent" would trade on."""
    (tmp_path / NAME).symlink_to(tmp_path / "away" / "halt")
    latch = LatchFile(tmp_path)
    assert latch.read() is Rung.HALTED
    latch.write(Rung.ACTIVE, 0, "")
    assert latch.read() is Rung.ACTIVE


def test_directory_that_went_away_is_halted_for_who_worked_in_it(tmp_path: Path) -> None:
    """A halt is written where the directory is now: an engine that looks at the old place would never hear it."""
    (tmp_path / "state").mkdir()
    running, later = LatchFile(tmp_path / "state"), tmp_path / "moved"
    assert running.read() is Rung.ACTIVE
    (tmp_path / "state").rename(later)
    assert running.read() is Rung.HALTED
    assert running.word() == (0, f"the directory {tmp_path / 'state'} is gone")
    later.rename(tmp_path / "state")
    assert running.read() is Rung.ACTIVE


def test_halt_is_durable_at_the_return_and_its_removal_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    fsync = os.fsync

    def spy(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    directory = tmp_path.stat().st_ino
    LatchFile(tmp_path).write(Rung.HALTED, 1, "")
    assert synced == [(tmp_path / NAME).stat().st_ino, directory]
    LatchFile(tmp_path).write(Rung.ACTIVE, 2, "")
    assert synced[2:] == [directory]


def test_write_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(DurabilityError, match="halt cannot be written"):
        LatchFile(tmp_path / "missing").write(Rung.HALTED, 1, "why")
    (tmp_path / NAME).mkdir()
    with pytest.raises(DurabilityError, match="halt cannot be removed"):
        LatchFile(tmp_path).write(Rung.ACTIVE, 1, "why")


def test_writer_that_dies_half_way_leaves_what_stood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    latch = LatchFile(tmp_path)
    latch.write(Rung.HALTED, 1, "first")

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(DurabilityError):
        latch.write(Rung.FLATTENING, 2, "second")
    assert latch.read() is Rung.HALTED
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


@pytest.mark.parametrize(("version", "age_ns", "kept"), [(0, 0, True), (0, 1, False), (3, 0, False)])
def test_halt_of_a_person_is_kept_where_it_was_written_since_the_engine_began(
    tmp_path: Path, version: int, age_ns: int, kept: bool
) -> None:
    archived, state = tmp_path / "archived", tmp_path / "state"
    for folder in (archived, state):
        folder.mkdir()
    assert not keep_persons_halt(archived, state, 0)
    LatchFile(archived).write(Rung.HALTED, version, "root: enough")
    begun_ns = os.stat(archived / NAME).st_mtime_ns + age_ns
    assert keep_persons_halt(archived, state, begun_ns) is kept
    assert LatchFile(state).read() is (Rung.HALTED if kept else Rung.ACTIVE)
    assert LatchFile(state).word() == (0, "root: enough" if kept else "")
