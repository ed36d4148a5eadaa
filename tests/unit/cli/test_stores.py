from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.state import StateDirectory
from tests.unit.cli.conftest import Invoke, Traded

READERS = (
    ("orders", "list"),
    ("positions", "list"),
    ("audit", "verify"),
    ("audit", "query"),
    ("audit", "export"),
)


def _absent(path: Path) -> None:
    assert not path.exists()


def _empty(path: Path) -> None:
    path.mkdir()


def _foreign(path: Path) -> None:
    path.mkdir()
    (path / "letter.txt").touch()


def _file(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize("command", READERS, ids=" ".join)
@pytest.mark.parametrize(
    ("make", "code", "says"),
    [
        (_absent, 3, "does not exist: no engine has run here; `breakwater run` starts one"),
        (_empty, 3, "has no session: no engine has run here yet"),
        (_foreign, 4, "which is no state directory (it has no breakwater.json)"),
        (_file, 4, "a file; allowed: a state directory"),
    ],
)
def test_a_place_without_a_session_is_refused(
    invoke: Invoke,
    tmp_path: Path,
    command: tuple[str, str],
    make: Callable[[Path], None],
    code: int,
    says: str,
) -> None:
    """Exit codes: 3 where no engine has been, 4 where --state names something else."""
    path = tmp_path / "place"
    make(path)
    result = invoke(*command, "--state", path)
    assert (result.exit_code, result.stdout) == (code, "")
    assert says in result.stderr
    assert str(path) in result.stderr


@pytest.mark.parametrize("command", [each for each in READERS if each != ("audit", "verify")], ids=" ".join)
def test_what_a_session_left_without_its_file_is_not_taken_for_no_session(
    invoke: Invoke, traded: Traded, command: tuple[str, str]
) -> None:
    (traded.path / "session.json").unlink()
    result = invoke(*command, "--state", traded.path)
    assert (result.exit_code, result.stdout) == (4, "")
    for words in (f"{traded.path / 'session.json'} is missing", "risk.db", "an audit trail", "--fresh"):
        assert words in result.stderr


def test_databases_without_session_and_trail_are_named_by_verify_too(invoke: Invoke, traded: Traded) -> None:
    (traded.path / "session.json").unlink()
    shutil.rmtree(traded.path / "audit")
    result = invoke("audit", "verify", "--state", traded.path)
    assert result.exit_code == 4
    assert "session.json is missing" in result.stderr


def test_with_json_a_refusal_is_one_object_too(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("orders", "list", "--state", tmp_path / "nowhere", "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["exit_code"], report["error"]["kind"]) == (3, 3, "NotRunning")


def _no_database(path: Path) -> None:
    path.write_text("not a database, but long enough to have a header", encoding="utf-8")


def _torn(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4_096:] = bytes(len(content) - 4_096)
    path.write_bytes(content)


def _of_another_role(path: Path) -> None:
    path.write_bytes(path.with_name("feed.db").read_bytes())


@pytest.mark.parametrize("spoil", [_no_database, _torn, _of_another_role])
@pytest.mark.parametrize("what", ["orders", "positions"])
def test_a_damaged_database_is_named_with_what_to_do(
    invoke: Invoke, traded: Traded, what: str, spoil: Callable[[Path], None]
) -> None:
    database = traded.path / "gateway.db"
    spoil(database)
    result = invoke(what, "list", "--state", traded.path)
    assert (result.exit_code, result.stdout) == (4, "")
    assert str(database) in result.stderr
    assert "--fresh" in result.stderr


def test_a_database_that_is_not_there_yet_means_not_running(invoke: Invoke, traded: Traded) -> None:
    (traded.path / "gateway.db").unlink()
    result = invoke("orders", "list", "--state", traded.path)
    assert result.exit_code == 3
    assert "gateway.db does not exist" in result.stderr


def test_a_session_file_that_is_none_is_named(invoke: Invoke, traded: Traded) -> None:
    (traded.path / "session.json").write_text("[]", encoding="utf-8")
    result = invoke("positions", "list", "--state", traded.path)
    assert result.exit_code == 4
    assert "session.json is no session file" in result.stderr


def test_reading_changes_nothing_but_the_index(invoke: Invoke, traded: Traded) -> None:
    passing = ("index.db", "-wal", "-shm")

    def content() -> dict[str, bytes]:
        paths = (path for path in traded.path.rglob("*") if path.is_file())
        return {
            str(path): path.read_bytes() for path in paths if not any(part in path.name for part in passing)
        }

    before = content()
    for command in READERS:
        assert invoke(*command, "--state", traded.path).exit_code == 0
    assert content() == before


def test_an_archived_session_can_be_read_where_it_lies(invoke: Invoke, traded: Traded) -> None:
    directory = StateDirectory(traded.path)
    directory.lock()
    try:
        archived = directory.archive(1_700_000_000_000_000_000)
    finally:
        directory.release()
    assert archived is not None
    assert invoke("orders", "list", "--state", traded.path).exit_code == 3
    report = json.loads(invoke("orders", "list", "--state", archived, "--json").stdout)
    assert report["total"] == traded.summary["orders"]
    assert invoke("audit", "verify", "--state", archived).exit_code == 0
