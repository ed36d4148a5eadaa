"""Show the configuration as data."""

from __future__ import annotations

import json
from pathlib import Path

from config.describe import describe, validation_report
from config.loader import SHIPPED, load
from config.settings import SECTIONS


def test_each_key_has_value_default_meaning_unit_and_range(tmp_path: Path) -> None:
    text = (SHIPPED / "risk_management.yaml").read_text(encoding="utf-8")
    path = tmp_path / "risk_management.yaml"
    path.write_text(text.replace("base: 2000.0", "base: 2500"), encoding="utf-8")
    files = describe(load(tmp_path, {}))["files"]
    assert files["risk_management.yaml"]["origin"] == str(path)
    assert files["engine.yaml"]["origin"] == "default"
    assert files["risk_management.yaml"]["keys"]["position_size.base"] == {
        "value": 2500.0,
        "default": 2000.0,
        "description": "Position at middling confidence",
        "unit": "USD",
        "range": "a number above 0 to 10,000,000 (USD)",
        "in_force": True,
    }


def test_every_key_of_every_shipped_file_is_described() -> None:
    shown = describe(load(None, {}))
    assert list(shown["files"]) == [file for file, _ in SECTIONS.values()]
    for file, entry in shown["files"].items():
        assert entry["keys"], file
        for key, fields in entry["keys"].items():
            assert fields["value"] == fields["default"], key
            assert fields["description"] and fields["range"], key  # noqa: PT018 - one fact: it is described


def test_entries_that_the_shipped_file_lacks_have_no_default(tmp_path: Path) -> None:
    text = (SHIPPED / "universe.yaml").read_text(encoding="utf-8")
    (tmp_path / "universe.yaml").write_text(text + "  ZZZ: {sector: energy, tick: 0.5}\n", encoding="utf-8")
    keys = describe(load(tmp_path, {}))["files"]["universe.yaml"]["keys"]
    assert (keys["symbols.ZZZ.tick"]["value"], keys["symbols.ZZZ.tick"]["default"]) == (0.5, None)
    assert "symbols.ZZZ.lots_per_unit" not in keys
    assert keys["default"]["value"] == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]


def test_parameters_are_shown_one_by_one(tmp_path: Path) -> None:
    text = (SHIPPED / "strategies.yaml").read_text(encoding="utf-8")
    first = text.index("    parameters:")
    end = text.index("  - id: momentum_slow")
    changed = text[:first] + "    parameters: {period: 7}\n" + text[end:]
    (tmp_path / "strategies.yaml").write_text(changed, encoding="utf-8")
    keys = describe(load(tmp_path, {}))["files"]["strategies.yaml"]["keys"]
    assert keys["strategies[0].parameters.period"]["value"] == 7


def test_description_is_json() -> None:
    shown = describe(load(None, {}))
    assert json.loads(json.dumps(shown, allow_nan=False)) == shown


def test_report_of_an_accepted_configuration(tmp_path: Path) -> None:
    report = validation_report(tmp_path, {"TRADING_MODE": "PAPER"})
    assert report == {
        "valid": True,
        "directory": str(tmp_path),
        "mode": "PAPER",
        "fingerprint": load(None, {}).fingerprint,
        "files": {file: "default" for file, _ in SECTIONS.values()},
        "violations": [],
    }


def test_report_of_a_refused_configuration(tmp_path: Path) -> None:
    (tmp_path / "shutdown.yaml").write_text("a: {\n", encoding="utf-8")
    (tmp_path / "x.yaml").touch()
    report = validation_report(tmp_path, {})
    assert report["valid"] is False
    assert [(v["file"], v["line"]) for v in report["violations"]] == [("shutdown.yaml", 2), ("x.yaml", 0)]
    assert set(report["violations"][0]) == {"file", "key", "found", "allowed", "line"}
    assert json.loads(json.dumps(report)) == report
