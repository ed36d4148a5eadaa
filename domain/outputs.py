"""Say what a machine asks its shell to do, in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.alerts import Alert

if TYPE_CHECKING:
    from domain.broker import BrokerCommand
    from domain.messages import Message
    from domain.records import Record, Rung


class Send(NamedTuple):
    """Post `message` to the role `to`; fire and forget. `control` uses the lane that overtakes."""

    to: str
    message: Message
    control: bool = False


class Persist(NamedTuple):
    """Make `records` durable, all or none, before any later output of this machine is carried out."""

    records: tuple[Record, ...]


class Wire(NamedTuple):
    """Give `command` to the broker port."""

    command: BrokerCommand


class SetTimer(NamedTuple):
    """Deliver `TimerFired(name)` after `delay_s` seconds of the control clock; the same name replaces.

    What has arrived by then is handled before it, so that an answer does not lose to its deadline. A `strict` one that
    has run out is delivered before any message: what it ends is over, however long the process itself stood still.
    """

    name: str
    delay_s: float
    strict: bool = False


class CancelTimer(NamedTuple):
    """Forget the timer `name`; nothing happens when there is none."""

    name: str


class Pull(NamedTuple):
    """Ask the feed port for bar group number `bar`; it comes back as `BarsArrived` or `DataEnded`."""

    bar: int


class SendHistory(NamedTuple):
    """Stream past groups to the role `to` as `BarHistory` messages of at most 2,000 groups each, oldest first.

    The groups are those before index `before` that a block of `block_ns` at that moment needs, with `warmup` bars a
    symbol ahead of it. The last message, empty where there is nothing to send, has `last` set; the shell sends all of
    it before it carries out the next output, so what is published later arrives later.
    """

    to: str
    block_ns: int
    warmup: int
    before: int


class SendJournal(NamedTuple):
    """Stream this role's journal entries after `after_seq` to the role `to` as `JournalUpdate` messages.

    The last, empty where there is nothing to send, has `last` set and carries `head` as its head; earlier ones carry
    their own last sequence. The shell sends all of it before it carries out the next output.
    """

    to: str
    after_seq: int
    head: int


class Connect(NamedTuple):
    """Open the broker port anew, closing what is open; the outcome comes as `BrokerLink`."""


class StartRoles(NamedTuple):
    """Start these (role, generation) together; each is answered by `RoleStarted` or `RoleEnded`."""

    roles: tuple[tuple[str, int], ...]


class EndRole(NamedTuple):
    """End one generation of a role at once; `RoleEnded` follows, also where there is none such."""

    role: str
    generation: int


class Answer(NamedTuple):
    """Answer the control socket's request `request_id` with `body`, JSON-able."""

    request_id: int
    body: Mapping[str, Any]


class WriteLatch(NamedTuple):
    """Write the halt latch's file, durably, before any later output; ACTIVE removes it.

    It is what the gateway looks at before each order that increases exposure, and what survives every database. A file
    of version 0, which a person wrote, stays as it is and is told by a `LatchFound`, unless it is the one that `met`
    names by its rung and words.
    """

    rung: Rung
    version: int
    detail: str
    met: tuple[Rung, str] | None = None


class LookAtLatch(NamedTuple):
    """Look whether a person wrote the halt latch's file; a `LatchFound` tells of one, nothing of none."""


class ClearLatch(NamedTuple):
    """Remove the halt latch's file, whatever it says, for the command `key`; a `LatchCleared` tells what it said."""

    key: str


Output = (
    SendJournal
    | Connect
    | Send
    | Persist
    | Wire
    | SetTimer
    | CancelTimer
    | Pull
    | SendHistory
    | StartRoles
    | EndRole
    | Answer
    | WriteLatch
    | LookAtLatch
    | ClearLatch
    | Alert
)
