"""Restart intensity: at most so many within a window that moves (Erlang/OTP's rule; requirement B1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.restart_policy import Intensity, bears_another, recent

THREE_A_MINUTE = Intensity(most=3, within_s=60.0)


@pytest.mark.parametrize(
    ("ends_s", "now_s", "borne"),
    [
        ((100.0,), 100.0, True),
        ((98.0, 99.0, 100.0), 100.0, True),
        ((97.0, 98.0, 99.0, 100.0), 100.0, False),
        ((40.0, 98.0, 99.0, 100.0), 100.0, True),  # 60 s ago is out of the window
        ((40.1, 98.0, 99.0, 100.0), 100.0, False),
        ((500.0, 501.0, 502.0, 1.0), 1.0, True),  # kept before the machine booted: its clock began anew
    ],
)
def test_known_answers(ends_s: tuple[float, ...], now_s: float, borne: bool) -> None:
    assert bears_another(ends_s, now_s, THREE_A_MINUTE) == borne


def test_none_borne_quarantines_at_the_first_end() -> None:
    assert not bears_another((5.0,), 5.0, Intensity(most=0, within_s=60.0))


@given(
    st.lists(st.floats(0.0, 1_000.0), max_size=30),
    st.integers(0, 5),
    st.floats(0.5, 200.0),
)
def test_what_no_longer_counts_never_matters(ends: list[float], most: int, within_s: float) -> None:
    ends, intensity = sorted(ends), Intensity(most, within_s)
    now_s = ends[-1] if ends else 0.0
    counting = recent(ends, now_s, intensity)
    assert bears_another(ends, now_s, intensity) == bears_another(counting, now_s, intensity)
    assert all(now_s - within_s < at_s <= now_s for at_s in counting)
