"""Read secrets and never show them (requirements C7, E5)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from config.credentials import Credentials, hand_over_audit_key, read_credentials
from config.describe import describe
from config.loader import load
from config.violations import InvalidConfiguration

CANARY = "c0ffee5ec2e7" * 5 + "cafe"
CODE = "canary-7f3a-secret-value"


def secret_of(credentials: Credentials | None) -> str | None:
    """Return the audit key in clear."""
    if credentials is None or credentials.audit_key is None:
        return None
    return credentials.audit_key.get_secret_value()


def test_nothing_set_is_nothing_known(tmp_path: Path) -> None:
    credentials, faults = read_credentials({}, tmp_path / ".env")
    assert faults == []
    assert credentials == Credentials.model_construct(audit_key=None, resume_code=None)


def test_folder_whose_name_no_file_system_takes_is_a_violation(tmp_path: Path) -> None:
    credentials, (fault,) = read_credentials({}, tmp_path / ("a" * 300) / ".env")
    assert (credentials, fault.found, fault.allowed) == (
        None,
        "File name too long",
        "name a folder that exists",
    )


def test_secret_comes_from_the_environment_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BREAKWATER_AUDIT_KEY", "of-the-process-itself")
    assert secret_of(read_credentials({}, tmp_path / ".env")[0]) is None
    assert secret_of(read_credentials({"BREAKWATER_AUDIT_KEY": CANARY}, tmp_path / ".env")[0]) == CANARY


def test_secret_comes_from_the_env_file_unless_the_environment_has_it(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(f"# a comment\nBREAKWATER_AUDIT_KEY={CANARY}\nOTHER=1\n", encoding="utf-8")
    path.chmod(0o600)
    assert secret_of(read_credentials({}, path)[0]) == CANARY
    assert secret_of(read_credentials({"BREAKWATER_AUDIT_KEY": "0" * 64}, path)[0]) == "0" * 64


@pytest.mark.parametrize("text", ["", "c0ffee", "g" * 64, "0" * 65, "0" * 64 + "\n"])
def test_secret_of_another_shape_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    credentials, faults = read_credentials({"BREAKWATER_AUDIT_KEY": text}, tmp_path / ".env")
    assert credentials is None
    assert [str(v) for v in faults] == [
        "environment: BREAKWATER_AUDIT_KEY: found (not shown); allowed: 64 hexadecimal digits"
    ]


def test_mode_in_the_env_file_is_refused_unless_the_environment_agrees(tmp_path: Path) -> None:
    """Import guards read the environment alone (C1): half an engine in another mode would be worse than none."""
    path = tmp_path / ".env"
    path.write_text("TRADING_MODE=LIVE\n", encoding="utf-8")
    _, faults = read_credentials({}, path)
    assert [(v.file, v.key, v.found) for v in faults] == [(".env", "TRADING_MODE", "'LIVE'")]
    assert read_credentials({"TRADING_MODE": "LIVE"}, path)[1] == []


def test_env_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"BREAKWATER_AUDIT_KEY=\xff\xfe")
    credentials, faults = read_credentials({}, path)
    assert credentials is None
    assert [v.found for v in faults] == ["UnicodeDecodeError"]


@pytest.mark.parametrize(("mode", "refused"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_env_file_with_a_secret_is_its_owners_alone(tmp_path: Path, mode: int, refused: bool) -> None:
    path = tmp_path / ".env"
    path.write_text(f"BREAKWATER_RESUME_CODE={CODE}\n", encoding="utf-8")
    path.chmod(mode)
    credentials, faults = read_credentials({}, path)
    assert (credentials is None) == refused
    advice = f".env: found mode {mode:04o}; others may read its secrets: run chmod 600 {path}"
    assert [str(v) for v in faults] == ([advice] if refused else [])


def test_env_file_without_a_secret_may_be_read_by_anyone(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(f"BREAKWATER_RESUME_CODE={CODE}\n", encoding="utf-8")
    path.chmod(0o644)
    assert read_credentials({"BREAKWATER_RESUME_CODE": CODE}, path)[1] == []


def test_secret_is_in_no_text_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"BREAKWATER_RESUME_CODE={CODE}\n", encoding="utf-8")
    (tmp_path / ".env").chmod(0o600)
    settings = load(tmp_path, {"BREAKWATER_AUDIT_KEY": CANARY})
    shown = describe(settings)
    text = json.dumps(shown) + repr(settings) + str(settings) + repr(settings.content())
    assert [secret for secret in (CANARY, CODE) if secret in text] == []
    assert {name: entry["set"] for name, entry in shown["secrets"].items()} == {
        "BREAKWATER_AUDIT_KEY": True,
        "BREAKWATER_RESUME_CODE": True,
    }


def test_secret_is_in_no_refusal(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"BREAKWATER_RESUME_CODE={CODE * 500}\n", encoding="utf-8")
    (tmp_path / "engine.yaml").write_text("x: 1\n", encoding="utf-8")
    with pytest.raises(InvalidConfiguration) as caught:
        load(tmp_path, {"BREAKWATER_AUDIT_KEY": CANARY[:9]})
    text = str(caught.value) + repr(caught.value)
    assert [secret for secret in (CANARY[:9], CODE) if secret in text] == []
    assert {"BREAKWATER_AUDIT_KEY", "BREAKWATER_RESUME_CODE"} <= {v.key for v in caught.value.violations}


def test_audit_key_of_the_file_reaches_the_environment_and_never_replaces_one(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"BREAKWATER_AUDIT_KEY={CANARY}\n", encoding="utf-8")
    (tmp_path / ".env").chmod(0o600)
    credentials = load(tmp_path, {}).credentials
    for before, after in (({}, CANARY), ({"BREAKWATER_AUDIT_KEY": "0" * 64}, "0" * 64)):
        environ = dict(before)
        hand_over_audit_key(credentials, environ)
        assert environ == {"BREAKWATER_AUDIT_KEY": after}


def test_no_audit_key_leaves_the_environment_as_it_is() -> None:
    environ: dict[str, str] = {}
    hand_over_audit_key(load(None, {}).credentials, environ)
    assert environ == {}


def test_env_file_that_is_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".env")
    found, (violation,) = read_credentials({}, tmp_path / ".env")
    assert found is None
    assert (violation.file, violation.found) == (".env", "no regular file")
