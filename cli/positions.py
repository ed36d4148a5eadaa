"""List the open positions of a session: `breakwater positions list`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.text import Text

from cli.console import OUT
from cli.formats import NOTHING, count, exact, iso_utc, money, price, quantity, signed_money, utc
from cli.instruments import Instruments, session_settings
from cli.interventions import close
from cli.options import DEFAULT_STATE, ConfigOption, JsonOption, StateOption, as_symbol
from cli.output import command, print_json
from cli.stores import Stores, find_stores, reading
from cli.tables import Column, Row, gain, print_pairs, print_table, say, warn
from config.settings import Settings
from domain.instruments import MICRO
from domain.messages import GATEWAY, RISK
from domain.orders import OPEN_STATES
from domain.portfolio import Portfolio
from domain.positions import Position
from domain.records import CashEntry, EquitySnapshot, ExecutionEntry, IntentKind, OrderEntry, Rung
from domain.risk.manager import SNAPSHOT
from storage.journal_reader import all_entries

app = typer.Typer()
app.command()(close)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Be a symbol's last price and the bar it is of."""

    price: float
    bar: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Holdings:
    """Hold the portfolio rebuilt from the gateway's journal, with what the risk manager's store adds to it."""

    portfolio: Portfolio
    marks: Mapping[str, Mark]
    stops: Mapping[tuple[str, str], float]
    latest: EquitySnapshot | None
    currency: str

    def mark(self, position: Position) -> Mark | None:
        """Return the mark of a position's symbol, None before its first bar."""
        return self.marks.get(position.symbol)

    def value(self, position: Position) -> float | None:
        """Return a position's value at its mark, signed."""
        mark = self.mark(position)
        return None if mark is None else self.portfolio.value(position.symbol, mark.price, position.lots)

    def unrealised(self, position: Position) -> float | None:
        """Return what a position would bring at its mark beyond its cost."""
        value = self.value(position)
        return None if value is None else value - position.cost_micro / MICRO


