from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from domain.errors import StateError
from storage.journal import SqlJournal
from storage.state import ARCHIVE, MARKER, SESSION, Session, StateDirectory
from tests.fakes.records import order

NOW_NS = 1_700_000_000_000_000_000
SESSION_ONE = Session(
    number=1, data="d1", configuration="c1", runtime="inline", begun_ns=NOW_NS, completed=False, bar=-1
)


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    state = StateDirectory(tmp_path / "state")
    state.lock()
    return state


def names(path: Path) -> set[str]:
    return {entry.name for entry in path.iterdir()}


def test_a_new_directory_is_for_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    for name in ("new/nested", "open"):
        StateDirectory(tmp_path / name).lock()
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o700


def test_a_directory_in_use_is_refused_naming_process_host_and_path(state: StateDirectory) -> None:
    with pytest.raises(
        StateError, match=f"{state.path} is in use by process {os.getpid()} on .+; stop that engine"
    ):
        StateDirectory(state.path).lock()
    state.release()
    state.release()
    StateDirectory(state.path).lock()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from storage.state import StateDirectory\n"
        "StateDirectory(Path(sys.argv[1])).lock(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(__file__).resolve().parents[3]
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path / "state")], cwd=root, check=False)
    assert killed.returncode == -9
    StateDirectory(tmp_path / "state").lock()


def test_a_directory_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    for name in ("a.txt", "photo.jpg"):
        (tmp_path / name).write_text("mine")
    with pytest.raises(
        StateError, match=r"is no state directory: it holds a\.txt, photo\.jpg; .*--state DIR"
    ):
        StateDirectory(tmp_path).lock()
    assert names(tmp_path) == {"a.txt", "photo.jpg"}


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("x")
    with pytest.raises(StateError, match="state is not a directory"):
        StateDirectory(tmp_path / "state").lock()


@pytest.mark.parametrize(
    "marker", ["{}", "nonsense", '{"product": "breakwater", "format": 99}', "[" * 100_000], ids=range(4)
)
def test_a_directory_of_another_version_is_refused(tmp_path: Path, marker: str) -> None:
    (tmp_path / "breakwater.json").write_text(marker)
    with pytest.raises(StateError, match="expected format 1"):
        StateDirectory(tmp_path).lock()


def test_a_session_is_kept_and_replaced(state: StateDirectory) -> None:
    assert (state.session(), state.next_session_number()) == (None, 1)
    state.write_session(SESSION_ONE)
    later = replace(SESSION_ONE, bar=250, completed=True)
    state.write_session(later)
    assert (state.session(), state.next_session_number()) == (later, 2)


@pytest.mark.parametrize("content", ["", "[]", '{"number": 1}', '{"other": 1}', "[" * 100_000], ids=range(5))
def test_a_spoilt_session_file_is_refused_by_name(state: StateDirectory, content: str) -> None:
    (state.path / SESSION).write_text(content)
    with pytest.raises(StateError, match=r"session\.json is no session file.*--fresh"):
        state.session()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bar", "12"),
        ("bar", True),
        ("bar", -2),
        ("completed", 1),
        ("number", 0),
        ("first", 1.5),
        ("data", None),
    ],
)
def test_a_session_value_that_cannot_be_one_is_named(state: StateDirectory, name: str, value: object) -> None:
    state.write_session(SESSION_ONE)
    written = json.loads((state.path / SESSION).read_bytes())
    (state.path / SESSION).write_text(json.dumps({**written, name: value}))
    with pytest.raises(StateError, match=re.escape(f"session.json is no session file: {name} is {value!r}")):
        state.session()


def test_fresh_moves_everything_into_the_archive_and_numbers_go_on(state: StateDirectory) -> None:
    journal = SqlJournal(state.database_url("gateway"), "gateway")
    journal.append([order(1)])
    journal.close()
    state.write_session(SESSION_ONE)
    state.audit.mkdir()
    (state.audit / "2023-11-14.jsonl").write_text("line\n")
    place = state.archive(NOW_NS)
    assert place == state.path / ARCHIVE / "20231114T221320Z-1"
    assert names(place) == {"gateway.db", "gateway.db.lock", "session.json", "audit"}
    assert names(state.path) == {"archive", "lock", "breakwater.json"}
    assert state.next_session_number() == 2
    assert state.archive(NOW_NS) is None
    state.write_session(SESSION_ONE)
    assert state.archive(NOW_NS) == state.path / ARCHIVE / "20231114T221320Z-2"
    with pytest.raises(StateError, match="in use"):
        StateDirectory(state.path).lock()


