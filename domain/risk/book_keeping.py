"""Keep the account's books bar by bar: marks, equity, day and peak, the latch's local copy, and their snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from domain.bars import BarGroup
from domain.error_texts import describe
from domain.errors import Recoverable
from domain.halt_messages import HaltReviewed, LatchChanged
from domain.instruments import MICRO
from domain.marks import Marks
from domain.outbox import AuditEvent, AuditKind
from domain.portfolio import Portfolio
from domain.records import (
    CashEntry,
    EquitySnapshot,
    ExecutionEntry,
    HaltTrigger,
    MachineSnapshot,
    Rung,
)
from domain.risk.account import Account, Day
from domain.risk.assessment import assess
from domain.risk.checks import percent
from domain.risk.closings import Closings, Holding
from domain.risk.exposure import exposure_of, gross_usd
from domain.risk.heat import heat_level, portfolio_heat
from domain.risk.holdings import holdings_state, limits_state
from domain.risk.loss import daily_loss, drawdown, raised_peak
from domain.risk.risk_latch import LatchNews, RiskLatch
from domain.risk.runaway import RunawayGuard
from domain.risk.settings import RiskSettings
from domain.risk.triggers import AccountFigures, breached
from domain.working_orders import WorkingOrders

SNAPSHOT = "risk"
"""Name of the snapshot from which a restarted risk manager goes on."""


class BookKeeping:
    """Hold portfolio, working orders, marks and the day; value them once a bar.

    `fault` says what went wrong in valuing the last bar; "" for nothing.
    """

    def __init__(self, settings: RiskSettings, saved: Mapping[str, Any] | None) -> None:
        """Start a new account, or where `saved` (the snapshot's values) left off."""
        values = saved or {}
        opening = settings.cash_micro / MICRO
        self._settings = settings
        self.portfolio = Portfolio(
            settings.instruments.values(), {settings.currency: settings.cash_micro}, settings.currency
        )
        self.working = WorkingOrders()
        self.marks = Marks(values.get("marks"))
        day = values.get("day", (0, opening, opening, opening))
        self.day = Day(int(day[0]), float(day[1]), float(day[2]), float(day[3]))
        if "peak_equity" in values:  # set between two bars, after those figures
            self.day.peak_equity = float(values["peak_equity"])
        self.runaway = RunawayGuard(settings.limits, values.get("runaway", {}))
        self.closings = Closings(values.get("closings", {}))
        self.latch = RiskLatch(settings.flattening, values)
        self._restored = self.latch.rung
        self.bar = int(values.get("bar", -1))
        self.fault = ""
        self._heat_level = int(values.get("heat_level", 0))
        self._sessions: list[int] = list(values.get("sessions", ()))
        self._sessions_kept = max([1, *(each.settlement_sessions for each in settings.instruments.values())])
        for first_bar in self._sessions:
            self.portfolio.begin_session(first_bar)
        self.account = Account(
            self.portfolio, self.working, settings.instruments, settings.limits, settings.terms
        )
        self._figures = AccountFigures(
            equity=self.day.equity, daily_loss=0.0, drawdown=0.0, heat=0.0, gross_exposure=0.0
        )

    @property
    def rung(self) -> Rung:
        """Return the rung of the halt ladder that this account stands on."""
        return self.latch.rung

    def mark(self, group: BarGroup) -> list[tuple[HaltTrigger, str]]:
        """Mark at the closes of `group`; return the halts that the figures newly call for.

        Figures that cannot be worked out now stay what they were; ones that are not finite reach every limit. A bar
        that comes again after a restart is not valued anew: the books may hold fills that came after it.
        """
        day, limits = self.day, self._settings.limits
        again = group.index <= self.bar
        if group.session > day.session:
            day.session = group.session
            day.start_equity = day.equity
            self.portfolio.begin_session(group.index)
            self._sessions = [*self._sessions, group.index][-self._sessions_kept :]
        self.marks.take(group)
        self.bar = group.index
        try:
            self._value(again=again)
        except Recoverable as error:
            self.fault = describe(error)
            return []
        found = [] if again else breached(self._figures, limits)
        return [(trigger, why) for trigger, why in found if trigger not in self.latch.raised]

    def _value(self, *, again: bool) -> None:
        day = self.day
        equity = day.equity
        if not again:  # else the peak may have begun anew since, below this bar's equity
            equity = day.equity = self.portfolio.equity(self.marks.prices)
            day.peak_equity = raised_peak(day.peak_equity, equity)
        held = self.account.held(self.marks)
        gross = gross_usd(held)  # netted over books, as the limit of an order is judged
        self._figures = AccountFigures(
            equity=equity,
            daily_loss=daily_loss(day.start_equity, equity),
            drawdown=drawdown(day.peak_equity, equity),
            heat=portfolio_heat(((p.value_usd, p.stop_pct) for p in held), equity),
            gross_exposure=gross / equity if equity > 0.0 else 1.0,
        )
        # Heat on no equity is infinite by its definition; anything else that is not finite is a fault.
        known = isfinite(equity) and isfinite(gross)
        self.fault = "" if known else f"equity {equity}, gross exposure {gross}: not finite"

    def heat_warning(self, group: BarGroup) -> list[AuditEvent]:
        """Return the warning that the heat of this bar's marks newly reached, the highest where it reached several.

        Heat that falls below a warning and comes back is told again.
        """
        heat, warnings = self._figures.heat, self._settings.limits.heat_warnings
        before, self._heat_level = self._heat_level, heat_level(heat, warnings)
        if self._heat_level <= before:
            return []
        warning = warnings[self._heat_level - 1]
        text = f"portfolio heat of {percent(heat)} has reached the warning of {percent(warning)}"
        body = {"heat": heat, "warning": warning, "text": text}
        return [AuditEvent(AuditKind.HEAT_WARNING, group.known_ns, group.index, "account", True, body)]

    def end_flattening(self, *, again: bool) -> bool:
        """Step from FLATTENING to HALTED once nothing is held and nothing works; return whether that came to pass.

        Of a bar that comes `again` it did not where the account was still flattening after it: what has filled since
        belongs to the next.
        """
        if again and self._restored is Rung.FLATTENING:
            return False
        if self.rung is not Rung.FLATTENING or self.portfolio.positions() or len(self.working):
            return False
        self.latch.rung = Rung.HALTED
        return True

    def take_review(self, answer: HaltReviewed) -> list[tuple[HaltTrigger, str]]:
        """Hold what the review left standing; return the halts of ours that the coordinator never heard of."""
        lost = self.latch.review(answer)
        if answer.new_peak:
            self._begin_peak()
        return lost

    def take_latch(self, latch: LatchChanged) -> LatchNews:
        """Hold the latch that the coordinator announces; a new reference peak is the equity last marked."""
        news = self.latch.hold(latch)
        if news.new_peak:
            self._begin_peak()
        return news

    def _begin_peak(self) -> None:
        self.day.peak_equity = self.day.equity

    def snapshots(self, group: BarGroup, kept: Mapping[str, Any]) -> tuple[EquitySnapshot, MachineSnapshot]:
        """Return the equity snapshot of this bar and the snapshot to restart from, which holds what is `kept` too."""
        day = self.day
        equity = self._equity_snapshot(group)
        values = {
            "bar": group.index,
            "day": (day.session, day.start_equity, day.peak_equity, day.equity),
            "marks": self.marks.to_values(),
            "heat_level": self._heat_level,
            "sessions": self._sessions,
            **self.latch.to_values(),
            "closings": self.closings.to_values(),
            "runaway": self.runaway.to_values(),
            **kept,
        }
        return equity, MachineSnapshot(name=SNAPSHOT, bar=group.index, at_ns=group.known_ns, values=values)

    def between_bars(self) -> dict[str, Any]:
        """Return what may change between two bars and must last, for a snapshot of its own."""
        return {
            **self.latch.to_values(),
            "closings": self.closings.to_values(),
            "peak_equity": self.day.peak_equity,
            "runaway": self.runaway.to_values(),
        }

    def holdings(self, book: str, symbol: str) -> list[Holding]:
        """Return who holds `symbol`: `book`, or for "" every book."""
        found = self.portfolio.holdings()
        return [Holding(name, lots) for held, name, lots in found if held == symbol and book in ("", name)]

    def _equity_snapshot(self, group: BarGroup) -> EquitySnapshot:
        day, figures = self.day, self._figures
        return EquitySnapshot(
            bar=group.index,
            at_ns=group.known_ns,
            session=group.session,
            equity=day.equity,
            cash_micro=self.portfolio.cash_micro(),
            peak_equity=day.peak_equity,
            day_start_equity=day.start_equity,
            gross_exposure=figures.gross_exposure,
            heat=figures.heat,
            drawdown=figures.drawdown,
            rung=self.rung,
        )

    def book(self, entry: ExecutionEntry | CashEntry) -> list[AuditEvent]:
        """Book `entry` and return what the positions became; none for one booked before.

        What was traded beside the engine in a symbol it does not know is kept out and told: it is no part of a book.
        """
        if isinstance(entry, CashEntry):
            symbol, key, book = entry.dividend.symbol, entry.dividend.payment_id, None
        else:
            symbol, key, book = entry.execution.symbol, entry.execution.exec_id, entry.book
        if symbol not in self._settings.instruments:
            body = {"symbol": symbol, "why": "the engine does not trade this symbol; it stays a residual"}
            return [AuditEvent(AuditKind.RECONCILIATION, entry.at_ns, max(self.bar, 0), key, False, body)]
        if not self.portfolio.apply(entry):
            return []
        holders = [name for traded, name, _ in self.portfolio.holdings() if traded == symbol]
        return [
            self._position_event(name, symbol, entry.at_ns, key)
            for name in (holders if book is None else [book])
        ]

    def _position_event(self, book: str, symbol: str, at_ns: int, key: str) -> AuditEvent:
        position = self.portfolio.position(book, symbol)
        body = {
            "book": book,
            "symbol": symbol,
            "lots": position.lots,
            "average_price": position.average_price,
            "realised_micro": position.realised_micro,
            "dividends_micro": position.dividends_micro,
            "cash_micro": self.portfolio.cash_micro(),
        }
        return AuditEvent(AuditKind.POSITION, at_ns, max(self.bar, 0), key, False, body)

    def state(self) -> Mapping[str, Any]:
        """Return the account as people see it, and whether it is safe to trade (requirement A8)."""
        figures, day = self._figures, self.day
        exposure = exposure_of(self.account.held(self.marks))
        assessment = assess(
            equity=figures.equity,
            day_start_equity=day.start_equity,
            peak_equity=day.peak_equity,
            heat=figures.heat,
            gross_usd=exposure.gross,
            net_usd=exposure.net,
            limits=self._settings.limits,
        )
        return {
            "bar": self.bar,
            "equity": figures.equity,
            "cash": self.portfolio.cash_micro() / MICRO,
            "peak_equity": day.peak_equity,
            "daily_loss": assessment.daily_loss,
            "drawdown": assessment.drawdown,
            "heat": assessment.heat,
            "heat_level": assessment.heat_level,
            "gross_exposure": assessment.gross_exposure,
            "net_exposure": assessment.net_exposure,
            "is_safe_to_trade": assessment.is_safe_to_trade,
            "reasons": list(assessment.reasons),
            "positions": self.portfolio.lots(),
            **holdings_state(self.portfolio, self.marks, self.working),
            "opening_equity": self._settings.cash_micro / MICRO,
            "day_start_equity": day.start_equity,
            "limits": limits_state(self._settings.limits),
            "working": len(self.working),
            "rung": self.rung.name,
            "raised": sorted(self.latch.raised),
            "scoped": {scope: rung.name for scope, rung in sorted(self.latch.scoped.items())},
        }
