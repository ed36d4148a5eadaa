"""Keep one sequence of everything that happened in all processes and at the venue: what was durable before what.

Only the oracle may see it; no role can. Its digest says whether two runs were the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from domain.broker import BrokerCommand, DownloadKind
from domain.messages import GATEWAY, OrdersApproved
from domain.outbox import AuditEvent
from domain.records import OrderEntry, Record, Rung
from domain.supervision import Pulse
from simulation.chaos.faults import Fault


class Committed(NamedTuple):
    """Be one commit of a role's journal."""

    at: int
    run: int
    role: str
    records: tuple[Record, ...]


class Wired(NamedTuple):
    """Be one command that left the gateway's process on a connection."""

    at: int
    run: int
    connection: int
    command: BrokerCommand


class Taken(NamedTuple):
    """Be one order that reached the venue: whether it was new there, and works since."""

    at: int
    run: int
    order_ref: str
    new: bool
    accepted: bool


class Heard(NamedTuple):
    """Be one complete download that the gateway was given."""

    at: int
    connection: int
    kind: DownloadKind


class Built(NamedTuple):
    """Be one start of a role, at a virtual second of its run."""

    at: int
    run: int
    role: str
    generation: int
    at_s: float


class Latched(NamedTuple):
    """Be one change of the latch's file."""

    at: int
    rung: Rung


class ByHand(NamedTuple):
    """Be one latch file that a person wrote: what they said."""

    at: int
    words: str


class Pulsed(NamedTuple):
    """Be one pulse of the gateway that came to the coordinator."""

    at: int
    run: int


class Approved(NamedTuple):
    """Be one decision that the gateway was given: in which risk epoch, and the refs of its orders."""

    at: int
    run: int
    epoch: int
    refs: tuple[str, ...]


class Struck(NamedTuple):
    """Be one fault that found its occasion."""

    at: int
    run: int
    fault: Fault


class Failed(NamedTuple):
    """Be one role that failed: the kind and the words of its error."""

    at: int
    run: int
    role: str
    kind: str
    words: str


@dataclass(slots=True)
class Timeline:
    """Number what happens, across all runs of one world."""

    now: int = 0
    run: int = 0
    commits: list[Committed] = field(default_factory=list)
    wires: list[Wired] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    failures: list[Failed] = field(default_factory=list)
    struck: list[Struck] = field(default_factory=list)
    built_roles: list[Built] = field(default_factory=list)
    latched: list[Latched] = field(default_factory=list)
    by_hand: list[ByHand] = field(default_factory=list)
    pulses: list[Pulsed] = field(default_factory=list)
    approvals: list[Approved] = field(default_factory=list)
    delivered: int = 0
    last_call: int = 0
    """When the audit writer was last told to drain: what is committed later may miss the trail of a session's end."""
    texts: list[str] | None = None
    _digest: blake2b = field(default_factory=lambda: blake2b(digest_size=16))

    def note(self, text: str) -> int:
        """Take what `text` says into the digest and return its number."""
        self.now += 1
        self._digest.update(text.encode())
        if self.texts is not None:
            self.texts.append(f"{self.now} {text}")
        return self.now

    @property
    def digest(self) -> str:
        """Return what all notes so far amount to."""
        return self._digest.hexdigest()

    def committed(self, role: str, records: Sequence[Record]) -> None:
        """Note a commit."""
        said = ",".join(_said(record) for record in records)
        self.commits.append(Committed(self.note(f"commit {role} {said}"), self.run, role, tuple(records)))

    def wired(self, connection: int, command: BrokerCommand) -> None:
        """Note a command that left the gateway."""
        self.wires.append(Wired(self.note(f"wire {connection} {command}"), self.run, connection, command))

    def took(self, order_ref: str, *, new: bool, accepted: bool) -> None:
        """Note an order that reached the venue."""
        at = self.note(f"taken {order_ref} {new} {accepted}")
        self.taken.append(Taken(at, self.run, order_ref, new, accepted))

    def downloaded(self, connection: int, kind: DownloadKind) -> None:
        """Note that the gateway was given a download."""
        self.heard.append(Heard(self.note(f"download {connection} {kind}"), connection, kind))

    def built(self, role: str, generation: int, at_s: float) -> None:
        """Note that a role's process was started."""
        at = self.note(f"start {role} {generation}")
        self.built_roles.append(Built(at, self.run, role, generation, at_s))

    def latch(self, rung: Rung) -> None:
        """Note a change of the latch's file."""
        self.latched.append(Latched(self.note(f"latch file {rung.name}"), rung))

    def wrote_by_hand(self, words: str) -> None:
        """Note that a person wrote the latch's file."""
        self.by_hand.append(ByHand(self.now, words))

    def deliver(self, now_s: float, sender: str, to: str, message: object) -> None:
        """Note a message that comes to its role."""
        at = self.note(f"{now_s:.6f} {sender}>{to} {type(message).__name__}")
        self.delivered += 1
        if sender == GATEWAY and isinstance(message, Pulse):
            self.pulses.append(Pulsed(at, self.run))

    def approved(self, message: OrdersApproved) -> None:
        """Note a decision that the gateway was given."""
        refs = tuple(approval.intent.intent_id for approval in message.approvals)
        at = self.note(f"approved {message.bar} in epoch {message.risk_epoch}")
        self.approvals.append(Approved(at, self.run, message.risk_epoch, refs))

    def failed(self, role: str, error: BaseException) -> None:
        """Note that a role failed."""
        kind = type(error).__name__
        at = self.note(f"failed {role} {kind} {error}")
        self.failures.append(Failed(at, self.run, role, kind, str(error)))

    def strike(self, fault: Fault) -> None:
        """Note that a fault found its occasion."""
        self.struck.append(Struck(self.note(f"fault {fault}"), self.run, fault))


def _said(record: Record) -> str:
    """Return what tells a record from others; all of it is in the trail, whose lines are in the digest as well."""
    if isinstance(record, AuditEvent):
        return f"{record.kind.value}:{record.key}"
    if isinstance(record, OrderEntry):
        return f"{record.order_ref}:{record.state.value}:{record.filled_lots}"
    return type(record).__name__