def test_an_archive_that_a_crash_left_unfinished_is_finished_at_the_next_start(state: StateDirectory) -> None:
    place = state.path / ARCHIVE / "20231114T221320Z-1.unfinished"
    place.mkdir(parents=True)
    (place / "gateway.db").write_text("moved before the crash")
    state.write_session(SESSION_ONE)
    state.release()
    again = StateDirectory(state.path)
    again.lock()
    assert names(again.path / ARCHIVE / "20231114T221320Z-1") == {"gateway.db", "session.json"}
    assert again.session() is None
    assert again.next_session_number() == 2


def test_numbers_go_on_when_archives_and_session_are_deleted(state: StateDirectory) -> None:
    state.write_session(replace(SESSION_ONE, number=3))
    place = state.archive(NOW_NS)
    assert place is not None
    shutil.rmtree(state.path / ARCHIVE)
    assert state.next_session_number() == 4
    state.release()
    again = StateDirectory(state.path)
    again.lock()
    assert again.next_session_number() == 4
    again.write_session(replace(SESSION_ONE, number=2))
    assert again.next_session_number() == 4, "the count never goes back"


def test_a_directory_from_before_the_count_goes_on_from_its_archives(tmp_path: Path) -> None:
    (tmp_path / MARKER).write_text('{"product": "breakwater", "format": 1}\n')
    archived = tmp_path / ARCHIVE / "20231114T221320Z-1"
    archived.mkdir(parents=True)
    present = {name: value for name, value in asdict(SESSION_ONE).items() if name != "databases"}
    (archived / SESSION).write_text(json.dumps({**present, "number": 6}))
    (tmp_path / SESSION).write_text(json.dumps({**present, "number": 7}))
    state = StateDirectory(tmp_path)
    state.lock()
    assert state.next_session_number() == 8
    assert state.database("risk") == tmp_path / "risk.db"
    state.write_session(replace(SESSION_ONE, number=8))
    (tmp_path / SESSION).unlink()
    shutil.rmtree(tmp_path / ARCHIVE)
    assert state.next_session_number() == 9


@pytest.mark.parametrize("sessions", ['"3"', "-1", "1.5", "true", "null", "[]"])
def test_a_marker_with_a_spoilt_count_is_refused(tmp_path: Path, sessions: str) -> None:
    (tmp_path / MARKER).write_text(f'{{"product": "breakwater", "format": 1, "sessions": {sessions}}}')
    with pytest.raises(StateError, match=r"breakwater\.json was not written by this version.*sessions"):
        StateDirectory(tmp_path).lock()


def test_a_marker_cut_short_by_a_kill_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / f".{MARKER}.4711.part").write_text("{")
    state = StateDirectory(tmp_path)
    state.lock()
    assert state.next_session_number() == 1


def test_databases_are_found_from_the_directory_alone_also_after_it_moved(state: StateDirectory) -> None:
    state.write_session(replace(SESSION_ONE, number=2, databases="sqlite:///{state}/db/{session}-{role}.db"))
    assert state.database("risk") == state.path / "db" / "2-risk.db"
    state.release()
    moved = state.path.rename(state.path.with_name("moved"))
    assert StateDirectory(moved).database("risk") == moved / "db" / "2-risk.db"


@pytest.mark.parametrize("databases", ["sqlite:////srv/{role}.db", "", None, 7])
def test_a_session_with_a_spoilt_place_is_refused(state: StateDirectory, databases: object) -> None:
    content = {**asdict(SESSION_ONE), "databases": databases}
    (state.path / SESSION).write_text(json.dumps(content))
    with pytest.raises(StateError, match=r"session\.json is no session file: databases at"):
        state.session()
