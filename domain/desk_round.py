"""Run the desk for one bar: votes to targets, targets to sized intents, intents to approvals or reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import isfinite
from operator import itemgetter
from typing import Any

from domain.bars import BarGroup
from domain.broker import OrderType, Side, TimeInForce
from domain.desk import NO_VOTES, Action, Tally, Target, ballots, target, votes_body, votes_needed
from domain.error_texts import describe
from domain.errors import Recoverable
from domain.instruments import lots_for
from domain.messages import OrderApproved, OrderIntent, SignalBatch
from domain.order_refs import order_ref
from domain.outbox import AuditEvent, AuditKind
from domain.records import IntentKind, Rung
from domain.risk.book_keeping import BookKeeping
from domain.risk.engine import RiskEngine, assessment_event, sizing_body
from domain.risk.entry_breakers import Barred
from domain.risk.figures import AccountView
from domain.risk.limits import BookSettings
from domain.risk.settings import RiskSettings
from domain.risk.sizing import SizingResult, size_position

_plain = itemgetter(slice(None))
"""Return a NamedTuple as a plain tuple, at half the cost of `tuple`."""

_CLOSE = Target(action=Action.EXIT, direction=0, confidence=1.0, reason="flattening")
_EXIT_AGAIN = Target(
    action=Action.EXIT, direction=0, confidence=1.0, reason="an exit that did not trade, made again"
)
_STAY_OUT = Target(action=Action.HOLD, direction=0, confidence=0.0, reason="")


class DeskRound:
    """Make, size and judge the intents of each bar, in order of (book, symbol).

    `fault` says what went wrong in working out an entry of the last bar; "" for nothing.
    """

    def __init__(self, settings: RiskSettings, books: BookKeeping) -> None:
        """Work on `books`, which the risk manager owns."""
        self._settings = settings
        self._books = books
        self._in_order = sorted(settings.books)
        self._engine = RiskEngine(settings.limits, settings.epoch)
        self._refused: Counter[str] = Counter()
        self._approved = 0
        self._counting = self._leased = True
        self._barred: Barred | None = None
        self.fault = ""
        self._decided: Collection[str] | None = None
        self._approvals: list[OrderApproved] = []
        self._cancels: list[str] = []
        self._events: list[AuditEvent] = []

    def restore(self, counts: Mapping[str, Any]) -> None:
        """Go on counting from a snapshot's counts."""
        self._refused = Counter(counts.get("refused", {}))
        self._approved = int(counts.get("approved", 0))

    def state(self) -> Mapping[str, Any]:
        """Return how many intents were approved, and refused by reason."""
        return {"approved": self._approved, "refused": dict(sorted(self._refused.items()))}

    def to_values(self) -> dict[str, Any]:
        """Return the counts to persist, JSON-able."""
        return {"approved": self._approved, "refused": dict(self._refused)}

    def run(
        self,
        group: BarGroup,
        batches: Sequence[SignalBatch],
        *,
        leased: bool = True,
        barred: Barred | None = None,
        approved_before: Collection[str] | None = None,
    ) -> tuple[list[OrderApproved], list[str], list[AuditEvent]]:
        """Return the approvals, the refs to cancel and the audit events of one bar.

        Without a lease nothing is entered, nor while `barred`. `approved_before` are the refs that were approved when
        the bar was decided before a restart, whose counts and records hold it already: no other is approved now.
        """
        self._approvals, self._cancels, self._events = [], [], []
        self._leased, self._decided, self._counting = leased, approved_before, approved_before is None
        self._barred, self.fault = barred, ""
        self._record(group, batches)
        rung, owed, closings = self._books.rung, self._books.working.exit_owed, self._books.closings
        if rung > Rung.ACTIVE:
            self._cancels += [ref for ref, _ in self._books.working.entries()]
        elif self._books.latch.scoped:
            halted = self._books.latch.bars_entry
            entries = self._books.working.entries()
            self._cancels += [ref for ref, order in entries if halted(order.book, order.symbol)]
        for book in self._in_order:
            votes, needed = ballots(book, batches), votes_needed(book)
            for bar in group.bars:
                ballot = votes.get(bar.symbol)
                # Where too few agree and no exit is owed, all is as it should be.
                due = (ballot is not None and ballot.matters(needed)) or rung is Rung.FLATTENING
                if due or owed(book.name, bar.symbol) or (closings and closings.owed(book.name, bar.symbol)):
                    self._consider(group, book, bar.symbol, NO_VOTES if ballot is None else ballot.tally())
        return self._approvals, self._cancels, self._events

    def _consider(self, group: BarGroup, book: BookSettings, symbol: str, votes: Tally) -> None:
        lots = self._books.portfolio.book_lots(book.name, symbol)
        if self._books.rung is Rung.FLATTENING:
            wanted = _CLOSE if lots else _STAY_OUT
        elif lots and (why := self._books.closings.owed(book.name, symbol)):
            wanted = Target(action=Action.EXIT, direction=0, confidence=1.0, reason=why)
        else:
            wanted = target(book, votes, lots, shortable=self._settings.instruments[symbol].shortable)
            owed = lots and self._books.working.exit_owed(book.name, symbol)
            if owed and wanted.action is Action.HOLD and not votes.failed:  # a failure lets no order out (A2)
                wanted = _EXIT_AGAIN
        if wanted.action is Action.HOLD:
            if wanted.reason:
                body = {**votes_body(votes), "held": wanted.reason}
                self._event(AuditKind.VOTE, group, f"{book.name}.{symbol}", body)
            return
        working = self._books.working.of(book.name, symbol)
        if working is not None:
            ref, order = working
            if wanted.action is Action.EXIT and order.kind is IntentKind.ENTRY and ref not in self._cancels:
                self._cancels.append(ref)
            return
        if wanted.action is Action.EXIT:
            side = Side.SELL if lots > 0 else Side.BUY
            intent = self._intent(group, book, symbol, IntentKind.EXIT, side, abs(lots), wanted)
            self._judge(intent, self._books.account.view(self._books.day, self._books.marks), votes, None)
        else:
            self._try_to_enter(group, book, symbol, wanted, votes)

    def _try_to_enter(
        self, group: BarGroup, book: BookSettings, symbol: str, wanted: Target, votes: Tally
    ) -> None:
        """Enter; a calculation that fails and may be tried again costs this entry alone."""
        try:
            self._enter(group, book, symbol, wanted, votes)
        except Recoverable as error:
            self.fault = f"{book.name}.{symbol}: {describe(error)}"
            self._refuse(group, f"{book.name}.{symbol}", "risk_failed", self.fault, votes, None)

    def _enter(self, group: BarGroup, book: BookSettings, symbol: str, wanted: Target, votes: Tally) -> None:
        books, limits = self._books, self._settings.limits
        view = books.account.view(books.day, books.marks)
        key = f"{book.name}.{symbol}"
        voters = votes.longs if wanted.direction > 0 else votes.shorts
        if (refused := self._no_entry(book, symbol, view.equity, voters)) is not None:
            self._refuse(group, key, *refused, votes, None)
            return
        room = books.account.room(book, symbol, view, books.marks)
        if not self._finite(key, "room", (view.equity, room.heat, room.free_capital, room.symbol_room)):
            self._refuse(group, key, "risk_failed", self.fault, votes, None)
            return
        size = size_position(
            confidence=wanted.confidence,
            equity=view.equity,
            heat=room.heat,
            capital=room.free_capital,
            room=room.symbol_room,
            limits=limits,
        )
        if not size.approved:
            self._refuse(group, key, f"size_{size.code.name.lower()}", size.reason, votes, size)
            return
        instrument = self._settings.instruments[symbol]
        price = books.marks.prices[symbol]
        lots = lots_for(size.size_usd, price, instrument.lots_per_unit, instrument.multiplier)
        if lots == 0:
            self._refuse(
                group, key, "size_below_one_lot", f"{size.size_usd:.2f} buys no lot at {price}", votes, size
            )
            return
        if self._barred is not None:  # a probe: worked out, and not made
            self._refuse(group, key, self._barred.code, self._barred.why, votes, size)
            return
        side = Side.BUY if wanted.direction > 0 else Side.SELL
        intent = self._intent(group, book, symbol, IntentKind.ENTRY, side, lots, wanted)
        self._judge(intent, view, votes, size)

    def _no_entry(
        self, book: BookSettings, symbol: str, equity: float, voters: Sequence[str]
    ) -> tuple[str, str] | None:
        """Return, by code and in words, why nothing at all is entered; None where an entry is worked out."""
        if not self._leased:
            return "no_lease", "the coordinator's lease has lapsed"
        if self._barred is not None and not self._barred.sized:
            return self._barred.code, self._barred.why
        if barred := self._books.latch.bars_entry(book.name, symbol):
            return "halted_scope", barred
        if self._counting and (runs_away := self._books.runaway.bars(voters)):
            return "runaway", runs_away
        return None if equity > 0.0 else ("no_equity", f"equity is {equity:.2f}")

    def _finite(self, key: str, what: str, figures: Iterable[float]) -> bool:
        """Return whether an entry's figures are finite, and note where they are not."""
        if all(map(isfinite, figures)):
            return True
        self.fault = f"{key}: its {what} is not finite"
        return False

    def _intent(
        self,
        group: BarGroup,
        book: BookSettings,
        symbol: str,
        kind: IntentKind,
        side: Side,
        lots: int,
        wanted: Target,
    ) -> OrderIntent:
        settings = self._settings
        opening = settings.opening_orders
        return OrderIntent(
            intent_id=order_ref(settings.session_number, book.name, symbol, group.index),
            at_ns=group.known_ns,
            bar=group.index,
            book=book.name,
            symbol=symbol,
            kind=kind,
            side=side,
            lots=lots,
            order_type=OrderType.MARKET_ON_OPEN if opening else OrderType.MARKET,
            time_in_force=TimeInForce.OPENING if opening else TimeInForce.DAY,
            reference_price=self._books.marks.prices[symbol],
            stop_loss_pct=settings.limits.stop_loss_percent if kind is IntentKind.ENTRY else 0.0,
            reason=wanted.reason,
        )

    def _judge(self, intent: OrderIntent, view: AccountView, votes: Tally, size: SizingResult | None) -> None:
        books = self._books
        if self._decided is not None and intent.intent_id not in self._decided:
            return  # it was not approved when this bar was recorded
        order = books.account.proposed(intent, view, books.marks)
        approval, why, figures = self._engine.judge(intent, order, view, books.rung)
        if intent.kind is IntentKind.ENTRY:  # no limit lets one pass that is not finite
            self._finite(f"{intent.book}.{intent.symbol}", "risk", figures)
        self._events.append(assessment_event(intent, votes, size, figures, why))
        if approval is None:
            self._refused[why.split(":", 1)[0]] += self._counting
            return
        self._approved += self._counting
        self._approvals.append(approval)
        books.working.approve(intent)
        if intent.kind is IntentKind.ENTRY:
            books.runaway.approved(
                intent.intent_id, intent.bar, votes.longs if intent.side is Side.BUY else votes.shorts
            )

    def _refuse(
        self, group: BarGroup, key: str, code: str, why: str, votes: Tally, size: SizingResult | None
    ) -> None:
        self._refused[code] += self._counting
        body = {"denied": f"{code}: {why}", "votes": votes_body(votes), "sizing": size and sizing_body(size)}
        self._event(AuditKind.ASSESSMENT, group, key, body)

    def _record(self, group: BarGroup, batches: Sequence[SignalBatch]) -> None:
        # As plain tuples, which the trail writes without asking what they are.
        spoken = {batch.strategy: tuple(map(_plain, batch.signals)) for batch in batches if batch.signals}
        if spoken:
            self._event(AuditKind.SIGNALS, group, "", spoken)
        for batch in batches:
            for failure in batch.failures:
                key = f"{failure.strategy}.{failure.symbol}"
                self._event(
                    AuditKind.SIGNAL_FAILURE, group, key, {"kind": failure.kind, "error": failure.cause}
                )
                if (
                    failure.traceback
                ):  # a stranger's words, and files of this machine: no part of the decision
                    body = {"error": failure.error, "traceback": failure.traceback}
                    self._events.append(
                        AuditEvent(AuditKind.SIGNAL_FAILURE, group.known_ns, group.index, key, False, body)
                    )

    def _event(self, kind: AuditKind, group: BarGroup, key: str, body: Mapping[str, Any]) -> None:
        self._events.append(AuditEvent(kind, group.known_ns, group.index, key, True, body))
