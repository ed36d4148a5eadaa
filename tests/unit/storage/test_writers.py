"""One database has one writer, whatever became of the engine that began it (A7)."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import StateError
from storage import engine
from storage.engine import open_reader, open_writer, read_meta, sqlite_url
from storage.journal import SqlJournal
from storage.state import StateDirectory
from tests.fakes.records import order

NOW_NS = 1_700_000_000_000_000_000
ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
import sys
from pathlib import Path
from storage.engine import sqlite_url
from storage.journal import SqlJournal
journal = SqlJournal(sqlite_url(Path(sys.argv[1])), "gateway")
print("open", flush=True)
sys.stdin.read()
if sys.argv[2] == "close":
    journal.close()
    print("closed", flush=True)
    sys.stdin.close()
    __import__("time").sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.db"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "WRITER_WAIT_S", 0.3)


def writing(path: Path, how: str = "leave") -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(path), how],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


@pytest.fixture
def other(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Hold the database open for writing in another process."""
    yield from writing(path)


@pytest.mark.usefixtures("impatient")
def test_a_second_writer_is_refused_naming_file_process_and_what_to_do(
    path: Path, other: subprocess.Popen[str]
) -> None:
    with pytest.raises(
        StateError, match=rf"gateway\.db is still being written by process {other.pid}; .*run again"
    ):
        open_writer(sqlite_url(path), "gateway")
    open_reader(sqlite_url(path), "gateway").dispose()


def test_a_writer_waits_for_one_that_is_being_killed(path: Path, other: subprocess.Popen[str]) -> None:
    """An actor outlives its engine's state lock by a moment when the engine is killed."""
    began = time.monotonic()
    threading.Timer(0.5, other.kill).start()
    journal = SqlJournal(sqlite_url(path), "gateway")
    assert time.monotonic() - began >= 0.4
    journal.append([order(1)])
    journal.close()


def test_a_closed_journal_lets_the_next_one_in_while_its_process_lives(path: Path) -> None:
    for process in writing(path, "close"):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        assert process.stdout.readline() == "closed\n"
        assert process.poll() is None
        open_writer(sqlite_url(path), "gateway").dispose()


def test_an_archive_waits_for_the_writers_of_a_killed_engine_and_is_refused_while_they_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that outlived the move would clear away its log by name when it ends: the next session's log."""
    state = StateDirectory(tmp_path / "state")
    state.lock()
    (state.path / "deep").mkdir()
    for process in writing(state.path / "deep" / "gateway.db"):
        with monkeypatch.context() as patched:
            patched.setattr("storage.files.WRITER_WAIT_S", 0.1)
            with pytest.raises(
                StateError, match=rf"deep/gateway\.db is still being written by process {process.pid}"
            ):
                state.archive(NOW_NS)
        assert (state.path / "deep" / "gateway.db").exists()
        threading.Timer(0.3, process.kill).start()
        place = state.archive(NOW_NS + 1_000_000_000)
        assert place is not None
        assert (place / "deep" / "gateway.db").exists()
    state.release()


@pytest.mark.usefixtures("impatient")
def test_two_writers_in_one_process_are_refused_alike(path: Path) -> None:
    journal = SqlJournal(sqlite_url(path), "gateway")
    with pytest.raises(StateError, match="still being written"):
        SqlJournal(sqlite_url(path), "gateway")
    journal.append([order(1)])
    journal.close()
    SqlJournal(sqlite_url(path), "gateway").close()


@pytest.mark.usefixtures("impatient")
def test_a_refused_file_is_not_held(path: Path) -> None:
    open_writer(sqlite_url(path), "risk").dispose()
    for _ in range(2):
        with pytest.raises(StateError, match="role 'risk'"):
            open_writer(sqlite_url(path), "gateway")
    open_writer(sqlite_url(path), "risk").dispose()


@pytest.mark.usefixtures("impatient")
def test_writers_that_share_what_can_be_rebuilt_do_not_keep_one_another_out(path: Path) -> None:
    first = open_writer(sqlite_url(path), "audit", alone=False)
    second = open_writer(sqlite_url(path), "audit", alone=False)
    for writer in (first, second):
        with writer.connect() as connection:
            assert read_meta(connection)["role"] == "audit"
        writer.dispose()