@app.command("list")
@command
def list_positions(
    book: Annotated[
        str | None, typer.Option("--book", metavar="ID", help="Positions of this book only.")
    ] = None,
    symbol: Annotated[
        str | None,
        typer.Option("--symbol", metavar="SYMBOL", parser=as_symbol, help="Positions in this symbol only."),
    ] = None,
    config: ConfigOption = None,
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """List the open positions, rebuilt from the gateway's journal and valued at the last bar's closes."""
    stores = find_stores(state)
    settings, warning = session_settings(stores, config, dict(os.environ))
    instruments = Instruments(settings)
    holdings = read_holdings(stores, settings, instruments)
    shown = [
        position
        for position in holdings.portfolio.positions()
        if (book is None or position.book == book) and (symbol is None or position.symbol == symbol)
    ]
    if as_json:
        print_json(_report(stores, holdings, shown, instruments, warning))
        return
    warn(warning)
    _print(stores, holdings, shown, instruments)


def read_holdings(stores: Stores, settings: Settings, instruments: Instruments) -> Holdings:
    """Rebuild the portfolio of the session from its stores."""
    marks: dict[str, Mark] = {}
    latest: EquitySnapshot | None = None
    if stores.directory.database(RISK).exists():
        with reading(stores, RISK) as reader:
            snapshot = reader.snapshot(SNAPSHOT)
            if snapshot is not None:
                known = snapshot.values["marks"].items()
                marks = {name: Mark(price=float(last), bar=int(bar)) for name, (last, bar) in known}
                latest = next(iter(reader.equity(after_bar=snapshot.bar - 1, limit=1)), None)
    booked: list[ExecutionEntry | CashEntry] = []
    stops: dict[tuple[str, str], float] = {}
    with reading(stores, GATEWAY) as reader:
        for entry in all_entries(reader):
            if not isinstance(entry, OrderEntry):
                booked.append(entry)
            elif entry.kind is IntentKind.STOP and entry.state in OPEN_STATES:
                stops[entry.book, entry.symbol] = entry.stop_price
    account = settings.engine.account
    portfolio = Portfolio(
        instruments.of(symbol_of(entry) for entry in booked),
        {account.currency: round(account.initial_cash * MICRO)},
        account.currency,
    )
    for each in booked:
        portfolio.apply(each)
    return Holdings(portfolio=portfolio, marks=marks, stops=stops, latest=latest, currency=account.currency)


def symbol_of(entry: ExecutionEntry | CashEntry) -> str:
    """Return the symbol that an execution or a dividend is of."""
    return entry.execution.symbol if isinstance(entry, ExecutionEntry) else entry.dividend.symbol


def position_values(position: Position, holdings: Holdings, instruments: Instruments) -> dict[str, Any]:
    """Return one position as `--json` prints it: the quantity exact as text, money in the instrument's currency."""
    instrument, mark = instruments[position.symbol], holdings.mark(position)
    return {
        "symbol": position.symbol,
        "book": position.book,
        "lots": position.lots,
        "quantity": exact(instrument.quantity(position.lots)),
        "currency": instrument.currency,
        "average_price": position.average_price,
        "cost": position.cost_micro / MICRO,
        "mark": None if mark is None else mark.price,
        "mark_bar": None if mark is None else mark.bar,
        "value": holdings.value(position),
        "unrealised": holdings.unrealised(position),
        "realised": position.realised_micro / MICRO,
        "dividends": position.dividends_micro / MICRO,
        "commissions": position.commission_micro / MICRO,
        "stop_price": holdings.stops.get((position.book, position.symbol)),
        "opened_at_ns": position.opened_at_ns,
        "opened_at": iso_utc(position.opened_at_ns),
        "opened_bar": position.opened_bar,
    }


def _report(
    stores: Stores, holdings: Holdings, shown: Sequence[Position], instruments: Instruments, warning: str
) -> dict[str, Any]:
    latest, portfolio = holdings.latest, holdings.portfolio
    return {
        "session": stores.session.number,
        "warning": warning or None,
        "bar": None if latest is None else latest.bar,
        "at_ns": 0 if latest is None else latest.at_ns,
        "at": None if latest is None else iso_utc(latest.at_ns),
        "currency": holdings.currency,
        "equity": None if latest is None else latest.equity,
        "cash": portfolio.cash_micro() / MICRO,
        "gross_exposure": None if latest is None else latest.gross_exposure,
        "heat": None if latest is None else latest.heat,
        "drawdown": None if latest is None else latest.drawdown,
        "halt": None if latest is None else Rung(latest.rung).name,
        "realised": portfolio.realised_micro() / MICRO,
        "dividends": portfolio.dividends_micro() / MICRO,
        "commissions": portfolio.commission_micro() / MICRO,
        "positions": [position_values(position, holdings, instruments) for position in shown],
    }


_COLUMNS = (
    Column("Symbol"),
    Column("Book"),
    Column("Quantity", right=True),
    Column("Average", right=True, spare=3),
    Column("Mark", right=True),
    Column("Value", right=True),
    Column("Unrealised", right=True),
    Column("%", right=True),
    Column("Stop", right=True),
    Column("Realised", right=True, spare=2),
    Column("Since (UTC)", spare=1),
)


def _print(stores: Stores, holdings: Holdings, shown: Sequence[Position], instruments: Instruments) -> None:
    print_pairs(OUT, _account(stores, holdings))
    say(OUT, "")
    if not shown:
        held = len(holdings.portfolio.positions())
        say(
            OUT,
            f"No open position matches; the account holds {count(held, 'position')}."
            if held
            else "No open position.",
        )
        return
    print_table(
        OUT, _COLUMNS, [_row(each, holdings, instruments) for each in shown], _totals(holdings, shown)
    )
    say(OUT, Text(f"{count(len(shown), 'position')}; amounts in {holdings.currency}", style="dim"))


def _account(stores: Stores, holdings: Holdings) -> list[tuple[str, str | Text]]:
    pairs: list[tuple[str, str | Text]] = []
    latest, currency = holdings.latest, holdings.currency
    when = "before its first bar" if latest is None else f"bar {latest.bar:,} of {utc(latest.at_ns)} UTC"
    pairs.append(("Session", f"{stores.session.number}, {when}"))
    if latest is not None:
        pairs.append(("Equity", f"{latest.equity:,.2f} {currency}"))
    pairs.append(("Cash", f"{money(holdings.portfolio.cash_micro())} {currency}"))
    if latest is not None:
        shares = f"{latest.gross_exposure:.1%} gross, heat {latest.heat:.2%}, drawdown {latest.drawdown:.2%}"
        pairs.append(("Exposure", shares))
        style = "green" if latest.rung is Rung.ACTIVE else "bold red"
        pairs.append(("Trading", Text(latest.rung.name, style=style)))
    return pairs


def _row(position: Position, holdings: Holdings, instruments: Instruments) -> Row:
    instrument, mark = instruments[position.symbol], holdings.mark(position)
    value, unrealised = holdings.value(position), holdings.unrealised(position)
    cost = abs(position.cost_micro) / MICRO
    stop = holdings.stops.get((position.book, position.symbol), 0.0)
    return (
        position.symbol,
        position.book,
        quantity(position.lots, instrument),
        price(position.average_price, instrument.tick),
        NOTHING if mark is None else price(mark.price, instrument.tick),
        NOTHING if value is None else f"{value:,.2f}",
        NOTHING if unrealised is None else gain(unrealised, signed_money(unrealised)),
        NOTHING if unrealised is None or not cost else gain(unrealised, f"{unrealised / cost:+.2%}"),
        price(stop, instrument.tick) if stop else Text("none", style="bold red"),
        signed_money(position.realised_micro / MICRO),
        utc(position.opened_at_ns),
    )


def _totals(holdings: Holdings, shown: Sequence[Position]) -> Row | None:
    """Return the sums under the table, None where nothing can be added: one row, or a position without a mark."""
    values = [holdings.value(each) for each in shown]
    gains = [holdings.unrealised(each) for each in shown]
    known = [value for value in values if value is not None]
    unrealised = sum(each for each in gains if each is not None)
    if len(shown) < 2 or len(known) < len(shown):
        return None
    realised = sum(each.realised_micro for each in shown) / MICRO
    value, profit = f"{sum(known):,.2f}", gain(unrealised, signed_money(unrealised))
    return ("Total", "", "", "", "", value, profit, "", "", signed_money(realised), "")
