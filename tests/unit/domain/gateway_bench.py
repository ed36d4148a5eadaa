"""Run a gateway as a shell would, with a journal in memory, and check what must hold at each output it gives."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from domain.broker import (
    BrokerLink,
    BrokerUpdate,
    CancelOrder,
    Downloaded,
    DownloadKind,
    Executed,
    OrderReported,
    OrderStatus,
    OrderType,
    PlaceOrder,
    RefusalCode,
    RequestDownload,
    Side,
    TimeInForce,
    VenuePosition,
    signed,
)
from domain.cash_book import CashTerms
from domain.commands import CommandDone
from domain.execution_book import ExecutionBook
from domain.gateway import LATCH, Gateway
from domain.gateway_policy import GatewayLimits, GatewaySettings
from domain.halt_messages import LatchChanged, LatchHeld, RaiseHalt
from domain.lease import LeaseTerms
from domain.messages import (
    COORDINATOR,
    FEED,
    RISK,
    BarSettled,
    Drained,
    GatewayInbox,
    JournalUpdate,
    OrderApproved,
    OrderIntent,
    OrdersApproved,
    TimerFired,
)
from domain.order_refs import without_session
from domain.orders import OPEN_STATES
from domain.outbox import AuditEvent, AuditKind
from domain.outputs import CancelTimer, Connect, Output, Persist, Send, SetTimer, Wire, WriteLatch
from domain.records import ExecutionEntry, IntentKind, JournalEntry, OrderEntry, OrderState, Rung
from domain.risk.limits import HardLimits
from domain.supervision import LeaseGranted, Pulse
from domain.venue_breaker import BROKER_BREAKER
from supervisor.breakers import build_breaker
from tests.fakes.memory_journal import MemoryJournal
from tests.money import stock

UNANSWERED = {OrderState.SENT, OrderState.CANCEL_SENT, OrderState.UNKNOWN}
SETTINGS = GatewaySettings(
    limits=GatewayLimits(
        hard=HardLimits(
            max_order_value_usd=10_000.0,
            max_order_lots=dict.fromkeys(("AAPL", "KO"), 1_000),
            max_orders_per_bar=5,
        ),
        instruments={symbol: stock(symbol) for symbol in ("AAPL", "KO")},
    ),
    cash=CashTerms("USD", tolerance_micro=0),
    cash_micro=100_000_000_000,
    generation=1,
    session=1,
    next_bar=0,
    ack_deadline_s=10.0,
    absence_interval_s=30.0,
    broker_lost_s=60.0,
    reconnect_delays_s=(2.0, 4.0),
)

LEASED = replace(SETTINGS, lease=LeaseTerms(interval_s=1.0, valid_s=5.0))


def intent(
    number: int = 1, *, bar: int = 1, kind: IntentKind = IntentKind.ENTRY, **changes: Any
) -> OrderIntent:
    symbol = changes.get("symbol", "AAPL")
    values: dict[str, Any] = {
        "intent_id": f"1.main.{symbol}.{bar}.{number}",
        "at_ns": bar * 100,
        "bar": bar,
        "book": "main",
        "symbol": symbol,
        "kind": kind,
        "side": Side.BUY if kind is IntentKind.ENTRY else Side.SELL,
        "lots": 10,
        "order_type": OrderType.MARKET,
        "time_in_force": TimeInForce.DAY,
        "reference_price": 100.0,
        "stop_loss_pct": 0.03 if kind is IntentKind.ENTRY else 0.0,
        "reason": "test",
    }
    return OrderIntent(**(values | changes))


def approval(of: OrderIntent, *, epoch: int = 1, expires: int | None = None) -> OrderApproved:
    expires_bar = of.bar if expires is None else expires
    return OrderApproved(intent=of, limits_version=1, risk_epoch=epoch, expires_bar=expires_bar)


def approved(
    *intents: OrderIntent | OrderApproved,
    bar: int = 1,
    cancels: tuple[str, ...] = (),
    rung: Rung = Rung.ACTIVE,
    version: int = 0,
) -> OrdersApproved:
    approvals = tuple(one if isinstance(one, OrderApproved) else approval(one) for one in intents)
    return OrdersApproved(
        at_ns=bar * 100, bar=bar, approvals=approvals, cancels=cancels, rung=rung, latch_version=version
    )


def reported(ref: str, status: OrderStatus = OrderStatus.WORKING, **changes: Any) -> OrderReported:
    values: dict[str, Any] = {
        "at_ns": 500,
        "order_ref": ref,
        "parent_ref": "",
        "symbol": "AAPL",
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "status": status,
        "lots": 10,
        "filled_lots": 0,
        "stop_price": 0.0,
        "code": None,
        "text": "",
    }
    return OrderReported(**(values | changes))


def fill(ref: str, exec_id: str, lots: int = 10, **changes: Any) -> Executed:
    values: dict[str, Any] = {
        "at_ns": 600,
        "exec_id": exec_id,
        "order_ref": ref,
        "symbol": "AAPL",
        "side": Side.BUY,
        "lots": lots,
        "price": 100.0,
        "commission_micro": 0,
        "corrects": "",
    }
    return Executed(**(values | changes))


def update(*events: Any, advanced: int = -1) -> BrokerUpdate:
    return BrokerUpdate(at_ns=700, advanced=advanced, events=events)


def linked(connection: int) -> BrokerLink:
    return BrokerLink(at_ns=0, connected=True, connection=connection, text="")


def lost(connection: int = 0) -> BrokerLink:
    return BrokerLink(at_ns=0, connected=False, connection=connection, text="gone")


def latch(
    rung: Rung,
    version: int,
    *,
    lowers: bool = False,
    active: tuple[Any, ...] = (),
    bar: int = -1,
    scoped: tuple[tuple[str, Rung], ...] = (),
) -> LatchChanged:
    return LatchChanged(rung=rung, lowers=lowers, version=version, active=active, bar=bar, scoped=scoped)


def granted(nonce: int, rung: Rung = Rung.ACTIVE, version: int = 0) -> LeaseGranted:
    return LeaseGranted(nonce=nonce, bars_head=-1, journal_head=-1, rung=rung, latch_version=version)


class FakeVenue:
    """Hold orders, executions and positions; what it says waits in `said` until somebody delivers it."""

    def __init__(self) -> None:
        self.orders: dict[str, OrderReported] = {}
        self.executions: list[Executed] = []
        self.said: list[BrokerUpdate] = []
        self.stop_pcts: dict[str, float] = {}
        self.deposit_micro = SETTINGS.cash_micro

    def take(self, command: PlaceOrder | CancelOrder | RequestDownload) -> None:
        match command:
            case PlaceOrder(order_ref=ref):
                if ref in self.orders:
                    self._say(
                        replace(self.orders[ref], status=OrderStatus.REFUSED, code=RefusalCode.DUPLICATE)
                    )
                    return
                self.stop_pcts[ref] = command.attached_stop_pct
                self._put(reported(ref, symbol=command.symbol, side=command.side, lots=command.lots))
            case CancelOrder(order_ref=ref):
                order = self.orders.get(ref)
                if order is None:
                    refused = OrderStatus.REFUSED
                    self._say(reported(ref, refused, symbol="", lots=0, code=RefusalCode.UNKNOWN_ORDER))
                elif order.status is OrderStatus.WORKING:
                    self._put(replace(order, status=OrderStatus.CANCELED))
                else:
                    self._say(order)
            case RequestDownload():
                self._say(self.download(command))

    def fill(self, ref: str, lots: int) -> None:
        """Execute up to `lots` of a working order; an entry's fill opens or grows its attached stop."""
        order = self.orders[ref]
        lots = min(lots, order.lots - order.filled_lots)
        done = fill(ref, f"E{len(self.executions):04d}", lots, symbol=order.symbol, side=order.side)
        self.executions.append(done)
        self._say(done)
        filled = order.filled_lots + lots
        status = OrderStatus.FILLED if filled == order.lots else OrderStatus.WORKING
        self._put(replace(order, filled_lots=filled, status=status))
        if self.stop_pcts.get(ref, 0.0) > 0.0:
            stop = self.orders.get(f"{ref}.stop")
            if stop is None:
                side = Side.SELL if order.side is Side.BUY else Side.BUY
                stop = reported(
                    f"{ref}.stop", parent_ref=ref, symbol=order.symbol, side=side, lots=0, stop_price=97.0
                )
            if stop.status is OrderStatus.WORKING:
                self._put(replace(stop, lots=stop.lots + lots))

    def correct(self, index: int, lots: int) -> None:
        """Replace an execution that stands by one of `lots`, as a venue does that made a mistake."""
        old = self.executions[index % len(self.executions)]
        corrected = {done.corrects for done in self.executions}
        if old.exec_id in corrected:
            return
        new = replace(old, exec_id=f"E{len(self.executions):04d}", lots=lots, corrects=old.exec_id)
        self.executions.append(new)
        self._say(new)

    def positions(self) -> dict[str, int]:
        corrected = {done.corrects for done in self.executions}
        total: defaultdict[str, int] = defaultdict(int)
        for done in self.executions:
            if done.exec_id not in corrected:
                total[done.symbol] += signed(done.side, done.lots)
        return {symbol: lots for symbol, lots in sorted(total.items()) if lots}

    def cash_micro(self) -> int:
        """Return the cash: the deposit, less what the standing executions cost in all."""
        corrected = {done.corrects for done in self.executions}
        standing = [done for done in self.executions if done.exec_id not in corrected]
        return self.deposit_micro - sum(
            round(signed(done.side, done.lots) * done.price * 1e6) + done.commission_micro
            for done in standing
        )

    def download(self, request: RequestDownload) -> Downloaded:
        kind = request.kind
        working = kind is DownloadKind.OPEN_ORDERS
        orders = [one for one in self.orders.values() if (one.status is OrderStatus.WORKING) is working]
        return Downloaded(
            at_ns=0,
            request_id=request.request_id,
            kind=kind,
            positions=tuple(VenuePosition(s, n) for s, n in self.positions().items())
            if kind is DownloadKind.POSITIONS
            else (),
            orders=tuple(orders) if kind in (DownloadKind.OPEN_ORDERS, DownloadKind.COMPLETED_ORDERS) else (),
            executions=tuple(self.executions) if kind is DownloadKind.EXECUTIONS else (),
            dividends=(),
            cash_micro=self.cash_micro() if kind is DownloadKind.POSITIONS else 0,
        )

    def _put(self, order: OrderReported) -> None:
        self.orders[order.order_ref] = order
        self._say(order)

    def _say(self, event: Any) -> None:
        self.said.append(update(event))


