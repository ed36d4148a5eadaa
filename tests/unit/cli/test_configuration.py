from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.configuration import FILES
from config.loader import SHIPPED
from storage.catalogue import read_bars
from tests.unit.cli.conftest import Invoke

Own = Callable[..., Path]


@pytest.fixture
def own(tmp_path: Path) -> Own:
    """Return a function that makes a configuration directory of shipped files with texts replaced in them."""

    def make(**changes: tuple[str, str]) -> Path:
        directory = tmp_path / "own"
        directory.mkdir(exist_ok=True)
        for name, (old, new) in changes.items():
            text = (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")
            assert old in text
            (directory / f"{name}.yaml").write_text(text.replace(old, new), encoding="utf-8")
        return directory

    return make


def test_the_shipped_configuration_is_valid(invoke: Invoke) -> None:
    result = invoke("config", "validate", "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (report["valid"], report["mode"], report["violations"]) == (True, "SIMULATION", [])
    assert set(report["files"]) == set(FILES)
    text = invoke("config", "validate").stdout
    assert text.startswith("valid\n")
    assert report["fingerprint"] in text


def test_every_fault_of_every_file_is_listed_at_once(invoke: Invoke, own: Own) -> None:
    """C7: file, line, key, what was found, what is allowed; exit code 4."""
    directory = own(
        risk_management=("max_daily_loss: 0.02", "max_daily_loss: 0.5"),
        strategies=("lookback: 20", "lookback: 2000"),
        shutdown=("deadline_s: 30.0", "deadline: 30.0"),
    )
    result = invoke("config", "validate", "--config", directory, "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["valid"]) == (4, False)
    found = {(fault["file"], fault["key"], fault["found"]) for fault in report["violations"]}
    assert found == {
        ("risk_management.yaml", "max_daily_loss", "0.5"),
        ("strategies.yaml", "strategies[0].parameters.lookback", "2000"),
        ("shutdown.yaml", "deadline", "an unknown key"),
        ("shutdown.yaml", "deadline_s", "nothing"),
    }
    text = invoke("config", "validate", "--config", directory)
    assert text.exit_code == 4
    assert "refused, 4 faults" in text.stdout
    for fault in report["violations"]:
        (line,) = (row for row in text.stdout.splitlines() if f" {fault['key']} " in row)
        for part in (fault["file"], str(fault["line"] or ""), fault["found"], fault["allowed"]):
            assert part in line


def test_a_mode_that_is_none_is_a_fault(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_MODE", "YOLO")
    result = invoke("config", "validate", "--json")
    (fault,) = json.loads(result.stdout)["violations"]
    assert (result.exit_code, fault["file"], fault["key"]) == (4, "environment", "TRADING_MODE")


MINE = """
from dataclasses import dataclass
import numpy as np
from domain.strategies.protocol import Range, SignalArrays, StrategyDefinition

@dataclass(frozen=True)
class Settings:
    days: int = 5

MINE = StrategyDefinition(
    name="mine", summary="Hold.", source="me", parameters=Settings, ranges={"days": Range(1, 9, 1)},
    warmup=lambda settings: settings.days,
    signals=lambda bars, settings: SignalArrays(np.zeros(len(bars.close), np.int8), np.zeros(len(bars.close))),
)
"""


@pytest.mark.parametrize(
    ("source", "days", "key", "says"),
    [
        (MINE, 5, None, ""),
        (MINE, 12, "strategies[0].parameters.days", "a whole number from 1 to 9"),
        ("MINE = 1\n", 5, "file", "no strategy found"),
        ("raise RuntimeError('early')\n", 5, "file", "early"),
    ],
)
def test_strategies_of_ones_own_are_judged_too(
    invoke: Invoke, own: Own, source: str, days: int, key: str | None, says: str
) -> None:
    instance = f"strategy: mine\n    file: mine.py\n    parameters: {{days: {days}}}"
    directory = own(strategies=("strategy: momentum\n    parameters: {lookback: 20}", instance))
    (directory / "mine.py").write_text(source, encoding="utf-8")
    result = invoke("config", "validate", "--config", directory, "--json")
    faults = json.loads(result.stdout)["violations"]
    assert result.exit_code == (0 if key is None else 4)
    assert [fault["key"] for fault in faults] == ([] if key is None else [key])
    assert all(says in fault["found"] + fault["allowed"] for fault in faults)


def test_show_tells_value_default_unit_and_meaning_of_every_key(invoke: Invoke, own: Own) -> None:
    directory = own(risk_management=("max_daily_loss: 0.02", "max_daily_loss: 0.03"))
    described = json.loads(invoke("config", "show", "--config", directory, "--json").stdout)
    assert list(described["files"]) == list(FILES)
    about = described["files"]["risk_management.yaml"]
    assert about["origin"] == str(directory / "risk_management.yaml")
    entry = about["keys"]["max_daily_loss"]
    assert (entry["value"], entry["default"], entry["unit"]) == (0.03, 0.02, "fraction of equity")
    for file in described["files"].values():
        for each in file["keys"].values():
            assert set(each) == {"value", "default", "description", "unit", "range", "in_force"}


def test_show_marks_what_differs_and_can_leave_out_the_rest(invoke: Invoke, own: Own) -> None:
    directory = own(risk_management=("max_daily_loss: 0.02", "max_daily_loss: 0.03"))
    text = invoke("config", "show", "--changed", "--config", directory).stdout
    (line,) = (row for row in text.splitlines() if "Loss since" in row)
    assert line.split()[:3] == ["max_daily_loss", "0.03", "0.02"]
    assert "max_total_drawdown" not in text
    assert "Every value is the shipped one." in invoke("config", "show", "--changed").stdout


def test_changed_keys_that_nothing_obeys_yet_are_warned_of_and_marked(
    invoke: Invoke, own: Own, tmp_path: Path
) -> None:
    directory = own(
        risk_management=("require_positive_expectancy: false", "require_positive_expectancy: true")
    )
    key = "risk_management.yaml: require_positive_expectancy"
    line = f"warning: changed in your configuration, but not in force yet: {key}\n"
    validated = invoke("config", "validate", "--config", directory)
    assert (validated.exit_code, validated.stderr) == (0, line)
    what = ("--symbols", "AAPL", "--to", "2000-03-31", "--runtime", "inline")
    ran = invoke("run", *what, "--config", directory, "--state", tmp_path / "state")
    assert ran.exit_code == 0, ran.output
    assert ran.stderr.startswith(line)
    shown = invoke("config", "show", "risk_management.yaml", "--config", directory).stdout
    marked = {row.split()[0] for row in shown.splitlines() if "(not in force yet)" in row}
    assert "require_positive_expectancy" in marked
    assert "max_daily_loss" not in marked


def test_universe_names_the_symbols_of_a_run_that_names_neither_symbols_nor_bars(
    invoke: Invoke, own: Own, tmp_path: Path
) -> None:
    directory = own(universe=("default: [AAPL, FB, GOOG, IBM, MSFT]", "default: [MSFT, AAPL]"))
    what = ("--to", "2000-03-31", "--runtime", "inline", "--config", directory, "--state", tmp_path / "state")
    ran = invoke("run", *what)
    assert ran.exit_code == 0, ran.output
    assert read_bars(tmp_path / "state" / "bars.parquet").symbols == ("AAPL", "MSFT")


def test_show_takes_the_names_of_files(invoke: Invoke) -> None:
    described = json.loads(invoke("config", "show", "broker.yaml", "--json").stdout)
    assert list(described["files"]) == ["broker.yaml"]
    refused = invoke("config", "show", "brokr.yaml")
    assert refused.exit_code == 2
    assert "found brokr.yaml; allowed: engine.yaml, " in refused.stderr


def test_numbers_are_shown_without_exponents(invoke: Invoke) -> None:
    text = invoke("config", "show", "universe.yaml", "engine.yaml").stdout
    rows = {
        row.split()[0]: row.split()[1]
        for row in text.splitlines()
        if row.startswith(("profiles.", "account."))
    }
    assert (rows["profiles.spot.tick"], rows["account.initial_cash"]) == ("0.00000001", "100,000")
    assert rows["profiles.spot.shortable"] == "false"


def test_a_secret_is_never_shown(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKWATER_RESUME_CODE", "open-sesame-42")
    text, values = invoke("config", "show").output, invoke("config", "show", "--json").output
    assert "open-sesame-42" not in text + values
    assert "BREAKWATER_RESUME_CODE" in text
    assert json.loads(values)["secrets"]["BREAKWATER_RESUME_CODE"]["set"] is True


@pytest.mark.parametrize(
    "command", [("config", "show"), ("strategies", "list"), ("data", "describe", "x.csv")]
)
def test_a_faulty_configuration_stops_every_command(
    invoke: Invoke, own: Own, command: tuple[str, ...]
) -> None:
    directory = own(shutdown=("deadline_s: 30.0", "deadline_s: 0"))
    result = invoke(*command, "--config", directory)
    assert (result.exit_code, result.stdout) == (4, "")
    assert "shutdown.yaml" in result.stderr
    assert "deadline_s" in result.stderr


def test_a_directory_that_is_not_there_is_named(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("config", "validate", "--config", tmp_path / "gone")
    assert result.exit_code == 4
    assert str(tmp_path / "gone") in result.stdout
