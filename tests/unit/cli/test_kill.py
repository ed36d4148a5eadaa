"""`breakwater kill` needs no engine, says what it did, and ends with the code that calls for more (issue: show 4)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from cli import kill as kill_module
from domain.records import Rung
from storage.files import FileLock
from storage.latch_file import LatchFile
from storage.state_lock import LOCK
from tests.contract.venue_benches import SocketBench
from tests.contract.venue_world import bar, buy, group, limit, settings
from tests.real_data import ROOT
from tests.unit.cli.conftest import Invoke

FLAT = (bar("A", 100.0, 100.0, 100.0, 100.0), bar("B", 50.0, 50.0, 50.0, 50.0))
ENTRY, WAITING = "1.main.A.0.1", "1.main.B.1.1"
YES = ("--confirm", "SIMULATION KILL")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[SocketBench]:
    """Return a venue process where 10 A are held behind a stop and an entry waits."""
    made = SocketBench(tmp_path, settings())
    made.connect()
    made.move(group(0, *FLAT))
    made.tell(buy(ENTRY, "A", 10, attached_stop_pct=0.03, oca_group="main/A"))
    made.move(group(1, *FLAT))
    made.tell(buy(WAITING, "B", 5, **limit(10.0)))
    yield made
    made.end()


def body_of(result: Result, code: int = 0) -> dict[str, Any]:
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    assert (found["ok"], found["exit_code"]) == (code == 0, code)
    return found


def test_it_cancels_closes_halts_and_tells(bench: SocketBench, invoke: Invoke) -> None:
    result = invoke("kill", *YES, "--reason", "storm", "--state", bench.state_dir, "--json")
    body = body_of(result)
    assert (body["mode"], body["reason"], body["venue"], body["faults"]) == (
        "SIMULATION",
        "storm",
        "reached",
        [],
    )
    assert body["found"] == {
        "open_orders": [f"{ENTRY}.stop", WAITING],
        "positions": [{"book": "main", "symbol": "A", "lots": 10}],
    }
    assert body["cancelled"] == [WAITING]
    assert body["closing"] == [
        {"order_ref": "1.main.A.kill.1", "symbol": "A", "side": "sell", "lots": 10, "state": "accepted"}
    ]
    assert (body["stops_kept"], body["left"]) == ([f"{ENTRY}.stop"], [])
    assert 0.0 < body["elapsed_s"] < 10.0
    file = LatchFile(bench.state_dir)
    version, words = file.word()
    assert (file.read(), version) == (Rung.FLATTENING, 0)
    assert words.startswith(body["who"])
    assert words.endswith(
        f"kill at {body['at']}: storm (1 orders cancelled, 1 closing orders accepted, 0 of them filled, "
        f"1 protective stops stay)"
    )


def test_twice_it_closes_once(bench: SocketBench, invoke: Invoke) -> None:
    bodies = [body_of(invoke("kill", *YES, "--state", bench.state_dir, "--json")) for _ in range(2)]
    assert [len(body["closing"]) for body in bodies] == [1, 0]
    assert [each["order_ref"] for each in bodies[1]["closing_before"]] == ["1.main.A.kill.1"]
    assert bodies[1]["detail"] == "0 orders cancelled, 1 closing orders were there, 1 protective stops stay"


def test_only_cancelling_halts_and_leaves_positions(bench: SocketBench, invoke: Invoke) -> None:
    body = body_of(invoke("kill", *YES, "--cancel-only", "--state", bench.state_dir, "--json"))
    assert (body["cancelled"], body["closing"], body["positions"]) == ([WAITING], [], {"A": 10})
    assert LatchFile(bench.state_dir).read() is Rung.HALTED


def test_people_are_told_what_is_closed_and_what_is_only_accepted(bench: SocketBench, invoke: Invoke) -> None:
    said = invoke("kill", *YES, "--state", bench.state_dir)
    assert said.exit_code == 0
    assert "killed  1 orders cancelled, 1 closing orders accepted, 0 of them filled" in said.stdout
    assert "sell 10 A: closing order accepted (1.main.A.kill.1)" in said.stdout
    assert "it fills at the symbol's next bar" in said.stdout
    assert f"latch file {bench.state_dir / 'halt'} says FLATTENING" in said.stdout
    bench.inbox.clear()
    bench.move(group(2, *FLAT))
    said = invoke("kill", *YES, "--state", bench.state_dir)
    assert "killed  nothing was open and nothing held" in said.stdout


@pytest.mark.parametrize(
    ("mode", "typed"),
    [
        (None, ()),
        (None, ("--confirm", "simulation kill")),
        (None, ("--confirm", "SIMULATION KILL ")),
        (None, ("--confirm", "LIVE KILL")),
        ("LIVE", YES),
        ("PAPER", ("--confirm", "LIVE KILL")),
    ],
)
def test_without_the_words_of_the_mode_nothing_is_done_and_they_are_told(
    tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, mode: str | None, typed: tuple[str, ...]
) -> None:
    if mode is not None:
        monkeypatch.setenv("TRADING_MODE", mode)
    (tmp_path / LOCK).touch()
    result = invoke("kill", *typed, "--state", tmp_path)
    assert result.exit_code == 2
    assert f'breakwater kill --confirm "{mode or "SIMULATION"} KILL"' in " ".join(result.stderr.split())
    assert LatchFile(tmp_path).read() is Rung.ACTIVE


def test_a_mode_that_is_none_is_refused_by_name(
    tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADING_MODE", "live")
    result = invoke("kill", "--confirm", "LIVE KILL", "--state", tmp_path)
    assert result.exit_code == 4
    assert "TRADING_MODE" in result.stderr


@pytest.mark.parametrize("mode", ["LIVE", "PAPER"])
def test_a_mode_without_a_broker_is_halted_and_says_that_nothing_else_was_done(
    tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("TRADING_MODE", mode)
    (tmp_path / LOCK).touch()
    body = body_of(invoke("kill", "--confirm", f"{mode} KILL", "--state", tmp_path, "--json"), 4)
    assert f"no broker is connected in this version for TRADING_MODE={mode}" in body["detail"]
    assert LatchFile(tmp_path).read() is Rung.FLATTENING


def test_no_venue_is_told_and_the_next_run_is_halted(tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / LOCK).touch()
    body = body_of(invoke("kill", *YES, "--state", tmp_path, "--json"), 3)
    assert "no venue runs" in body["detail"]
    assert LatchFile(tmp_path).read() is Rung.FLATTENING
    said = invoke("kill", *YES, "--state", tmp_path)
    assert said.exit_code == 3
    assert "NOT DONE" in said.stderr


def test_an_engine_without_a_venue_process_is_not_taken_for_none(tmp_path: Path, invoke: Invoke) -> None:
    """It runs inline, with its venue inside, or starts: what it has cannot be reached from here."""
    lock = FileLock(tmp_path / LOCK)
    assert lock.take("process 7") is None
    body = body_of(invoke("kill", *YES, "--state", tmp_path, "--json"), 5)
    lock.release()
    assert "an engine has it" in body["detail"]
    assert LatchFile(tmp_path).read() is Rung.FLATTENING


@pytest.mark.parametrize("there", [True, False])
def test_a_directory_where_no_engine_has_run_is_left_alone(
    tmp_path: Path, invoke: Invoke, there: bool
) -> None:
    place = tmp_path if there else tmp_path / "none"
    result = invoke("kill", *YES, "--state", place)
    assert result.exit_code == 3
    assert "nothing was done" in result.stderr
    assert not (place / "halt").exists()


def test_a_latch_file_that_cannot_be_written_keeps_nothing_else_from_being_done(
    bench: SocketBench, invoke: Invoke
) -> None:
    """A directory of its name stands in its place, as a disk that fails would: it refuses the writing."""
    (bench.state_dir / "halt").mkdir()
    body = body_of(invoke("kill", *YES, "--state", bench.state_dir, "--json"), 1)
    assert (body["latch"]["written"], body["cancelled"], len(body["closing"])) == (False, [WAITING], 1)
    assert "cannot be" in body["latch"]["fault"]


def test_a_venue_that_does_not_answer_is_told_after_the_deadline(
    bench: SocketBench, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kill_module, "DEADLINE_S", 1.0)
    os.kill(bench.process.address.pid, signal.SIGSTOP)
    try:
        body = body_of(invoke("kill", *YES, "--state", bench.state_dir, "--json"), 5)
    finally:
        os.kill(bench.process.address.pid, signal.SIGCONT)
    assert (body["venue"], body["cancelled"]) == ("silent", [])
    assert body["faults"]
    assert LatchFile(bench.state_dir).read() is Rung.FLATTENING


def test_it_loads_neither_ray_nor_a_database_nor_the_configuration() -> None:
    """Each may be what went wrong; and 200 orders are to be cancelled within 2 s, the start included."""
    program = (
        "import sys, cli.app, cli.kill, cli.kill_text, actors.kill_switch, simulation.venue.kill_link\n"
        "needless = ('cli.run', 'config.settings', 'pandas', 'pydantic', 'ray', 'sqlalchemy', 'talib', 'yaml')\n"
        "print([name for name in needless if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.stdout.strip() == "[]", run.stderr
