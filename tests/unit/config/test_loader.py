"""Load files over the shipped ones and name every fault of all of them at once (requirement C7, A5)."""

from __future__ import annotations

import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from config.loader import SHIPPED, load
from config.mode import TradingMode
from config.settings import SECTIONS
from config.violations import InvalidConfiguration
from domain.errors import ConfigurationError

FILES = [file for file, _ in SECTIONS.values()]


def own(directory: Path, file: str, *changes: tuple[str, str]) -> None:
    """Put a shipped file into `directory`, with texts replaced."""
    text = (SHIPPED / file).read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    (directory / file).write_text(text, encoding="utf-8")


def refusal(directory: Path, environ: dict[str, str] | None = None) -> InvalidConfiguration:
    """Return the refusal that loading `directory` raises."""
    with pytest.raises(ConfigurationError) as caught:
        load(directory, environ or {})
    assert isinstance(caught.value, InvalidConfiguration)
    return caught.value


def test_shipped_configuration_loads() -> None:
    settings = load(None, {})
    assert settings.mode is TradingMode.SIMULATION
    assert dict(settings.origins) == dict.fromkeys(FILES)


def test_every_shipped_file_is_a_part_and_every_part_a_file() -> None:
    assert sorted(path.name for path in SHIPPED.glob("*.yaml")) == sorted(FILES)


def test_empty_directory_means_the_shipped_files(tmp_path: Path) -> None:
    assert load(tmp_path, {}).fingerprint == load(None, {}).fingerprint


def test_own_file_replaces_the_shipped_one_as_a_whole(tmp_path: Path) -> None:
    own(tmp_path, "risk_management.yaml", ("max_daily_loss: 0.02", "max_daily_loss: 0.01"))
    settings = load(tmp_path, {})
    assert settings.risk.max_daily_loss == 0.01
    assert settings.broker == load(None, {}).broker
    assert settings.origins["risk_management.yaml"] == tmp_path / "risk_management.yaml"
    assert settings.origins["broker.yaml"] is None


def test_own_file_with_some_keys_is_refused_for_the_missing_ones(tmp_path: Path) -> None:
    (tmp_path / "shutdown.yaml").write_text("deadline_s: 10\n", encoding="utf-8")
    missing = ["cancel_entries", "close_positions", "keep_protective_stops"]
    assert [v.key for v in refusal(tmp_path).violations] == missing


def test_all_faults_of_all_files_come_at_once(tmp_path: Path) -> None:
    own(
        tmp_path,
        "risk_management.yaml",
        ("max_daily_loss: 0.02", "max_daily_loss: .nan"),
        ("min: 500.0", "min: 9000"),
    )
    own(tmp_path, "broker.yaml", ("slippage_bps: 2.0", "slippage: 2.0"))
    own(tmp_path, "books.yaml", ("- vwap_slow", "- vwap_sloow"), ("share: 1.0", "share: '1'"))
    (tmp_path / "retry.yaml").write_text("default: [1\n", encoding="utf-8")
    (tmp_path / "risk_managment.yaml").touch()
    error = refusal(tmp_path, {"TRADING_MODE": "live", "BREAKWATER_AUDIT_KEY": "hunter2"})
    assert [(v.file, v.key) for v in error.violations] == [
        ("books.yaml", "books[0].share"),
        ("books.yaml", "books[0].strategies[5]"),
        ("broker.yaml", "slippage_bps"),
        ("broker.yaml", "slippage"),
        ("environment", "BREAKWATER_AUDIT_KEY"),
        ("environment", "TRADING_MODE"),
        ("retry.yaml", ""),
        ("risk_management.yaml", "max_daily_loss"),
        ("risk_management.yaml", "position_size.min"),
        ("risk_management.yaml", "position_size.min"),
        ("risk_managment.yaml", ""),
        ("strategies.yaml", "strategies[5].id"),
    ]
    for violation in error.violations:
        if violation.line and violation.key:
            path = tmp_path / violation.file
            text = (path if path.exists() else SHIPPED / violation.file).read_text(encoding="utf-8")
            assert (
                violation.found.strip("'") in text.splitlines()[violation.line - 1]
                or "unknown" in violation.found
            )
    text = str(error)
    assert text.startswith("the configuration is refused, 12 faults:\n")
    assert len(text.splitlines()) == 13
    assert "did you mean risk_management.yaml?" in text
    assert "hunter2" not in text
    assert error.exit_code == 4


def test_key_with_a_fault_of_its_own_is_not_blamed_twice(tmp_path: Path) -> None:
    own(tmp_path, "risk_management.yaml", ("max_daily_loss: 0.02", "max_daily_loss: 0.5"))
    assert [v.key for v in refusal(tmp_path).violations] == ["max_daily_loss"]


@pytest.mark.parametrize(
    "name", ["risk_management.yml", "Engine.yaml", "engine.yaml.bak", "books.json", "notes.txt"]
)
def test_unknown_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    (violation,) = refusal(tmp_path).violations
    assert (violation.file, violation.found) == (name, "an unknown file")
    assert "engine.yaml" in violation.allowed


