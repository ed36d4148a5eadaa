"""Going on with a session whose trail or rows are not those it left: refused before any role starts (exit code 4)."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from domain.outbox import OutboxRecords
from storage.audit.chain import trail_files
from storage.audit.checkpoints import CHECKPOINTS
from storage.audit.keys import load_signer
from storage.audit.writer import TrailWriter
from storage.files import cut_file
from tests.fakes.clock import FakeWall
from tests.fakes.records import event
from tests.unit.cli.conftest import Invoke, Traded
from tests.unit.storage.audit.test_verify import reseal

WHAT = ("--symbols", "AAPL,IBM,MSFT", "--to", "2001-06-29", "--runtime", "inline", "--json")


def go_on(invoke: Invoke, path: Path) -> Result:
    return invoke("run", *WHAT, "--state", path)


def forget_end(path: Path) -> None:
    """Take the trail's end out of session.json, as a crash before the stop would have left it."""
    file = path / "session.json"
    file.write_text(json.dumps(json.loads(file.read_bytes()) | {"trail_seq": 0, "trail_head": ""}))


def remove(path: Path) -> None:
    shutil.rmtree(path / "audit")


def remove_and_forget(path: Path) -> None:
    remove(path)
    forget_end(path)


def roll_back(path: Path) -> None:
    """Put trail and checkpoints back together to an earlier checkpoint."""
    (file,) = trail_files(path / "audit")
    checkpoints = path / "audit" / CHECKPOINTS
    kept = checkpoints.read_bytes().splitlines(keepends=True)[:-9]
    checkpoints.write_bytes(b"".join(kept))
    cut_file(file, json.loads(kept[-1])["offset"])


def take_checkpoints_away(path: Path) -> None:
    checkpoints = path / "audit" / CHECKPOINTS
    checkpoints.write_bytes(b"".join(checkpoints.read_bytes().splitlines(keepends=True)[:-2]))


def put_a_directory(path: Path) -> None:
    (file,) = trail_files(path / "audit")
    file.unlink()
    file.mkdir()


def roll_back_and_forget(path: Path) -> None:
    roll_back(path)
    forget_end(path)


def replace_by_another(path: Path) -> None:
    """Put there what another session wrote with the same key, longer."""
    (file,) = trail_files(path / "audit")
    records = file.read_bytes().count(b"\n") + 7
    remove(path)
    writer = TrailWriter(path / "audit", load_signer(), FakeWall().wall_ns)
    events = tuple(event(n) for n in range(records))
    writer.append([OutboxRecords(source="coordinator", first_seq=1, events=events)])
    writer.close()


def replace_by_another_and_forget(path: Path) -> None:
    replace_by_another(path)
    forget_end(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (remove, "is missing, but session 1 ended at record"),
        (remove_and_forget, "had let go of all before"),
        (take_checkpoints_away, "checkpoints were taken away"),
        (put_a_directory, "cannot be read"),
        (roll_back, "but session 1 ended at record"),
        (roll_back_and_forget, "had let go of all before"),
        (replace_by_another, "is not that of session 1"),
        (replace_by_another_and_forget, "one of them is an older copy or another session's"),
    ],
)
def test_a_trail_that_is_missing_cut_or_anothers_is_refused_before_a_role_starts(
    invoke: Invoke, traded: Traded, change: Callable[[Path], None], says: str
) -> None:
    change(traded.path)
    refused = go_on(invoke, traded.path)
    assert refused.exit_code == 4, refused.output
    assert says in " ".join(refused.stderr.split())
    assert "starting" not in refused.stderr


def test_a_trail_as_it_was_left_is_gone_on_from(invoke: Invoke, traded: Traded) -> None:
    assert go_on(invoke, traded.path).exit_code == 0


def test_an_unsigned_record_that_differs_from_its_event_is_refused(invoke: Invoke, traded: Traded) -> None:
    """What a crash leaves unsigned is signed by the next start: not before it is held to the databases."""
    forget_end(traded.path)
    (file,) = trail_files(traded.path / "audit")
    checkpoints = traded.path / "audit" / CHECKPOINTS
    signed = checkpoints.read_bytes().splitlines(keepends=True)
    held = file.read_bytes().splitlines(keepends=True)[:-1]
    ends = [json.loads(raw)["seq"] for raw in signed]
    kept = max(n for n, seq in enumerate(ends) if seq < len(held))
    checkpoints.write_bytes(b"".join(signed[: kept + 1]))
    file.write_bytes(b"".join(held))
    report = json.loads(invoke("audit", "verify", "--state", traded.path, "--json").stdout)
    assert (report["holds"], report["unsigned"]) == (True, len(held) - ends[kept])
    assert "could be changed unnoticed" in invoke("audit", "verify", "--state", traded.path).stdout
    last = json.loads(held[-1])
    assert last["source"] != "audit"
    assert go_on(invoke, shutil.copytree(traded.path, traded.path.with_name("whole"))).exit_code == 0
    changed = held[-1].replace(f'"at_ns":{last["at_ns"]}'.encode(), b'"at_ns":77')
    held[-1] = reseal(changed, held[-2][-67:-3], len(held))
    file.write_bytes(b"".join(held))
    assert invoke("audit", "verify", "--state", traded.path).exit_code == 0, (
        "the window that docs/audit.md names"
    )
    refused = go_on(invoke, traded.path)
    assert refused.exit_code == 4
    assert f"record {len(held)}, which is not signed yet, differs" in refused.stderr


@pytest.mark.parametrize(
    ("database", "change", "says"),
    [
        ("gateway", "update orders set state = 'bogus'", "table orders"),
        ("risk", "update snapshots set body = '}{'", "table snapshots"),
        ("risk", "update snapshots set body = 'null'", "'null' is not the body of a snapshot"),
        ("risk", "update snapshots set body = '{}'", "lacks approved, cancels, rung"),
    ],
)
def test_nonsense_in_a_row_is_named_with_its_file_and_table(
    invoke: Invoke, traded: Traded, database: str, change: str, says: str
) -> None:
    file = traded.path / f"{database}.db"
    connection = sqlite3.connect(file)
    with connection:
        connection.execute(change)
    connection.close()
    refused = go_on(invoke, traded.path)
    text = refused.stderr
    assert refused.exit_code == 4, refused.output
    assert str(file) in text
    assert says in text


def test_a_rewritten_end_of_a_session_that_stopped_is_found_by_verify(invoke: Invoke, traded: Traded) -> None:
    roll_back(traded.path)
    result = invoke("audit", "verify", "--state", traded.path, "--json")
    (finding,) = json.loads(result.stdout)["findings"]
    assert (result.exit_code, finding["kind"]) == (1, "rolled_back")
