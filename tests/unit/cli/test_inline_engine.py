"""Ending an inline engine whose disk fails at the last moment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from actors.clock import SystemClock
from cli.inline_engine import InlineEngine
from cli.opening import open_session
from domain.errors import DurabilityError
from storage.engine import sqlite_url
from storage.journal_reader import JournalReader
from tests.scenario.bars import thin_market
from tests.scenario.engine import request


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
