"""Drive a risk manager bar by bar, as feed, strategies, gateway, venue and coordinator would around it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from domain.bars import Bar, BarGroup
from domain.broker import Executed, OrderType, signed
from domain.halt_messages import HaltReviewed, LatchChanged, RaiseHalt, ReviewHalt
from domain.halts import HaltLadder
from domain.instruments import Instrument
from domain.messages import (
    COORDINATOR,
    GATEWAY,
    BarsPublished,
    Begin,
    JournalUpdate,
    OrderIntent,
    OrdersApproved,
    RequestJournal,
    RiskInbox,
    SignalBatch,
)
from domain.outbox import AuditEvent, AuditKind
from domain.outputs import Output, Persist, Send, SetTimer
from domain.records import (
    ExecutionEntry,
    IntentKind,
    JournalEntry,
    MachineSnapshot,
    OrderEntry,
    OrderState,
    Record,
)
from domain.risk.limits import AccountTerms, BookSettings, HaltPolicy, RiskLimits
from domain.risk.manager import BETWEEN, SNAPSHOT, RiskManager
from domain.risk.settings import RiskSettings
from domain.signals import Signal, SignalFailure
from supervisor.breakers import build_breaker
from tests.money import LIMITS, stock

DAY_NS = 86_400_000_000_000
MAIN = BookSettings(
    name="main", share=1.0, rule="vote", min_votes=2, allow_short=False, strategies=("a", "b", "c")
)
POLICY = HaltPolicy(
    cooldown_s=300.0,
    resume_after_sessions=20,
    max_consecutive_failures=3,
    failure_rate=0.5,
    failure_window=20,
    failure_window_min=10,
    flattening=frozenset(),
    keep_protective_stops=True,
)
BUY = (1, 0.9)
SELL = (-1, 0.9)
Price = float | tuple[float, float]


def settings(
    *,
    books: Sequence[BookSettings] = (MAIN,),
    instruments: Sequence[Instrument] = (stock("AAPL"), stock("XOM")),
    limits: RiskLimits = LIMITS,
    cash: float = 100_000.0,
    **changes: Any,
) -> RiskSettings:
    """Return settings of a daily lockstep engine in its first session."""
    values: dict[str, Any] = {
        "limits": limits,
        "books": tuple(books),
        "strategies": tuple(sorted(name for book in books for name in book.strategies)),
        "instruments": {instrument.symbol: instrument for instrument in instruments},
        "currency": "USD",
        "cash_micro": round(cash * 1e6),
        "terms": AccountTerms(
            leverage=1.0,
            shares={book.name: book.share for book in books},
            max_order_lots={instrument.symbol: 10**12 for instrument in instruments},
        ),
        "session_number": 1,
        "opening_orders": True,
        "lockstep": True,
        "signal_deadline_s": 30.0,
        "answer_deadline_s": 6.0,
        "generation": 1,
        "epoch": 1,
    }
    return RiskSettings(**(values | changes))


def group(index: int, prices: Mapping[str, Price], session: int | None = None) -> BarGroup:
    """Return a daily group; a price is the close, or (open, close)."""
    bars = []
    for symbol, price in sorted(prices.items()):
        opened, closed = price if isinstance(price, tuple) else (price, price)
        bars.append(Bar(symbol, opened, max(opened, closed), min(opened, closed), closed, 1e6, 0.0))
    session = index + 1 if session is None else session
    return BarGroup(index, index * DAY_NS, (index + 1) * DAY_NS, session, tuple(bars))


def batch(
    bar: int,
    strategy: str,
    said: Mapping[str, tuple[int, float]] | None = None,
    failed: Sequence[str] = (),
    evaluated: int = 2,
) -> SignalBatch:
    """Return what `strategy` says at `bar`: directions and confidences by symbol, and the symbols it failed on."""
    return SignalBatch(
        at_ns=(bar + 1) * DAY_NS,
        bar=bar,
        strategy=strategy,
        evaluated=evaluated,
        signals=tuple(Signal(symbol, *vote) for symbol, vote in sorted((said or {}).items()) if vote[0]),
        failures=tuple(SignalFailure(strategy, symbol, "raised", "boom", "") for symbol in sorted(failed)),
    )


def order_entry(intent: OrderIntent, seq: int, state: OrderState, filled: int = 0) -> OrderEntry:
    """Return the journal's entry of an intent's order."""
    return OrderEntry(
        seq=seq,
        at_ns=intent.at_ns,
        order_ref=intent.intent_id,
        parent_ref="",
        book=intent.book,
        symbol=intent.symbol,
        kind=intent.kind,
        side=intent.side,
        order_type=OrderType.MARKET_ON_OPEN,
        lots=intent.lots,
        filled_lots=filled,
        reference_price=intent.reference_price,
        stop_price=0.0,
        state=state,
        bar=intent.bar,
        connection=1,
        text="",
    )


@dataclass(frozen=True, kw_only=True)
class Round:
    """Hold all that one bar led to."""

    sent: tuple[Send, ...]
    orders: tuple[OrdersApproved, ...]
    halts: tuple[RaiseHalt, ...]
    reviews: tuple[ReviewHalt, ...]
    records: tuple[Record, ...]
    timers: tuple[SetTimer, ...]

    @property
    def approved(self) -> OrdersApproved:
        """Return the one decision of the bar."""
        (only,) = self.orders
        return only

    @property
    def intents(self) -> dict[str, OrderIntent]:
        """Return the approved intents by symbol."""
        return {approval.intent.symbol: approval.intent for approval in self.approved.approvals}

    def events(self, kind: AuditKind) -> list[AuditEvent]:
        """Return the audit events of one kind."""
        return [each for each in self.records if isinstance(each, AuditEvent) and each.kind is kind]

    @property
    def denials(self) -> list[str]:
        """Return why orders were denied."""
        return [event.body["denied"] for event in self.events(AuditKind.ASSESSMENT) if event.body["denied"]]

    @property
    def between(self) -> MachineSnapshot:
        """Return the newest snapshot of what changed between two bars."""
        *_, last = (
            each for each in self.records if isinstance(each, MachineSnapshot) and each.name == BETWEEN
        )
        return last

    @property
    def snapshot(self) -> MachineSnapshot:
        """Return the snapshot to restart from."""
        (only,) = (
            each for each in self.records if isinstance(each, MachineSnapshot) and each.name == SNAPSHOT
        )
        return only


class Bench:
    """Hold a risk manager and what stands round it.

    Orders fill whole at the next bar's open of their symbol while `fills`; reviews are answered while `reviews`; halts
    reach the coordinator while it `hears`; the gateway refuses every order unless `gate_open`. `told` are the halts
    told again at the start.
    """

    def __init__(
        self,
        configured: RiskSettings | None = None,
        policy: HaltPolicy = POLICY,
        saved: Mapping[str, Any] | None = None,
        ladder: HaltLadder | None = None,
        entries: Sequence[JournalEntry] = (),
        resting: Mapping[str, OrderIntent] | None = None,
        between: Mapping[str, Any] | None = None,
    ) -> None:
        """Start the manager and let it read the journal."""
        self.settings = configured or settings()
        self.policy = policy
        self.ladder = ladder or HaltLadder(policy)
        self.entries = list(entries)
        self.resting = dict(resting or {})
        self.fills = True
        self.reviews = True
        self.hears = True
        self.gate_open = True
        self.manager = RiskManager(self.settings, policy, saved, between=between, build_breaker=build_breaker)
        *told, asked, _ = self.manager.handle(Begin())
        sent = [output for output in told if isinstance(output, Send)]
        self.told = [output.message for output in sent if isinstance(output.message, RaiseHalt)]
        for output in sent:
            for answer in self._answers(output):
                self.manager.handle(answer)
        assert asked == Send(GATEWAY, RequestJournal(requester="risk", after_seq=0))
        self.manager.handle(self.update(tuple(self.entries), last=True))
        if self.ladder.version:
            self.manager.handle(self.latch())

    def reborn(self, snapshot: MachineSnapshot | None, between: MachineSnapshot | None = None) -> Bench:
        """Return the bench with a manager rebuilt from its snapshots, as stored, and the journal."""
        saved, changed = (
            None if each is None else json.loads(json.dumps(each.values)) for each in (snapshot, between)
        )
        ladder = HaltLadder(self.policy, json.loads(json.dumps(self.ladder.to_values())))
        return Bench(self.settings, self.policy, saved, ladder, self.entries, self.resting, changed)

    def update(
        self, entries: tuple[JournalEntry, ...] = (), advanced: int = -1, last: bool = False
    ) -> JournalUpdate:
        """Return a journal update that ends at the journal's head."""
        head = len(self.entries)
        after = entries[0].seq - 1 if entries else head
        return JournalUpdate(
            at_ns=0, advanced=advanced, entries=entries, after_seq=after, head=head, last=last
        )

    def bar(
        self,
        index: int,
        prices: Mapping[str, Price],
        said: Mapping[str, Mapping[str, tuple[int, float]]] | None = None,
        failed: Mapping[str, Sequence[str]] | None = None,
        session: int | None = None,
    ) -> Round:
        """Let one bar happen: its fills, its signals by strategy, its decision, and the orders' acceptance."""
        today = group(index, prices, session)
        messages: list[RiskInbox] = [BarsPublished(group=today), self.trade(today)]
        messages += [
            batch(index, name, (said or {}).get(name), (failed or {}).get(name, ()), len(today.bars))
            for name in self.settings.strategies
        ]
        return self.deliver(*messages)

    def deliver(self, *messages: RiskInbox) -> Round:
        """Hand the manager `messages` and carry out what follows."""
        outputs: list[Output] = []
        for message in messages:
            outputs += self._handled(message)
        sent = [output.message for output in outputs if isinstance(output, Send)]
        return Round(
            sent=tuple(output for output in outputs if isinstance(output, Send)),
            orders=tuple(message for message in sent if isinstance(message, OrdersApproved)),
            halts=tuple(message for message in sent if isinstance(message, RaiseHalt)),
            reviews=tuple(message for message in sent if isinstance(message, ReviewHalt)),
            records=tuple(
                each for output in outputs if isinstance(output, Persist) for each in output.records
            ),
            timers=tuple(output for output in outputs if isinstance(output, SetTimer)),
        )

    def trade(self, today: BarGroup) -> JournalUpdate:
        """Fill what rests at the opens of `today` and return the journal's word on it."""
        opens = {bar.symbol: bar.open for bar in today.bars} if self.fills else {}
        fresh: list[JournalEntry] = []
        for ref, intent in sorted(self.resting.items()):
            if intent.symbol in opens:
                del self.resting[ref]
                fresh += self._filled(intent, opens[intent.symbol], today, intent.lots)
        return self.update(tuple(fresh), advanced=today.index)

    def fill_part(self, intent: OrderIntent, price: float, lots: int) -> JournalUpdate:
        """Fill `lots` of a resting order outside a bar and return the journal's word on it."""
        today = group(intent.bar, {})
        return self.update(tuple(self._filled(intent, price, today, lots)))

    def _filled(self, intent: OrderIntent, price: float, today: BarGroup, lots: int) -> list[JournalEntry]:
        state = OrderState.FILLED if lots == intent.lots else OrderState.PARTIALLY_FILLED
        executed = Executed(
            at_ns=today.open_ns,
            exec_id=f"x{len(self.entries) + 1}",
            order_ref=intent.intent_id,
            symbol=intent.symbol,
            side=intent.side,
            lots=lots,
            price=price,
            commission_micro=0,
            corrects="",
        )
        head = len(self.entries)
        fresh: list[JournalEntry] = [
            ExecutionEntry(
                seq=head + 1,
                at_ns=today.open_ns,
                book=intent.book,
                kind=intent.kind,
                bar=today.index,
                execution=executed,
            ),
            order_entry(intent, head + 2, state, lots),
        ]
        self.entries += fresh
        return fresh

    def _handled(self, message: RiskInbox) -> list[Output]:
        outputs = self.manager.handle(message)
        for output in list(outputs):
            if isinstance(output, Send):
                for answer in self._answers(output):
                    outputs += self._handled(answer)
        return outputs

    def _answers(self, sent: Send) -> list[RiskInbox]:
        match sent.message:
            case RaiseHalt() if not self.hears:
                return []
            case RaiseHalt() as halt if sent.to == COORDINATOR:
                if halt.again and self.ladder.has_heard(halt):
                    return [replace(self.latch(), heard=(halt.trigger,))]
                self.ladder.raise_latch(
                    halt.trigger,
                    halt.rung,
                    at_ns=halt.at_ns,
                    bar=halt.bar,
                    session=halt.session,
                    raised_by=halt.raised_by,
                    detail=halt.detail,
                )
                return [self.latch()]
            case ReviewHalt() as review if self.reviews:
                _, new_peak = self.ladder.review(at_ns=review.at_ns, bar=review.bar, session=review.session)
                return [self.review_answer(review.bar, new_peak)]
            case OrdersApproved() as orders:
                return [self._accepted(orders)]
            case RequestJournal(after_seq=after):
                return [self.update(tuple(self.entries[after:]))._replace(last=True)]
            case _:
                return []

    def latch(self) -> LatchChanged:
        """Return the coordinator's announcement of the latch as it stands."""
        ladder = self.ladder
        return LatchChanged(rung=ladder.rung, lowers=False, version=ladder.version, active=ladder.active)

    def review_answer(self, bar: int, new_peak: bool = False) -> HaltReviewed:
        """Return the coordinator's answer to a review at `bar`."""
        ladder = self.ladder
        return HaltReviewed(
            bar=bar, rung=ladder.rung, version=ladder.version, active=ladder.active, new_peak=new_peak
        )

    def _accepted(self, orders: OrdersApproved) -> JournalUpdate:
        fresh: list[JournalEntry] = []
        for ref in orders.cancels:
            intent = self.resting.pop(ref, None)
            if intent is not None:
                fresh.append(order_entry(intent, len(self.entries) + len(fresh) + 1, OrderState.CANCELED))
        known = {entry.order_ref for entry in self.entries if isinstance(entry, OrderEntry)}
        for approval in orders.approvals:
            intent = approval.intent
            if intent.intent_id in known:
                continue  # sent again
            if not self.gate_open:
                fresh.append(order_entry(intent, len(self.entries) + len(fresh) + 1, OrderState.REFUSED))
                continue
            self.resting[intent.intent_id] = intent
            fresh.append(order_entry(intent, len(self.entries) + len(fresh) + 1, OrderState.WORKING))
        self.entries += fresh
        return self.update(tuple(fresh))


def all_say(vote: tuple[int, float], symbol: str = "AAPL", names: str = "abc") -> dict[str, dict[str, Any]]:
    """Return the same vote of each strategy named (one letter each)."""
    return {name: {symbol: vote} for name in names}


def side_lots(intent: OrderIntent) -> int:
    """Return an intent's lots, negative for a sale."""
    return signed(intent.side, intent.lots)


def entries_of(kind: IntentKind, bench: Bench) -> list[str]:
    """Return the refs of the resting orders of one kind."""
    return [ref for ref, intent in sorted(bench.resting.items()) if intent.kind is kind]
