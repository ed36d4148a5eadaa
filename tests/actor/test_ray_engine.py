"""What the driver of an engine on Ray sees to when its coordinator fails, or is away."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from actors.clock import SystemClock
from cli.drive import EngineFailed, drive
from cli.opening import open_session
from cli.ray_engine import RayEngine
from domain.commands import Verb
from domain.messages import COORDINATOR, TimerFired
from domain.records import Rung
from storage.latch_file import LatchFile
from supervisor.control_client import ControlClient
from tests.scenario.bars import thin_market
from tests.scenario.engine import request

pytestmark = [pytest.mark.ray, pytest.mark.timeout(180)]

PATIENCE_S = 60.0


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[RayEngine]:
    """Return a running engine, slow enough to be met at work."""
    asked = request(thin_market(tmp_path / "bars.csv"), tmp_path / "state", runtime="ray", speed=5.0)
    with open_session(asked, dict(os.environ), SystemClock()) as opened:
        made = RayEngine(opened.plan)
        try:
            advance(made, lambda: made.states()[COORDINATOR].get("phase") == "running")
            yield made
        finally:
            made.close()


def advance(engine: RayEngine, until: Callable[[], bool] = lambda: False) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not until():
        assert not engine.advance()
        assert time.monotonic() < deadline_s


def test_a_coordinator_that_fails_leaves_the_account_halted(engine: RayEngine, tmp_path: Path) -> None:
    engine._runtime.send(COORDINATOR, TimerFired(name="nobody's"), control=True)
    with pytest.raises(
        EngineFailed, match=r"coordinator: InvariantViolation: .* no timer nobody's\n.*resume"
    ):
        advance(engine)
    file = LatchFile(tmp_path / "state")
    assert (file.read(), file.word()[0]) == (Rung.HALTED, 0)


def test_a_coordinator_that_is_killed_halts_nothing_and_hears_who_waited_for_it(
    engine: RayEngine, tmp_path: Path
) -> None:
    """The state directory is held all the while, which tells a coordinator that is away from one that is gone."""
    killed = engine.states()[COORDINATOR]
    pid = engine.snapshot()["roles"][COORDINATOR]["pid"]
    process = psutil.Process(pid)
    process.kill()
    process.wait(PATIENCE_S)
    assert ControlClient(tmp_path / "state", 30.0).ask(Verb.STATUS)["session"] == killed["session"]
    advance(engine, lambda: engine.snapshot()["roles"][COORDINATOR]["pid"] != pid)
    assert LatchFile(tmp_path / "state").read() is Rung.ACTIVE


def test_a_stop_that_comes_while_the_coordinator_is_away_is_heard_once_it_is_back(
    engine: RayEngine, tmp_path: Path
) -> None:
    """Ray takes a second or two to notice: what it is given to carry until then is lost."""
    process = psutil.Process(engine.snapshot()["roles"][COORDINATOR]["pid"])

    def signalled() -> str:
        process.kill()
        process.wait(PATIENCE_S)
        return "SIGTERM"

    outcome = drive(
        engine, stop_requested=signalled, show=lambda states: None, stall_s=PATIENCE_S, stop_s=30.0
    )
    coordinator = outcome.states[COORDINATOR]
    assert (coordinator["phase"], coordinator["reason"]) == ("stopped", "SIGTERM")
    assert not coordinator["completed"]
