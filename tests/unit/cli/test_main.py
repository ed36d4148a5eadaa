from __future__ import annotations

import json
import platform
import signal
import subprocess
import sys
import time
from importlib import metadata

import pytest

from cli.app import installed_version
from tests.unit.cli.conftest import Invoke


def test_version_is_the_distributions(invoke: Invoke) -> None:
    result = invoke("--version")
    assert result.exit_code == 0
    assert result.stdout == f"breakwater {installed_version()} (Python {platform.python_version()})\n"
    try:
        assert installed_version() == metadata.version("breakwater")
    except metadata.PackageNotFoundError:
        assert installed_version() == "not installed"


@pytest.mark.parametrize(
    "group", [(), ("orders",), ("positions",), ("audit",), ("config",), ("strategies",), ("data",)]
)
def test_a_group_alone_shows_its_commands(invoke: Invoke, group: tuple[str, ...]) -> None:
    result = invoke(*group)
    assert "Usage: " in result.output
    assert "Commands" in result.output


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_has_a_short_name(invoke: Invoke, option: str) -> None:
    result = invoke("orders", "list", option)
    assert result.exit_code == 0
    assert "--state-of-order" in result.stdout


def test_an_unknown_command_is_a_usage_error(invoke: Invoke) -> None:
    assert invoke("frobnicate").exit_code == 2


STUCK = """
import atexit, sys, time, types
sys.modules["ray"] = types.ModuleType("ray")
atexit.register(time.sleep, 60)
sys.argv = ["breakwater", *sys.argv[1:]]
from cli.main import main
main()
"""


@pytest.mark.parametrize(("argument", "code"), [("--version", 0), ("--frobnicate", 2)])
def test_command_ends_though_rays_library_does_not(argument: str, code: int) -> None:
    """C3: it would be waited for a minute after all is done and said, and then abort the process."""
    done = subprocess.run(
        [sys.executable, "-c", STUCK, argument], capture_output=True, text=True, timeout=45, check=False
    )
    assert done.returncode == code
    assert ("breakwater" in done.stdout) == (code == 0)


LONG = """
import signal
from cli.output import print_json
signal.signal(signal.SIGTERM, lambda *_: None)
print_json({"text": "x" * 500_000})
"""


def test_json_is_whole_though_a_signal_comes_while_the_reader_is_slow() -> None:
    """C3: Python's own stream loses what is left of a long write that a signal meets."""
    with subprocess.Popen([sys.executable, "-c", LONG], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.read(1) == "{", "it writes, and waits for its reader"
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        left = process.stdout.read()
    assert json.loads("{" + left) == {"text": "x" * 500_000}
