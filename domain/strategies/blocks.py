"""Cut time into blocks at absolute calendar boundaries, so that live and backtest compute on the same bars.

TA-Lib is bit-equal on a prefix of an array but not on a window that slides. A signal is therefore always
computed on a slice that begins at a place that depends on the calendar alone: the first bar of the present
block, `warmup` bars further back, and from there back to the start of that bar's session, so that a session
is never cut.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MINUTE_NS = 60_000_000_000
DAY_NS = 86_400_000_000_000

_DAILY_BARS = 1_024
_CONTINUOUS_BARS = 720
_FINE_BARS = 780


def block_ns(bar_ns: int, continuous: bool) -> int:
    """Return the length of a block in nanoseconds, for 512 to 1,024 bars where trading is dense.

    Round-the-clock markets: 720 bars. Sessions, bars of a day or more: 1,024 times the bar's days (daily
    bars: 1,024 calendar days, about 707 bars). Sessions, bars of 30 s or more: 2 days per minute of bar size
    (one minute: 2 days of 390 bars; five: 10 days). Finer: 780 bars. Raises ValueError when `bar_ns` is not
    positive.
    """
    if bar_ns <= 0:
        raise ValueError(f"bar_ns must be positive, got {bar_ns}")
    if continuous:
        return _CONTINUOUS_BARS * bar_ns
    if bar_ns >= DAY_NS:
        return _DAILY_BARS * (bar_ns // DAY_NS) * DAY_NS
    if 2 * bar_ns >= MINUTE_NS:
        return (2 * bar_ns // MINUTE_NS) * DAY_NS
    return _FINE_BARS * bar_ns


def block_start(open_ns: int, block_ns: int) -> int:
    """Return the UTC nanosecond at which the block with the bar that opens at `open_ns` begins."""
    return open_ns // block_ns * block_ns


def slice_start(session: NDArray[np.signedinteger[Any]], position: int, warmup: int) -> int:
    """Return where the slice of the block whose first bar is at `position` begins.

    `session` holds the session ordinals of the bars known, not falling. The result is `warmup` bars before
    `position`, back to the first bar of its session, or 0 when the bars begin later than that.
    """
    earliest = position - warmup
    if earliest <= 0:
        return 0
    return int(np.searchsorted(session[: position + 1], session[earliest], side="left"))
