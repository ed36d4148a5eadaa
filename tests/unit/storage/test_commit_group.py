"""Several databases commit as one, whatever ends the writer (reliability: nothing acknowledged is lost)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from enum import IntEnum, StrEnum
from pathlib import Path

import numpy as np
import pytest

from domain.errors import DurabilityError, StateError
from storage.commit_group import REDO, CommitGroup, finish_commit, is_left, read_cut
from storage.engine import Statement, open_reader, sqlite_url
from storage.files import cut_file
from storage.journal import SqlJournal
from storage.journal_reader import JournalReader
from tests.fakes.records import event, execution, order

NAMES = ("gateway", "risk", "feed")


class Died(BaseException):
    """End the writer as a kill would: no handler of the engine's catches it."""


class Dying:
    """Be a member that passes everything on and ends the writer before, or after, it takes its part."""

    def __init__(self, member: SqlJournal, *, before: bool) -> None:
        self._member, self._before = member, before
        self.path, self.cut = member.path, member.cut

    def gathered(self) -> list[Statement]:
        return self._member.gathered()

    def take(self, work: list[Statement]) -> None:
        if not self._before:
            self._member.take(work)
        raise Died


class Writers:
    """Hold journals of one group."""

    def __init__(self, place: Path) -> None:
        self.open = True
        self.group = CommitGroup(place / REDO)
        self.journals = {
            name: SqlJournal(sqlite_url(place / f"{name}.db"), name, group=self.group) for name in NAMES
        }

    def append(self, n: int) -> None:
        for journal in self.journals.values():
            journal.append([order(2 * n - 1, f"o{n}"), execution(2 * n, f"e{n}"), event(n)])

    def replace(self, name: str, *, before: bool) -> None:
        place = self.group._members.index(self.journals[name])
        self.group._members[place] = Dying(self.journals[name], before=before)

    def let_go(self) -> None:
        """Close the files without committing, as the end of the process does."""
        if self.open:
            for journal in self.journals.values():
                journal._connection.close()
                journal._engine.dispose()
            self.group.close()
        self.open = False


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[Writers]:
    made = Writers(tmp_path)
    made.append(1)
    made.group.commit()
    made.append(2)
    yield made
    made.let_go()


