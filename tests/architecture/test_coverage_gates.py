"""Check that the coverage gates hold (F1)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.coverage_gates import AREAS, Area, main, read_area

RISK = AREAS[0]


def _report(**covered: tuple[int, int]) -> dict[str, Any]:
    """Return a report of files ('domain__risk__heat' for domain/risk/heat.py) with (covered, statements)."""
    return {
        "files": {
            name.replace("__", "/") + ".py": {
                "summary": {
                    "covered_lines": hit,
                    "num_statements": total,
                    "num_branches": 2,
                    "covered_branches": 1,
                }
            }
            for name, (hit, total) in covered.items()
        }
    }


def _module(root: Path, path: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text("x = 1\n", encoding="utf-8")


@pytest.mark.parametrize(("covered", "passes"), [(89, False), (90, True), (91, True)])
def test_gate_passes_from_its_figure_on(tmp_path: Path, covered: int, passes: bool) -> None:
    _module(tmp_path, "domain/risk/heat.py")
    reading = read_area(_report(domain__risk__heat=(covered, 100)), RISK, tmp_path)
    assert (reading.fault is None) is passes


def test_files_of_an_area_are_added_up_and_others_are_left_out(tmp_path: Path) -> None:
    report = _report(domain__risk__a=(10, 10), domain__risk__b=(0, 10), domain__riskless=(0, 500))
    reading = read_area(report, RISK, tmp_path)
    assert (reading.files, reading.statements, reading.covered) == (2, 20, 10)
    assert (reading.branches, reading.covered_branches) == (4, 2)


def test_area_without_modules_passes(tmp_path: Path) -> None:
    _module(tmp_path, "domain/risk/__init__.py")
    assert read_area(_report(), RISK, tmp_path).fault is None


def test_area_with_modules_that_were_not_measured_fails(tmp_path: Path) -> None:
    _module(tmp_path, "domain/risk/heat.py")
    assert "domain/risk was not measured" in str(read_area(_report(), RISK, tmp_path).fault)


def test_gated_file_that_was_renamed_away_fails(tmp_path: Path) -> None:
    sizing = Area("sizing", 90.0, ("domain/risk/sizing.py",))
    _module(tmp_path, "domain/risk/sizes.py")
    reading = read_area(_report(domain__risk__sizes=(10, 10)), sizing, tmp_path)
    assert "domain/risk/sizing.py was not measured" in str(reading.fault)


def test_empty_report_fails_overall(tmp_path: Path) -> None:
    assert read_area(_report(), AREAS[-1], tmp_path).fault == "nothing was measured"


@pytest.mark.parametrize(("covered", "code"), [(100, 0), (79, 1)])
def test_exit_code_and_table_tell_the_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], covered: int, code: int
) -> None:
    report = tmp_path / "coverage.json"
    report.write_text(json.dumps(_report(storage__journal=(covered, 100))), encoding="utf-8")
    assert main([str(report)], tmp_path) == code
    shown = capsys.readouterr()
    assert all(area.name in shown.out for area in AREAS)
    assert ("coverage gate 'overall': 79.00 % is below its gate of 80 %" in shown.err) is bool(code)


@pytest.mark.parametrize("content", [None, "not json"])
def test_unreadable_report_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    report = tmp_path / "coverage.json"
    if content is not None:
        report.write_text(content, encoding="utf-8")
    assert main([str(report)], tmp_path) == 2
    assert "run `make test`" in capsys.readouterr().err


def test_gates_are_the_figures_of_the_requirement() -> None:
    assert {area.name: area.floor_pct for area in AREAS} == {
        "risk": 90.0,
        "strategies": 85.0,
        "sizing": 90.0,
        "execution": 80.0,
        "configuration": 95.0,
        "overall": 80.0,
    }
