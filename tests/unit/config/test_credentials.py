"""Read secrets and never show them (requirements C7, E5)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from config.credentials import Credentials, read_credentials
from config.describe import describe
from config.loader import load
from config.violations import InvalidConfiguration

CANARY = "canary-7f3a-secret-value"


def secret_of(credentials: Credentials | None) -> str | None:
    """Return the audit key in clear."""
    if credentials is None or credentials.audit_key is None:
        return None
    return credentials.audit_key.get_secret_value()


def test_nothing_set_is_nothing_known(tmp_path: Path) -> None:
    credentials, faults = read_credentials({}, tmp_path / ".env")
    assert faults == []
    assert credentials == Credentials.model_construct(audit_key=None, resume_code=None)


def test_secret_comes_from_the_environment_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BREAKWATER_AUDIT_KEY", "of-the-process-itself")
    assert secret_of(read_credentials({}, tmp_path / ".env")[0]) is None
    assert secret_of(read_credentials({"BREAKWATER_AUDIT_KEY": CANARY}, tmp_path / ".env")[0]) == CANARY


def test_secret_comes_from_the_env_file_unless_the_environment_has_it(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(f"# a comment\nBREAKWATER_AUDIT_KEY={CANARY}\nOTHER=1\n", encoding="utf-8")
    assert secret_of(read_credentials({}, path)[0]) == CANARY
    assert secret_of(read_credentials({"BREAKWATER_AUDIT_KEY": "x" * 16}, path)[0]) == "x" * 16


@pytest.mark.parametrize("text", ["", "short", "x" * 4097])
def test_secret_too_short_or_too_long_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    credentials, faults = read_credentials({"BREAKWATER_AUDIT_KEY": text}, tmp_path / ".env")
    assert credentials is None
    assert [str(v) for v in faults] == [
        "environment: BREAKWATER_AUDIT_KEY: found (not shown); allowed: 16 to 4096 characters"
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


def test_secret_is_in_no_text_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"BREAKWATER_RESUME_CODE={CANARY}\n", encoding="utf-8")
    settings = load(tmp_path, {"BREAKWATER_AUDIT_KEY": CANARY})
    shown = describe(settings)
    assert CANARY not in json.dumps(shown) + repr(settings) + str(settings) + repr(settings.content())
    assert {name: entry["set"] for name, entry in shown["secrets"].items()} == {
        "BREAKWATER_AUDIT_KEY": True,
        "BREAKWATER_RESUME_CODE": True,
    }


def test_secret_is_in_no_refusal(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"BREAKWATER_RESUME_CODE={CANARY * 500}\n", encoding="utf-8")
    (tmp_path / "engine.yaml").write_text("x: 1\n", encoding="utf-8")
    with pytest.raises(InvalidConfiguration) as caught:
        load(tmp_path, {"BREAKWATER_AUDIT_KEY": CANARY[:9]})
    assert "canary" not in str(caught.value) + repr(caught.value)
