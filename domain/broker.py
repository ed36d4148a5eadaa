"""Speak with a venue: the commands the gateway gives its broker port and the events that come back.

Every venue adapter (simulated, Interactive Brokers, ...) translates these and nothing else. Our key on the wire is
`order_ref`; a venue's own numbers stay in its adapter.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Side(StrEnum):
    """Name the side of an order."""

    BUY = "buy"
    SELL = "sell"


def signed(side: Side, lots: int) -> int:
    """Return `lots` positive for a buy and negative for a sell."""
    return lots if side is Side.BUY else -lots


class OrderType(StrEnum):
    """Name the order types the engine uses."""

    MARKET = "market"
    MARKET_ON_OPEN = "market_on_open"
    LIMIT = "limit"
    STOP = "stop"


class TimeInForce(StrEnum):
    """Name how long an order works: the session, until cancelled, or the next opening only."""

    DAY = "day"
    GTC = "gtc"
    OPENING = "opening"


class RefusalCode(StrEnum):
    """Name why a venue, or what guards the way to it, refuses an order."""

    DUPLICATE = "duplicate"
    UNKNOWN_SYMBOL = "unknown_symbol"
    BAD_QUANTITY = "bad_quantity"
    BAD_PRICE = "bad_price"
    BUYING_POWER = "buying_power"
    SHORT_NOT_ALLOWED = "short_not_allowed"
    UNKNOWN_ORDER = "unknown_order"
    HALTED = "halted"
    """Not a venue's: our own halt latch kept the order from the wire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """Ask the venue to work an order.

    `lots` > 0. `limit_price`/`stop_price` are set for LIMIT/STOP only, on tick. With `attached_stop_pct` > 0 the venue
    works a protective stop (`order_ref + STOP_SUFFIX`, GTC) for what has been filled, at the average fill price moved
    against the position by that fraction and rounded to tick (down for a sell stop, up for a buy stop). Orders that
    share `oca_group` reduce each other: a fill of one takes its lots off the others, which end when none remain.
    `reduces` is our own: by size it can only shrink a position, so that no halt holds it up. A venue ignores it.
    """

    order_ref: str
    symbol: str
    side: Side
    lots: int
    order_type: OrderType
    time_in_force: TimeInForce
    limit_price: float
    stop_price: float
    attached_stop_pct: float
    oca_group: str
    reduces: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """Ask the venue to stop working an order (what has been filled stays)."""

    order_ref: str


class DownloadKind(StrEnum):
    """Name what a reconciliation asks of the venue; each must be seen complete before the gate opens."""

    POSITIONS = "positions"
    OPEN_ORDERS = "open_orders"
    COMPLETED_ORDERS = "completed_orders"
    EXECUTIONS = "executions"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDownload:
    """Ask the venue for its complete present state of one kind; `request_id` comes back with the answer."""

    request_id: int
    kind: DownloadKind


BrokerCommand = PlaceOrder | CancelOrder | RequestDownload


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelMany:
    """Ask the venue to stop working each of these orders, at once where it can; `why` goes into its words on each."""

    order_refs: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePosition:
    """Ask the venue to work an order that closes a position, if nothing was executed in its symbol meanwhile.

    `executions` are those in the symbol from which the position was counted. Where there are more by now the venue
    does nothing, takes no ref and tells no event: a stop may have closed the position already.
    """

    order: PlaceOrder
    executions: int


KillCommand = CancelMany | ClosePosition | RequestDownload
"""What a kill may ask of a venue: nothing of it opens a position."""

NO_BAR = -1
"""The `bar` of an event whose venue knows of no bars: it then belongs to the bar at which it is learnt."""


class OrderStatus(StrEnum):
    """Name a venue's word on an order."""

    WORKING = "working"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReported:
    """Tell an order's state at the venue: on acceptance, change of lots (OCA), end, and in downloads.

    `lots` is the order's present total, `filled_lots` of it executed. `parent_ref` is set on attached stops. `text`
    carries the venue's words, `code` the reason when refused. `bar` is the index of the bar group at which the order
    came to this state, where the venue knows of bars (simulated ones do).
    """

    at_ns: int
    order_ref: str
    parent_ref: str
    symbol: str
    side: Side
    order_type: OrderType
    status: OrderStatus
    lots: int
    filled_lots: int
    stop_price: float
    code: RefusalCode | None
    text: str
    bar: int = NO_BAR


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """Report one execution, or with `corrects` set the replacement of an earlier one.

    `exec_id` is the venue's unique key. `commission_micro` >= 0, in the instrument's currency. `bar` is the index of
    the bar group at which it happened, where the venue knows of bars.
    """

    at_ns: int
    exec_id: str
    order_ref: str
    symbol: str
    side: Side
    lots: int
    price: float
    commission_micro: int
    corrects: str
    bar: int = NO_BAR


@dataclass(frozen=True, slots=True, kw_only=True)
class DividendPaid:
    """Report cash for positions held when a dividend went ex; negative for shorts.

    `payment_id` is unique. `bar` is the index of the bar group that went ex, where the venue knows of bars.
    """

    at_ns: int
    payment_id: str
    symbol: str
    per_unit: float
    lots: int
    amount_micro: int
    bar: int = NO_BAR


class VenuePosition(NamedTuple):
    """Be one position as the venue holds it; signed lots."""

    symbol: str
    lots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """Answer a download, complete: orders, executions or positions by kind; `cash_micro` comes with positions.

    `whole` says that executions go back to the account's first (a simulated venue's do); else they are recent ones.
    """

    at_ns: int
    request_id: int
    kind: DownloadKind
    positions: tuple[VenuePosition, ...]
    orders: tuple[OrderReported, ...]
    executions: tuple[Executed, ...]
    dividends: tuple[DividendPaid, ...]
    cash_micro: int
    whole: bool = False


BrokerEvent = OrderReported | Executed | DividendPaid | Downloaded


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerUpdate:
    """Carry a venue's events to the gateway, in the venue's order.

    `advanced` is the index of the bar group that a simulated market has just finished (fills and stops included), or
    -1 when the update answers a command. `at_ns` is the venue's time.
    """

    at_ns: int
    advanced: int
    events: tuple[BrokerEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerLink:
    """Tell the gateway that its connection opened (`connected`) or was lost; `connection` counts connections from 1."""

    at_ns: int
    connected: bool
    connection: int
    text: str
