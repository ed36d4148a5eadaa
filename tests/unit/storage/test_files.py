from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.errors import DurabilityError
from storage.files import FileLock, make_directories, replace_file, replacing


def test_a_file_is_replaced_whole_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old and longer")
    path.chmod(0o644)
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_on_the_way_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")

    def write() -> None:
        with replacing(path) as draft:
            draft.write_bytes(b"half")
            raise ValueError("on the way")

    with pytest.raises(ValueError, match="on the way"):
        write()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with replacing(path) as draft:
        draft.write_bytes(b"new")
        assert path.read_bytes() == b"old"
        assert draft.parent == path.parent
    assert path.read_bytes() == b"new"


def test_what_a_killed_process_left_is_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with replacing(path) as draft:
        left = draft
        draft.write_bytes(b"x")
    left.write_bytes(b"left behind")
    left.chmod(0o644)
    replace_file(path, b"new")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(DurabilityError, match=r"absent/a\.json cannot be written: No such file"):
        replace_file(tmp_path / "absent" / "a.json", b"x")


def test_directories_that_exist_stay_as_they_are(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_directories(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        make_directories(tmp_path / "file" / "below")


def test_a_lock_is_held_by_one_and_says_by_whom(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.is_held() is False, "and asking makes no file"
    assert list(tmp_path.iterdir()) == []
    assert first.take("the first") is None
    assert second.take("the second") == "the first"
    assert second.take("the second", wait_s=0.1) == "the first"
    assert second.is_held()
    first.release()
    first.release()
    assert not second.is_held()
    assert second.take("the second") is None
    second.release()


def test_a_lock_that_could_not_be_taken_leaves_nothing_open(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    first.take("the first")
    before = len(os.listdir("/dev/fd"))
    second.take("the second")
    second.is_held()
    assert len(os.listdir("/dev/fd")) == before
    first.release()


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


@pytest.mark.parametrize(
    ("make", "kind"),
    [(os.mkfifo, "a pipe"), (make_socket, "a socket"), (Path.mkdir, "a directory")],
)
def test_what_is_no_regular_file_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], kind: str
) -> None:
    """A device that a command is told to write to must not become a file."""
    monkeypatch.chdir(tmp_path)  # a socket's name may be too long otherwise
    make(Path("there"))
    link = tmp_path / "link"
    link.symlink_to("there")
    before = stat.S_IFMT(os.stat("there").st_mode)
    for path in (tmp_path / "there", link):
        with pytest.raises(OSError, match=f"it is {kind} and no regular file"), replacing(path) as draft:
            draft.write_text("new")
    assert stat.S_IFMT(os.stat("there").st_mode) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "there"]


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "kept" / "file")
    for content in ("first", "second"):
        with replacing(link) as draft:
            draft.write_text(content)
        assert (link.is_symlink(), (tmp_path / "kept" / "file").read_text()) == (True, content)
