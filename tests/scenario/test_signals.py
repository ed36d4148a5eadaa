"""Signals at any moment end the engine cleanly, and the next run goes on ("Shows" 6; C3, I1 to I4)."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.scenario.bars import thin_market
from tests.scenario.books import assert_booked_once, lost_on_the_way
from tests.scenario.engine import command_line, differences, environment, run_json, summary_of
from tests.scenario.processes import Traces
from tests.scenario.settings import tight
from tests.sizes import prove_size

SEED = 20_261
WHOLE_RUN_S = 11.0
"""About how long a run on Ray takes here: moments are drawn from its first millisecond to its end."""
BARS_A_SECOND = 40
STARTING_S = 5.0
"""Within which Python has surely come as far as to note signals, on a loaded machine too."""


class Case(NamedTuple):
    """Hold a session to interrupt: how to run it, what it comes to without a signal, and what its runs leave."""

    arguments: tuple[str | Path, ...]
    state: Path
    expected: dict[str, Any]
    traces: Traces

    def start(self) -> subprocess.Popen[str]:
        """Start the real command."""
        return subprocess.Popen(
            command_line("run", "--json", "--details", *self.arguments, "--state", self.state),
            env=environment(**self.traces.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    data, config = thin_market(tmp_path / "bars.csv"), tight(tmp_path / "config")
    common = ("--data", data, "--config", config)
    expected = run_json(*common, "--runtime", "inline", "--state", tmp_path / "never stopped")
    made = Case((*common, "--speed", str(BARS_A_SECOND)), tmp_path / "state", expected, Traces(tmp_path))
    yield made
    made.traces.kill()


@pytest.mark.ray
@pytest.mark.timeout(7_000)
def test_signal_at_any_moment_ends_cleanly_and_the_next_run_goes_on(case: Case) -> None:
    """From the first millisecond on; before Python has installed the handlers nothing has been touched."""
    chance = random.Random(SEED)
    state, n = case.state, 0
    for i in range(prove_size(4, 50)):
        moment_s, number = chance.uniform(0.0, WHOLE_RUN_S), (signal.SIGTERM, signal.SIGINT)[i % 2]
        what = f"{number.name} after {moment_s:.3f} s"
        process = case.start()
        time.sleep(moment_s)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        if process.returncode:
            assert process.returncode in (-number, 130), f"{what}: exit code {process.returncode}\n{err}"
            assert moment_s < STARTING_S, f"{what}: {err}"
            assert not out, what
        assert not case.traces.left(), what
        if process.returncode == 0 and json.loads(out)["completed"]:
            assert not differences(case.expected, json.loads(out)), what
            n += 1
            case = case._replace(state=state.with_name(f"state {n}"))
    last = finish(case)
    assert not differences(case.expected, last)
    assert_booked_once(case.state)


@pytest.mark.ray
@pytest.mark.timeout(600)
def test_killed_and_forced_engine_goes_on_without_a_doubled_order(case: Case) -> None:
    """SIGKILL leaves the venue alone at work; a second signal waits for nothing: neither costs or doubles an order."""
    chance, killed = random.Random(SEED + 1), 0
    for signals in ((signal.SIGKILL,), (signal.SIGTERM, signal.SIGINT), (signal.SIGKILL,)):
        process = case.start()
        if wait_until_trading(process):
            time.sleep(chance.uniform(0.0, 0.8))
        for number in signals:
            process.send_signal(number)
        _, err = process.communicate(timeout=60)
        killed += process.returncode == -signal.SIGKILL
        assert process.returncode in ({-signal.SIGKILL, 0} if len(signals) == 1 else {0, 130}), err
        if len(signals) > 1:
            assert not case.traces.left(), "a forced stop leaves nothing either"
    assert killed, "the session was complete before the first kill"
    last = finish(case)
    if not lost_on_the_way(last):
        assert not differences(case.expected, last)
    assert_booked_once(case.state)
    assert not case.traces.left()


def wait_until_trading(process: subprocess.Popen[str]) -> bool:
    """Return once bars move, True when they did; False when the process ended before."""
    assert process.stderr is not None
    moving = (line.startswith("running: ") and not line.startswith("running: 0/") for line in process.stderr)
    return any(moving)


def finish(case: Case) -> dict[str, Any]:
    """Run the session to its end and return its summary."""
    process = case.start()
    out, err = process.communicate(timeout=90)
    return summary_of(subprocess.CompletedProcess(process.args, process.returncode, out, err))
