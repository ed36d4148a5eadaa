"""Opening a session where a killed engine left something running."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import psutil

from actors.clock import SystemClock
from cli.opening import open_session
from simulation.venue.address import is_running
from simulation.venue.launch import start_venue
from supervisor.ray_leftovers import note_session, session_note
from tests.scenario.bars import thin_market
from tests.scenario.engine import request


def test_fresh_ends_what_a_killed_engine_left_before_it_archives(tmp_path: Path) -> None:
    """The venue and Ray are found by files that the archive moves away: left running, nobody would find them."""
    asked = request(thin_market(tmp_path / "bars.csv"), tmp_path / "state")
    with open_session(asked, dict(os.environ), SystemClock()) as opened:
        venue = start_venue(asked.state, opened.plan.venue())
    note = session_note(asked.state)
    note.parent.mkdir()
    note_session(note, tmp_path / "session", [])
    with open_session(replace(asked, fresh=True), dict(os.environ), SystemClock()) as opened:
        assert not psutil.pid_exists(venue.address.pid)
        assert not is_running(asked.state)
        assert not list(asked.state.glob("archive/*/ray/session.json"))
        assert not opened.resumed
