"""Test that what a killed run left is found again, and nothing else is touched."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from storage.place import place_of
from supervisor.ray_environment import make_session_dir
from supervisor.ray_leftovers import clear_ray, note_ray


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def test_noted_processes_are_killed_and_the_directory_removed(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    note, session = tmp_path / "session.json", make_session_dir()
    note_ray(note, session, [psutil.Process(sleeper.pid)])
    assert clear_ray(note) == 1
    assert sleeper.wait(10.0) < 0
    assert not session.exists()
    assert not note.exists()


def test_process_that_was_started_before_it_could_be_noted_is_killed(tmp_path: Path) -> None:
    note, session = tmp_path / "session.json", make_session_dir()
    note_ray(note, session, ())
    command = [sys.executable, "-c", "import time; time.sleep(60)", f"--session-dir={session}/session_1"]
    with subprocess.Popen(command) as started:
        assert clear_ray(note) == 1
        assert started.wait(10.0) < 0
    assert not session.exists()


def test_another_process_with_the_same_number_lives_on(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    note = tmp_path / "session.json"
    created = psutil.Process(sleeper.pid).create_time() - 5.0
    foreign = tmp_path / "precious"
    foreign.mkdir()
    noted = {"session": str(foreign), "processes": [[sleeper.pid, created]], "place": place_of(tmp_path)}
    note.write_text(json.dumps(noted))
    assert clear_ray(note) == 0
    assert sleeper.poll() is None
    assert foreign.exists()


def test_a_note_that_was_copied_ends_nobodys_processes(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    """A copy of a state directory is another engine's past: that engine may well run."""
    first, session = tmp_path / "first", make_session_dir()
    first.mkdir()
    note_ray(first / "session.json", session, [psutil.Process(sleeper.pid)])
    shutil.copytree(first, tmp_path / "copy")
    assert clear_ray(tmp_path / "copy" / "session.json") == 0
    assert (sleeper.poll(), session.exists()) == (None, True)
    assert not (tmp_path / "copy" / "session.json").exists()
    assert clear_ray(first.rename(tmp_path / "moved") / "session.json") == 1


@pytest.mark.parametrize("text", [None, "", "{", "{}", '{"session": 1, "processes": []}'])
def test_no_note_or_half_a_note_is_no_obstacle(tmp_path: Path, text: str | None) -> None:
    note = tmp_path / "session.json"
    if text is not None:
        note.write_text(text)
    assert clear_ray(note) == 0
