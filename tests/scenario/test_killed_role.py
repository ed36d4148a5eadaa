"""What becomes of a run whose roles, or whose Ray, the system kills (reliability: I1 to I3)."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.scenario.bars import thin_market
from tests.scenario.books import assert_booked_once
from tests.scenario.engine import command_line, environment, run_json
from tests.scenario.processes import Traces
from tests.scenario.settings import write_config

BARS_A_SECOND = 20
pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]


@pytest.fixture
def traces(tmp_path: Path) -> Iterator[Traces]:
    made = Traces(tmp_path)
    yield made
    made.kill()


def start(traces: Traces, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start the real command, slow enough to meet it at work."""
    return subprocess.Popen(
        command_line("run", "--json", "--details", "--speed", str(BARS_A_SECOND), *arguments),
        env=environment(**traces.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_running(run: subprocess.Popen[str]) -> None:
    """Return when the engine says that it is past its start."""
    assert run.stderr is not None
    assert any(line.startswith("running") for line in run.stderr), "it ended before it ran"


def process_with(traces: Traces, file: Path) -> psutil.Process:
    """Return the process that has `file` open."""
    for process in traces.processes():
        with suppress(psutil.Error):
            if str(file) in {opened.path for opened in process.open_files()}:
                return process
    raise AssertionError(f"no process has {file} open")


@pytest.mark.parametrize("role", ["audit", "gateway", "coordinator"])
def test_killed_role_is_started_anew_and_the_run_goes_on_to_its_end(
    role: str, tmp_path: Path, traces: Traces
) -> None:
    """C4: automatic restart; the others, and many kills, are the live campaign's (`tests/chaos/live`)."""
    data, state = thin_market(tmp_path / "bars.csv"), tmp_path / "state"
    run = start(traces, "--data", data, "--state", state)
    wait_until_running(run)
    process_with(traces, state / "logs" / f"{role}.log").kill()
    out, err = run.communicate(timeout=100)
    assert run.returncode == 0, out + err
    summary = json.loads(out)
    assert (summary["completed"], summary["halts"]) == (True, 0)
    assert_booked_once(state)
    assert not traces.left()


def test_role_that_ends_more_often_than_is_borne_halts_and_ends_the_run_by_its_name(
    tmp_path: Path, traces: Traces
) -> None:
    """B1: anything but a strategy halts the account; the next run goes on under the halt."""
    data, state = thin_market(tmp_path / "bars.csv"), tmp_path / "state"
    config = write_config(tmp_path / "config", "engine.yaml", {"supervision.restarts": 0})
    arguments = ("--data", data, "--state", state, "--config", config)
    run = start(traces, *arguments)
    wait_until_running(run)
    process_with(traces, state / "logs" / "gateway.log").kill()
    out, err = run.communicate(timeout=100)
    assert run.returncode == 1, out + err
    error = json.loads(out)["error"]
    assert error["kind"] == "EngineFailed"
    assert "gateway: ended more than 0 times in 60 s: its process ended" in error["message"]
    assert not traces.left()
    resumed = run_json(*arguments, env=traces.environment)
    assert (resumed["completed"], resumed["resumed"]) == (True, True)
    assert [halt["trigger"] for halt in resumed["halt_list"]][:1] == ["technical_failure"]


@pytest.mark.parametrize("server", ["gcs_server", "raylet"])
def test_killed_server_of_ray_ends_the_run_by_its_name_and_the_next_run_goes_on(
    server: str, tmp_path: Path, traces: Traces
) -> None:
    """Left alone, Ray's library aborts the command a minute later with a line of its own."""
    data, state = thin_market(tmp_path / "bars.csv"), tmp_path / "state"
    run = start(traces, "--data", data, "--state", state)
    wait_until_running(run)
    (victim,) = (process for process in traces.processes() if process.name() == server)
    victim.kill()
    out, err = run.communicate(timeout=60)
    assert run.returncode == 1, out + err
    assert f"ray: its process {server} ended" in json.loads(out)["error"]["message"]
    assert not traces.left()
    resumed = run_json("--data", data, "--state", state, env=traces.environment)
    assert (resumed["completed"], resumed["resumed"]) == (True, True)
    assert not traces.left()


def test_role_that_is_busy_for_seconds_does_not_end_the_run(tmp_path: Path, traces: Traces) -> None:
    data, state = thin_market(tmp_path / "bars.csv"), tmp_path / "state"
    run = start(traces, "--data", data, "--state", state)
    wait_until_running(run)
    coordinator = process_with(traces, state / "logs" / "coordinator.log")
    coordinator.suspend()
    time.sleep(4.0)
    coordinator.resume()
    out, err = run.communicate(timeout=60)
    assert run.returncode == 0, out + err
    assert json.loads(out)["completed"]
    assert not traces.left()
