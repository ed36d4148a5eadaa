"""Ending an inline engine whose disk fails at the last moment, or whose coordinator fails."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from actors.clock import SystemClock
from cli.drive import EngineFailed
from cli.inline_engine import InlineEngine
from cli.offline_halt import failed_coordinator
from cli.opening import open_session
from domain.errors import DurabilityError
from domain.messages import COORDINATOR, FEED, TimerFired
from domain.records import Rung
from storage.engine import sqlite_url
from storage.journal_reader import JournalReader
from storage.latch_file import LatchFile
from tests.scenario.bars import thin_market
from tests.scenario.engine import request, session


def orders_kept(state: Path) -> int:
    reader = JournalReader.open(sqlite_url(state / "gateway.db"), "gateway")
    try:
        return len(list(reader.orders()))
    finally:
        reader.close()


@pytest.mark.parametrize("fails", [False, True])
def test_journals_never_tell_of_what_the_venue_could_not_keep(tmp_path: Path, fails: bool) -> None:
    asked = request(thin_market(tmp_path / "bars.csv"), tmp_path / "state")
    with open_session(asked, dict(os.environ), SystemClock()) as opened:
        engine = InlineEngine(opened.plan)
        engine._runtime.run(lambda: engine._runtime.snapshot("gateway")["state"]["orders"] > 0, most=10_000)
        if fails:
            engine._venue._journal._connection.close()  # as a disk that is gone
            with pytest.raises(DurabilityError):
                engine.close()
        else:
            engine.close()
    assert (orders_kept(asked.state) > 0) is not fails


def test_a_coordinator_that_fails_leaves_the_account_halted(tmp_path: Path) -> None:
    """As any other role that fails for good does; there is nobody to say so but who drives the engine."""
    asked = request(thin_market(tmp_path / "bars.csv"), tmp_path / "state")
    with open_session(asked, dict(os.environ), SystemClock()) as opened:
        engine = InlineEngine(opened.plan)
        engine._runtime.run(lambda: engine.states()[FEED]["next"] >= 5, most=10_000)
        engine._runtime.send(COORDINATOR, TimerFired(name="nobody's"), control=True)
        with pytest.raises(
            EngineFailed, match=r"coordinator: InvariantViolation: .* no timer nobody's\n.*resume"
        ):
            engine.advance()
        engine.close()
    file = LatchFile(asked.state)
    assert file.read() is Rung.HALTED
    assert file.word() == (
        0,
        "the coordinator failed: InvariantViolation: the coordinator sets no timer nobody's",
    )
    assert session(replace(asked, speed=1_000.0))["halts"] == 1


def test_a_coordinator_that_fails_does_not_lower_a_file_that_says_more(tmp_path: Path) -> None:
    LatchFile(tmp_path).write(Rung.FLATTENING, 0, "ann: all out")
    failed_coordinator(tmp_path, "why")
    file = LatchFile(tmp_path)
    assert file.read() is Rung.FLATTENING
    assert file.word() == (0, "ann: all out; then the coordinator failed: why")


def test_a_halt_that_cannot_be_written_is_told_with_the_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    error = failed_coordinator(tmp_path / "file", "why")
    assert "coordinator: why" in str(error)
    assert "the account: it could not be halted" in str(error)
