"""Run the whole engine for a test: in this process, or as the real command."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from cli.opening import RunRequest
from cli.session import run_session
from supervisor.signals import StopSignals

COMMAND = str(Path(sys.executable).with_name("breakwater"))

OF_THE_PROCESS = ("elapsed_s", "interrupted", "restarts", "resumed", "runtime", "session")
"""What a summary says of the process that ran rather than of what was traded."""


class StopAtLook(StopSignals):
    """Ask the engine to stop when it looks for a signal the n-th time, as a signal at that moment would."""

    def __init__(self, look: int | None = None) -> None:
        super().__init__()
        self._left = look

    @property
    def reason(self) -> str:
        if self._left is None:
            return ""
        self._left -= 1
        return "SIGTERM" if self._left < 0 else ""


def request(data: Path, state: Path, **others: Any) -> RunRequest:
    """Return a request for an inline run of `data` with the shipped configuration."""
    plain = RunRequest(
        config=None,
        state=state,
        data=data,
        symbols=None,
        start=None,
        end=None,
        speed=0.0,
        runtime="inline",
        fresh=False,
    )
    return replace(plain, **others)


def session(asked: RunRequest, stop_at_look: int | None = None) -> dict[str, Any]:
    """Run a session in this process and return what `run --json --details` would print."""
    summary = run_session(asked, StopAtLook(stop_at_look), Console(file=io.StringIO()))
    return summary.as_dict(details=True)


def outcome(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return what two runs of the same session must agree on: money, orders, fills, halts, the decisions' digest."""
    kept = {name: value for name, value in summary.items() if name not in OF_THE_PROCESS}
    return {**kept, "audit": summary["audit"]["decisions_digest"]}


def command_line(*arguments: str | Path) -> list[str]:
    """Return the command line of `breakwater`."""
    return [COMMAND, *(str(argument) for argument in arguments)]


def environment(**others: str) -> dict[str, str]:
    """Return the environment of a run; PYTHONPATH would put its own modules before the engine's."""
    return {**{name: value for name, value in os.environ.items() if name != "PYTHONPATH"}, **others}


def breakwater(
    *arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the real command to its end."""
    return subprocess.run(
        command_line(*arguments),
        cwd=cwd,
        env=environment(**(env or {})),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def summary_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the JSON object a run printed; fails the test with its words when it did not end well."""
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run_json(
    *arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run `breakwater run --json --details` with `arguments` and return what it printed."""
    return summary_of(breakwater("run", "--json", "--details", *arguments, cwd=cwd, env=env))


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return where two outcomes differ, the lists of orders and fills item by item."""
    flat = [_flat(outcome(each)) for each in (first, second)]
    names: Sequence[str] = sorted(flat[0].keys() | flat[1].keys())
    return {
        name: (flat[0].get(name), flat[1].get(name))
        for name in names
        if flat[0].get(name) != flat[1].get(name)
    }


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {key: each for item in value for key, each in _flat(value[item], f"{name}.{item}").items()}
    if isinstance(value, list):
        return {
            key: each for i, item in enumerate(value) for key, each in _flat(item, f"{name}[{i}]").items()
        }
    return {name: value}
