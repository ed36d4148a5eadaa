"""Judge an order before it is approved: one named check per limit, in a fixed order.

The arithmetic is in `domain/risk/measures.py`; here each check gets its code and its words. `first_denial`
returns the one that counts; an order is free to go only when there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from domain.risk import measures
from domain.risk.limits import RiskLimits
from domain.risk.measures import Measure, OrderFigures


class DenialCode(StrEnum):
    """Name why an order is denied."""

    NO_FRESH_MARK = "no_fresh_mark"
    PRICE_COLLAR = "price_collar"
    ORDER_VALUE_BELOW_MINIMUM = "order_value_below_minimum"
    ORDER_VALUE_ABOVE_MAXIMUM = "order_value_above_maximum"
    ORDER_QUANTITY = "order_quantity"
    POSITION_SIZE = "position_size"
    POSITION_RISK = "position_risk"
    HEAT = "heat"
    GROSS_EXPOSURE = "gross_exposure"
    NET_EXPOSURE = "net_exposure"
    SYMBOL_EXPOSURE = "symbol_exposure"
    SECTOR_EXPOSURE = "sector_exposure"
    BOOK_CAPITAL = "book_capital"
    BUYING_POWER = "buying_power"
    POSITION_COUNT = "position_count"
    OPEN_ORDERS = "open_orders"
    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """Say why an order may not go: the check, the figure found and its limit, and both in words."""

    code: DenialCode
    text: str
    value: float
    limit: float


class Check(NamedTuple):
    """Be one pre-trade check: `words` is a template over the value and the limit as `unit` writes them."""

    code: DenialCode
    measure: Callable[[OrderFigures, RiskLimits], Measure]
    words: str
    unit: Callable[[float], str]

    def judge(self, order: OrderFigures, limits: RiskLimits) -> Denial | None:
        """Return why this check denies `order`, or None."""
        denied, value, limit = self.measure(order, limits)
        if not denied:
            return None
        text = self.words.format(self.unit(value), self.unit(limit))
        return Denial(code=self.code, text=text, value=value, limit=limit)


def percent(fraction: float) -> str:
    """Return `fraction` as a percentage with three digits, as every reason writes it."""
    return f"{fraction * 100.0:.3f} %"


def dollars(value_usd: float) -> str:
    """Return `value_usd` in dollars and cents, as every reason writes it."""
    return f"${value_usd:,.2f}"


def _bars(age: float) -> str:
    return "none" if age < 0 else f"{age:.0f} bars"


def _count(number: float) -> str:
    return f"{number:.0f}"


CHECKS: tuple[Check, ...] = (
    Check(DenialCode.NO_FRESH_MARK, measures.fresh_mark, "age of the mark: {}, allowed {}", _bars),
    Check(
        DenialCode.PRICE_COLLAR,
        measures.far_price,
        "the order's price is {} away from the last mark, allowed {}",
        percent,
    ),
    Check(
        DenialCode.ORDER_VALUE_BELOW_MINIMUM,
        measures.order_value_minimum,
        "order value {} is below the minimum of {}",
        dollars,
    ),
    Check(
        DenialCode.ORDER_VALUE_ABOVE_MAXIMUM,
        measures.order_value_maximum,
        "order value {} is above the maximum of {}",
        dollars,
    ),
    Check(
        DenialCode.ORDER_QUANTITY,
        measures.order_quantity_maximum,
        "{} lots are more than the largest order of {}",
        _count,
    ),
    Check(
        DenialCode.POSITION_SIZE,
        measures.position_size_maximum,
        "position would be {}, above the maximum size of {}",
        dollars,
    ),
    Check(
        DenialCode.POSITION_RISK,
        measures.single_position_risk,
        "risk of the position would be {} of equity, above {}",
        percent,
    ),
    Check(DenialCode.HEAT, measures.heat_maximum, "portfolio heat would be {}, above {}", percent),
    Check(
        DenialCode.GROSS_EXPOSURE,
        measures.gross_exposure,
        "gross exposure would be {} of equity, above {}",
        percent,
    ),
    Check(
        DenialCode.NET_EXPOSURE,
        measures.net_exposure,
        "net exposure would be {} of equity, above {}",
        percent,
    ),
    Check(
        DenialCode.SYMBOL_EXPOSURE,
        measures.symbol_exposure,
        "exposure to the symbol would be {} of equity, above {}",
        percent,
    ),
    Check(
        DenialCode.SECTOR_EXPOSURE,
        measures.sector_exposure,
        "exposure to the sector would be {} of equity, above {}",
        percent,
    ),
    Check(
        DenialCode.BOOK_CAPITAL,
        measures.book_capital,
        "the book would hold {}, above its capital of {}",
        dollars,
    ),
    Check(
        DenialCode.BUYING_POWER,
        measures.buying_power,
        "order value {} is above the buying power left of {}",
        dollars,
    ),
    Check(DenialCode.POSITION_COUNT, measures.position_count, "positions would be {}, above {}", _count),
    Check(
        DenialCode.OPEN_ORDERS,
        measures.open_order_count,
        "{} orders of the symbol would work, above {}",
        _count,
    ),
    Check(
        DenialCode.DAILY_LOSS,
        measures.daily_loss_limit,
        "daily loss of {} has reached the limit of {}",
        percent,
    ),
    Check(
        DenialCode.DRAWDOWN,
        measures.drawdown_limit,
        "drawdown of {} from the peak has reached the limit of {}",
        percent,
    ),
)
"""Every check, in the order in which reasons are given. `measures.refusal` follows the same order."""


def first_denial(order: OrderFigures, limits: RiskLimits) -> Denial | None:
    """Return the first reason against `order`, or None when it may go."""
    place = measures.refusal(order, limits)  # as the kernel asks; most orders pass, and need no words
    return None if place == 0 else CHECKS[place - 1].judge(order, limits)
