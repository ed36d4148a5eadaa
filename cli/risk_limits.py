"""Show each limit, how much of it is used, and when it was last broken: `breakwater risk limits`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from cli.formats import iso_utc
from cli.positions import Holdings
from config.settings import Settings
from domain.outbox import AuditKind
from domain.records import EquitySnapshot, HaltTrigger
from domain.risk.checks import DenialCode
from domain.risk.exposure import Exposure, ValuedPosition, exposure_of
from domain.risk.heat import portfolio_heat
from domain.risk.limits import RiskLimits
from domain.risk.loss import daily_loss, drawdown
from domain.risk.measures import share_of_equity
from storage.audit.index import AuditIndex
from storage.audit.query import AuditQuery, run_query

PER_ORDER = "each order"
ACCOUNT = "the account"
_NEWEST = 50
"""Records looked through for one limit: its code may stand in the words of another's."""


class Breach(NamedTuple):
    """Be the last record of a limit that denied an order or halted."""

    seq: int
    at: str | None
    bar: int
    key: str
    text: str


class LimitState(NamedTuple):
    """Be one limit: its key in `risk_management.yaml`, what of it is used and where most, and its last breach.

    `used` and `limit` are in `unit`; `used` is None where only an order can use it.
    """

    name: str
    key: str
    unit: str
    used: float | None
    limit: float
    where: str
    last_breach: Breach | None

    @property
    def used_percent(self) -> float | None:
        """Return how much of the limit is used, 100.0 for all of it."""
        return None if self.used is None or self.limit == 0.0 else 100.0 * self.used / self.limit


class _Row(NamedTuple):
    name: str
    key: str
    unit: str
    used: float | None
    limit: float
    where: str
    source: DenialCode | HaltTrigger


def limit_states(settings: Settings, holdings: Holdings, index: AuditIndex) -> Iterator[LimitState]:
    """Yield every limit in the order of the checks, then those that halt."""
    for row in _rows(settings, holdings):
        name, key, unit, used, limit, where, source = row
        yield LimitState(name, key, unit, used, limit, where, _last_breach(index, source))


def _rows(settings: Settings, holdings: Holdings) -> Iterator[_Row]:
    limits, latest, held = settings.risk_limits(), holdings.latest, _held(holdings, settings)
    equity = 0.0 if latest is None else latest.equity
    heat = portfolio_heat(((p.value_usd, p.stop_pct) for p in held), equity)
    yield from _order_rows(limits)
    yield from _position_rows(limits, held, equity, heat)
    yield from _exposure_rows(limits, exposure_of(held), equity)
    yield from _book_rows(settings, held, equity)
    yield from _loss_rows(limits, latest, heat)


def _position_rows(
    limits: RiskLimits, held: list[ValuedPosition], equity: float, heat: float
) -> Iterator[_Row]:
    """Yield what bounds positions, one by one and together."""
    size, largest = _most({f"{p.symbol} of {p.book}": abs(p.value_usd) for p in held})
    risk = share_of_equity(size * limits.stop_loss_percent, equity)
    most, riskiest = limits.position_size_max_usd, limits.max_single_position_risk
    count, codes = float(len({p.symbol for p in held})), DenialCode
    rows: tuple[tuple[str, str, str, float, float, str, DenialCode], ...] = (
        ("position size", "position_size.max", "USD", size, most, largest, codes.POSITION_SIZE),
        (
            "risk of a position",
            "max_single_position_risk",
            "of equity",
            risk,
            riskiest,
            largest,
            codes.POSITION_RISK,
        ),
        ("heat", "max_portfolio_heat", "of equity", heat, limits.max_portfolio_heat, ACCOUNT, codes.HEAT),
        (
            "positions",
            "exposure.max_positions",
            "positions",
            count,
            float(limits.max_positions),
            ACCOUNT,
            codes.POSITION_COUNT,
        ),
    )
    yield from (_Row(*row) for row in rows)


def _loss_rows(limits: RiskLimits, latest: EquitySnapshot | None, heat: float) -> Iterator[_Row]:
    """Yield what stops entries, and what halts."""
    lost = 0.0 if latest is None else daily_loss(latest.day_start_equity, latest.equity)
    fallen = 0.0 if latest is None else drawdown(latest.peak_equity, latest.equity)
    day, peak, halts = "of equity", "of peak", HaltTrigger
    rows: tuple[tuple[str, str, str, float, float, DenialCode | HaltTrigger], ...] = (
        ("loss of the day", "max_daily_loss", day, lost, limits.max_daily_loss, DenialCode.DAILY_LOSS),
        ("drawdown", "max_total_drawdown", peak, fallen, limits.max_total_drawdown, DenialCode.DRAWDOWN),
        (
            "loss of the day that halts",
            "halt.daily_loss",
            day,
            lost,
            limits.halt_daily_loss,
            halts.DAILY_LOSS_SEVERE,
        ),
        ("drawdown that halts", "halt.drawdown", peak, fallen, limits.halt_drawdown, halts.DRAWDOWN_SEVERE),
        ("heat that halts", "halt.heat", day, heat, limits.halt_heat, halts.HEAT),
    )
    for name, key, unit, used, limit, source in rows:
        yield _Row(name, key, unit, used, limit, ACCOUNT, source)