class Bench:
    """Own a gateway, carry its outputs out in order, and check the invariants at each of them."""

    def __init__(self, settings: GatewaySettings = SETTINGS) -> None:
        self.settings = settings
        self.journal = MemoryJournal()
        self.machine = Gateway(settings, (), None, None, build_breaker)
        self.placed: Counter[str] = Counter()
        self.wires: list[Any] = []
        self.timers: dict[str, float] = {}
        self.connects = 0
        self.told = 0
        self.settled: list[int] = []
        self.drained = 0
        self.halts: list[RaiseHalt] = []
        self.file: WriteLatch | None = None
        self.pulses: list[Pulse] = []
        self.answers: list[CommandDone] = []
        self.owed: Counter[int] = Counter()

    @property
    def rung(self) -> Rung:
        return Rung[self.machine.state()["rung"]]

    @property
    def book(self) -> ExecutionBook:
        return self.machine._book

    def order(self, ref: str) -> OrderEntry:
        return self.book.orders[ref]

    def open(self, connection: int = 1, venue: FakeVenue | None = None) -> list[Output]:
        """Connect and answer the downloads from `venue` (an empty one unless given)."""
        return [*self.give(linked(connection)), *self.answer(venue or FakeVenue())]

    def answer(self, venue: FakeVenue) -> list[Output]:
        """Answer the downloads asked for so far."""
        asked = [wire for wire in self.wires if isinstance(wire, RequestDownload)]
        self.wires = [wire for wire in self.wires if not isinstance(wire, RequestDownload)]
        return [output for one in asked for output in self.give(update(venue.download(one)))]

    def give(self, message: GatewayInbox, *, dies_after: int | None = None) -> list[Output]:
        """Have the gateway handle `message`; check and carry out what follows.

        With `dies_after` the process ends after so many outputs, and a new one takes over from the journal.
        """
        gate_open, rung = self.machine.state()["gate_open"], self.rung
        if isinstance(message, OrdersApproved):
            self.owed[message.bar] += 1
        outputs = self.machine.handle(message)
        lowered = self.rung < rung
        assert not lowered or (isinstance(message, LatchChanged) and message.lowers)
        for output in outputs[:dies_after]:
            self._carry_out(output, gate_open)
        if dies_after is not None:
            flying = self.wires
            self.restart()
            self.wires = flying
            return outputs
        assert self.told == self.book.seq, "everything that changed was told"
        return outputs

    def fire(self, name: str) -> list[Output]:
        del self.timers[name]
        return self.give(TimerFired(name=name))

    def restart(self) -> None:
        """Let a new gateway take over from the journal."""
        latch, breaker = (
            None if saved is None else json.loads(json.dumps(saved.values))
            for saved in (self.journal.snapshot(name) for name in (LATCH, BROKER_BREAKER))
        )
        self.machine = Gateway(self.settings, self.entries(), latch, breaker, build_breaker)
        self.timers, self.wires = {}, []
        self.told = self.book.seq  # the risk manager finds the gap, and asks
        self.owed.clear()
        self.pulses.clear()

    def lease(self) -> list[Output]:
        """Answer the newest pulse."""
        return self.give(granted(self.pulses[-1].nonce))

    def lapse(self) -> list[Output]:
        """Let the clocks of all pulses run out; nobody answers in time."""
        clocks = sorted(name for name in self.timers if name.startswith("lease."))
        return [output for name in clocks for output in self.fire(name)]

    def entries(self) -> list[JournalEntry]:
        return list(self.journal.entries(0, len(self.journal.records)))

    def _carry_out(self, output: Output, gate_open: bool) -> None:
        match output:
            case Persist(records):
                self.journal.append(records)
            case Wire(PlaceOrder() as command):
                self._check_order(command, gate_open)
                self.wires.append(command)
            case Wire(command):
                if isinstance(command, CancelOrder):
                    assert self._kept(command.order_ref).state in {OrderState.CANCEL_SENT, OrderState.UNKNOWN}
                self.wires.append(command)
            case Send(to, BarSettled(bar=bar)):
                assert to == FEED
                self._check_settled(bar)
            case Send(to, JournalUpdate(entries=entries, head=head)):
                assert to == RISK
                for entry in entries:
                    assert entry.seq == self.told + 1, "journal sequence rises by one"
                    self.told = entry.seq
                assert head == self.told
            case Send(_, RaiseHalt() as halt):
                assert self._kept_latch()["rung"] >= halt.rung, "the latch is durable before it is announced"
                assert halt.again or (self.file is not None and self.file.rung >= halt.rung)
                self.halts.append(halt)
            case Send(_, LatchHeld(version=version)):
                assert self._kept_latch()["version"] >= version
            case Send(_, Drained()):
                self.drained += 1
            case Send(to, Pulse() as pulse, control):
                assert (to, control) == (COORDINATOR, True)
                self.pulses.append(pulse)
            case Send(to, CommandDone() as answer):
                assert to == COORDINATOR
                self.answers.append(answer)
            case WriteLatch():
                self.file = output
            case SetTimer(name, delay_s):
                self.timers[name] = delay_s
            case CancelTimer(name):
                self.timers.pop(name, None)
            case Connect():
                self.connects += 1
            case _:
                pass

    def _check_order(self, command: PlaceOrder, gate_open: bool) -> None:
        """I1 and I4: one order an intent, and SENT with its audit event durable before it; nothing past the limits."""
        ref = command.order_ref
        self.placed[ref] += 1
        assert self.placed[ref] == 1
        assert gate_open
        last = self._kept(ref)
        assert last.state is OrderState.SENT
        events = [r for r in self.journal.records if isinstance(r, AuditEvent) and r.kind is AuditKind.ORDER]
        assert any(event.key == without_session(ref) and not event.body["refused"] for event in events)
        hard = self.settings.limits.hard
        assert 0 < command.lots <= hard.max_order_lots[command.symbol]
        scoped = self.machine.state()["scoped"]
        if self.rung > Rung.ACTIVE or {f"book:{last.book}", f"symbol:{last.symbol}"} & scoped.keys():
            assert last.kind is IntentKind.EXIT
        if not self.machine.state()["lease_held"]:
            assert last.kind is IntentKind.EXIT
        assert command.reduces is (last.kind is IntentKind.EXIT)
        if last.kind is IntentKind.EXIT:
            self._check_shrinks(last)

    def _kept(self, ref: str) -> OrderEntry:
        """Return the newest durable state of an order."""
        records = reversed(self.journal.records)
        return next(one for one in records if isinstance(one, OrderEntry) and one.order_ref == ref)

    def _kept_latch(self) -> Mapping[str, Any]:
        kept = self.journal.snapshot(LATCH)
        return {"rung": 0, "version": 0} if kept is None else kept.values

    def _check_shrinks(self, order: OrderEntry) -> None:
        position = self.positions()[(order.book, order.symbol)]
        against = sum(
            signed(one.side, one.lots - one.filled_lots)
            for one in self.journal.orders()
            if one.state in OPEN_STATES
            and self.placed[one.order_ref]
            and one.kind is not IntentKind.STOP
            and (one.book, one.symbol) == (order.book, order.symbol)
            and position * signed(one.side, 1) < 0
        )
        assert position * against < 0
        assert abs(against) <= abs(position)

    def _check_settled(self, bar: int) -> None:
        self.settled.append(bar)
        self.owed[bar] -= 1
        assert self.owed[bar] >= 0, "a bar settles once for each message that asks for it"
        asked = [
            entry
            for entry in self.book.orders.values()
            if entry.bar == bar and entry.kind is not IntentKind.STOP
        ]
        assert not [entry.order_ref for entry in asked if entry.state in UNANSWERED]

    def positions(self) -> defaultdict[tuple[str, str], int]:
        """Return the positions that the journal's standing executions add up to, counted the slow and plain way."""
        entries = [entry for entry in self.entries() if isinstance(entry, ExecutionEntry)]
        corrected = {entry.execution.corrects for entry in entries}
        total: defaultdict[tuple[str, str], int] = defaultdict(int)
        for entry in entries:
            if entry.execution.exec_id not in corrected:
                total[(entry.book, entry.execution.symbol)] += signed(
                    entry.execution.side, entry.execution.lots
                )
        return total
