"""C6: the copy that guards the trail is refused, before anything starts, where it could not be written or not guard."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.checkpoint_copy import refuse_unusable_copy
from domain.errors import ConfigurationError
from storage.audit.checkpoints import CHECKPOINTS
from tests.unit.cli.conftest import Traded


@pytest.fixture
def guarded(tmp_path: Path) -> Path:
    (tmp_path / "state" / "audit").mkdir(parents=True)
    return tmp_path / "state"


@pytest.mark.parametrize("name", ["kept.jsonl", "made/at/the/start.jsonl", "there.jsonl"])
def test_a_file_elsewhere_is_taken(name: str, guarded: Path) -> None:
    (guarded.parent / "there.jsonl").write_text("")
    refuse_unusable_copy(str(guarded.parent / name), guarded)
    refuse_unusable_copy(None, guarded)
    assert not (guarded.parent / "made").exists(), "who judges a place leaves it as it was"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("directory", "no regular file"),
        ("file/below", "file is no directory|Not a directory"),
        ("state/audit/checkpoints.jsonl", "lies in the state directory"),
        ("state/audit/2026-11-30.jsonl", "lies in the state directory"),
        ("state/session.json", "lies in the state directory"),
        ("link/kept.jsonl", "lies in the state directory"),
        ("state/../state/kept", "lies in the state directory"),
        ("n" * 300, "name too long|File name too long"),
    ],
)
def test_a_place_that_cannot_hold_or_guard_is_refused(name: str, why: str, guarded: Path) -> None:
    home = guarded.parent
    (home / "directory").mkdir()
    (home / "file").write_text("")
    (home / "link").symlink_to(guarded / "audit")
    with pytest.raises(ConfigurationError, match=rf"engine.yaml: audit.checkpoint_copy: found .*({why})"):
        refuse_unusable_copy(str(home / name), guarded)


@pytest.mark.parametrize("place", ["/dev/full", "/proc/nothing/x", "~/kept.jsonl"])
def test_what_is_no_file_of_this_user_is_refused(place: str, guarded: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"audit\.checkpoint_copy"):
        refuse_unusable_copy(place, guarded)


def test_a_file_of_something_else_is_refused_and_one_of_checkpoints_taken(traded: Traded) -> None:
    copy = traded.path.parent / "kept.jsonl"
    for content in ('{"session":1}', '{"session":1}\n'):
        copy.write_text(content)
        with pytest.raises(ConfigurationError, match="it holds something else"):
            refuse_unusable_copy(str(copy), traded.path)
        assert copy.read_text() == content
    copy.write_bytes((traded.path / "audit" / CHECKPOINTS).read_bytes())
    refuse_unusable_copy(str(copy), traded.path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_may_not_be_written_is_refused(guarded: Path) -> None:
    shut = guarded.parent / "shut"
    shut.mkdir(mode=0o500)
    with pytest.raises(ConfigurationError, match="nothing can be made"):
        refuse_unusable_copy(str(shut / "kept.jsonl"), guarded)
