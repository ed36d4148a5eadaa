"""A fault search that is interrupted tells what it found, and its processes end with it, whatever ends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

COMMAND = (sys.executable, "-c", "from cli.main import main; main()", "chaos", "--seeds", "0-99999")
MUTANT = "tests.chaos.mutants:no_commit_before_wire"


def search(*options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )


def left_of(searching: subprocess.Popen[str]) -> list[psutil.Process]:
    until = time.monotonic() + 10.0
    while True:
        left = [each for each in psutil.process_iter() if _session_of(each) == searching.pid]
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.1)


def _session_of(process: psutil.Process) -> int:
    try:
        return 0 if process.status() == psutil.STATUS_ZOMBIE else os.getsid(process.pid)
    except (psutil.Error, ProcessLookupError):
        return 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_search_that_is_interrupted_tells_what_it_found_and_leaves_nobody(number: signal.Signals) -> None:
    """Ctrl-C goes to the whole group, its processes too; what was found until then is not lost."""
    searching = search("--mutant", MUTANT, "--json")
    assert searching.stderr is not None
    while "broke a rule: I4" not in (said := searching.stderr.readline()):
        assert " broke a rule: " in said, "which of two processes tells first is chance"
    os.killpg(searching.pid, number)
    out, _ = searching.communicate(timeout=60)
    told = json.loads(out)
    assert (searching.returncode, told["interrupted"]) == (130, True)
    assert 0 < len(told["failing"]) <= told["seeds"] < 10_000
    assert left_of(searching) == [], "the process that tracks resources may be a moment later"


def test_processes_of_a_search_end_with_it_when_it_is_killed() -> None:
    searching = search()
    process, until = psutil.Process(searching.pid), time.monotonic() + 60.0
    while len(workers := process.children(recursive=True)) < 3 and time.monotonic() < until:
        time.sleep(0.1)
    searching.kill()
    searching.communicate()
    _, alive = psutil.wait_procs(workers, timeout=30.0)
    assert (len(workers), alive) == (3, []), "two that run seeds, and the one that tracks their resources"
