"""Compare a figure with its limit so that the edge falls where decimal arithmetic puts it.

Money is decimal and floats are not: 1 - 98000/100000 is 0.020000000000000018, and other pairs fall short of their limit
by as little. All figures here are fractions of equity or US dollars made by a few operations, with an error of a few
1e-16 (heat and exposure: as much a position). The slack of 1e-12, absolute up to 1 and relative above, covers that
and is less than one cent of a 5-billion-dollar account: no two amounts in cents are confused
(`tests/unit/domain/risk/test_loss.py` holds the edge to exact fractions). Anything that is not a number reaches and
exceeds every limit: gates fail closed.
"""

from __future__ import annotations

SLACK = 1e-12


def slack(limit: float) -> float:
    """Return how far representation error may put a figure from `limit`."""
    if limit > 1.0:
        return SLACK * limit
    return SLACK


def reaches(value: float, limit: float) -> bool:
    """Return whether `value` >= `limit`, forgiving representation error towards True."""
    return not (value < limit - slack(limit))


def exceeds(value: float, limit: float) -> bool:
    """Return whether `value` > `limit`, so that exactly the limit is allowed."""
    return not (value <= limit + slack(limit))


def falls_short(value: float, minimum: float) -> bool:
    """Return whether `value` < `minimum`, so that exactly the minimum is allowed."""
    return not (value >= minimum - slack(minimum))
