from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.strategies.blocks import DAY_NS, MINUTE_NS, block_ns, block_start, slice_start

SECOND_NS = 1_000_000_000


@pytest.mark.parametrize(
    ("bar_ns", "continuous", "length"),
    [
        (DAY_NS, False, 1_024 * DAY_NS),
        (7 * DAY_NS, False, 7 * 1_024 * DAY_NS),
        (MINUTE_NS, False, 2 * DAY_NS),
        (5 * MINUTE_NS, False, 10 * DAY_NS),
        (60 * MINUTE_NS, False, 120 * DAY_NS),
        (30 * SECOND_NS, False, DAY_NS),
        (SECOND_NS, False, 780 * SECOND_NS),
        (MINUTE_NS, True, 720 * MINUTE_NS),
        (60 * MINUTE_NS, True, 30 * DAY_NS),
        (DAY_NS, True, 720 * DAY_NS),
    ],
)
def test_length_of_a_block(bar_ns: int, continuous: bool, length: int) -> None:
    assert block_ns(bar_ns, continuous) == length


@pytest.mark.parametrize("bar_ns", [0, -1])
def test_bar_size_that_is_not_positive_is_refused(bar_ns: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        block_ns(bar_ns, False)


@given(open_ns=st.integers(-(10**18), 4 * 10**18), length=st.sampled_from([2 * DAY_NS, 720 * MINUTE_NS]))
def test_block_holds_its_bar_and_begins_at_a_multiple_of_its_length(open_ns: int, length: int) -> None:
    start = block_start(open_ns, length)
    assert start % length == 0
    assert start <= open_ns < start + length


@pytest.mark.parametrize(
    ("session", "position", "warmup", "start"),
    [
        ([1, 2, 3, 4, 5, 6], 4, 2, 2),
        ([1, 2, 3, 4, 5, 6], 4, 4, 0),
        ([1, 2, 3, 4, 5, 6], 2, 5, 0),
        ([1, 2, 3, 4, 5, 6], 0, 1, 0),
        ([1, 1, 1, 2, 2, 2, 3, 3], 6, 2, 3),
        ([1, 1, 1, 2, 2, 2, 3, 3], 6, 3, 3),
        ([1, 1, 1, 2, 2, 2, 3, 3], 6, 4, 0),
        ([1, 1, 1, 2, 2, 2, 2, 2], 6, 1, 3),
    ],
)
def test_slice_begins_warmup_bars_before_its_block_and_never_cuts_a_session(
    session: list[int], position: int, warmup: int, start: int
) -> None:
    assert slice_start(np.array(session, np.int32), position, warmup) == start
