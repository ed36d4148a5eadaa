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

    `value_usd` is the order's value at its price (>= 0); `reduces` says that by size it only shrinks the book's
    position (see `only_reduces`). `mark_age_bars` is 0 for a mark of the present bar, -1 when there is none;
    `price_deviation` is the distance of the order's own price from that mark, as a fraction of it. `lots` is absolute.
    What ends in `_after` counts the order and all working orders as if filled: the book's position and the account's
    symbol, gross, net (signed), sector in USD, heat as a fraction of equity, all that the book holds, the number of
    symbols held. `book_capital_usd` is what the book may hold, `buying_power_usd` what the account may still spend,
    `open_orders` what works for the symbol with this one. `daily_loss` and `drawdown` are fractions
    (`domain/risk/loss.py`).
    """

    value_usd: float
    reduces: bool
    mark_age_bars: int
    price_deviation: float
    lots: int
    max_lots: int
    equity: float
    position_after_usd: float
    symbol_after_usd: float
    gross_after_usd: float
    net_after_usd: float
    sector_after_usd: float
    heat_after: float
    book_after_usd: float
    book_capital_usd: float
    buying_power_usd: float
    positions_after: int
    open_orders: int
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


def far_price(order: OrderFigures, limits: RiskLimits) -> Measure:
    """Deny any order whose own price lies too far from the last mark: one of the two is wrong."""
    return exceeds(order.price_deviation, limits.price_collar), order.price_deviation, limits.price_collar


def order_value_minimum(order: OrderFigures, limits: RiskLimits) -> Measure:
    """Deny an order too small to be worth its costs."""
    small = falls_short(order.value_usd, limits.order_value_min_usd)
    return small and not order.reduces, order.value_usd, limits.order_value_min_usd


def order_value_maximum(order: OrderFigures, limits: RiskLimits) -> Measure:
    """Deny an order larger than any should be."""
    large = exceeds(order.value_usd, limits.order_value_max_usd)
    return large and not order.reduces, order.value_usd, limits.order_value_max_usd


def order_quantity_maximum(order: OrderFigures, _limits: RiskLimits) -> Measure:
    """Deny an order of more lots than the gateway would let onto the wire."""
    # The limit differs from kind to kind of asset: it comes with the order.
    return order.lots > order.max_lots and not order.reduces, float(order.lots), float(order.max_lots)


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


def book_capital(order: OrderFigures, _limits: RiskLimits) -> Measure:
    """Deny what would make a book hold more than its share of the equity."""
    over = exceeds(order.book_after_usd, order.book_capital_usd)
    return over and not order.reduces, order.book_after_usd, order.book_capital_usd


def buying_power(order: OrderFigures, _limits: RiskLimits) -> Measure:
    """Deny what costs more than the account may still spend."""
    over = exceeds(order.value_usd, order.buying_power_usd)
    return over and not order.reduces, order.value_usd, order.buying_power_usd


def open_order_count(order: OrderFigures, limits: RiskLimits) -> Measure:
    """Deny one more order of a symbol for which as many work as allowed."""
    over = order.open_orders > limits.max_open_orders_per_symbol
    return over and not order.reduces, float(order.open_orders), float(limits.max_open_orders_per_symbol)


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
    if far_price(order, limits)[0]:
        return 2
    if order_value_minimum(order, limits)[0]:
        return 3
    if order_value_maximum(order, limits)[0]:
        return 4
    if order_quantity_maximum(order, limits)[0]:
        return 5
    return _refusal_after(order, limits)


def _refusal_after(order: OrderFigures, limits: RiskLimits) -> int:
    """Return the place of the first check that denies what the account would be after `order`, 0 for none."""
    if position_size_maximum(order, limits)[0]:
        return 6
    if single_position_risk(order, limits)[0]:
        return 7
    if heat_maximum(order, limits)[0]:
        return 8
    if gross_exposure(order, limits)[0]:
        return 9
    if net_exposure(order, limits)[0]:
        return 10
    if symbol_exposure(order, limits)[0]:
        return 11
    if sector_exposure(order, limits)[0]:
        return 12
    if book_capital(order, limits)[0]:
        return 13
    if buying_power(order, limits)[0]:
        return 14
    if position_count(order, limits)[0]:
        return 15
    if open_order_count(order, limits)[0]:
        return 16
    if daily_loss_limit(order, limits)[0]:
        return 17
    if drawdown_limit(order, limits)[0]:
        return 18
    return 0
