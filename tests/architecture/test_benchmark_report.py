"""Check how benchmarks hold figures to their floors and keep them."""

from __future__ import annotations

import json
from math import nan
from pathlib import Path

import pytest

from benchmarks.report import Bound, Figure, report


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where results are kept for this test."""
    path = tmp_path / "kept" / "results.jsonl"
    monkeypatch.setenv("BREAKWATER_BENCHMARKS", str(path))
    return path


@pytest.mark.parametrize(
    ("value", "floor", "bound", "holds"),
    [
        (10.0, 10.0, Bound.AT_LEAST, True),
        (9.99, 10.0, Bound.AT_LEAST, False),
        (10.0, 10.0, Bound.AT_MOST, True),
        (10.01, 10.0, Bound.AT_MOST, False),
        (nan, 10.0, Bound.AT_LEAST, False),
        (nan, 10.0, Bound.AT_MOST, False),
        (0.0, None, Bound.AT_LEAST, True),
    ],
)
def test_a_figure_holds_its_floor_when_it_reaches_it(
    value: float, floor: float | None, bound: Bound, holds: bool
) -> None:
    assert Figure("rate", value, "bars/s", "once", floor, bound).holds is holds


def test_a_report_shows_and_keeps_every_figure_and_tells_of_a_miss(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held, missed = Figure("rate", 12_345.0, "bars/s", "once", 10_000.0), Figure("delay", 3.0, "ms", "once")
    assert report("speed", [held, missed]) == 0
    assert report("speed", [held, missed._replace(floor=2.0, bound=Bound.AT_MOST)]) == 1
    shown = capsys.readouterr().out
    assert "12,345 bars/s" in shown
    assert "MISSED" in shown
    assert str(results) in shown
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    assert [line["benchmark"] for line in lines] == ["speed", "speed"]
    assert [figure["holds"] for figure in lines[1]["figures"]] == [True, False]
