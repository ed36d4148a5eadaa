"""Build roles as the engine does, with a note of when what passed: by the monotonic clock, which processes share.

A note is one line in a file of the role's own: what, the bar, nanoseconds. It costs some microseconds.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from actors.parts import ActorContext, Parts, Spec
from cli import ray_engine
from cli.composition import ray_specs
from cli.plan import EnginePlan
from domain.broker import BrokerCommand, BrokerUpdate, PlaceOrder
from domain.messages import BarsPublished, JournalUpdate, OrdersApproved, SignalBatch
from domain.outbox import AuditEvent, AuditKind
from domain.outputs import Output, Persist, Send
from domain.ports import BrokerPort, Machine, Mailbox
from domain.records import Record
from supervisor.child_spec import ChildSpec, load_factory

PUBLISHED, HEARD, SAID, JOINED = "published", "heard", "said", "joined"
"""A bar's way through the strategies: out of the feed, into and out of a strategy, its signals at the risk manager;"""
MOVED, KNOWN = "moved", "known"
"""beside it through the venue: what it executed at the gateway, and that at the risk manager, which waits for both;"""
DECIDED, TAKEN, WRITTEN = "decided", "taken", "written"
"""then orders out of the risk manager, into the gateway, and the first one's bytes at the venue's socket."""
OPENED = "opened"
"""A circuit breaker of a strategy opened, in the risk manager."""

Notes = Mapping[str, Mapping[int, Sequence[int]]]
"""What was noted: by kind, by bar, the times in order."""


class Notebook:
    """Write notes of one role."""

    def __init__(self, folder: str, role: str) -> None:
        """Write to a file of `folder` that carries the role's name."""
        path = Path(folder) / f"{role.replace(':', '.')}.notes"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def __call__(self, what: str, bar: int, at_ns: int) -> None:
        """Note that `what` happened to `bar`."""
        os.write(self._file, f"{what} {bar} {at_ns}\n".encode())


class ProbedMachine:
    """Note the messages that pass a machine (port: `domain.ports.Machine`)."""

    def __init__(self, machine: Machine, note: Notebook) -> None:
        """Note what passes `machine`."""
        self._machine, self._note = machine, note

    def handle(self, message: Any) -> list[Output]:
        """Let the machine handle `message`."""
        begun = time.perf_counter_ns()
        outputs: list[Output] = self._machine.handle(message)
        ended = time.perf_counter_ns()
        match message:
            case BarsPublished(group=group):
                self._note(HEARD, group.index, begun)
            case SignalBatch(bar=bar):
                self._note(JOINED, bar, begun)
            case OrdersApproved(bar=bar):
                self._note(TAKEN, bar, begun)
            case BrokerUpdate(advanced=bar) if bar >= 0:
                self._note(MOVED, bar, begun)
            case JournalUpdate(advanced=bar) if bar >= 0:
                self._note(KNOWN, bar, begun)
            case _:
                pass
        noted = False
        for output in outputs:
            if isinstance(output, Persist):
                self._kept(output.records, ended)
            if isinstance(output, Send):
                noted = self._sent(output.message, ended, noted) or noted
        return outputs

    def state(self) -> Mapping[str, Any]:
        """Return the machine's state."""
        return self._machine.state()

    def _kept(self, records: Sequence[Record], at_ns: int) -> None:
        for record in records:
            if isinstance(record, AuditEvent) and record.kind is AuditKind.BREAKER:
                self._note(OPENED, record.bar, at_ns)

    def _sent(self, message: object, at_ns: int, noted: bool) -> bool:
        match message:
            case BarsPublished(group=group) if not noted:
                self._note(PUBLISHED, group.index, at_ns)
                return True
            case SignalBatch(bar=bar):
                self._note(SAID, bar, at_ns)
            case OrdersApproved(bar=bar):
                self._note(DECIDED, bar, at_ns)
            case _:
                pass
        return False


class ProbedBroker:
    """Note when an order's bytes were given to the venue's socket (port: `domain.ports.BrokerPort`)."""

    def __init__(self, broker: BrokerPort, note: Notebook) -> None:
        """Note what passes `broker`."""
        self._broker, self._note = broker, note

    def open(self, mailbox: Mailbox) -> None:
        """Connect."""
        self._broker.open(mailbox)

    def send(self, command: BrokerCommand) -> None:
        """Put one command on the wire."""
        self._broker.send(command)
        if isinstance(command, PlaceOrder):
            self._note(WRITTEN, int(command.order_ref.split(".")[3]), time.perf_counter_ns())

    def close(self) -> None:
        """Disconnect."""
        self._broker.close()


def probed(spec: Spec, context: ActorContext) -> Parts:
    """Build the parts that the spec's own factory builds, and note what passes them."""
    arguments = spec.arguments
    parts = load_factory(arguments["probed"])(_as_child(spec), context)
    note = Notebook(arguments["notes"], context.role)
    broker = None if parts.broker is None else ProbedBroker(parts.broker, note)
    return replace(parts, machine=ProbedMachine(parts.machine, note), broker=broker)


def _as_child(spec: Spec) -> ChildSpec:
    if not isinstance(spec, ChildSpec):
        raise TypeError(f"{type(spec).__name__} describes no role's process")
    return spec


@contextmanager
def probes(folder: Path) -> Iterator[None]:
    """Let engines on Ray that are built meanwhile note into `folder` what passes their roles."""

    def specs(plan: EnginePlan) -> tuple[ChildSpec, ...]:
        *others, coordinator = ray_specs(plan)
        probed_ones = tuple(_probed(spec, folder) for spec in others)
        children = {**coordinator.arguments, "children": probed_ones}
        return (*probed_ones, replace(coordinator, arguments=children))

    setattr(ray_engine, "ray_specs", specs)  # noqa: B010 - it exports no such name
    try:
        yield
    finally:
        setattr(ray_engine, "ray_specs", ray_specs)  # noqa: B010


def _probed(spec: ChildSpec, folder: Path) -> ChildSpec:
    arguments = {**spec.arguments, "probed": spec.factory, "notes": str(folder)}
    return replace(spec, factory="benchmarks.probes:probed", arguments=arguments)


def read_notes(folder: Path) -> Notes:
    """Return all notes of `folder`."""
    notes: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(folder.glob("*.notes")):
        role = path.stem
        for line in path.read_text(encoding="ascii").splitlines():
            what, bar, at_ns = line.split()
            # Risk manager and venue hear bars too; a strategy alone is waited for.
            if what != HEARD or role.startswith("strategy"):
                notes[what][int(bar)].append(int(at_ns))
    return {what: {bar: sorted(times) for bar, times in bars.items()} for what, bars in notes.items()}
