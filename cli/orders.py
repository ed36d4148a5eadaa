"""List the orders of a session: `breakwater orders list`."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.text import Text

from cli.console import OUT
from cli.executions import FilledAt, filled_at
from cli.formats import NOTHING, count, exact, iso_utc, price, quantity, utc
from cli.instruments import Instruments, session_settings
from cli.interventions import cancel, resolve
from cli.options import DEFAULT_STATE, ConfigOption, JsonOption, StateOption, as_symbol
from cli.output import command, print_json
from cli.stores import Stores, find_stores, reading
from cli.tables import Column, Row, print_table, say, warn
from domain.broker import Side
from domain.instruments import MICRO
from domain.messages import GATEWAY
from domain.orders import OPEN_STATES
from domain.records import ExecutionEntry, OrderEntry
from storage.journal_reader import all_entries

app = typer.Typer()
app.command()(cancel)
app.command()(resolve)

SHOWN = 50


class StateFilter(StrEnum):
    """Name the states to list: all that may still fill, all that ended, or one of them."""

    OPEN = "open"
    FINAL = "final"
    SENT = "sent"
    WORKING = "working"
    PARTIALLY_FILLED = "partially_filled"
    CANCEL_SENT = "cancel_sent"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REFUSED = "refused"
    NEVER_ARRIVED = "never_arrived"

    def takes(self, order: OrderEntry) -> bool:
        """Return whether `order` is in one of the states meant."""
        if self is StateFilter.OPEN:
            return order.state in OPEN_STATES
        if self is StateFilter.FINAL:
            return order.state not in OPEN_STATES
        return order.state.value == self.value


StateOfOrderOption = Annotated[
    StateFilter | None,
    typer.Option(
        "--state-of-order",
        metavar="STATE",
        help=f"Orders in this state only; `open` may still fill, `final` may not: {', '.join(StateFilter)}.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderBook:
    """Hold a session's orders by age and what executed of each."""

    orders: tuple[OrderEntry, ...]
    fills: Mapping[str, FilledAt]

    def matching(self, book: str | None, symbol: str | None, state: StateFilter | None) -> list[OrderEntry]:
        """Return the orders of a book, in a symbol and in a state; None asks for all."""
        return [
            order
            for order in self.orders
            if (book is None or order.book == book)
            and (symbol is None or order.symbol == symbol)
            and (state is None or state.takes(order))
        ]


