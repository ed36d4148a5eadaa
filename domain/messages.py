"""Name the messages between roles: commands imperative, events past tense, one closed union per inbox.

`at_ns` is event time (UTC nanoseconds; 0 where none applies); bar index and intent id lead from bar to fill.

SignalBatch, OrdersApproved and JournalUpdate are made at every bar and are NamedTuples, at a third of the cost of a
frozen dataclass. They are made by keyword all the same: nothing refuses `at_ns` and `bar` exchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from domain.alerts import AlertInbox
from domain.bars import BarGroup
from domain.broker import BrokerLink, BrokerUpdate, OrderType, Side, TimeInForce
from domain.commands import CancelOrders, ClosePosition, Command, CommandDone, ResolveOrder
from domain.halt_messages import HaltInbox, HaltReviewed, LatchChanged, LatchCleared, LatchFound
from domain.outbox import OutboxAcknowledged, OutboxRecords, RequestOutbox
from domain.records import IntentKind, JournalEntry, Rung
from domain.signals import Signal, SignalFailure, speaker_name
from domain.supervision import (
    BarCursor,
    LeaseGranted,
    PublishAgain,
    Pulse,
    ReleaseStrategy,
    RequestBarCursor,
    RoleEnded,
    RolesObserved,
    RoleStarted,
    StrategiesAbsent,
    StrategiesQuarantined,
)

COORDINATOR = "coordinator"
FEED = "feed"
RISK = "risk"
GATEWAY = "gateway"
AUDIT = "audit"
VENUE = "venue"


def strategy_role(speaker: str) -> str:
    """Return the address of the actor of a strategy, or of one part of it."""
    return f"strategy:{speaker}"


def pack_role(number: int) -> str:
    """Return the address of the actor that several strategies share, counted from 1."""
    return f"strategies:{number}"


def is_strategies(role: str) -> bool:
    """Say whether strategies speak through `role`."""
    return role.startswith((strategy_role(""), "strategies:"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Tell a role, once its process is up and its state is loaded, to start its work."""

    at_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFeed:
    """Tell the feed that every role is ready: publish."""

    at_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Tell the coordinator that a role is ready to take part."""

    role: str
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """Tell a role to finish what is under way and take on nothing new; it answers `Drained`."""

    reason: str
    cancel_entries: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """Tell the coordinator that a role is at rest."""

    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleFailed:
    """Tell the coordinator that a role's machine raised; `fatal` ended the role."""

    role: str
    error: str
    traceback: str
    fatal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerFired:
    """Tell a machine that its timer `name` ran out."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BarsArrived:
    """Bring the feed its next group of bars from the feed port, unchecked."""

    group: BarGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class DataEnded:
    """Tell the feed that its port has no more bars; tell the coordinator that the last one settled."""

    bars: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BarsPublished:
    """Publish one moment's checked bars of all symbols to strategies, risk manager and a simulated market."""

    group: BarGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHistory:
    """Ask the feed for what a strategy's present block needs: bars from the block's start, `warmup` bars before it."""

    requester: str
    block_ns: int
    warmup: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BarHistory:
    """Bring past groups, oldest first, up to and not including group `before`; `last` ends the answer.

    The messages of one answer are numbered from 0. `before` is -1 where it is not known.
    """

    groups: tuple[BarGroup, ...]
    last: bool
    number: int = 0
    before: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class BarSettled:
    """Tell the feed that everything that followed from group `bar` is done, durable and acknowledged."""

    bar: int


class SignalBatch(NamedTuple):
    """Bring the risk manager one strategy's signals of one bar; sent for every bar.

    `evaluated` counts the symbols it looked at; abstentions (direction 0) are left out of `signals`. Of a strategy
    whose symbols are shared out, this is what `part` (from 1) of `parts` says.
    """

    at_ns: int
    bar: int
    strategy: str
    evaluated: int
    signals: tuple[Signal, ...]
    failures: tuple[SignalFailure, ...]
    part: int = 1
    parts: int = 1

    @property
    def speaker(self) -> str:
        """Return who speaks: the strategy, or its part."""
        return self.strategy if self.parts == 1 else speaker_name(self.strategy, self.part, self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderIntent:
    """Be what the desk wants: an order for one book and symbol, not yet judged.

    `intent_id` is "session.book.symbol.bar.n" and becomes the order ref. `reference_price` is the mark that sized it.
    An ENTRY carries `stop_loss_pct` for its protective stop; an EXIT only reduces.
    """

    intent_id: str
    at_ns: int
    bar: int
    book: str
    symbol: str
    kind: IntentKind
    side: Side
    lots: int
    order_type: OrderType
    time_in_force: TimeInForce
    reference_price: float
    stop_loss_pct: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderApproved:
    """Carry an intent that the risk engine, and only it, approved.

    The gateway refuses epochs below the newest it has seen and approvals whose `expires_bar` has passed.
    """

    intent: OrderIntent
    limits_version: int
    risk_epoch: int
    expires_bar: int


class OrdersApproved(NamedTuple):
    """Bring the gateway all that one bar led to, possibly nothing; its handling settles the bar.

    `rung` is the risk manager's latch at `latch_version`: the gateway raises its own to it, never lowers. `risk_epoch`
    is that of all its approvals, told also where there are none; 0 says nothing.
    """

    at_ns: int
    bar: int
    approvals: tuple[OrderApproved, ...]
    cancels: tuple[str, ...]
    rung: Rung
    latch_version: int
    risk_epoch: int = 0


class JournalUpdate(NamedTuple):
    """Bring the risk manager all journal entries after `after_seq`, in sequence, up to `head`.

    `advanced` is the bar group that a simulated market has finished, else -1. `last` ends the answer to a request.
    """

    at_ns: int
    advanced: int
    entries: tuple[JournalEntry, ...]
    after_seq: int
    head: int
    last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestJournal:
    """Ask the gateway for journal entries after `after_seq`; answered by a `JournalUpdate`."""

    requester: str
    after_seq: int


RoleInbox = Begin | Drain | TimerFired | LeaseGranted
"""What every role but the coordinator takes."""

FeedInbox = (
    RoleInbox | StartFeed | BarsArrived | DataEnded | RequestHistory | BarSettled | PublishAgain | BarCursor
)
StrategyInbox = RoleInbox | BarHistory | BarsPublished
BarInbox = BarsPublished | SignalBatch | JournalUpdate | RequestBarCursor | StrategiesAbsent
RiskInbox = RoleInbox | BarInbox | LatchChanged | HaltReviewed | ReleaseStrategy | ClosePosition
OrderInbox = OrdersApproved | BrokerUpdate | BrokerLink | CancelOrders | ResolveOrder
GatewayInbox = RoleInbox | OrderInbox | RequestJournal | LatchChanged | LatchFound
SupervisionInbox = Pulse | RoleStarted | RoleEnded | RolesObserved | StrategiesQuarantined
CoordinatorInbox = (
    Begin
    | Ready
    | Drain
    | Drained
    | RoleFailed
    | TimerFired
    | DataEnded
    | HaltInbox
    | LatchCleared
    | SupervisionInbox
    | Command
    | CommandDone
    | AlertInbox
)
AuditInbox = RoleInbox | OutboxRecords
ShellInbox = RequestOutbox | OutboxAcknowledged

RoleMessage = FeedInbox | StrategyInbox | RiskInbox | GatewayInbox | AuditInbox
Message = RoleMessage | CoordinatorInbox | ShellInbox
