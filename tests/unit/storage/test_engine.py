from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from domain.errors import ConfigurationError, StateError
from storage.engine import open_reader, open_writer, sqlite_url
from storage.journal import SqlJournal
from tests.fakes.records import event


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.db"
    journal = SqlJournal(sqlite_url(path), "gateway")
    journal.append([event(n, filler="x" * 500) for n in range(200)])
    journal.close()
    return path


def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    path.write_bytes(b"orders,fills\n1,2\n")
    with pytest.raises(StateError, match=r"gateway\.db is not a database.*--fresh"):
        open_writer(sqlite_url(path), "gateway")


def test_a_corrupt_page_is_found_on_opening(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    page = int.from_bytes(whole[16:18], "big")
    for at in range(page, len(whole), page):
        whole[at : at + 64] = b"\xff" * 64
    path.write_bytes(whole)
    with pytest.raises(StateError, match=r"gateway\.db.*(corrupt|malformed).*--fresh"):
        open_writer(sqlite_url(path), "gateway")


def test_a_truncated_database_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StateError, match=r"gateway\.db.*--fresh"):
        open_writer(sqlite_url(path), "gateway")


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "gateway.db")
    other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.commit()
    other.close()
    with pytest.raises(StateError, match=r"another program's database.*bookmarks"):
        open_writer(sqlite_url(tmp_path / "gateway.db"), "gateway")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE meta SET value = '99' WHERE name = 'schema'", "schema version '99'"),
        ("UPDATE meta SET value = 'x' WHERE name = 'schema'", "schema version 'x'"),
        ("UPDATE meta SET value = 'other' WHERE name = 'product'", "another program's database"),
        ("UPDATE meta SET value = 'risk' WHERE name = 'role'", "role 'risk', not of 'gateway'"),
        ("DROP TABLE halts", "lacks the tables"),
    ],
)
def test_a_database_of_another_kind_is_refused(path: Path, statement: str, words: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()
    for opening in (open_writer, open_reader):
        with pytest.raises(StateError, match=words):
            opening(sqlite_url(path), "gateway")


def test_a_reader_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="does not exist"):
        open_reader(sqlite_url(tmp_path / "gateway.db"), "gateway")
    with pytest.raises(StateError, match="absent does not exist"):
        open_writer(sqlite_url(tmp_path / "absent" / "gateway.db"), "gateway")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["odd ?#%20é.db", "plain.db"])
def test_any_file_name_works_for_writer_and_reader(tmp_path: Path, name: str) -> None:
    open_writer(sqlite_url(tmp_path / name), "risk").dispose()
    open_reader(sqlite_url(tmp_path / name), "risk").dispose()
    assert (tmp_path / name).exists()


@pytest.mark.parametrize("url", ["mysql://host/db", "sqlite://", "sqlite:///:memory:"])
def test_a_url_that_names_no_supported_file_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="sqlite:///PATH"):
        open_writer(url, "gateway")
