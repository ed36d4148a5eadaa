"""An end is known when it happens, and nobody waits for ever."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from supervisor.process_ends import await_any_end

LONG_S = 20.0


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({LONG_S * 2})"]) as process:
        yield process
        process.kill()


def waited(pids: list[int], most_s: float) -> float:
    begun = time.monotonic()
    await_any_end(pids, most_s)
    return time.monotonic() - begun


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux tells of an end at once")
def test_an_end_is_known_at_once(sleeper: subprocess.Popen[bytes]) -> None:
    threading.Timer(0.2, sleeper.kill).start()
    assert waited([os.getpid(), sleeper.pid], LONG_S) < LONG_S / 2


def test_one_that_has_ended_already_is_not_waited_for(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    sleeper.wait()
    assert waited([sleeper.pid], LONG_S) < LONG_S / 2


def test_where_none_ends_the_wait_does(sleeper: subprocess.Popen[bytes]) -> None:
    assert waited([sleeper.pid], 0.05) >= 0.05
    assert waited([], 0.05) >= 0.05


def test_where_the_system_cannot_tell_the_wait_is_whole(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    threading.Timer(0.05, sleeper.kill).start()
    assert waited([sleeper.pid], 0.3) >= 0.3


def test_no_descriptor_stays_open(sleeper: subprocess.Popen[bytes]) -> None:
    before = len(os.listdir("/dev/fd"))
    for _ in range(5):
        await_any_end([sleeper.pid, os.getpid()], 0.0)
    assert len(os.listdir("/dev/fd")) == before
