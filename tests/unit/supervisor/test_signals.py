"""Test how stop signals are counted (requirement C3)."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from supervisor.signals import StopSignals


@pytest.fixture(autouse=True)
def _terminal_that_can_hang_up() -> Iterator[None]:
    """Let SIGHUP through: under nohup it is ignored, here and in what is started from here."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_first_signal_requests_and_second_forces(number: signal.Signals) -> None:
    with StopSignals() as stop:
        assert (stop.requested, stop.forced, stop.reason) == (False, False, "")
        send(number)
        assert (stop.requested, stop.forced, stop.reason) == (True, False, number.name)
        send(signal.SIGTERM)
        assert (stop.requested, stop.forced, stop.reason) == (True, True, number.name)


def test_wait_returns_at_once_when_a_signal_arrives_during_it() -> None:
    with StopSignals() as stop:
        threading.Timer(0.1, send, [signal.SIGTERM]).start()
        started_s = time.monotonic()
        assert stop.wait(10.0)
        assert time.monotonic() - started_s < 5.0
        assert not stop.wait(0.01)


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with StopSignals():
        assert signal.getsignal(signal.SIGTERM) != before[0]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_third_signal_ends_the_process() -> None:
    script = (
        "import os, signal, time\n"
        "from supervisor.signals import StopSignals\n"
        "with StopSignals():\n"
        "    for _ in range(3):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(30)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": "."}, timeout=20)
    assert done.returncode == -signal.SIGTERM


def test_watching_off_the_main_thread_is_refused() -> None:
    caught: list[BaseException] = []

    def enter() -> None:
        try:
            with StopSignals():
                pass
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert len(caught) == 1


def test_a_process_that_is_stuck_ends_some_time_after_its_second_signal() -> None:
    script = (
        "import os, signal\n"
        "import supervisor.signals as signals\n"
        "signals.FORCE_S = 0.2\n"
        "with signals.StopSignals():\n"
        "    for _ in range(2):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    while True:\n"
        "        pass\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": "."}, timeout=20)
    assert done.returncode == 130


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_closed_terminal_never_forces(first: signal.Signals) -> None:
    """A shell and the kernel each send SIGHUP, and a service manager right after SIGTERM."""
    with StopSignals() as stop:
        send(first)
        send(signal.SIGHUP)
        send(signal.SIGHUP)
        assert (stop.requested, stop.forced, stop.reason) == (True, False, first.name)


def test_under_nohup_a_closed_terminal_stops_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals() as stop:
            send(signal.SIGHUP)
            assert not stop.requested
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_is_written_to_a_closed_terminal_does_not_fail() -> None:
    script = (
        "import sys\n"
        "from supervisor.signals import StopSignals\n"
        "with StopSignals() as stop:\n"
        "    print('watching', flush=True)\n"
        "    assert stop.wait(30.0)\n"
        "    print('more', flush=True)\n"
        "    sys.stderr.write('more')\n"
        "    sys.exit(7 if stop.reason == 'SIGHUP' else 8)\n"
    )
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-c", script], {**os.environ, "PYTHONPATH": "."})
    told = b""
    while b"watching" not in told:
        told += os.read(terminal, 1_000)
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