@pytest.mark.parametrize("name", ["mine.py", "audit.key", "README.md", ".env", ".gitignore", "engine.yaml~"])
def test_companion_file_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    (tmp_path / "__pycache__").mkdir()
    assert load(tmp_path, {}).fingerprint == load(None, {}).fingerprint


@pytest.mark.parametrize(
    ("name", "found"), [("gone", "No such file or directory"), ("file", "Not a directory")]
)
def test_directory_that_cannot_be_read_is_refused(tmp_path: Path, name: str, found: str) -> None:
    (tmp_path / "file").touch()
    (violation,) = refusal(tmp_path / name).violations
    assert (violation.file, violation.found) == (str(tmp_path / name), found)


def test_relative_directory_is_kept_as_the_place_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").touch()
    first = ("id: vwap_fast\n    strategy: vwap", "id: vwap_fast\n    file: mine.py\n    strategy: vwap")
    second = ("id: vwap_slow\n    strategy: vwap", "id: vwap_slow\n    file: mine.py\n    strategy: vwap")
    own(tmp_path, "strategies.yaml", first, second)
    settings = load(Path(), {})
    monkeypatch.chdir("/")
    assert settings.directory == tmp_path
    assert settings.strategy_files() == (tmp_path / "mine.py",)
    assert settings.origins["strategies.yaml"] == tmp_path / "strategies.yaml"


def test_live_takes_a_configuration_made_for_it_alone(tmp_path: Path) -> None:
    """B4, C1: the shipped files are for replay and are refused in LIVE."""
    keys = [v.key for v in refusal(tmp_path, {"TRADING_MODE": "LIVE"}).violations]
    assert keys == ["account.id", "halt.resume_after_sessions"]
    own(tmp_path, "risk_management.yaml", ("resume_after_sessions: 20", "resume_after_sessions: 0"))
    own(tmp_path, "engine.yaml", ("id: SIMULATED", "id: U1234567"))
    assert load(tmp_path, {"TRADING_MODE": "LIVE"}).mode is TradingMode.LIVE


def test_registry_is_asked_with_the_rest(tmp_path: Path) -> None:
    own(tmp_path, "broker.yaml", ("slippage_bps: 2.0", "slippage_bps: -1"))
    with pytest.raises(InvalidConfiguration) as caught:
        load(tmp_path, {}, {})
    assert [v.key for v in caught.value.violations] == [
        "slippage_bps",
        *(f"strategies[{i}].strategy" for i in range(6)),
    ]


def test_settings_are_frozen_all_the_way_down() -> None:
    settings = load(None, {})
    with pytest.raises(AttributeError):
        settings.mode = TradingMode.LIVE  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        settings.risk.max_daily_loss = 1.0  # type: ignore[misc]
    parameters = settings.strategies.strategies[0].parameters
    mappings: list[Any] = [
        settings.universe.symbols,
        settings.universe.profiles,
        settings.origins,
        parameters,
    ]
    for frozen in mappings:
        with pytest.raises(TypeError, match="frozen"):
            frozen["x"] = 1
    assert isinstance(settings.books.books, tuple)


def test_an_instance_without_parameters_has_its_strategys_defaults(tmp_path: Path) -> None:
    shipped = (SHIPPED / "strategies.yaml").read_text(encoding="utf-8")
    fingerprints = []
    for i, given in enumerate(("    parameters: {}\n", "")):
        directory = tmp_path / str(i)
        directory.mkdir()
        text = re.sub(r"^    parameters:.*\n(      .*\n)*", given, shipped, flags=re.MULTILINE)
        assert text.count("    parameters:") == (shipped.count("    parameters:") if given else 0)
        (directory / "strategies.yaml").write_text(text, encoding="utf-8")
        settings = load(directory, {})
        assert settings.strategies.strategies[0].parameters == {}
        with pytest.raises(TypeError, match="frozen"):
            settings.strategies.strategies[0].parameters["x"] = 1
        fingerprints.append(settings.fingerprint)
    assert fingerprints[0] == fingerprints[1]


def test_settings_survive_pickling() -> None:
    settings = load(None, {"BREAKWATER_AUDIT_KEY": "0" * 64})
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_refusal_survives_pickling(tmp_path: Path) -> None:
    error = refusal(tmp_path / "gone")
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert copy.violations == error.violations


def test_loading_needs_no_heavy_library(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from config.describe import describe; from config.loader import load;"
        f"describe(load(Path({str(tmp_path)!r}), {{}}));"
        "print([m for m in ('pandas', 'ray', 'numpy', 'talib', 'sqlalchemy') if m in sys.modules])"
    )
    root = SHIPPED.parent
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(root)},
    )
    assert result.stdout == "[]\n"


def test_copy_of_all_shipped_files_changes_nothing_but_the_origins(tmp_path: Path) -> None:
    for file in FILES:
        shutil.copy(SHIPPED / file, tmp_path)
    settings = load(tmp_path, {})
    assert settings.fingerprint == load(None, {}).fingerprint
    assert all(settings.origins[file] == tmp_path / file for file in FILES)
