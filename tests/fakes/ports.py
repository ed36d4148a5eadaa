"""Fakes that mirror the ports a shell carries outputs out through; each keeps what it was given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from actors.mailbox import LaneMailbox
from actors.parts import ActorContext
from domain.bars import BarGroup
from domain.broker import BrokerCommand
from domain.errors import BrokerUnavailable, DurabilityError
from domain.messages import BarsArrived
from domain.outbox import AuditEvent
from domain.ports import Mailbox
from domain.records import Rung


class FakeClock:
    """Be a clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_ns(self) -> int:
        return int(self.now_s * 1e9)


class FakeLog:
    """Keep events by level."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, dict[str, Any]]] = []

    def info(self, event: str, **values: Any) -> None:
        self.events.append(("info", event, values))

    def warning(self, event: str, **values: Any) -> None:
        self.events.append(("warning", event, values))

    def error(self, event: str, **values: Any) -> None:
        self.events.append(("error", event, values))


class FakeJournal:
    """Number audit events as a journal does; `fails` makes the next commit fail."""

    def __init__(self) -> None:
        self.records: list[Any] = []
        self.kept: list[AuditEvent] = []
        self.acknowledged = 0
        self.fails = False
        self.closed = False

    def append(self, records: Sequence[Any]) -> tuple[int, int]:
        if self.fails:
            raise DurabilityError("fsync failed")
        first = len(self.kept) + 1
        self.records.extend(records)
        self.kept.extend(record for record in records if isinstance(record, AuditEvent))
        return first, len(self.kept)

    def entries(self, after_seq: int, limit: int) -> Sequence[Any]:
        return ()

    def orders(self) -> Sequence[Any]:
        return ()

    def outbox(self, after_seq: int, limit: int) -> tuple[int, Sequence[AuditEvent]]:
        return after_seq + 1, self.kept[after_seq : after_seq + limit]

    def flush(self) -> None:
        """Do nothing: a fake commits at once."""

    def acknowledge(self, seq: int) -> None:
        self.acknowledged = seq

    def snapshot(self, name: str) -> None:
        return None

    def close(self) -> None:
        self.closed = True


class FakeLatch:
    """Be a latch in memory (port: `domain.ports.LatchPort`)."""

    def __init__(self, rung: Rung = Rung.ACTIVE, version: int = 0, detail: str = "") -> None:
        self.stands = (rung, version, detail)

    def write(self, rung: Rung, version: int, detail: str) -> None:
        self.stands = (rung, version, detail)

    def read(self) -> Rung:
        return self.stands[0]

    def word(self) -> tuple[int, str]:
        return self.stands[1:]


class FakeBroker:
    """Keep commands; `reachable` False makes opening and sending fail."""

    def __init__(self) -> None:
        self.sent: list[BrokerCommand] = []
        self.reachable = True
        self.opened: Mailbox | None = None
        self.closed = False

    def open(self, mailbox: Mailbox) -> None:
        if not self.reachable:
            raise BrokerUnavailable("nobody at 127.0.0.1:4002")
        self.opened = mailbox

    def send(self, command: BrokerCommand) -> None:
        if not self.reachable:
            raise BrokerUnavailable("the connection is closed")
        self.sent.append(command)

    def close(self) -> None:
        self.closed = True


class FakeFeed:
    """Deliver groups from a list."""

    def __init__(self, groups: Sequence[BarGroup]) -> None:
        self.groups = groups
        self.mailbox: Mailbox | None = None
        self.asked: list[tuple[int, int, int]] = []
        self.closed = False

    def open(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox

    def pull(self, index: int) -> None:
        assert self.mailbox is not None
        self.mailbox.put(BarsArrived(group=self.groups[index]))

    def history(self, before: int, block_ns: int, warmup: int) -> Iterator[BarGroup]:
        self.asked.append((before, block_ns, warmup))
        yield from self.groups[:before]

    def close(self) -> None:
        self.closed = True


def fake_context(role: str = "gateway") -> tuple[ActorContext, LaneMailbox, FakeClock, FakeLog]:
    """Return a context with a real mailbox, a clock that a test sets and a log that it reads."""
    mailbox, clock, log = LaneMailbox(role), FakeClock(), FakeLog()
    context = ActorContext(
        role=role, generation=1, state_dir=Path("unused"), clock=clock, log=log, mailbox=mailbox
    )
    return context, mailbox, clock, log


class FakeAlerts:
    """Keep what it was asked to do."""

    def __init__(self) -> None:
        self.did: list[Any] = []

    def open(self, mailbox: Mailbox) -> None:
        del mailbox
        self.did.append("open")

    def send(self, alert: Any) -> None:
        self.did.append(alert)

    def close(self) -> None:
        self.did.append("close")
