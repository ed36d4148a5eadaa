"""The sample of daily bars that comes with a package is found and imported as total return."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest

from domain.errors import DataError
from simulation.importing.sample import SAMPLE_SYMBOLS, sample_path
from tests.unit.simulation.importing.conftest import Take


def test_the_sample_holds_its_symbols_from_their_first_days(take: Take) -> None:
    report = take(sample_path()).report
    assert {s.symbol: (s.first, s.last, s.rows) for s in report.symbols} == {
        "AAPL": ("2000-03-01", "2013-03-01", 3270),
        "FB": ("2012-05-18", "2013-03-01", 196),
        "GOOG": ("2004-08-19", "2013-03-01", 2148),
        "IBM": ("2000-03-01", "2013-03-01", 3270),
        "MSFT": ("2000-03-01", "2013-03-01", 3270),
    }
    assert tuple(s.symbol for s in report.symbols) == SAMPLE_SYMBOLS
    assert report.rows_read == report.rows_accepted == 12_154
    assert report.rows_refused == 0


@pytest.mark.parametrize(
    ("package", "said"), [("no_such_package", "not installed"), ("simulation", "holds no stocks")]
)
def test_an_absent_sample_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, package: str, said: str
) -> None:
    monkeypatch.setattr("simulation.importing.sample._PACKAGE", package)
    with pytest.raises(DataError, match=rf"{package}.*{said}.*give a file of bars"):
        sample_path()


def test_the_sample_is_marked_as_total_return_without_cash(take: Take) -> None:
    imported = take(sample_path())
    assert imported.report.layout == "raw with adj_close"
    assert "total return, no dividend cash" in imported.report.adjustment
    assert not imported.table.dividend.any()


@pytest.mark.parametrize("day", [date(2000, 6, 21), date(2005, 2, 28)])
def test_the_samples_splits_leave_no_phantom_move(take: Take, day: date) -> None:
    table = take(sample_path(), ["AAPL"]).table
    at = table.session.tolist().index(day.toordinal())
    assert abs(math.log(table.close[at] / table.close[at - 1])) < 0.10


def test_the_samples_closes_are_the_adjusted_closes(take: Take) -> None:
    table = take(sample_path(), ["AAPL"]).table
    assert table.close[0] == pytest.approx(4.186662803811)
    assert table.open[0] / table.close[0] == pytest.approx(118.56 / 130.31)
    assert np.abs(np.diff(np.log(table.close))).max() == pytest.approx(0.731, abs=1e-3)