def heads(place: Path) -> list[int]:
    """Return the newest entry of each database, and see that events and cut agree with it."""
    found = []
    for name in NAMES:
        reader = JournalReader.open(sqlite_url(place / f"{name}.db"), name)
        found.append(reader.head())
        assert reader.outbox_range() == (1, reader.head() // 2)
        reader.close()
        engine = open_reader(sqlite_url(place / f"{name}.db"), name)
        with engine.connect() as connection:
            assert read_cut(connection) == found[-1] // 2
        engine.dispose()
    return found


BEFORE, AFTER = [2, 2, 2], [4, 4, 4]


def test_a_commit_reaches_every_database_and_leaves_no_log(writers: Writers, tmp_path: Path) -> None:
    assert heads(tmp_path) == BEFORE
    writers.group.commit()
    assert heads(tmp_path) == AFTER
    assert not is_left(tmp_path / REDO)
    assert not finish_commit(tmp_path / REDO)


def test_what_the_trail_has_taken_is_let_go_with_the_next_commit_and_is_worth_none_of_its_own(
    writers: Writers, tmp_path: Path
) -> None:
    writers.group.commit()
    for journal in writers.journals.values():
        journal.acknowledge(2)
    redo = (tmp_path / REDO).stat().st_mtime_ns
    writers.group.commit()
    assert (tmp_path / REDO).stat().st_mtime_ns == redo
    writers.append(3)
    writers.group.commit()
    writers.let_go()
    reader = JournalReader.open(sqlite_url(tmp_path / "risk.db"), "risk")
    assert reader.outbox_range() == (2, 3)
    reader.close()


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_killed_at_any_database_all_of_them_hold_the_commit_after_the_next_start(
    writers: Writers, tmp_path: Path, name: str, before: bool
) -> None:
    writers.replace(name, before=before)
    with pytest.raises(Died):
        writers.group.commit()
    writers.let_go()
    done = NAMES.index(name) + (not before)
    assert heads(tmp_path) == AFTER[:done] + BEFORE[done:]
    assert finish_commit(tmp_path / REDO)
    assert heads(tmp_path) == AFTER
    assert not is_left(tmp_path / REDO)
    again = Writers(tmp_path)
    again.append(3)
    again.group.commit()
    assert heads(tmp_path) == [6, 6, 6]
    again.let_go()


def test_killed_while_it_finishes_the_next_start_finishes(writers: Writers, tmp_path: Path) -> None:
    writers.replace("gateway", before=True)
    with pytest.raises(Died):
        writers.group.commit()
    writers.let_go()
    log = (tmp_path / REDO).read_bytes()
    aside = (tmp_path / "feed.db").rename(tmp_path / "aside")
    with pytest.raises(StateError, match=r"feed\.db is missing.*--fresh"):
        finish_commit(tmp_path / REDO)
    assert (tmp_path / REDO).read_bytes() == log
    aside.rename(tmp_path / "feed.db")
    assert heads(tmp_path) == [4, 4, 2]
    assert finish_commit(tmp_path / REDO)
    assert heads(tmp_path) == AFTER
    (tmp_path / REDO).write_bytes(log)  # as a loss of power may leave it: nothing is taken twice
    assert finish_commit(tmp_path / REDO)
    assert heads(tmp_path) == AFTER


def test_a_log_cut_anywhere_is_dropped_and_no_database_holds_any_of_it(
    writers: Writers, tmp_path: Path
) -> None:
    writers.replace("gateway", before=True)
    with pytest.raises(Died):
        writers.group.commit()
    writers.let_go()
    log = (tmp_path / REDO).read_bytes()
    damaged = bytes([*log[:-1], log[-1] ^ 1])
    for content in (log[:1], log[:31], log[:32], log[:33], log[: len(log) // 2], log[:-1], damaged):
        (tmp_path / REDO).write_bytes(content)
        assert not finish_commit(tmp_path / REDO)
        assert heads(tmp_path) == BEFORE
        assert not is_left(tmp_path / REDO)


def test_a_state_directory_that_was_moved_finishes_its_commit(writers: Writers, tmp_path: Path) -> None:
    writers.replace("risk", before=True)
    with pytest.raises(Died):
        writers.group.commit()
    writers.let_go()
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in tmp_path.glob("*.db*"):
        path.rename(moved / path.name)
    (tmp_path / REDO).rename(moved / REDO)
    assert finish_commit(moved / REDO)
    assert heads(moved) == AFTER


def _full_log(writers: Writers) -> None:
    def full(content: bytes, *, durable: bool = True) -> None:
        raise DurabilityError(f"{REDO} cannot be written: No space left on device")

    writers.group._redo.append = full  # type: ignore[method-assign]


def _full_database(writers: Writers) -> None:
    connection = writers.journals["risk"]._connection
    connection.exec_driver_sql("PRAGMA query_only=ON")
    connection.rollback()


@pytest.mark.parametrize(
    ("fails", "left"), [(_full_log, BEFORE), (_full_database, AFTER)], ids=["log", "database"]
)
def test_after_a_failure_nothing_more_is_taken_or_committed(
    writers: Writers, tmp_path: Path, fails: Callable[[Writers], None], left: list[int]
) -> None:
    fails(writers)
    with pytest.raises(DurabilityError) as first:
        writers.group.commit()
    for refused in (
        writers.group.commit,
        writers.journals["gateway"].flush,
        lambda: writers.journals["feed"].append([event(3)]),
        writers.journals["gateway"].close,
    ):
        with pytest.raises(DurabilityError) as later:
            refused()
        assert str(later.value) == str(first.value)
    writers.let_go()
    finish_commit(tmp_path / REDO)
    assert heads(tmp_path) == left


def test_a_group_refuses_to_begin_over_a_log_that_was_left(writers: Writers, tmp_path: Path) -> None:
    writers.replace("gateway", before=True)
    with pytest.raises(Died):
        writers.group.commit()
    with pytest.raises(StateError, match=REDO):
        CommitGroup(tmp_path / REDO)
    cut_file(tmp_path / REDO, 0)
    CommitGroup(tmp_path / REDO).close()


class Colour(StrEnum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


def test_values_are_finished_as_the_database_would_have_taken_them(tmp_path: Path) -> None:
    values = ('x\n"é', 2**62, -0.0, 1e-308, True, None, Colour.RED, Number.ONE, np.float64(0.1))
    insert = f"INSERT INTO kept VALUES ({','.join('?' * len(values))})"
    for name in ("plain", "redone"):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as made:
            made.execute(f"CREATE TABLE kept ({','.join(f'c{n}' for n in range(len(values)))})")
            made.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT)")
            if name == "plain":
                made.execute(insert, values)
            made.commit()

    class Gathered:
        path, cut = tmp_path / "redone.db", 0

        def gathered(self) -> list[Statement]:
            return [Statement(insert, [values])]

        def take(self, work: list[Statement]) -> None:
            raise Died

    group = CommitGroup(tmp_path / REDO)
    group.join(Gathered())
    with pytest.raises(Died):
        group.commit()
    group.close()
    assert finish_commit(tmp_path / REDO)
    found = []
    for name in ("plain", "redone"):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as made:
            columns = ",".join(f"c{n},typeof(c{n})" for n in range(len(values)))
            found.append(repr(made.execute(f"SELECT {columns} FROM kept").fetchall()))
    assert found[0] == found[1]


def test_what_nobody_gathered_is_no_commit(tmp_path: Path) -> None:
    writers = Writers(tmp_path)
    writers.group.commit()
    assert cuts(tmp_path) == [0, 0, 0]
    writers.journals["risk"].append([order(1), event(1)])
    writers.group.commit()
    assert cuts(tmp_path) == [0, 1, 0]
    writers.let_go()


def test_nonsense_in_the_place_of_a_cut_is_named(tmp_path: Path) -> None:
    writers = Writers(tmp_path)
    writers.let_go()
    with closing(sqlite3.connect(tmp_path / "risk.db")) as edited:
        edited.execute("INSERT OR REPLACE INTO meta VALUES ('cut', 'x')")
        edited.commit()
    with pytest.raises(StateError, match=r"risk\.db: table meta holds 'x'"):
        cuts(tmp_path)


def cuts(place: Path) -> list[int]:
    """Return the number of the last common commit that each database holds."""
    found = []
    for name in NAMES:
        engine = open_reader(sqlite_url(place / f"{name}.db"), name)
        with engine.connect() as connection:
            found.append(read_cut(connection))
        engine.dispose()
    return found
