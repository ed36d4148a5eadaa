"""Judge templates of databases' URLs: absolute files of SQLite, none shared by two roles or two sessions."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from config.database_url import ALLOWED, BESIDE_STATE, filled, is_allowed
from config.loader import SHIPPED, load
from config.violations import InvalidConfiguration

ELSEWHERE = "sqlite:////srv/bw/{session}/{role}.db"

REFUSED = [
    "sqlite:///{state}/{role}", "sqlite:///{state}/{role}.lock", "sqlite:///{state}/logs/{role}.log",
    "", "{role}", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///{role}", "sqlite:///{role}.db",
    "sqlite:///{state}", "sqlite:///{state}/", "sqlite:///{state}/x.db", "sqlite:///{state}{role}.db",
    "sqlite:///{state}-{role}.db", "sqlite:////srv/{role}.db", "sqlite:////srv/{state}/{role}.db",
    "sqlite:////srv/{session}.db", "sqlite:////srv/{session}/{role}/", "sqlite:///srv/{session}/{role}.db",
    "sqlite:///{state}/../{role}.db", "sqlite:///{state}/%2e%2E/{role}.db", "sqlite:///{state}/a%2F..%2F..%2F{role}.db",
    "sqlite:///{state}//{role}.db", "sqlite:///{state}/./{role}.db", "sqlite:////{session}/../{role}.db",
    "sqlite:///{state}/archive/{role}.db", "sqlite:///{state}/Archive/{role}.db",
    "sqlite:///{state}/%61rchive/{role}.db",
    "sqlite:///{state}/{role}.db?mode=memory", "sqlite:///{state}/{role}.db#x", "sqlite:///{state}/{role}.db%00",
    "sqlite:///{state}/{role}.db%0a", "sqlite:///{state}/{role}.db%", "sqlite:///{state}/{role}.db%4",
    "sqlite:///{state}/{role}{}.db", "sqlite:///{state}/{role}{user}.db", "sqlite:///{state}/{role!r}.db",
    "sqlite:///{state.parent}/{role}.db", "sqlite:///{state}/{{role}}.db", "sqlite:///{state}/{role}\\x.db",
    "sqlite:///{state}/{role}.db\n", "sqlite:///%7Bstate%7D/{role}.db", "sqlite://host/{state}/{role}.db",
    "sqlite+pysqlite:///{state}/{role}.db", "postgresql+psycopg://localhost/{session}{role}", "SQLITE:///{state}/{role}",
    "sqlite:///~/{session}/{role}.db", "sqlite:///./{session}/{role}.db",
]  # fmt: skip


@pytest.mark.parametrize(
    "template",
    [
        BESIDE_STATE,
        ELSEWHERE,
        "sqlite:///{state}/databases/{role}.sqlite3",
        "sqlite:///{state}/{session}/{role}/records.sqlite",
        "sqlite:///{state}/archived/{role}.db",
        "sqlite:////srv/a b/{role}-{session}.db",
        "sqlite:////srv/a%20b%3F/{session}/{role}.db",
        "sqlite:////srv/{state}/{session}/{role}.db",
        "sqlite:////srv/été/{role}{session}.db",
        "sqlite:///{state}/..{role}.db",
    ],
)
def test_template_is_allowed(template: str) -> None:
    assert is_allowed(template)


@pytest.mark.parametrize("template", [*REFUSED, None, 3, ["sqlite:///{state}/{role}.db"]])
def test_template_is_refused(template: object) -> None:
    assert not is_allowed(template)


@pytest.mark.parametrize(
    "state", ["/plain", "/a b/c%20d?e#f", "/{role}/{session}/{state}", "/é+&;:@=,", "/~/x"]
)
@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (BESIDE_STATE, "{0}/risk.db"),
        ("sqlite:////srv/a%20b%3F/{session}/{role}.db", "/srv/a b?/7/risk.db"),
        ("sqlite:////srv/{state}/{session}/{role}.db", "/srv/{0}/7/risk.db"),
    ],
)
def test_url_names_the_file_whatever_the_state_directory_is_called(
    state: str, template: str, expected: str
) -> None:
    url = make_url(filled(template, Path(state), "risk", 7))
    assert (url.drivername, url.host, dict(url.query)) == ("sqlite", None, {})
    assert url.database == expected.replace("{0}", state)


@pytest.mark.parametrize("template", REFUSED)
def test_configuration_says_file_key_value_and_what_is_allowed(template: str, tmp_path: Path) -> None:
    text = (SHIPPED / "engine.yaml").read_text(encoding="utf-8")
    assert text.count(f"url: {BESIDE_STATE}") == 1
    escaped = template.replace("\\", "\\\\").replace("\n", "\\n")
    (tmp_path / "engine.yaml").write_text(text.replace(f"url: {BESIDE_STATE}", f'url: "{escaped}"'))
    with pytest.raises(InvalidConfiguration) as refused:
        load(tmp_path, {})
    (violation,) = refused.value.violations
    assert (violation.file, violation.key) == ("engine.yaml", "storage.url")
    assert violation.found == repr(template)
    assert violation.allowed == f"allowed: text: {ALLOWED}"
    assert refused.value.exit_code == 4
