"""Databases lie where `storage.url` says, are found from the state directory alone, and meet no other session's."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.app import app
from cli.opening import RunRequest
from domain.errors import StateError
from storage.state import StateDirectory
from tests.scenario.bars import thin_market
from tests.scenario.engine import differences, request, session
from tests.scenario.settings import write_config

ROLES = ("coordinator", "feed", "gateway", "risk")
STOP = 300
"""Looks for a signal after which the sessions below are stopped: in their midst."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return thin_market(tmp_path / "bars.csv")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Return a directory with characters that a URL has to write otherwise."""
    return tmp_path / "else where" / "100% #1?"


@pytest.fixture
def asked(data: Path, elsewhere: Path, tmp_path: Path) -> RunRequest:
    place = str(elsewhere).replace("%", "%25").replace("#", "%23").replace("?", "%3F").replace(" ", "%20")
    url = f"sqlite:///{place}/{{session}}/{{role}}.db"
    config = write_config(tmp_path / "config", "engine.yaml", {"storage.url": url})
    return request(data, tmp_path / "state", config=config)


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.inline_engine._SLICE", 3)


def databases(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*.db")}


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def orders_of(state: Path) -> list[object]:
    result = call("orders", "list", "--limit", "0", "--state", state, "--json")
    assert result.exit_code == 0, result.output
    found: list[object] = json.loads(result.stdout)["orders"]
    return found


def test_run_elsewhere_stopped_and_resumed_equals_one_beside_its_state(
    asked: RunRequest, elsewhere: Path, tmp_path: Path
) -> None:
    beside = session(replace(asked, state=tmp_path / "beside", config=None))
    stopped = session(asked, stop_at_look=STOP)
    assert 0 < stopped["bars"] < beside["bars"]
    resumed = session(asked)
    assert resumed["resumed"]
    assert resumed["orders"] > 10
    assert not differences(beside, resumed)
    assert databases(elsewhere) == {f"1/{role}.db" for role in ROLES}
    assert databases(asked.state) == {"venue/venue.db"}
    assert databases(tmp_path / "beside") == {"venue/venue.db", *(f"{role}.db" for role in ROLES)}


def test_commands_find_them_without_the_configuration_of_the_run(
    asked: RunRequest, elsewhere: Path, tmp_path: Path
) -> None:
    summary = session(asked)
    held = {symbol for symbol, lots in summary["positions"].items() if lots}
    for state in (asked.state, tmp_path / "moved"):
        if state != asked.state:
            asked.state.rename(state)
        assert len(orders_of(state)) == summary["orders"]
        positions = json.loads(call("positions", "list", "--state", state, "--json").stdout)["positions"]
        assert {each["symbol"] for each in positions} == held
    shutil.rmtree(elsewhere)
    gone = call("orders", "list", "--state", tmp_path / "moved", "--json")
    assert gone.exit_code == 3
    assert f"{elsewhere}/1/gateway.db does not exist" in json.loads(gone.stdout)["error"]["message"]


def test_fresh_session_meets_no_database_of_the_one_before(asked: RunRequest, elsewhere: Path) -> None:
    first = session(asked, stop_at_look=STOP)
    anew = session(replace(asked, fresh=True))
    assert (first["session"], anew["session"]) == (1, 2)
    assert not anew["resumed"]
    assert databases(elsewhere) == {f"{number}/{role}.db" for number in (1, 2) for role in ROLES}
    (archive,) = (asked.state / "archive").iterdir()
    assert len(orders_of(archive)) == first["orders"]


def test_number_of_a_deleted_archive_does_not_lead_to_its_databases(
    asked: RunRequest, elsewhere: Path
) -> None:
    session(asked)
    session(replace(asked, fresh=True), stop_at_look=STOP)
    shutil.rmtree(asked.state / "archive")
    assert session(replace(asked, fresh=True))["session"] == 3
    assert len(databases(elsewhere)) == 3 * len(ROLES)


def test_databases_in_a_folder_of_the_state_directory_move_into_its_archive(
    data: Path, tmp_path: Path
) -> None:
    url = "sqlite:///{state}/records/{role}/x.sqlite"
    config = write_config(tmp_path / "config", "engine.yaml", {"storage.url": url})
    asked = request(data, tmp_path / "a state%20?#", config=config)
    first = session(asked)
    assert {str(path.relative_to(asked.state)) for path in asked.state.rglob("*.sqlite")} == {
        f"records/{role}/x.sqlite" for role in ROLES
    }
    assert session(replace(asked, fresh=True))["session"] == 2
    (archive,) = (asked.state / "archive").iterdir()
    assert len(orders_of(archive)) == first["orders"]


def test_other_place_than_the_session_was_begun_with_is_refused(asked: RunRequest, elsewhere: Path) -> None:
    """The fingerprint of the configuration covers the place: half a session here and half there cannot be."""
    session(asked, stop_at_look=STOP)
    with pytest.raises(StateError, match=r"the configuration .* changed.*--fresh"):
        session(replace(asked, config=None))
    assert databases(asked.state) == {"venue/venue.db"}
    assert databases(elsewhere) == {f"1/{role}.db" for role in ROLES}


def test_database_gone_from_its_place_stops_the_resumption(asked: RunRequest, elsewhere: Path) -> None:
    session(asked, stop_at_look=STOP)
    (elsewhere / "1" / "risk.db").unlink()
    with pytest.raises(StateError, match=re.escape(f"{elsewhere}/1/risk.db is missing")):
        session(asked)


def test_two_state_directories_do_not_share_a_place(asked: RunRequest, elsewhere: Path) -> None:
    session(asked)
    other = replace(asked, state=asked.state.with_name("other"))
    with pytest.raises(StateError, match=r"coordinator\.db exists, but .*other has no session.*storage\.url"):
        session(other)
    assert StateDirectory(other.state).session() is None
    shutil.rmtree(elsewhere)
    assert session(other)["completed"]


def test_bad_place_is_a_configuration_error(data: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path / "config", "engine.yaml", {"storage.url": "sqlite:///{state}/one.db"})
    done = call("run", "--data", data, "--state", tmp_path / "state", "--config", config, "--json")
    assert done.exit_code == 4
    said = json.loads(done.stdout)["error"]["message"]
    assert "engine.yaml:" in said
    assert "storage.url: found 'sqlite:///{state}/one.db'; allowed: text: sqlite:///" in said
    assert not (tmp_path / "state").exists()


def test_place_that_cannot_be_made_is_refused_before_anything_starts(
    data: Path, elsewhere: Path, asked: RunRequest
) -> None:
    elsewhere.parent.mkdir()
    elsewhere.write_text("in the way")
    with pytest.raises(StateError, match="cannot hold this session's databases"):
        session(asked)
    elsewhere.unlink()
    assert session(asked)["completed"]
