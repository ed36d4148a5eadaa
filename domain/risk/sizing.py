"""Size an entry in US dollars from confidence, risk per trade, heat left, capital and room (requirement A7).

`position_size` is compiled by numba as it stands; `size_position` wraps it for machines and people, with checked
arguments, the figure of every step and a reason in words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

from domain.risk.bounds import falls_short
from domain.risk.limits import RiskLimits


class SizeCode(IntEnum):
    """Name what bound a size: the confidence scale alone, or the tightest cap; a refusal names why."""

    CONFIDENCE_SCALE = 0
    RISK_PER_TRADE = 1
    HEAT_LEFT = 2
    FREE_CAPITAL = 3
    SYMBOL_ROOM = 4
    LOW_CONFIDENCE = 5
    BAD_ARGUMENT = 6


# numba reads plain integers; the names above are for everyone else.
(
    _CONFIDENCE_SCALE,
    _RISK_PER_TRADE,
    _HEAT_LEFT,
    _FREE_CAPITAL,
    _SYMBOL_ROOM,
    _LOW_CONFIDENCE,
    _BAD_ARGUMENT,
) = (int(code) for code in SizeCode)

_CAP_TEXT = {
    SizeCode.CONFIDENCE_SCALE: "the scale from base to maximum size at this confidence",
    SizeCode.RISK_PER_TRADE: "the risk allowed per trade",
    SizeCode.HEAT_LEFT: "the portfolio heat left",
    SizeCode.FREE_CAPITAL: "the free capital",
    SizeCode.SYMBOL_ROOM: "the room left for the symbol",
}


def confidence_size(confidence: float, limits: RiskLimits) -> float:
    """Return the size that confidence earns: base at the minimum confidence, rising linearly to the maximum at 1.0."""
    span = 1.0 - limits.min_confidence
    if confidence >= 1.0 or span <= 0.0:
        return limits.position_size_max_usd
    share = (confidence - limits.min_confidence) / span
    return limits.position_size_base_usd + share * (
        limits.position_size_max_usd - limits.position_size_base_usd
    )


def risk_cap(equity: float, limits: RiskLimits) -> float:
    """Return the value whose loss at the stop is the risk allowed per trade."""
    return limits.max_single_position_risk * equity / limits.stop_loss_percent


def heat_cap(equity: float, heat: float, limits: RiskLimits) -> float:
    """Return the value whose loss at the stop uses up the heat left (negative when heat is over its limit)."""
    return (limits.max_portfolio_heat - heat) * equity / limits.stop_loss_percent


def free_capital(share: float, equity: float, book_gross_usd: float, cash_usd: float) -> float:
    """Return what a book may still spend: its share of equity less what it holds, never more than the cash, in USD.

    Both bounds are needed: the proceeds of a short are cash that is not free, and one book must not spend another's.
    """
    free = share * equity - book_gross_usd
    if free > cash_usd:
        free = cash_usd
    if free < 0.0:
        return 0.0
    return free


def symbol_room(equity: float, symbol_value_usd: float, limits: RiskLimits) -> float:
    """Return how much more of a symbol, over all books, its exposure limit leaves room for, in USD."""
    if symbol_value_usd < 0.0:
        symbol_value_usd = -symbol_value_usd
    room = limits.max_symbol_exposure * equity - symbol_value_usd
    if room < 0.0:
        return 0.0
    return room


def position_size(
    confidence: float, equity: float, heat: float, capital: float, room: float, limits: RiskLimits
) -> tuple[float, int]:
    """Return the size in USD and the `SizeCode` of what bound it; size 0.0 means refused for that reason.

    `heat` is a fraction of equity; `capital` (free) and `room` (for the symbol) are in USD. Never raises: what is not
    a number, and an equity that is not positive, is refused.
    """
    if not (equity > 0.0):
        return 0.0, _BAD_ARGUMENT
    if falls_short(confidence, limits.min_confidence):
        return 0.0, _LOW_CONFIDENCE
    size = confidence_size(confidence, limits)
    code = _CONFIDENCE_SCALE
    cap = risk_cap(equity, limits)
    if _tighter(cap, size):
        size, code = cap, _RISK_PER_TRADE
    cap = heat_cap(equity, heat, limits)
    if _tighter(cap, size):
        size, code = cap, _HEAT_LEFT
    if _tighter(capital, size):
        size, code = capital, _FREE_CAPITAL
    if _tighter(room, size):
        size, code = room, _SYMBOL_ROOM
    if falls_short(size, limits.position_size_min_usd):
        return 0.0, code
    return size, code


def _tighter(cap: float, size: float) -> bool:
    # A cap that is not a number binds, and no later cap may then replace it: the size stays refused.
    return cap < size or cap != cap


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingResult:
    """Say what an entry may cost and why; `size_usd` is 0.0 when not approved. Steps are in USD, as computed."""

    size_usd: float
    approved: bool
    code: SizeCode
    reason: str
    from_confidence_usd: float
    risk_per_trade_usd: float
    heat_left_usd: float
    free_capital_usd: float
    symbol_room_usd: float


def size_position(
    *,
    confidence: float,
    equity: float,
    heat: float,
    capital: float,
    room: float,
    limits: RiskLimits,
) -> SizingResult:
    """Return the size of an entry with its reason and the figure of every step.

    Raises ValueError when an argument is not finite, `confidence` lies outside [0, 1], `equity` is not positive, or
    heat, capital or room is negative. A `capital` or `room` of 0.0 is no bad argument: it refuses.
    """
    _require_finite("confidence", confidence, 0.0, 1.0)
    _require_finite("equity", equity, math.ulp(0.0), math.inf)
    _require_finite("heat", heat, 0.0, math.inf)
    _require_finite("capital", capital, 0.0, math.inf)
    _require_finite("room", room, 0.0, math.inf)
    size, number = position_size(confidence, equity, heat, capital, room, limits)
    code = SizeCode(number)
    steps = {
        SizeCode.CONFIDENCE_SCALE: confidence_size(confidence, limits),
        SizeCode.RISK_PER_TRADE: risk_cap(equity, limits),
        SizeCode.HEAT_LEFT: heat_cap(equity, heat, limits),
        SizeCode.FREE_CAPITAL: capital,
        SizeCode.SYMBOL_ROOM: room,
    }
    return SizingResult(
        size_usd=size,
        approved=size > 0.0,
        code=code,
        reason=_reason(size, code, confidence, steps, limits),
        from_confidence_usd=steps[SizeCode.CONFIDENCE_SCALE],
        risk_per_trade_usd=steps[SizeCode.RISK_PER_TRADE],
        heat_left_usd=steps[SizeCode.HEAT_LEFT],
        free_capital_usd=capital,
        symbol_room_usd=room,
    )


def _reason(
    size: float, code: SizeCode, confidence: float, steps: dict[SizeCode, float], limits: RiskLimits
) -> str:
    if code is SizeCode.LOW_CONFIDENCE:
        return f"confidence {confidence:.3f} is below the minimum of {limits.min_confidence:.3f}"
    if size > 0.0:
        return f"size ${size:,.2f}, set by {_CAP_TEXT[code]}"
    minimum = limits.position_size_min_usd
    return f"{_CAP_TEXT[code]} allows ${steps[code]:,.2f}, below the minimum position size of ${minimum:,.2f}"


def _require_finite(name: str, value: float, low: float, high: float) -> None:
    if not math.isfinite(value) or not low <= value <= high:
        raise ValueError(f"{name} is {value}; it must be a finite number in [{low}, {high}]")
