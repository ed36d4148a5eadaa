from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from config.database_url import BESIDE_STATE
from domain.errors import StateError
from storage.journal import SqlJournal
from storage.location import Databases
from tests.fakes.records import order


@pytest.mark.parametrize("name", ["state", "a b%20?#é {role}"])
def test_a_journal_opens_where_the_template_says(tmp_path: Path, name: str) -> None:
    state = tmp_path / name
    state.mkdir()
    databases = Databases(template="sqlite:///{state}/db {session}/{role}", state=state, session=3)
    databases.make_places(["gateway", "risk"])
    assert databases.path("gateway") == state / "db 3" / "gateway"
    journal = SqlJournal(databases.url("gateway"), "gateway")
    journal.append([order(1)])
    journal.close()
    assert databases.path("gateway").stat().st_size > 0


def test_missing_directories_are_made_for_the_owner_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    template = f"sqlite:///{tmp_path}/one/two/{{session}}/{{role}}/x.db"
    Databases(template=template, state=tmp_path, session=1).make_places(["feed", "risk"])
    for name in ("one", "one/two", "one/two/1", "one/two/1/feed", "one/two/1/risk"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o700
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755, "what was there is its owner's affair"


def test_a_file_is_for_the_owner_alone_also_where_others_may_look(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    databases = Databases(template=BESIDE_STATE, state=tmp_path, session=1)
    journal = SqlJournal(databases.url("gateway"), "gateway")
    journal.append([order(1)])
    files = list(tmp_path.iterdir())
    assert len(files) > 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    journal.close()


def test_a_file_where_the_directory_should_be_is_refused_naming_place_and_key(tmp_path: Path) -> None:
    (tmp_path / "1").write_text("mine")
    template = f"sqlite:///{tmp_path}/{{session}}/{{role}}.db"
    with pytest.raises(StateError, match=r"/1 cannot hold this session's databases: .*storage\.url"):
        Databases(template=template, state=tmp_path, session=1).make_places(["risk"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StateError, match="this user may not write there"):
        Databases(template=BESIDE_STATE, state=tmp_path, session=1).make_places(["risk"])
    tmp_path.chmod(0o700)
