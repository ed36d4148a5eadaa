"""Check, on a terminal of its own, that it is taken, read and given back on every way out."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

LEADER = """
import fcntl, os, signal, subprocess, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
program = subprocess.Popen([sys.executable, "-c", sys.argv[1]], process_group=0)
os.tcsetpgrp(0, program.pid)
print("pid", program.pid, flush=True)
while True:
    _, status = os.waitpid(program.pid, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        break
    os.tcsetpgrp(0, os.getpgrp())
    print("stopped", flush=True)
    signal.sigwait({signal.SIGUSR1})
    os.tcsetpgrp(0, program.pid)
    os.kill(program.pid, signal.SIGCONT)
print("ended", os.waitstatus_to_exitcode(status), flush=True)
"""

PROGRAM = """
import sys
from cli.display.terminal import Terminal
from supervisor.signals import StopSignals
with StopSignals() as signals:
    terminal = Terminal(2, 0)
    with signals.at_once(lambda: terminal.give_back(for_good=True)), terminal:
        was = None
        while signals.reason != "SIGINT":
            held = terminal.take()
            if held != was:
                print("held" if held else "not held", flush=True)
                was = held
            typed = terminal.wait(0.05)
            if typed:
                print("typed", typed.decode(), flush=True)
            if typed == b"e":
                raise ValueError("planted")
"""

TAKEN, GIVEN_BACK = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


class Desk:
    """Be a person before a terminal in which `PROGRAM` runs."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        self.before = termios.tcgetattr(self.master)
        root = Path(__file__).resolve().parents[4]
        self.leader = subprocess.Popen(
            [sys.executable, "-c", LEADER, PROGRAM],
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=slave,
            start_new_session=True,
            text=True,
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        os.close(slave)
        self.pid = int(self.says("pid").split()[1])

    def says(self, word: str) -> str:
        """Return the next line, which must begin with `word`."""
        assert self.leader.stdout is not None
        line = self.leader.stdout.readline().rstrip("\n")
        assert line.startswith(word), line
        return line

    def types(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def screen(self) -> str:
        """Return what was written to the terminal since last time."""
        written = b""
        while select.select([self.master], [], [], 0.2)[0]:
            try:
                written += os.read(self.master, 65_536)
            except OSError:  # nobody has it open any more
                break
        return written.decode()

    def raw(self) -> bool:
        """Say whether keys arrive at once and unseen."""
        flags = termios.tcgetattr(self.master)[3]
        return not flags & termios.ICANON and not flags & termios.ECHO

    def as_before(self) -> bool:
        return termios.tcgetattr(self.master) == self.before

    def close(self) -> None:
        for pid in (self.pid, self.leader.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.leader.communicate()
        os.close(self.master)


@pytest.fixture
def desk() -> Iterator[Desk]:
    """Return a desk whose program holds the terminal."""
    at = Desk()
    try:
        at.says("held")
        assert at.screen().startswith(TAKEN)
        assert at.raw()
        yield at
    finally:
        at.close()


def test_keys_arrive_at_once_and_unseen(desk: Desk) -> None:
    desk.types(b"h")
    desk.says("typed h")
    assert desk.screen() == ""


def test_an_orderly_end_gives_the_terminal_back(desk: Desk) -> None:
    desk.types(b"\x03")
    desk.says("ended 0")
    assert GIVEN_BACK in desk.screen()
    assert desk.as_before()


def test_an_exception_gives_the_terminal_back_before_it_is_printed(desk: Desk) -> None:
    desk.types(b"e")
    desk.says("typed e")
    desk.says("ended 1")
    shown = desk.screen()
    assert shown.index(GIVEN_BACK) < shown.index("planted")
    assert desk.as_before()


def test_a_signal_that_ends_the_process_at_once_gives_the_terminal_back(desk: Desk) -> None:
    """A third signal ends the process by the system's own rule: no `finally` runs."""
    for _ in range(3):
        os.kill(desk.pid, signal.SIGTERM)
        time.sleep(0.1)
    desk.says("ended -15")
    assert GIVEN_BACK in desk.screen()
    assert desk.as_before()


def test_stopped_it_gives_the_terminal_back_and_takes_it_again_when_it_goes_on(desk: Desk) -> None:
    desk.types(b"\x1a")
    desk.says("stopped")
    assert GIVEN_BACK in desk.screen()
    assert desk.as_before()
    desk.leader.send_signal(signal.SIGUSR1)
    desk.types(b"k")
    desk.says("typed k")
    assert TAKEN in desk.screen()
    assert desk.raw()
    desk.types(b"\x03")
    desk.says("ended 0")
    assert desk.as_before()


def test_stopped_from_elsewhere_it_takes_the_terminal_again_in_the_mode_it_needs(desk: Desk) -> None:
    os.kill(desk.pid, signal.SIGSTOP)
    desk.says("stopped")
    termios.tcsetattr(desk.master, termios.TCSANOW, desk.before)  # as a shell does
    desk.leader.send_signal(signal.SIGUSR1)
    assert TAKEN in desk.screen()
    assert desk.raw()
    desk.types(b"k")
    desk.says("typed k")
    desk.types(b"\x03")
    desk.says("ended 0")
    assert desk.as_before()
