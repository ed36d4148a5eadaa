from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.display.gauges import Trace, chart, gauge
from cli.display.styles import AMBER, PLAIN, RED, TEAL
from tests.unit.cli.display.samples import text


@pytest.mark.parametrize(
    ("value", "limit", "drawn", "style"),
    [
        (0.0, 0.25, "──────────", TEAL),
        (0.001, 0.25, "╸─────────", TEAL),
        (0.125, 0.25, "━━━━━─────", TEAL),
        (0.1375, 0.25, "━━━━━╸────", TEAL),
        (0.15, 0.25, "━━━━━━────", AMBER),
        (0.2499, 0.25, "━━━━━━━━━━", AMBER),
        (0.25, 0.25, "━━━━━━━━━━", RED),
        (7.0, 0.25, "━━━━━━━━━━", RED),
        (-0.1, 0.25, "──────────", TEAL),
        (math.nan, 0.25, "━━━━━━━━━━", RED),
        (0.1, 0.0, "──────────", RED),
    ],
)
def test_a_bar_is_full_at_its_limit_and_coloured_by_how_near_that_is(
    value: float, limit: float, drawn: str, style: object
) -> None:
    line = gauge(value, limit, 10)
    assert text([line]) == [drawn]
    assert line[0].style == style


def test_a_chart_reaches_from_its_least_to_its_most_value() -> None:
    values = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    assert text(chart(values, 1, PLAIN)) == ["▁▂▃▄▅▆▇█"]
    assert text(chart([0.0, 15.0], 2, PLAIN)) == [" █", "▁█"]


def test_a_flat_series_lies_in_the_middle() -> None:
    assert text(chart([5.0, 5.0], 1, PLAIN)) == ["▄▄"]


def test_an_unknown_value_leaves_its_column_empty() -> None:
    assert text(chart([1.0, None, 2.0], 1, PLAIN)) == ["▁ █"]
    assert text(chart([None], 2, PLAIN)) == ["", ""]


def test_a_short_trace_begins_at_the_left() -> None:
    trace = Trace()
    trace.add(1.0)
    trace.add(2.0)
    assert trace.columns(4) == [1.0, 2.0, None, None]


@given(count=st.integers(1, 5_000), most=st.integers(2, 64), width=st.integers(1, 80))
def test_a_trace_keeps_its_bounds_its_order_and_its_newest_value(count: int, most: int, width: int) -> None:
    trace = Trace(most)
    for value in range(count):
        trace.add(float(value))
    columns = [value for value in trace.columns(width) if value is not None]
    assert len(trace.columns(width)) == width
    assert len(columns) <= most
    assert columns == sorted(columns)
    assert columns[-1] == count - 1
