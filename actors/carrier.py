"""Carry a machine's outputs out, in order: messages to roles, records to the journal, commands to the broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar, assert_never

from actors.outbox_pump import OutboxPump
from actors.parts import ActorContext, Parts
from actors.timers import Timers
from domain.alert_words import concerns_people
from domain.alerts import Alert, Noticed
from domain.bars import BarGroup
from domain.broker import BrokerCommand, BrokerLink
from domain.errors import BrokerUnavailable, InvariantViolation, MailboxFull, Recoverable
from domain.halt_messages import LatchCleared, LatchFound
from domain.messages import AUDIT, COORDINATOR, BarHistory, JournalUpdate, Message
from domain.outbox import AuditEvent, RequestOutbox
from domain.outputs import (
    Answer,
    CancelTimer,
    ClearLatch,
    Connect,
    EndRole,
    LookAtLatch,
    Output,
    Persist,
    Pull,
    Send,
    SendHistory,
    SendJournal,
    SetTimer,
    StartRoles,
    Wire,
    WriteLatch,
)
from domain.ports import AlertPort, BrokerPort, ControlPort, FeedPort, Journal, LatchPort, Supervisor
from domain.records import Record, Rung
from storage.canonical import WrittenBody

Port = TypeVar("Port")

Router = Callable[[str, Message, bool], None]
"""Post a message to another role's process (role, message, control); never block."""

OUTBOX_BATCH = 1_000
HISTORY_GROUPS = 2_000
HISTORY_BARS = 50_000
JOURNAL_ENTRIES = 1_000


