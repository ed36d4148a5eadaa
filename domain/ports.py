"""Name what the engine needs of the outside, as Protocols; each has a contract test that every adapter passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from domain.alerts import Alert
from domain.bars import BarGroup
from domain.broker import BrokerCommand, BrokerUpdate, KillCommand
from domain.messages import Message
from domain.outbox import AuditEvent
from domain.outputs import Output
from domain.records import JournalEntry, MachineSnapshot, OrderEntry, Record, Rung


class Clock(Protocol):
    """Tell time: `monotonic_s` for deadlines and leases, `wall_ns` (UTC) for stamps that people read."""

    def monotonic_s(self) -> float:
        """Return seconds of a clock that never goes back."""
        ...

    def wall_ns(self) -> int:
        """Return UTC nanoseconds."""
        ...


class Mailbox(Protocol):
    """Take messages for one role; `control` uses the lane that overtakes; bounded: a full one raises."""

    def put(self, message: Message, *, control: bool = False) -> None:
        """Queue `message`."""
        ...


class Machine(Protocol):
    """Be a pure decision maker: messages in, outputs out, no I/O, no clock."""

    def handle(self, message: Any) -> list[Output]:
        """Return, in order, what follows from `message`."""
        ...

    def state(self) -> Mapping[str, Any]:
        """Return the machine's present state, JSON-able, for people."""
        ...


class BrokerPort(Protocol):
    """Reach a venue. Events come back to the mailbox as `BrokerUpdate` and `BrokerLink`."""

    def open(self, mailbox: Mailbox) -> None:
        """Connect; raises BrokerUnavailable when the venue cannot be reached within the port's deadline."""
        ...

    def send(self, command: BrokerCommand) -> None:
        """Put one command on the wire; raises BrokerUnavailable when nothing reached it."""
        ...

    def close(self) -> None:
        """Disconnect; harmless when closed."""
        ...


class KillPort(Protocol):
    """Reach a venue beside the gateway, under an identity of its own that takes nobody's place."""

    def open(self, within_s: float) -> None:
        """Connect, anew where it was connected; raises BrokerUnavailable."""
        ...

    def ask(self, commands: Sequence[KillCommand], within_s: float) -> list[BrokerUpdate]:
        """Send `commands` in order and return the answer to each.

        Raises BrokerUnavailable where one is missing: any of them may have been carried out, and the port is closed.
        """
        ...

    def close(self) -> None:
        """Disconnect; harmless when closed."""
        ...


class FeedPort(Protocol):
    """Deliver bars, asked for (replay) or as they come (live), as `BarsArrived` and `DataEnded`."""

    def open(self, mailbox: Mailbox) -> None:
        """Start; raises DataError when there is nothing to deliver from."""
        ...

    def pull(self, index: int) -> None:
        """Ask for group `index`; a live port ignores it."""
        ...

    def history(self, before: int, block_ns: int, warmup: int) -> Iterator[BarGroup]:
        """Yield the groups before `before` that a block of `block_ns` then needs, with `warmup` bars a symbol."""
        ...

    def close(self) -> None:
        """Stop; harmless when closed."""
        ...


class Journal(Protocol):
    """Make one role's records durable. One writer; numbers outbox events from 1 without gaps."""

    def append(self, records: Sequence[Record]) -> tuple[int, int]:
        """Commit `records`, all or none, and return the first and last outbox number given (first > last: none).

        Raises DurabilityError when the commit failed; the journal then refuses everything further.
        """
        ...

    def entries(self, after_seq: int, limit: int) -> Sequence[JournalEntry]:
        """Return up to `limit` journal entries after `after_seq`, in sequence (an order's newest state once)."""
        ...

    def orders(self) -> Sequence[OrderEntry]:
        """Return every order's newest state, by sequence."""
        ...

    def outbox(self, after_seq: int, limit: int) -> tuple[int, Sequence[AuditEvent]]:
        """Return the number of the first and up to `limit` events after `after_seq`."""
        ...

    def acknowledge(self, seq: int) -> None:
        """Let go of outbox events up to `seq`; need not be durable at once."""
        ...

    def snapshot(self, name: str) -> MachineSnapshot | None:
        """Return the newest snapshot of that name, or None."""
        ...

    def flush(self) -> None:
        """Commit what was gathered, where appends gather; raises DurabilityError when that failed."""
        ...

    def close(self) -> None:
        """Commit what is left and close."""
        ...


