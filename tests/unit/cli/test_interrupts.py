"""Ctrl-C ends a command quietly, from the first moment on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.interrupts import undoing_at_interrupts
from domain.errors import Interrupted

MOMENTS = 20
BEGINS = (
    "import os, sys\n"
    "class Told:\n"
    "    def find_spec(self, name, path, target=None):\n"
    "        if name == 'cli.app':\n"
    "            os.write(1, b'begins\\n')\n"
    "sys.meta_path.insert(0, Told())\n"
    "from cli.main import main\n"
    "main()\n"
)
"""The command, which says when it begins to load what it is made of: before that is Python's own start."""


def start(tmp_path: Path, *, ignoring: bool = False) -> subprocess.Popen[str]:
    bars = tmp_path / "A.csv"
    bars.write_text("date,open,high,low,close\n2023-09-05,1,1,1,1\n2023-09-06,1,1,1,1\n", encoding="utf-8")
    ignore = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" if ignoring else ""
    return subprocess.Popen(
        [sys.executable, "-c", ignore + BEGINS, "data", "describe", str(bars)],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupted_after(process: subprocess.Popen[str], moment_s: float) -> tuple[int, str]:
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    time.sleep(moment_s)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def test_ctrl_c_in_the_first_second_ends_quietly(tmp_path: Path) -> None:
    for moment_s in (i / MOMENTS for i in range(MOMENTS)):
        ended = interrupted_after(start(tmp_path), moment_s)
        # One that comes when all is said changes nothing; none comes so late at first.
        quiet = (130, "breakwater: interrupted\n")
        assert ended == quiet or (moment_s > 0.2 and ended == (0, "")), (moment_s, ended)


def test_where_ctrl_c_is_ignored_it_stays_so(tmp_path: Path) -> None:
    assert interrupted_after(start(tmp_path, ignoring=True), 0.1) == (0, "")


def test_what_is_to_be_undone_is_undone_before_the_command_ends() -> None:
    undone = []
    with pytest.raises(Interrupted) as ended, undoing_at_interrupts(lambda: undone.append(True)):
        raise KeyboardInterrupt
    assert undone == [True]
    assert ended.value.exit_code == 130
