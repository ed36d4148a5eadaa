from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.performance.returns import (
    NS_PER_YEAR,
    annual_growth,
    deepest_drawdown,
    longest_under_water,
    simple_returns,
    total_return,
)


def curve(*values: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(values, np.float64)


def test_returns_are_changes_of_the_value_before() -> None:
    assert simple_returns(curve(100.0, 110.0, 99.0)).tolist() == pytest.approx([0.1, -0.1])
    assert total_return(curve(100.0, 110.0, 99.0)) == pytest.approx(-0.01)
    assert total_return(curve(100.0)) == 0.0
    assert len(simple_returns(curve(100.0))) == 0


@pytest.mark.parametrize(
    ("end", "years", "growth"), [(121.0, 2.0, 0.10), (100.0, 3.0, 0.0), (200.0, 0.5, 3.0), (50.0, 1.0, -0.5)]
)
def test_annual_growth_compounds(end: float, years: float, growth: float) -> None:
    assert annual_growth(curve(100.0, end), int(years * NS_PER_YEAR)) == pytest.approx(growth)


def test_annual_growth_over_no_time_does_not_exist() -> None:
    assert annual_growth(curve(100.0, 110.0), 0) is None


@pytest.mark.parametrize(
    ("values", "depth", "peak", "trough", "recovery", "length"),
    [
        ((100.0, 120.0, 90.0, 110.0, 120.0, 130.0), 0.25, 1, 2, 4, 3),
        ((100.0, 120.0, 90.0, 110.0), 0.25, 1, 2, None, 2),
        ((100.0, 90.0, 100.0, 50.0, 60.0), 0.5, 0, 3, None, 4),
        ((100.0, 101.0, 102.0), 0.0, 0, 0, 0, 0),
        ((100.0,), 0.0, 0, 0, 0, 0),
        ((100.0, 80.0, 100.0, 80.0), 0.2, 0, 1, 2, 2),
    ],
)
def test_the_deepest_drawdown_has_a_place_and_a_length(
    values: tuple[float, ...], depth: float, peak: int, trough: int, recovery: int | None, length: int
) -> None:
    found = deepest_drawdown(curve(*values))
    assert found.depth == pytest.approx(depth)
    assert (found.peak_index, found.trough_index, found.recovery_index) == (peak, trough, recovery)
    assert found.length == length


@pytest.mark.parametrize(
    ("values", "bars"),
    [((1.0, 2.0, 3.0), 0), ((3.0, 2.0, 3.0, 1.0, 1.0), 2), ((3.0, 2.0, 2.5, 2.9, 3.0), 3), ((1.0,), 0)],
)
def test_the_longest_time_under_water(values: tuple[float, ...], bars: int) -> None:
    assert longest_under_water(curve(*values)) == bars


@pytest.mark.parametrize("values", [(), (1.0, 0.0), (1.0, -1.0), (1.0, np.nan), (np.inf, 1.0)])
def test_a_curve_without_sound_values_is_refused(values: tuple[float, ...]) -> None:
    for measure in (simple_returns, total_return, deepest_drawdown, longest_under_water):
        with pytest.raises(ValueError, match="equity curve"):
            measure(curve(*values))
    with pytest.raises(ValueError, match="equity curve"):
        annual_growth(curve(*values), 1)


@given(st.lists(st.floats(min_value=0.01, max_value=1e6), min_size=1, max_size=60))
def test_the_deepest_drawdown_equals_the_worst_pair(values: list[float]) -> None:
    worst = max(1.0 - later / earlier for i, earlier in enumerate(values) for later in values[i:])
    assert deepest_drawdown(curve(*values)).depth == pytest.approx(worst, abs=1e-12)
