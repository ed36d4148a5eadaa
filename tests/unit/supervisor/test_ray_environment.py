"""Test what is checked and prepared before Ray starts."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

import pytest

from domain.errors import EnvironmentFault
from supervisor.ray_environment import (
    MIB,
    Capacity,
    check_capacity,
    environment,
    import_path,
    make_session_dir,
    measure_capacity,
    remove_session_dir,
    write_token,
)


def test_enough_room_passes() -> None:
    check_capacity(Capacity(memory=4096 * MIB, shared=120 * MIB), actors=12)
    check_capacity(Capacity(memory=4096 * MIB, shared=None), actors=12)


@pytest.mark.parametrize(
    ("capacity", "found", "advice"),
    [
        (Capacity(memory=4096 * MIB, shared=64 * MIB), "64 MiB free, 120 MiB are needed", "--shm-size"),
        (
            Capacity(memory=900 * MIB, shared=4096 * MIB),
            "900 MiB are available, 12 actors",
            "--runtime inline",
        ),
    ],
)
def test_too_little_says_what_was_found_needed_and_to_do(capacity: Capacity, found: str, advice: str) -> None:
    with pytest.raises(EnvironmentFault, match=found) as caught:
        check_capacity(capacity, actors=12)
    assert advice in str(caught.value)


def test_both_shortages_are_told_at_once() -> None:
    with pytest.raises(EnvironmentFault, match=r"shared memory: .*; memory: "):
        check_capacity(Capacity(memory=1, shared=1), actors=1)


def test_larger_object_store_needs_more_shared_memory() -> None:
    capacity = Capacity(memory=4096 * MIB, shared=150 * MIB)
    check_capacity(capacity, actors=1)
    with pytest.raises(EnvironmentFault, match="150 MiB free, 160 MiB are needed"):
        check_capacity(capacity, actors=1, object_store=128 * MIB)


def test_this_machine_can_be_measured() -> None:
    capacity = measure_capacity()
    assert capacity.memory > 0
    assert capacity.shared is None or capacity.shared > 0


def test_our_packages_come_first_and_relative_entries_become_absolute(tmp_path: Path) -> None:
    path = import_path(tmp_path, os.pathsep.join(["plugins", str(tmp_path), ""]))
    assert path.split(os.pathsep) == [str(tmp_path), os.path.abspath("plugins")]


def test_site_packages_are_not_put_before_the_standard_library() -> None:
    assert import_path(Path(sysconfig.get_path("purelib")), "") == ""


def test_token_is_private_long_and_one_a_process(tmp_path: Path) -> None:
    token = tmp_path / "ray" / "token"
    write_token(token)
    first = token.read_text()
    token.chmod(0o644)
    write_token(token)
    assert token.read_text() == first
    assert len(first) == 64
    assert token.stat().st_mode & 0o777 == 0o600


def test_session_directory_is_private_and_short() -> None:
    session = make_session_dir()
    try:
        assert session.stat().st_mode & 0o777 == 0o700
        assert len(str(session)) < 40
    finally:
        remove_session_dir(session)
    assert not session.exists()


def test_environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BW_SET", "before")
    monkeypatch.delenv("BW_UNSET", raising=False)
    with environment({"BW_SET": "x", "BW_UNSET": "y"}):
        assert (os.environ["BW_SET"], os.environ["BW_UNSET"]) == ("x", "y")
    assert os.environ["BW_SET"] == "before"
    assert "BW_UNSET" not in os.environ
