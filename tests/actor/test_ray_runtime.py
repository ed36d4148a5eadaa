"""Hold the Ray runtime to the contract of runtimes, on a real local Ray."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from supervisor.ray_roles import runs
from supervisor.ray_runtime import RayRuntime
from tests.contract.runtime_contract import RuntimeContract

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayRuntime]:
    """Start one Ray for the module; afterwards no process of it may be left."""
    state: Path = tmp_path_factory.mktemp("state")
    with RayRuntime(state, actors=3) as started:
        yield started
        below = psutil.Process().children(recursive=True)
    assert [process for process in below if process.is_running()] == []


class TestRayRuntime(RuntimeContract):
    """Run the contract on Ray."""


def test_ray_runs_no_server_that_an_engine_has_no_use_for(runtime: RayRuntime) -> None:
    """They take 45 MiB each, and processor time of a start (requirement of "Speed and size", step 2)."""
    # What another module's tests ended may still be there as a zombie, which has no command line.
    below = [
        " ".join(process.cmdline()) for process in psutil.Process().children(recursive=True) if runs(process)
    ]
    assert any("raylet" in words for words in below)
    assert not [words for words in below if "log_monitor.py" in words or "/monitor.py" in words]