class Carrier:
    """Reach everything outside one machine: the other roles, its journal, its broker and its feed.

    `lost(error)` hears of a message that could not be delivered; the outputs after it are carried out all the same.
    """

    def __init__(
        self,
        parts: Parts,
        context: ActorContext,
        timers: Timers,
        router: Router,
        lost: Callable[[Recoverable], None],
    ) -> None:
        self._parts, self._context, self._timers, self._router, self._lost = (
            parts,
            context,
            timers,
            router,
            lost,
        )
        self._routes = {**parts.routes, context.role: context.mailbox}
        self._outbox = OutboxPump(
            context.role, context.clock, lambda records: self.post(AUDIT, records, False)
        )

    def open(self) -> None:
        """Open the ports; a broker that cannot be reached becomes a `BrokerLink`, like a lost one."""
        for port in (self._parts.feed, self._parts.supervisor, self._parts.control, self._parts.alerts):
            if port is not None:
                port.open(self._context.mailbox)
        if self._parts.broker is not None:
            self._connect()

    def close(self) -> Iterator[Exception]:
        """Close the ports, each whatever the others do; yield what went wrong."""
        parts = self._parts
        for port in (parts.control, parts.supervisor, parts.feed, parts.broker, parts.journal, parts.alerts):
            try:
                if port is not None:
                    port.close()
            except Exception as error:
                yield error

    def carry_out(self, output: Output) -> None:
        """Carry one output out; raises what the journal or a port raises, save a broker that is unavailable."""
        # Commonest first, and no field taken out by the pattern, which costs more than the rest of the dispatch.
        match output:
            case Send():
                self.post(output.to, output.message, output.control)
            case Persist():
                self._persist(output.records)
            case Wire():
                self._wire(output.command)
            case SetTimer():
                self._timers.set(output.name, output.delay_s, strict=output.strict)
            case CancelTimer():
                self._timers.cancel(output.name)
            case Pull():
                self._feed().pull(output.bar)
            case Connect():
                self._connect()
            case SendJournal():
                for update in _journal_updates(self._journal(), output):
                    self.post(output.to, update, False)
            case SendHistory():
                for chunk in _history(self._feed(), output):
                    self.post(output.to, chunk, False)
            case StartRoles():
                self._supervisor().start(output.roles)
            case EndRole():
                self._supervisor().end(output.role, output.generation)
            case Answer():
                self._control().answer(output.request_id, output.body)
            case WriteLatch():
                self._write_latch(output)
            case LookAtLatch():
                self._find_latch(None)
            case ClearLatch():
                self._clear_latch(output.key)
            case Alert():
                self._alerts().send(output)
            case _:
                assert_never(output)

    def post(self, to: str, message: Message, control: bool) -> None:
        """Post `message`; one that a full mailbox or a lost venue refuses is lost, as any may be, and reported."""
        # `deliver` written out: one call less for every message.
        mailbox = self._routes.get(to)
        try:
            if mailbox is None:
                self._router(to, message, control)
            else:
                mailbox.put(message, control=control)
        except (MailboxFull, BrokerUnavailable) as error:
            self._lost(error)

    def deliver(self, to: str, message: Message, control: bool) -> None:
        """Post `message` to this role, to a mailbox in this process or to another process; raises MailboxFull."""
        mailbox = self._routes.get(to)
        if mailbox is None:
            self._router(to, message, control)
        else:
            mailbox.put(message, control=control)

    def answer_outbox(self, request: RequestOutbox) -> None:
        """Send the audit writer one batch of outbox events and queue the request for the next.

        A long outbox so goes out a batch a turn, with the role's own work between.
        """
        first, events = self._journal().outbox(request.after_seq, OUTBOX_BATCH)
        self._outbox.answer(first, events)
        if len(events) == OUTBOX_BATCH:
            self.post(self._context.role, RequestOutbox(after_seq=first + len(events) - 1), False)
        elif events:  # an empty batch ends the answer
            self._outbox.answer(first + len(events), ())

    def tell_trail(self, *, at_once: bool = False) -> None:
        """Send the audit writer what was committed, where that is due or `at_once`; an order does not wait for it."""
        self._outbox.post(at_once=at_once)

    def acknowledge(self, seq: int) -> None:
        """Let the journal go of outbox events up to `seq`."""
        self._journal().acknowledge(seq)

    def _persist(self, records: tuple[Record, ...]) -> None:
        # The outbox and the trail both hold an event's body as text: it is made once.
        ready: list[Record] = []
        events: list[AuditEvent] = []
        for record in records:
            if isinstance(record, AuditEvent):
                event = AuditEvent(*record[:-1], WrittenBody(record.body))
                events.append(event)
                ready.append(event)
            else:
                ready.append(record)
        first, last = self._journal().append(ready)
        if first <= last:
            self._outbox.committed(first, events)
        if self._parts.notices:
            for event in events:
                if concerns_people(event):
                    self.post(COORDINATOR, Noticed(role=self._context.role, event=event), True)

    def _write_latch(self, latch: WriteLatch) -> None:
        if not self._find_latch(latch.met):
            self._latch().write(latch.rung, latch.version, latch.detail)

    def _find_latch(self, met: tuple[Rung, str] | None) -> bool:
        """Tell the machine of a latch file that a person wrote, but for the one it has `met`; return whether one is."""
        latch = self._latch()
        rung = latch.read()
        version, detail = latch.word() if rung > Rung.ACTIVE else (0, "")
        if rung is Rung.ACTIVE or version != 0 or met == (rung, detail):
            return False
        self.post(self._context.role, LatchFound(rung=rung, detail=detail), True)
        return True

    def _clear_latch(self, key: str) -> None:
        latch = self._latch()
        rung, (_, detail) = latch.read(), latch.word()
        if rung > Rung.ACTIVE:
            latch.write(Rung.ACTIVE, 0, "")
        self.post(self._context.role, LatchCleared(key=key, rung=rung, detail=detail), True)

    def _wire(self, command: BrokerCommand) -> None:
        try:
            self._broker().send(command)
        except BrokerUnavailable as error:
            self._link_lost(error)

    def _connect(self) -> None:
        broker = self._broker()
        broker.close()
        try:
            broker.open(self._context.mailbox)
        except BrokerUnavailable as error:
            self._link_lost(error)

    def _broker(self) -> BrokerPort:
        return self._need(self._parts.broker, "speaks to a broker and has none")

    def _link_lost(self, error: BrokerUnavailable) -> None:
        # In the control lane: orders that wait in the normal one must find the gate closed.
        lost = BrokerLink(at_ns=0, connected=False, connection=0, text=str(error))
        self._context.log.warning("broker_unavailable", error=str(error))
        self.post(self._context.role, lost, True)

    def _need(self, port: Port | None, lacking: str) -> Port:
        if port is None:
            raise InvariantViolation(f"{self._context.role} {lacking}")
        return port

    def _journal(self) -> Journal:
        return self._need(self._parts.journal, "makes records durable and has no journal")

    def _feed(self) -> FeedPort:
        return self._need(self._parts.feed, "asks for bars and has no feed")

    def _supervisor(self) -> Supervisor:
        return self._need(self._parts.supervisor, "starts and ends roles and has no supervisor")

    def _control(self) -> ControlPort:
        return self._need(self._parts.control, "answers a command and has no control socket")

    def _alerts(self) -> AlertPort:
        return self._need(self._parts.alerts, "alerts people and has no channel to them")

    def _latch(self) -> LatchPort:
        return self._need(self._parts.latch, "writes the halt latch and has no file for it")


def _history(feed: FeedPort, request: SendHistory) -> Iterator[BarHistory]:
    """Cut a history into messages, bounded in groups and, for wide universes, in bars; the last one says so."""
    chunk: list[BarGroup] = []
    bars = number = 0
    for group in feed.history(request.before, request.block_ns, request.warmup):
        if chunk and (len(chunk) == HISTORY_GROUPS or bars + len(group.bars) > HISTORY_BARS):
            yield BarHistory(groups=tuple(chunk), last=False, number=number, before=request.before)
            chunk, bars, number = [], 0, number + 1
        chunk.append(group)
        bars += len(group.bars)
    yield BarHistory(groups=tuple(chunk), last=True, number=number, before=request.before)


def _journal_updates(journal: Journal, request: SendJournal) -> Iterator[JournalUpdate]:
    """Cut the journal after a cursor into messages; the last, which may be empty, carries the head."""
    after = request.after_seq
    while True:
        entries = tuple(journal.entries(after, JOURNAL_ENTRIES))
        last = len(entries) < JOURNAL_ENTRIES
        head = request.head if last else entries[-1].seq
        yield JournalUpdate(at_ns=0, advanced=-1, entries=entries, after_seq=after, head=head, last=last)
        if last:
            return
        after = head
