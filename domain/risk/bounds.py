"""Compare a figure with its limit so that the edge falls where decimal arithmetic puts it.

Money is decimal and floats are not: 1 - 98000/100000 is 0.020000000000000018, and other pairs fall short of their limit
by as little. All figures here are fractions of equity or US dollars, made by a few operations with an error of a few
1e-16 each (a sum over positions: as much a position). The slack of 1e-14, absolute up to 1 and relative above,
covers that. It is also below the least distance 1 / (10,000 x cents of equity) that two amounts in cents can have from
a limit in basis points without meeting it, up to 90 million dollars of equity: so far the edge is exact
(`tests/unit/domain/risk/test_loss.py` holds it to fractions), beyond it is off by at most 1e-14 of equity. Anything
that is not a number reaches and exceeds every limit: gates fail closed.
"""

from __future__ import annotations

SLACK = 1e-14


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
