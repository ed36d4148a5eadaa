"""Explain a judgement: every check of an order, passed or not, with the arithmetic that led to its figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from domain.risk.checks import CHECKS, DenialCode, dollars, percent
from domain.risk.exposure import ValuedPosition, exposure_of
from domain.risk.limits import RiskLimits
from domain.risk.measures import OrderFigures

NONE_HELD = "nothing held"


class Judged(NamedTuple):
    """Hold what an order was judged by.

    `price` is the order's own and `mark` the last one of its symbol (0.0: none), `book` is whose it is, `positions` are
    the account's with the order and all working ones filled; `day_start_equity` and `peak_equity` are what losses are
    measured from, all money in USD.
    """

    figures: OrderFigures
    limits: RiskLimits
    book: str
    lots_per_unit: int
    multiplier: float
    price: float
    mark: float
    positions: Sequence[ValuedPosition]
    day_start_equity: float
    peak_equity: float


class Explained(NamedTuple):
    """Be one check of an order: denied or not, the figure and the limit, and how the figure came about.

    `exempt` says that the order only shrinks a position and passes for that alone.
    """

    code: DenialCode
    denied: bool
    exempt: bool
    value: float
    limit: float
    arithmetic: str


def explain(judged: Judged) -> tuple[Explained, ...]:
    """Return every check in its order; the first that denies is the one that counts."""
    figures, limits = judged.figures, judged.limits
    explained = []
    for check in CHECKS:
        denied, value, limit = check.measure(figures, limits)
        exempt = not denied and figures.reduces and check.measure(figures._replace(reduces=False), limits)[0]
        words = _ARITHMETIC[check.code](judged)
        explained.append(Explained(check.code, denied, exempt, value, limit, words))
    return tuple(explained)


def _age(judged: Judged) -> str:
    age, most = judged.figures.mark_age_bars, judged.limits.mark_max_age_bars
    return f"no mark; {most} bars allowed" if age < 0 else f"mark {age} bars old, at most {most} allowed"


def _value(judged: Judged) -> str:
    figures = judged.figures
    units = f"{figures.lots / judged.lots_per_unit:,.10g}"
    times = "" if judged.multiplier == 1.0 else f" x {judged.multiplier:g}"
    return f"{units} x {judged.price:,.10g}{times} = {dollars(figures.value_usd)}"


def _collar(judged: Judged) -> str:
    most = f"at most {percent(judged.limits.price_collar)}"
    if not judged.mark > 0.0:
        return f"no mark to hold the price against; {most}"
    price, mark = f"{judged.price:,.10g}", f"{judged.mark:,.10g}"
    return f"|{price} - {mark}| / {mark} = {percent(judged.figures.price_deviation)}, {most}"


def _quantity(judged: Judged) -> str:
    lots, most = judged.figures.lots, judged.figures.max_lots
    per_unit = judged.lots_per_unit
    return f"{lots / per_unit:,.15g} units, at most {most / per_unit:,.15g}"


def _book(judged: Judged) -> str:
    figures = judged.figures
    parts = [
        f"{p.symbol} {dollars(abs(p.value_usd))}"
        for p in judged.positions
        if p.book == judged.book and p.value_usd
    ]
    return f"{_added(parts)} = {dollars(figures.book_after_usd)}, at most {dollars(figures.book_capital_usd)}"


def _power(judged: Judged) -> str:
    return f"{_value(judged)}, at most {dollars(judged.figures.buying_power_usd)} left to spend"


def _open(judged: Judged) -> str:
    return f"{judged.figures.open_orders} with this one, at most {judged.limits.max_open_orders_per_symbol}"


def _bounded(bound: str, limit: Callable[[RiskLimits], float]) -> Callable[[Judged], str]:
    return lambda judged: f"{_value(judged)}, {bound} {dollars(limit(judged.limits))}"


def _position(judged: Judged) -> str:
    most = dollars(judged.limits.position_size_max_usd)
    return f"position with it {dollars(abs(judged.figures.position_after_usd))}, at most {most}"


def _position_risk(judged: Judged) -> str:
    figures, limits = judged.figures, judged.limits
    value, stop = dollars(abs(figures.position_after_usd)), percent(limits.stop_loss_percent)
    return _of_equity(
        judged, f"{value} x {stop}", abs(figures.position_after_usd) * limits.stop_loss_percent,
        limits.max_single_position_risk,
    )  # fmt: skip


def _heat(judged: Judged) -> str:
    parts = [
        f"{p.symbol} {dollars(abs(p.value_usd))} x {percent(p.stop_pct)}"
        for p in judged.positions
        if p.value_usd
    ]
    worth = sum(abs(p.value_usd) * p.stop_pct for p in judged.positions)
    return _of_equity(judged, _added(parts), worth, judged.limits.max_portfolio_heat)


def _gross(judged: Judged) -> str:
    values = exposure_of(judged.positions).by_symbol
    parts = [f"{symbol} {dollars(abs(value))}" for symbol, value in values.items() if value]
    return _of_equity(judged, _added(parts), judged.figures.gross_after_usd, judged.limits.max_gross_exposure)


def _net(judged: Judged) -> str:
    values = exposure_of(judged.positions).by_symbol
    parts = [
        f"{symbol} {'-' if value < 0.0 else ''}{dollars(abs(value))}"
        for symbol, value in values.items()
        if value
    ]
    net = judged.figures.net_after_usd
    return _of_equity(judged, f"|{_added(parts)}|", abs(net), judged.limits.max_net_exposure)


def _symbol(judged: Judged) -> str:
    value = abs(judged.figures.symbol_after_usd)
    return _of_equity(judged, "the symbol over all books", value, judged.limits.max_symbol_exposure)


def _sector(judged: Judged) -> str:
    value = judged.figures.sector_after_usd
    return _of_equity(judged, "the symbols of its sector", value, judged.limits.max_sector_exposure)


def _count(judged: Judged) -> str:
    held = sorted({p.symbol for p in judged.positions if p.value_usd})
    return f"{len(held)} ({', '.join(held) or NONE_HELD}), at most {judged.limits.max_positions}"


def _daily_loss(judged: Judged) -> str:
    return _lost(judged.day_start_equity, judged.figures.equity, judged.figures.daily_loss) + (
        f", below {percent(judged.limits.max_daily_loss)} allowed"
    )


def _drawdown(judged: Judged) -> str:
    limits = judged.limits
    allowed = f"below {percent(limits.max_total_drawdown)} allowed"
    if not limits.drawdown_protection:
        allowed = "any allowed: enable_drawdown_protection is off"
    return f"{_lost(judged.peak_equity, judged.figures.equity, judged.figures.drawdown)}, {allowed}"


def _lost(reference: float, equity: float, fraction: float) -> str:
    return f"({dollars(reference)} - {dollars(equity)}) / {dollars(reference)} = {percent(fraction)}"


def _of_equity(judged: Judged, parts: str, value_usd: float, most: float) -> str:
    equity = judged.figures.equity
    share = percent(value_usd / equity) if equity > 0.0 else "no fraction: equity is not positive"
    return f"{parts} = {dollars(value_usd)}; / {dollars(equity)} = {share}, at most {percent(most)}"


def _added(parts: Sequence[str]) -> str:
    return " + ".join(parts) or NONE_HELD


_ARITHMETIC: Mapping[DenialCode, Callable[[Judged], str]] = {
    DenialCode.NO_FRESH_MARK: _age,
    DenialCode.PRICE_COLLAR: _collar,
    DenialCode.ORDER_VALUE_BELOW_MINIMUM: _bounded("at least", lambda limits: limits.order_value_min_usd),
    DenialCode.ORDER_VALUE_ABOVE_MAXIMUM: _bounded("at most", lambda limits: limits.order_value_max_usd),
    DenialCode.ORDER_QUANTITY: _quantity,
    DenialCode.POSITION_SIZE: _position,
    DenialCode.POSITION_RISK: _position_risk,
    DenialCode.HEAT: _heat,
    DenialCode.GROSS_EXPOSURE: _gross,
    DenialCode.NET_EXPOSURE: _net,
    DenialCode.SYMBOL_EXPOSURE: _symbol,
    DenialCode.SECTOR_EXPOSURE: _sector,
    DenialCode.BOOK_CAPITAL: _book,
    DenialCode.BUYING_POWER: _power,
    DenialCode.POSITION_COUNT: _count,
    DenialCode.OPEN_ORDERS: _open,
    DenialCode.DAILY_LOSS: _daily_loss,
    DenialCode.DRAWDOWN: _drawdown,
}
