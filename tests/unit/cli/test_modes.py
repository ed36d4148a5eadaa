"""Commands in each TRADING_MODE, as processes of their own, and what they load (requirement C1)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.real_data import ROOT
from tests.unit.cli.conftest import Traded

PROGRAM = """
import sys
from cli.main import main
try:
    main()
finally:
    print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""
HEAVY = {"exchange_calendars", "numba", "numpy", "pandas", "pyarrow", "ray", "sqlalchemy", "talib"}


class Done:
    """Be a command that ended: its exit code, its output, its last words and the packages it had loaded."""

    def __init__(self, mode: str, *arguments: object) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TRADING_MODE": mode}
        environment.pop("COVERAGE_PROCESS_START", None)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *map(str, arguments)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        *said, loaded = done.stderr.splitlines()
        self.exit_code, self.stdout, self.stderr = done.returncode, done.stdout, "\n".join(said)
        self.loaded = set(loaded.split())

    def json(self) -> dict[str, Any]:
        """Return the object it printed."""
        found: dict[str, Any] = json.loads(self.stdout)
        return found


@pytest.mark.parametrize("mode", ["LIVE", "PAPER"])
@pytest.mark.parametrize(
    "command",
    ["orders list", "positions list", "audit verify", "audit query", "strategies list", "config show"],
)
def test_commands_that_read_work_and_load_nothing_of_the_simulation(
    mode: str, command: str, traded: Traded
) -> None:
    state = ("--state", traded.path) if command.split()[0] in ("orders", "positions", "audit") else ()
    here, there = (Done(each, *command.split(), "--json", *state) for each in (mode, "SIMULATION"))
    assert (here.exit_code, here.stderr) == (0, "")
    assert "simulation" not in here.loaded
    varying = {"mode": None, "records_per_s": None, "elapsed_s": None}
    assert {**here.json(), **varying} == {**there.json(), **varying}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [("status", 3), ("halt --reason x", 0), ("resume --reason x", 3), ("agents list", 3), ("doctor", 0)],
)
def test_commands_that_steer_load_neither_ray_nor_pandas_nor_the_simulation(
    arguments: str, code: int, traded: Traded
) -> None:
    """C1; what halts must be there at once, and in every mode."""
    done = Done("LIVE", *arguments.split(), "--state", traded.path)
    assert done.loaded.isdisjoint({"ray", "pandas", "simulation", "numba", "pyarrow"})
    if arguments != "doctor":  # which finds that the shipped configuration is no live one
        assert done.exit_code == code, done.stderr


@pytest.mark.parametrize(
    "arguments", ["--help", "--version", "run --help", "data --help", "data import --help"]
)
def test_help_and_version_work_in_live(arguments: str) -> None:
    done = Done("LIVE", *arguments.split())
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout
    assert "simulation" not in done.loaded


def test_validate_says_what_a_configuration_lacks_for_live(tmp_path: Path) -> None:
    """Showing and listing pass over that: the shipped files are for replays, and yet can be looked at."""
    done = Done("LIVE", "config", "validate", "--json")
    assert done.exit_code == 4
    assert [each["key"] for each in done.json()["violations"]] == ["account.id", "halt.resume_after_sessions"]
    assert "simulation" not in done.loaded
    assert Done("PAPER", "config", "validate", "--json").exit_code == 0


@pytest.mark.parametrize("mode", ["LIVE", "PAPER"])
def test_run_refuses_before_anything_starts(mode: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    done = Done(mode, "run", "--runtime", "inline", "--state", state, "--json")
    assert done.exit_code == 4
    error = done.json()["error"]
    assert error["kind"] == "ConfigurationError"
    assert f"TRADING_MODE: found {mode}, " in error["message"]
    assert "allowed: SIMULATION (unset it, or set it to that)" in error["message"]
    assert error["message"] in done.stderr
    assert not done.loaded & {"simulation", *HEAVY}
    assert not state.exists()


@pytest.mark.parametrize("command", ["import", "describe"])
def test_reading_bars_is_refused_in_live_for_it_is_code_of_the_simulation(
    command: str, tmp_path: Path
) -> None:
    out = ("--out", tmp_path / "bars.parquet") if command == "import" else ()
    done = Done("LIVE", "data", command, tmp_path / "bars.csv", *out)
    assert done.exit_code == 4
    assert done.stderr.startswith("breakwater: TRADING_MODE: found LIVE, ")
    assert f"`breakwater data {command}` needs it; allowed: PAPER, SIMULATION" in done.stderr
    assert "simulation" not in done.loaded


def test_an_unknown_mode_is_refused_by_name() -> None:
    done = Done("live", "run")
    assert done.exit_code == 4
    assert "TRADING_MODE: found 'live'; allowed: LIVE, PAPER, SIMULATION" in done.stderr


@pytest.mark.parametrize("arguments", ["--help", "--version", "run --help", "run --speed -1"])
def test_what_needs_no_library_loads_none(arguments: str) -> None:
    """A second of imports would go by before the first line of help."""
    assert not Done("SIMULATION", *arguments.split()).loaded & HEAVY
