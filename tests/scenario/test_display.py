"""A person before a terminal watches a run, halts it, and stops it; then the terminal is theirs again."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenario.engine import breakwater, command_line, environment

LEADER = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
PATIENCE_S = 40.0
CONTROL_CODES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07)")


class Desk:
    """Be a person before a terminal of 100 by 30 in which `breakwater` runs."""

    def __init__(self, line: list[str], output: Path) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.before = termios.tcgetattr(self.master)
        with output.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", LEADER, *line],
                stdin=slave,
                stdout=out,
                stderr=slave,
                start_new_session=True,
                env=environment(TERM="xterm-256color"),
            )
        os.close(slave)
        self.seen = ""

    def reads(self, wait_s: float = 0.1) -> None:
        while select.select([self.master], [], [], wait_s)[0]:
            try:
                self.seen += os.read(self.master, 65_536).decode(errors="replace")
            except OSError:  # nobody has it open any more
                return

    def waits_for(self, words: str) -> None:
        ends = time.monotonic() + PATIENCE_S
        while words not in CONTROL_CODES.sub("", self.seen):
            assert time.monotonic() < ends, f"{words!r} never came: {self.seen[-2_000:]!r}"
            assert self.process.poll() is None, self.seen[-2_000:]
            self.reads()
        self.seen = ""

    def types(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    line = command_line(
        "run", "--runtime", "inline", "--speed", "20", "--state", tmp_path / "state", "--json"
    )
    at = Desk(line, tmp_path / "summary.json")
    try:
        yield at
    finally:
        at.close()


def test_a_run_is_watched_halted_and_stopped_from_the_terminal(desk: Desk, tmp_path: Path) -> None:
    """E6, B2: the halt is durable, carries its reason, and says who asked for it."""
    desk.waits_for("▶ running")
    desk.types("hyfat finger\r")
    desk.waits_for("halt effective: the account is HALTED")
    desk.waits_for("■ HALTED")
    desk.types("q")
    desk.waits_for("Stop in order?")
    desk.types("y")
    ends = time.monotonic() + PATIENCE_S
    while desk.process.poll() is None and time.monotonic() < ends:
        desk.reads()
    assert desk.process.wait(1.0) == 0
    desk.reads()
    assert desk.seen.rindex("\x1b[?1049l") > desk.seen.rfind("\x1b[?1049h")
    assert termios.tcgetattr(desk.master) == desk.before
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["interrupted"]
    assert [halt["trigger"] for halt in summary["halt_list"]] == ["manual"]
    told = breakwater("status", "--state", tmp_path / "state", "--json")
    assert "fat finger" in told.stdout
