"""Opening a session where a killed engine left something running."""

from __future__ import annotations

import os
import re
import threading
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import psutil
import pytest

from actors.clock import SystemClock
from cli.opening import open_session
from domain.errors import StateError
from domain.messages import COORDINATOR, FEED, GATEWAY, RISK
from simulation.venue.address import is_running
from simulation.venue.launch import start_venue
from storage.journal import SqlJournal
from storage.state import StateDirectory
from supervisor.ray_leftovers import note_ray, ray_note
from tests.scenario.bars import thin_market
from tests.scenario.engine import request


def test_fresh_ends_what_a_killed_engine_left_before_it_archives(tmp_path: Path) -> None:
    """The venue and Ray are found by files that the archive moves away: left running, nobody would find them."""
    asked = request(thin_market(tmp_path / "bars.csv"), tmp_path / "state")
    with open_session(asked, dict(os.environ), SystemClock()) as opened:
        venue = start_venue(asked.state, opened.plan.venue())
    note = ray_note(asked.state)
    note.parent.mkdir()
    note_ray(note, tmp_path / "session", [])
    with open_session(replace(asked, fresh=True), dict(os.environ), SystemClock()) as opened:
        assert not psutil.pid_exists(venue.address.pid)
        assert not is_running(asked.state)
        assert not list(asked.state.glob("archive/*/ray/session.json"))
        assert not opened.resumed


@pytest.mark.parametrize("role", [RISK, GATEWAY, COORDINATOR, FEED])
def test_a_database_that_a_full_disk_left_empty_is_begun_by_the_next_run(tmp_path: Path, role: str) -> None:
    asked = request(thin_market(tmp_path / "bars.csv"), tmp_path / "state")
    with open_session(asked, dict(os.environ), SystemClock()) as opened:
        first = opened.plan.session.first
        opened.directory.databases().path(role).touch()
    with open_session(asked, dict(os.environ), SystemClock()) as opened:
        assert (opened.resumed, opened.plan.session.first) == (True, first)


def test_resuming_waits_for_the_last_word_of_a_killed_engines_writers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where to go on is read from the journals: not while the risk manager of the engine before still writes."""
    asked = request(thin_market(tmp_path / "bars.csv"), tmp_path / "state")
    with open_session(asked, dict(os.environ), SystemClock()) as opened:
        url = opened.directory.database_url(RISK)
    left = SqlJournal(url, RISK, session=1)
    with monkeypatch.context() as patched:
        patched.setattr("storage.files.WRITER_WAIT_S", 0.1)
        with (
            pytest.raises(StateError, match=re.escape(f"{asked.state}/risk.db is still being written by")),
            open_session(asked, dict(os.environ), SystemClock()),
        ):
            pass
    began = time.monotonic()
    monkeypatch.setattr("storage.files.WRITER_WAIT_S", 60.0)
    threading.Timer(3.0, left.close).start()
    with open_session(asked, dict(os.environ), SystemClock()) as opened:
        assert opened.resumed
        assert time.monotonic() - began >= 3.0


def test_another_first_day_to_trade_is_refused_as_other_bars_are(tmp_path: Path) -> None:
    asked = request(thin_market(tmp_path / "bars.csv"), tmp_path / "state")
    with open_session(asked, dict(os.environ), SystemClock()) as opened:
        table = opened.plan.table
    days = [date.fromordinal(int(table.session[at])) for at in table.starts[:-1]]
    begun = replace(asked, start=days[3], fresh=True)
    with open_session(begun, dict(os.environ), SystemClock()) as opened:
        assert opened.plan.session.first == 3
    for other in (None, days[2], days[4]):
        changed = replace(asked, start=other)
        with (
            pytest.raises(StateError, match=re.escape(f"(--from, which was {days[3]}) changed")),
            open_session(changed, dict(os.environ), SystemClock()),
        ):
            pass
    with open_session(replace(begun, fresh=False), dict(os.environ), SystemClock()) as opened:
        assert opened.resumed
    # The day after the one before is the same day, where none lies between.
    with open_session(
        replace(asked, start=days[2] + timedelta(days=1)), dict(os.environ), SystemClock()
    ) as opened:
        assert opened.resumed


def test_the_first_bars_day_is_the_first_day_when_none_is_named(tmp_path: Path) -> None:
    asked = request(thin_market(tmp_path / "bars.csv"), tmp_path / "state")
    with open_session(asked, dict(os.environ), SystemClock()) as opened:
        first = date.fromordinal(int(opened.plan.table.session[0]))
    with open_session(replace(asked, start=first), dict(os.environ), SystemClock()) as opened:
        assert opened.resumed
    # A session from before the day was kept is resumed as it always was.
    StateDirectory(asked.state).write_session(replace(opened.stored, first=None))
    with open_session(replace(asked, start=first + timedelta(7)), dict(os.environ), SystemClock()) as opened:
        assert opened.resumed
