"""Compare one order's figures with each limit: scalar functions that numba compiles as they stand.

Each returns (denied, value found, limit). `domain/risk/checks.py` gives them names, an order and words. An order that
only reduces is never held up by loss, heat, exposure, size or value: refusing it would keep the risk that the limit is
there to end. It needs a fresh mark like any other (requirement A4).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from domain.risk.bounds import exceeds, falls_short, reaches
from domain.risk.limits import RiskLimits


class OrderFigures(NamedTuple):
    """Hold all that any check needs; numbers only, so that the kernel can build it too.

    `value_usd` is the order's value at its mark (>= 0); `reduces` says that by size it only shrinks the book's position
    (see `only_reduces`). What ends in `_after` counts the order and all working orders as if filled: the book's
    position and the account's symbol, gross, net (signed), sector in USD, heat as a fraction of equity, the number of
    symbols held. `mark_age_bars` is 0 for a mark of the present bar, -1 when there is none. `daily_loss` and
    `drawdown` are fractions (`domain/risk/loss.py`).
    """

    value_usd: float
    reduces: bool
    mark_age_bars: int
    equity: float
    position_after_usd: float
    symbol_after_usd: float
    gross_after_usd: float
    net_after_usd: float
    sector_after_usd: float
    heat_after: float
    positions_after: int
    daily_loss: float
    drawdown: float


Measure = tuple[bool, float, float]


def only_reduces(position_lots: int, order_lots: int) -> bool:
    """Return whether signed `order_lots` shrink signed `position_lots` without passing through zero.

    Pass the position net of working orders that already reduce it, so that two exits cannot add up to a new position.
    """
    if position_lots > 0:
        return -position_lots <= order_lots < 0
    return 0 < order_lots <= -position_lots


def fresh_mark(order: OrderFigures, limits: RiskLimits) -> Measure:
    """Deny any order whose symbol has no mark, or one older than allowed."""
    stale = order.mark_age_bars < 0 or order.mark_age_bars > limits.mark_max_age_bars
    return stale, float(order.mark_age_bars), float(limits.mark_max_age_bars)


def order_value_minimum(order: OrderFigures, limits: RiskLimits) -> Measure:
    """Deny an order too small to be worth its costs."""
    small = falls_short(order.value_usd, limits.order_value_min_usd)
    return small and not order.reduces, order.value_usd, limits.order_value_min_usd


def order_value_maximum(order: OrderFigures, limits: RiskLimits) -> Measure:
    """Deny an order larger than any should be."""
    large = exceeds(order.value_usd, limits.order_value_max_usd)
    return large and not order.reduces, order.value_usd, limits.order_value_max_usd


def position_size_maximum(order: OrderFigures, limits: RiskLimits) -> Measure:
    """Deny what would make the book's position larger than the largest position size."""
    value = abs(order.position_after_usd)
    large = exceeds(value, limits.position_size_max_usd)
    return large and not order.reduces, value, limits.position_size_max_usd


def single_position_risk(order: OrderFigures, limits: RiskLimits) -> Measure:
    """Deny what would put more than the allowed fraction of equity at risk in one position."""
    value = share_of_equity(abs(order.position_after_usd) * limits.stop_loss_percent, order.equity)
    over = exceeds(value, limits.max_single_position_risk)
    return over and not order.reduces, value, limits.max_single_position_risk


def heat_maximum(order: OrderFigures, limits: RiskLimits) -> Measure:
    """Deny what would take portfolio heat over its limit."""
    over = exceeds(order.heat_after, limits.max_portfolio_heat)
    return over and not order.reduces, order.heat_after, limits.max_portfolio_heat


def gross_exposure(order: OrderFigures, limits: RiskLimits) -> Measure:
    """Deny what would take gross exposure over its limit."""
    value = share_of_equity(order.gross_after_usd, order.equity)
    return exceeds(value, limits.max_gross_exposure) and not order.reduces, value, limits.max_gross_exposure


def net_exposure(order: OrderFigures, limits: RiskLimits) -> Measure:
    """Deny what would take net exposure, long or short, over its limit."""
    value = share_of_equity(abs(order.net_after_usd), order.equity)
    return exceeds(value, limits.max_net_exposure) and not order.reduces, value, limits.max_net_exposure


def symbol_exposure(order: OrderFigures, limits: RiskLimits) -> Measure:
    """Deny what would take the account's exposure to the symbol over its limit."""
    value = share_of_equity(abs(order.symbol_after_usd), order.equity)
    return exceeds(value, limits.max_symbol_exposure) and not order.reduces, value, limits.max_symbol_exposure


def sector_exposure(order: OrderFigures, limits: RiskLimits) -> Measure:
    """Deny what would take exposure to the symbol's sector over its limit."""
    value = share_of_equity(order.sector_after_usd, order.equity)
    return exceeds(value, limits.max_sector_exposure) and not order.reduces, value, limits.max_sector_exposure


def position_count(order: OrderFigures, limits: RiskLimits) -> Measure:
    """Deny what would open more positions than allowed."""
    over = order.positions_after > limits.max_positions
    return over and not order.reduces, float(order.positions_after), float(limits.max_positions)


def daily_loss_limit(order: OrderFigures, limits: RiskLimits) -> Measure:
    """Deny an order that does not reduce once the loss of the day has reached its limit."""
    bound = reaches(order.daily_loss, limits.max_daily_loss)
    return bound and not order.reduces, order.daily_loss, limits.max_daily_loss


def drawdown_limit(order: OrderFigures, limits: RiskLimits) -> Measure:
    """Deny an order that does not reduce once the fall from the peak has reached its limit."""
    bound = limits.drawdown_protection and reaches(order.drawdown, limits.max_total_drawdown)
    return bound and not order.reduces, order.drawdown, limits.max_total_drawdown


def share_of_equity(value_usd: float, equity: float) -> float:
    """Return `value_usd` as a fraction of `equity`; infinite, with the value's sign, when equity is not positive."""
    if not (equity > 0.0):
        if value_usd == 0.0:
            return 0.0
        return math.inf if value_usd > 0.0 else -math.inf
    return value_usd / equity


def refusal(order: OrderFigures, limits: RiskLimits) -> int:
    """Return the place, from 1, of the first check in `domain.risk.checks.CHECKS` that denies `order`; 0 for none."""
    # Written out, for numba cannot loop over functions; a test holds it to CHECKS.
    if fresh_mark(order, limits)[0]:
        return 1
    if order_value_minimum(order, limits)[0]:
        return 2
    if order_value_maximum(order, limits)[0]:
        return 3
    if position_size_maximum(order, limits)[0]:
        return 4
    if single_position_risk(order, limits)[0]:
        return 5
    if heat_maximum(order, limits)[0]:
        return 6
    if gross_exposure(order, limits)[0]:
        return 7
    if net_exposure(order, limits)[0]:
        return 8
    if symbol_exposure(order, limits)[0]:
        return 9
    if sector_exposure(order, limits)[0]:
        return 10
    if position_count(order, limits)[0]:
        return 11
    if daily_loss_limit(order, limits)[0]:
        return 12
    if drawdown_limit(order, limits)[0]:
        return 13
    return 0
