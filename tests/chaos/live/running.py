"""Be a real `breakwater run` of a paced replay, seen through its control socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from domain.commands import Verb
from domain.errors import Busy, CommandRefused, NotRunning
from supervisor.control_client import ControlClient
from supervisor.control_wire import read_address
from tests.scenario.engine import command_line, environment

COORDINATOR = "coordinator"
DRIVER = "driver"
PATIENCE_S = 90.0


class Ended(Exception):
    """Say that the session came to its end by itself."""


class RunningEngine:
    """Start, watch, kill and stop one engine of a state directory."""

    def __init__(self, state: Path, arguments: list[str | Path], extra: Mapping[str, str]) -> None:
        """Run with `arguments` beside `--state` and `--json`; `extra` goes into the environment."""
        self.state = state
        self._arguments, self._extra = arguments, extra
        self._log, self._out = state.with_suffix(".log"), state.with_suffix(".json")
        self._process: subprocess.Popen[bytes] | None = None
        self._awaited = "the start"
        self._coordinator = 0

    def start(self) -> None:
        """Start, or go on with the session, and wait until it trades; raises Ended when there is nothing left to do."""
        line = command_line("run", "--json", "--details", *self._arguments, "--state", self.state)
        with self._log.open("a") as log, self._out.open("w") as out:
            self._process = subprocess.Popen(line, env=environment(**self._extra), stdout=out, stderr=log)
        # A killed run's coordinator may answer a little longer than its driver lives.
        former, self._coordinator = self._coordinator, 0
        self.wait_for(lambda status: status["phase"] == "running" and self._listener() not in (0, former))
        self._coordinator = self._listener()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Return the driver's process; raises NotRunning before the start."""
        if self._process is None:
            raise NotRunning("the engine was not started")
        return self._process

    def status(self) -> dict[str, Any] | None:
        """Return what `breakwater status` tells, None while nobody answers."""
        try:
            return ControlClient(self.state, deadline_s=2.0).ask(Verb.STATUS)
        except (
            NotRunning,
            Busy,
            CommandRefused,
        ):  # refused: between two runs, token and socket may not be one's
            return None

    def wait_for(self, check: Any) -> float:
        """Wait until `check(status)` holds and return how long that took; raises Ended when the run ends first."""
        begun = time.monotonic()
        while True:
            status = self.status()
            if status is not None and check(status):
                return time.monotonic() - begun
            if self.process.poll() is not None:
                raise Ended
            if time.monotonic() - begun > PATIENCE_S:
                raise AssertionError(f"{self._awaited}: not within {PATIENCE_S:g} s: {status}")
            time.sleep(0.01)

    def pid(self, role: str) -> int:
        """Return the process id of a role, of the coordinator or of the driver, 0 while it has none."""
        if role == DRIVER:
            return self.process.pid
        if role == COORDINATOR:
            return self._listener()
        status = self.status()
        return 0 if status is None else int(status["roles"][role]["pid"])

    def kill(self, role: str) -> float:
        """Send SIGKILL to `role` and return the seconds until it, or for the driver the next run, is at work again."""
        pid = self.pid(role)
        if not pid:
            raise Ended
        generation = 0
        if role not in (DRIVER, COORDINATOR):
            status = self.status()
            generation = 0 if status is None else int(status["roles"][role]["generation"])
        self._awaited = f"{role}, which was process {pid} of generation {generation}"
        os.kill(pid, signal.SIGKILL)
        begun = time.monotonic()
        if role == DRIVER:
            self._coordinator = self._listener() or self._coordinator
            self.process.wait(30)
            self.start()
        elif role == COORDINATOR:
            self.wait_for(lambda status: status["phase"] == "running" and self._listener() not in (0, pid))
        else:
            self.wait_for(lambda status: _back(status["roles"][role], generation))
        return time.monotonic() - begun

    def stop(self) -> dict[str, Any]:
        """Stop in order, unless it has ended by itself, and return its summary."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)
        if self.process.returncode:
            raise AssertionError(f"exit code {self.process.returncode}:\n{self._log.read_text()[-2_000:]}")
        found: dict[str, Any] = json.loads(self._out.read_text())
        return found

    def abandon(self) -> None:
        """Kill the driver, if it still runs; the kernel and the next run do the rest."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(PATIENCE_S)

    def _listener(self) -> int:
        """Return the process that listens on the control socket: the coordinator's."""
        address = read_address(self.state)
        if address is None:
            return 0
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(address.path)
                told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError:
            return 0
        return int(struct.unpack("3i", told)[0])


def _back(role: Mapping[str, Any], generation: int) -> bool:
    return bool(role["generation"] > generation and role["status"] == "ready")
