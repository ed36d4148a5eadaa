"""An inline engine that ends within a commit of all its databases goes on to the same result (I1 to I3, I6)."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from storage.commit_group import REDO
from tests.scenario.bars import thin_market
from tests.scenario.books import assert_booked_once, assert_positions_told, lost_on_the_way
from tests.scenario.engine import breakwater, differences, environment, request, run_json, session
from tests.scenario.settings import tight

SCRIPT = """
import os
import cli.composition
from domain.audit_machine import AuditPace
from simulation.venue.journal import VenueJournal
from storage.commit_group import REDO
from storage.files import AppendFile
from storage.journal import SqlJournal

cli.composition.INLINE_PACE = AuditPace(batch_events={batch}, batch_s=3_600.0, resync_s=0.0)
commits, left = [{commits}], [{steps}]

def step():
    if commits[0] <= 0:
        left[0] -= 1
        if left[0] < 0:
            os._exit(9)

def before(taken):
    def take_or_die(*arguments):
        step()
        return taken(*arguments)
    return take_or_die

def half_written(append):
    def append_or_die(file, content):
        if file.path.name == REDO:
            commits[0] -= len(content) > {bytes}
            if commits[0] <= 0 and left[0] == 0:
                append(file, content[: len(content) // 2])
            step()
        append(file, content)
    return append_or_die

AppendFile.append = half_written(AppendFile.append)
AppendFile.clear = before(AppendFile.clear)
SqlJournal.take = before(SqlJournal.take)
VenueJournal.take = before(VenueJournal.take)
from cli.main import main
main()
"""
"""Die within the n-th commit of more than so many bytes, after so many of its steps."""

WHOLE_RUN = 1_000_000
START = 20_000
"""Bytes: more than what is committed before the first bar."""


@pytest.fixture
def inputs(tmp_path: Path) -> tuple[Path, Path]:
    return thin_market(tmp_path / "bars.csv"), tight(tmp_path / "config")


def run_to_death(script: str, *arguments: str | Path) -> None:
    command = [sys.executable, "-P", "-c", script, "run", *(str(argument) for argument in arguments)]
    done = subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 9, done.stderr


@pytest.mark.parametrize(
    ("batch", "commits", "size"), [(150, 3, 0), (WHOLE_RUN, 1, START)], ids=["one of many", "the whole run"]
)
@pytest.mark.parametrize("steps", range(7))
def test_inline_engine_killed_within_a_commit_goes_on(
    inputs: tuple[Path, Path], tmp_path: Path, batch: int, commits: int, size: int, steps: int
) -> None:
    data, config = inputs
    state = tmp_path / "state"
    expected = session(request(data, tmp_path / "never killed", config=config))
    common = ("--runtime", "inline", "--data", data, "--config", config, "--state", state)
    run_to_death(SCRIPT.format(batch=batch, commits=commits, steps=steps, bytes=size), *common)
    assert (state / REDO).stat().st_size > 0
    last = session(request(data, state, config=config))
    assert last["completed"]
    assert (state / REDO).stat().st_size == 0
    assert_booked_once(state)
    assert_positions_told(state)
    if not lost_on_the_way(last):
        assert not differences(expected, last)


def test_commands_that_read_finish_the_commit_first(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    data, config = inputs
    state = tmp_path / "state"
    common = ("--data", data, "--config", config, "--state", state)
    run_to_death(
        SCRIPT.format(batch=WHOLE_RUN, commits=1, steps=3, bytes=START), *common, "--runtime", "inline"
    )  # the venue has taken its part, the coordinator not
    listed = json.loads(breakwater("orders", "list", "--state", state, "--json").stdout)
    assert listed["orders"]
    assert (state / REDO).stat().st_size == 0
    assert_booked_once(state)


def test_a_full_disk_ends_in_one_sentence_and_the_run_after_it_ends_the_same(
    inputs: tuple[Path, Path], tmp_path: Path
) -> None:
    """A limit of the size of files stands in for the disk's: writes fail in the same places."""
    data, config = inputs
    state = tmp_path / "state"
    common = ("--runtime", "inline", "--data", data, "--config", config)
    expected = run_json(*common, "--state", tmp_path / "never full")
    whole = max(path.stat().st_size for path in (tmp_path / "never full").rglob("*.db*"))
    done = limited(whole // 2, "run", *common, "--state", state)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("breakwater:")]
    assert len(said) == 1
    assert str(state) in said[0]
    assert "has room" in said[0]
    last = run_json(*common, "--state", state)
    assert not differences(expected, last)


def limited(most_bytes: int, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command that can make no file longer than `most_bytes`; a write beyond fails instead of killing it."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    command = [sys.executable, "-P", "-c", "from cli.main import main; main()"]
    return subprocess.run(
        [*command, *(str(argument) for argument in arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        preexec_fn=limit,
    )


SLOW = """
import sys, time
from domain.strategies.runner import StrategyRunner
handle = StrategyRunner.handle
told = []

def slowly(runner, message):
    if not told:
        told.append(print("slow", file=sys.stderr, flush=True))
    time.sleep(0.2)
    return handle(runner, message)

StrategyRunner.handle = slowly
from cli.main import main
main()
"""


def test_one_signal_stops_an_inline_engine_whose_strategies_are_slow(
    inputs: tuple[Path, Path], tmp_path: Path
) -> None:
    """All bars would take minutes; what is left to do after the signal is one bar of six strategies."""
    data, config = inputs
    arguments = ("run", "--json", "--runtime", "inline", "--data", data, "--config", config)
    with subprocess.Popen(
        [sys.executable, "-P", "-c", SLOW, *map(str, arguments), "--state", str(tmp_path / "state")],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        while "slow" not in process.stderr.readline():
            assert process.poll() is None
        time.sleep(2.0)
        process.send_signal(signal.SIGTERM)
        signalled = time.monotonic()
        out, errors = process.communicate(timeout=60)
        took_s = time.monotonic() - signalled
    assert process.returncode == 0, errors
    summary: dict[str, Any] = json.loads(out)
    assert summary["interrupted"]
    assert not summary["completed"]
    assert took_s < 15.0