@app.command("list")
@command
def list_orders(
    book: Annotated[
        str | None, typer.Option("--book", metavar="ID", help="Orders of this book only.")
    ] = None,
    symbol: Annotated[
        str | None,
        typer.Option("--symbol", metavar="SYMBOL", parser=as_symbol, help="Orders in this symbol only."),
    ] = None,
    state_of_order: StateOfOrderOption = None,
    limit: Annotated[
        int, typer.Option("--limit", min=0, metavar="N", help="The newest N orders (0: all).")
    ] = SHOWN,
    config: ConfigOption = None,
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """List the orders of the present session, oldest first; works while an engine runs and when none does."""
    stores = find_stores(state)
    settings, warning = session_settings(stores, config, dict(os.environ))
    held = read_orders(stores)
    matching = held.matching(book, symbol, state_of_order)
    shown = matching[-limit:] if limit else matching
    instruments = Instruments(settings)
    if not as_json:
        warn(warning)
        _print(held, matching, shown, instruments)
        return
    print_json(
        {
            "session": stores.session.number,
            "warning": warning or None,
            "total": len(held.orders),
            "matching": len(matching),
            "orders": [order_values(order, held.fills.get(order.order_ref), instruments) for order in shown],
        }
    )


def read_orders(stores: Stores) -> OrderBook:
    """Return the session's orders, oldest first, with what executed of each."""
    orders: list[OrderEntry] = []
    executions: defaultdict[str, list[ExecutionEntry]] = defaultdict(list)
    with reading(stores, GATEWAY) as reader:
        for entry in all_entries(reader):
            if isinstance(entry, OrderEntry):
                orders.append(entry)
            elif isinstance(entry, ExecutionEntry):
                executions[entry.execution.order_ref].append(entry)
    orders.sort(key=lambda order: (order.bar, order.parent_ref or order.order_ref, order.order_ref))
    return OrderBook(orders=tuple(orders), fills={ref: filled_at(each) for ref, each in executions.items()})


def order_values(order: OrderEntry, fill: FilledAt | None, instruments: Instruments) -> dict[str, Any]:
    """Return one order as `--json` prints it: quantities exact as text, prices in the instrument's currency."""
    instrument = instruments[order.symbol]
    return {
        "order_ref": order.order_ref,
        "parent_ref": order.parent_ref or None,
        "book": order.book,
        "symbol": order.symbol,
        "kind": order.kind.value,
        "side": order.side.value,
        "order_type": order.order_type.value,
        "state": order.state.value,
        "open": order.state in OPEN_STATES,
        "lots": order.lots,
        "filled_lots": order.filled_lots,
        "quantity": exact(instrument.quantity(order.lots)),
        "filled_quantity": exact(instrument.quantity(order.filled_lots)),
        "currency": instrument.currency,
        "reference_price": order.reference_price,
        "stop_price": order.stop_price or None,
        "average_price": None if fill is None else fill.average_price,
        "commission": 0.0 if fill is None else fill.commission_micro / MICRO,
        "bar": order.bar,
        "at_ns": order.at_ns,
        "at": iso_utc(order.at_ns),
        "text": order.text,
    }


_COLUMNS = (
    Column("Changed (UTC)"),
    Column("Order"),
    Column("Symbol", spare=5),
    Column("Kind"),
    Column("Side"),
    Column("Type", spare=2),
    Column("Quantity", right=True),
    Column("Filled", right=True),
    Column("At", right=True),
    Column("Reference", right=True, spare=3),
    Column("Stop", right=True),
    Column("Fee", right=True, spare=4),
    Column("State"),
    Column("Why", wraps=16, spare=1),
)


def _print(
    held: OrderBook, matching: Sequence[OrderEntry], shown: Sequence[OrderEntry], instruments: Instruments
) -> None:
    if not shown:
        say(
            OUT, f"No order matches; the session has {count(len(held.orders), 'order')}{_known(held.orders)}."
        )
        return
    told = any(order.text for order in shown)
    columns = _COLUMNS if told else _COLUMNS[:-1]
    print_table(OUT, columns, [_row(order, held.fills, instruments)[: len(columns)] for order in shown])
    text = count(len(matching), "order")
    if len(matching) < len(held.orders):
        text += f" of {len(held.orders):,} match"
    if len(shown) < len(matching):
        text += f"; the newest {len(shown):,} are shown, --limit 0 shows all"
    say(OUT, Text(text, style="dim"))


def _known(orders: Iterable[OrderEntry]) -> str:
    held = tuple(orders)
    if not held:
        return ""
    books = ", ".join(sorted({order.book for order in held}))
    symbols = ", ".join(sorted({order.symbol for order in held}))
    return f", in the books {books} and the symbols {symbols}"


_STATE_STYLES = {"filled": "green", "refused": "red", "unknown": "bold red", "never_arrived": "red"}


def _row(order: OrderEntry, fills: Mapping[str, FilledAt], instruments: Instruments) -> Row:
    instrument = instruments[order.symbol]
    fill = fills.get(order.order_ref)
    style = _STATE_STYLES.get(order.state.value, "yellow" if order.state in OPEN_STATES else "dim")
    return (
        utc(order.at_ns),
        order.order_ref,
        order.symbol,
        order.kind.value,
        Text(order.side.value, style="cyan" if order.side is Side.BUY else "magenta"),
        order.order_type.value.replace("_", " "),
        quantity(order.lots, instrument),
        quantity(order.filled_lots, instrument),
        NOTHING if fill is None else price(fill.average_price, instrument.tick),
        price(order.reference_price, instrument.tick),
        price(order.stop_price, instrument.tick),
        NOTHING if fill is None else f"{fill.commission_micro / MICRO:,.2f}",
        Text(order.state.value.replace("_", " "), style=style),
        order.text,
    )
