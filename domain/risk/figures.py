"""Put together the figures an order is judged by: the account as it would be with the order filled."""

from __future__ import annotations

from dataclasses import dataclass

from domain.risk.exposure import ValuedPosition, exposure_of
from domain.risk.heat import portfolio_heat
from domain.risk.loss import daily_loss, drawdown
from domain.risk.measures import OrderFigures, only_reduces


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """Hold the account at its marks, in US dollars; `positions` count working orders as if they were filled."""

    equity: float
    day_start_equity: float
    peak_equity: float
    positions: tuple[ValuedPosition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedOrder:
    """Hold an order to be judged.

    `lots` is signed and `value_usd` its absolute value at the order's price. `reducible_lots` is the book's signed
    position less what working orders already reduce; `after` is the book's position in the symbol with this and all
    working orders filled. `mark_age_bars` is -1 when the symbol has no mark. `book_capital` is what the book may hold
    as a fraction of equity, `open_orders` what works for the symbol without this one.
    """

    lots: int
    max_lots: int
    value_usd: float
    mark_age_bars: int
    price_deviation: float
    book_capital: float
    buying_power_usd: float
    open_orders: int
    reducible_lots: int
    after: ValuedPosition


def figures_for(order: ProposedOrder, account: AccountView) -> OrderFigures:
    """Return the figures of `order` on `account`, everything as if filled."""
    after, positions = order.after, account_with(order, account)
    exposure = exposure_of(positions)
    heat = portfolio_heat(((held.value_usd, held.stop_pct) for held in positions), account.equity)
    in_book = 0.0
    for held in positions:
        if held.book == after.book:
            in_book = in_book + abs(held.value_usd)
    held_symbols = {held.symbol for held in positions if held.value_usd != 0.0}
    return OrderFigures(
        value_usd=order.value_usd,
        reduces=only_reduces(order.reducible_lots, order.lots),
        mark_age_bars=order.mark_age_bars,
        price_deviation=order.price_deviation,
        lots=abs(order.lots),
        max_lots=order.max_lots,
        equity=account.equity,
        position_after_usd=after.value_usd,
        symbol_after_usd=exposure.by_symbol[after.symbol],
        gross_after_usd=exposure.gross,
        net_after_usd=exposure.net,
        sector_after_usd=exposure.by_sector[after.sector],
        heat_after=heat,
        book_after_usd=in_book,
        book_capital_usd=order.book_capital * account.equity,
        buying_power_usd=order.buying_power_usd,
        positions_after=len(held_symbols),
        open_orders=order.open_orders + 1,
        daily_loss=daily_loss(account.day_start_equity, account.equity),
        drawdown=drawdown(account.peak_equity, account.equity),
    )


def account_with(order: ProposedOrder, account: AccountView) -> list[ValuedPosition]:
    """Return the account's positions with `order` and all working ones filled, sorted by symbol, then book."""
    after = order.after
    others = (held for held in account.positions if (held.symbol, held.book) != (after.symbol, after.book))
    return sorted((*others, after), key=lambda held: (held.symbol, held.book))