class Supervisor(Protocol):
    """Start and end processes of roles for the coordinator; what becomes of them comes back to its mailbox.

    `RoleStarted` and `RoleEnded` tell of each start and each end, also of those nobody asked for; `RolesObserved` comes
    about twice a second where roles have processes of their own.
    """

    def open(self, mailbox: Mailbox) -> None:
        """Find the roles that are at work already, after the coordinator's own restart, and watch."""
        ...

    def start(self, roles: Sequence[tuple[str, int]]) -> None:
        """Start these (role, generation) together; does not wait."""
        ...

    def end(self, role: str, generation: int) -> None:
        """End one generation of a role at once; does not wait."""
        ...

    def close(self) -> None:
        """Stop watching; what runs goes on."""
        ...


class ControlPort(Protocol):
    """Take commands of people and programs; each comes to the mailbox as a `Command`, in the control lane."""

    def open(self, mailbox: Mailbox) -> None:
        """Listen; raises EnvironmentFault when that is not possible."""
        ...

    def answer(self, request_id: int, body: Mapping[str, Any]) -> None:
        """Answer a request; one whose asker went away is dropped."""
        ...

    def close(self) -> None:
        """Stop listening; harmless when closed."""
        ...


class AlertPort(Protocol):
    """Tell people; what became of it comes to the mailbox as `AlertsSent`, in the control lane."""

    def open(self, mailbox: Mailbox) -> None:
        """Begin to send; what was told before goes out first."""
        ...

    def send(self, alert: Alert) -> None:
        """Queue `alert` for every channel that hears it, and return at once, whatever the channels do."""
        ...

    def close(self) -> None:
        """Give what waits a bounded time to go out; harmless when closed."""
        ...


class LatchPort(Protocol):
    """Keep the halt latch in a small file, apart from every database."""

    def write(self, rung: Rung, version: int, detail: str) -> None:
        """Replace it, durably; ACTIVE removes it. Raises DurabilityError."""
        ...

    def read(self) -> Rung:
        """Return what stands there, ACTIVE where there is none, HALTED where it cannot be read."""
        ...

    def word(self) -> tuple[int, str]:
        """Return the version of which it was written, 0 where no coordinator wrote it, and its writer's words."""
        ...


class Child(Protocol):
    """Describe a role's process: what the runtime needs of it (`supervisor.child_spec.ChildSpec`)."""

    @property
    def role(self) -> str:
        """Return the role's address."""
        ...

    @property
    def generation(self) -> int:
        """Return which start of the role this is, from 1."""
        ...


ChildT = TypeVar("ChildT", bound=Child, contravariant=True)


class Runtime(Protocol[ChildT]):
    """Run roles and carry messages between them.

    Messages of one sender to one receiver arrive in order within their lane, and control overtakes what is queued; a
    message to a role that has ended is lost without a word. A machine that raises becomes a `RoleFailed` at the
    coordinator. A full queue refuses, and that too becomes a `RoleFailed`.
    """

    def spawn(self, specs: Sequence[ChildT]) -> None:
        """Start roles together and make all roles known to each other; when one fails, none of them stays."""
        ...

    def send(self, to: str, message: Message, *, control: bool = False) -> None:
        """Post `message` to a role; fire and forget. Raises InvariantViolation for a role that was never spawned."""
        ...

    def snapshot(self, role: str, *, deadline_s: float = 1.0) -> Mapping[str, Any]:
        """Return the shell's figures and under `state` the machine's.

        Raises NotRunning when there is no such role any more, Busy when it does not answer in time.
        """
        ...

    def alive(self, role: str) -> bool:
        """Say whether the role is at work."""
        ...

    def stop(self, roles: Sequence[str]) -> tuple[str, ...]:
        """Stop roles together, each after the message it is at; return those killed for being late."""
        ...

    def kill(self, role: str, generation: int) -> bool:
        """End one generation of a role at once; False when there is none such."""
        ...

    def shutdown(self) -> None:
        """End everything that was started; harmless when done."""
        ...