def _order_rows(limits: RiskLimits) -> Iterator[_Row]:
    """Yield the limits that only an order can use."""
    codes, least, most = DenialCode, limits.order_value_min_usd, limits.order_value_max_usd
    age, open_orders = float(limits.mark_max_age_bars), float(limits.max_open_orders_per_symbol)
    rows: tuple[tuple[str, str, str, float, DenialCode], ...] = (
        ("age of a price", "mark_max_age_bars", "bars", age, codes.NO_FRESH_MARK),
        ("price from the mark", "orders.price_collar", "of mark", limits.price_collar, codes.PRICE_COLLAR),
        ("least order value", "order_value.min", "USD", least, codes.ORDER_VALUE_BELOW_MINIMUM),
        ("order value", "order_value.max", "USD", most, codes.ORDER_VALUE_ABOVE_MAXIMUM),
        ("orders of a symbol", "orders.max_open_per_symbol", "orders", open_orders, codes.OPEN_ORDERS),
    )
    for name, key, unit, limit, code in rows:
        yield _Row(name, key, unit, None, limit, PER_ORDER, code)


def _exposure_rows(limits: RiskLimits, exposure: Exposure, equity: float) -> Iterator[_Row]:
    symbol, symbol_where = _most({name: abs(value) for name, value in exposure.by_symbol.items()})
    sector, sector_where = _most(exposure.by_sector)
    rows = (
        (
            "gross exposure",
            "exposure.gross",
            exposure.gross,
            limits.max_gross_exposure,
            ACCOUNT,
            DenialCode.GROSS_EXPOSURE,
        ),
        (
            "net exposure",
            "exposure.net",
            abs(exposure.net),
            limits.max_net_exposure,
            ACCOUNT,
            DenialCode.NET_EXPOSURE,
        ),
        (
            "exposure to a symbol",
            "exposure.symbol",
            symbol,
            limits.max_symbol_exposure,
            symbol_where,
            DenialCode.SYMBOL_EXPOSURE,
        ),
        (
            "exposure to a sector",
            "exposure.sector",
            sector,
            limits.max_sector_exposure,
            sector_where,
            DenialCode.SECTOR_EXPOSURE,
        ),
    )
    for name, key, value, limit, where, code in rows:
        yield _Row(name, key, "of equity", share_of_equity(value, equity), limit, where, code)


def _book_rows(settings: Settings, held: list[ValuedPosition], equity: float) -> Iterator[_Row]:
    leverage = settings.engine.account.leverage
    for book in settings.book_settings():
        used = sum(abs(p.value_usd) for p in held if p.book == book.name)
        share = share_of_equity(used, equity)
        yield _Row(
            "capital of a book",
            "books.yaml: share",
            "of equity",
            share,
            book.share * leverage,
            book.name,
            DenialCode.BOOK_CAPITAL,
        )


def _held(holdings: Holdings, settings: Settings) -> list[ValuedPosition]:
    stop = settings.risk.stop_loss_percent
    return [
        ValuedPosition(
            position.book,
            position.symbol,
            settings.instrument(position.symbol).sector,
            holdings.value(position) or 0.0,
            stop,
        )
        for position in holdings.portfolio.positions()
    ]


def _most(values: Mapping[str, float]) -> tuple[float, str]:
    """Return the largest value and whose it is."""
    if not values:
        return 0.0, ""
    name = max(values, key=lambda each: values[each])
    return values[name], name


def _last_breach(index: AuditIndex, source: DenialCode | HaltTrigger) -> Breach | None:
    kind = AuditKind.HALT if isinstance(source, HaltTrigger) else AuditKind.ASSESSMENT
    asked = AuditQuery(kinds=(kind,), text=source.value, newest_first=True, limit=_NEWEST)
    for record in sorted(run_query(index, asked), key=lambda each: -each.seq):
        body: Mapping[str, Any] = record.body
        text = str(body.get("detail" if kind is AuditKind.HALT else "denied", ""))
        broken = (
            body.get("trigger") == source.value if kind is AuditKind.HALT else f"{source.value}: " in text
        )
        if broken:
            return Breach(record.seq, iso_utc(record.at_ns), record.bar, record.key, text)
    return None
