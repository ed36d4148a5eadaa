"""A user's strategy files are tried in a process of their own."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cli.own_strategies import _environment, judge_own_strategies
from cli.registry import read_settings
from tests.scenario.test_own_strategies import MINE, own_strategy


def judged(directory: Path, source: str, deadline_s: float = 60.0) -> tuple[tuple[str, str], ...]:
    settings = read_settings(own_strategy(directory, source), {})
    return tuple((each.key, each.found) for each in judge_own_strategies(settings, deadline_s=deadline_s))


def test_shipped_configuration_has_no_file_and_needs_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere")
    assert judge_own_strategies(read_settings(None, {})) == ()


def test_what_a_file_prints_leaves_running_or_registers_does_not_spoil_the_answer(tmp_path: Path) -> None:
    more = (
        "import atexit, os, threading, time\n"
        "print('{')\n"
        "atexit.register(os._exit, 7)\n"
        "threading.Thread(target=time.sleep, args=(600,)).start()\n"
    )
    assert judged(tmp_path / "own", MINE + more) == ()


def test_file_that_never_comes_back_is_named(tmp_path: Path) -> None:
    (found,) = judged(tmp_path / "own", "while True: pass\n", deadline_s=3.0)
    assert found == ("file", f"{tmp_path / 'own' / 'mine.py'}: not loaded after 3 s")


def test_folders_of_the_working_directory_are_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cli", "config"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('not ours')\n")
    monkeypatch.chdir(tmp_path)
    assert judged(tmp_path / "own", MINE) == ()


def test_the_process_ends_with_the_command_however_that_ends(tmp_path: Path) -> None:
    directory = own_strategy(tmp_path / "own", "import time\ntime.sleep(600)\n")
    source = (
        "from pathlib import Path\nfrom cli.own_strategies import judge_own_strategies\n"
        "from cli.registry import read_settings\n"
        f"judge_own_strategies(read_settings(Path({str(directory)!r}), {{}}))\n"
    )
    command = subprocess.Popen([sys.executable, "-P", "-c", source], env=dict(_environment()))
    try:
        judge = _child_of(command.pid)
        command.kill()
        judge.wait(timeout=20.0)
    finally:
        command.kill()
        command.wait()


def _child_of(pid: int) -> psutil.Process:
    until_s = time.monotonic() + 20.0
    while time.monotonic() < until_s:
        for child in psutil.Process(pid).children():
            return child
        time.sleep(0.05)
    raise AssertionError("no process that judges came up within 20 s")
