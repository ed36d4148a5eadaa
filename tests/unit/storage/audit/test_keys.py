from __future__ import annotations

import stat
from pathlib import Path

import pytest

from domain.errors import ConfigurationError, EnvironmentFault
from storage.audit.keys import KEY_VARIABLE, default_key_path, load_signer

SECRET = bytes(range(32)).hex()


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "config" / "audit.key"
    first = load_signer({}, path, create=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_signer({}, path, create=True).verifier.key_id == first.verifier.key_id
    assert [entry.name for entry in path.parent.iterdir()] == ["audit.key"]


def test_verifying_never_makes_a_key(tmp_path: Path) -> None:
    with pytest.raises(
        EnvironmentFault, match=r"audit\.key does not exist and BREAKWATER_AUDIT_KEY is not set"
    ):
        load_signer({}, tmp_path / "audit.key")
    assert list(tmp_path.iterdir()) == []


def test_the_environments_key_comes_first(tmp_path: Path) -> None:
    given = load_signer({KEY_VARIABLE: SECRET + "\n"}, tmp_path / "audit.key", create=True)
    assert list(tmp_path.iterdir()) == []
    assert given.verifier.holds(b"content", given.sign(b"content"))
    assert not given.verifier.holds(b"contenT", given.sign(b"content"))
    assert not given.verifier.holds(b"content", "zz")


@pytest.mark.parametrize("bad", ["x", SECRET[:-2], SECRET + "00", "g" * 64])
def test_what_is_no_key_is_refused_without_showing_it(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "audit.key"
    path.write_text(bad)
    path.chmod(0o600)
    for environment in ({KEY_VARIABLE: bad}, {}):
        with pytest.raises(ConfigurationError, match="expected 64 hexadecimal digits") as refused:
            load_signer(environment, path)
        assert bad not in str(refused.value).replace("expected", "").replace("hexadecimal", "") or bad == "x"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_key_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "audit.key"
    path.write_text(SECRET)
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_signer({}, path)


def test_a_place_that_cannot_be_written_says_what_to_set_instead(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(EnvironmentFault, match=KEY_VARIABLE):
        load_signer({}, tmp_path / "file" / "audit.key", create=True)


def test_the_key_lives_in_the_users_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_key_path().name == "audit.key"
    assert default_key_path().parent.name == "breakwater"
