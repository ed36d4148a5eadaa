from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from domain.bars import SymbolBars
from domain.broker import Side
from domain.fills import commission_micro, market_fill_price, stop_price_for, stop_trigger
from domain.instruments import AssetKind, Instrument, lots_for
from domain.portfolio import Portfolio
from domain.records import IntentKind
from domain.risk.checks import first_denial
from domain.risk.exposure import ValuedPosition
from domain.risk.figures import AccountView, ProposedOrder, figures_for
from domain.risk.limits import FeeSchedule, RiskLimits
from domain.risk.loss import daily_loss, drawdown, loss_binds, raised_peak
from domain.risk.sizing import free_capital, size_position, symbol_room
from domain.strategies.protocol import SignalArrays
from simulation.kernel import simulate
from simulation.kernel_run import KernelResult, empty_trades, run_kernel, traded_scalars
from simulation.kernel_state import EXIT_BY_SIGNAL, EXIT_BY_STOP, Columns
from tests.money import FREE, IB_FIXED, LIMITS, coin, dividend, executed, stock

OPENING = 100_000_000_000
MOST_LOTS = 10**12


class Case(NamedTuple):
    """Be one input of the kernel."""

    bars: SymbolBars
    signals: SignalArrays
    dividend: NDArray[np.float64]
    instrument: Instrument
    cash_micro: int
    limits: RiskLimits
    fees: FeeSchedule
    allow_short: bool


def case(
    rows: list[tuple[float, float, float, float]],
    direction: list[int],
    *,
    confidence: float = 0.8,
    dividends: dict[int, float] | None = None,
    sessions: list[int] | None = None,
    instrument: Instrument | None = None,
    cash_micro: int = OPENING,
    limits: RiskLimits = LIMITS,
    fees: FeeSchedule = FREE,
    allow_short: bool = False,
) -> Case:
    count = len(rows)
    open_, high, low, close = (np.array([row[i] for row in rows], np.float64) for i in range(4))
    session = np.array(sessions or range(1, count + 1), np.int32)
    index = np.arange(count, dtype=np.int64)
    bars = SymbolBars(
        symbol="AAPL",
        bar_ns=1,
        open_ns=index,
        session=session,
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=np.full(count, np.nan),
    )
    signals = SignalArrays(np.array(direction, np.int8), np.full(count, confidence))
    paid = np.array([(dividends or {}).get(t, 0.0) for t in range(count)])
    return Case(bars, signals, paid, instrument or stock(), cash_micro, limits, fees, allow_short)


def ran(given_case: Case) -> KernelResult:
    bars, signals, paid, instrument, cash, limits, fees, short = given_case
    return run_kernel(
        bars,
        signals,
        dividend=paid,
        max_lots=MOST_LOTS,
        instrument=instrument,
        cash_micro=cash,
        limits=limits,
        fees=fees,
        allow_short=short,
        keep_equity=True,
    )


def flat(price: float) -> tuple[float, float, float, float]:
    return price, price, price, price


def rows_of(result: KernelResult) -> list[tuple[float, ...]]:
    return list(zip(*(column.tolist() for column in result.trades), strict=True))


class TestKnownAnswers:
    def test_an_entry_fills_at_the_next_open_and_an_exit_at_the_one_after_its_signal(self) -> None:
        rows = [flat(100.0), (101.0, 102.0, 100.5, 102.0), (103.0, 104.0, 102.0, 104.0), flat(105.0)]
        found = ran(case(rows, [1, 0, -1, 0]))
        assert rows_of(found) == [(1, 3, 35, 101.0, 105.0, 140_000_000, 0, 0, EXIT_BY_SIGNAL)]
        assert found.equity.tolist() == [100_000.0, 100_035.0, 100_105.0, 100_140.0]
        assert (found.cash_micro, found.lots, found.refused) == (OPENING + 140_000_000, 0, 0)

    def test_slippage_and_commission_are_paid_both_ways(self) -> None:
        found = ran(case([flat(100.0), flat(100.0), flat(100.0)], [1, -1, 0], fees=IB_FIXED))
        bought, sold = 100.05, 99.95
        assert rows_of(found) == [(1, 2, 35, bought, sold, -5_500_000, 2_000_000, 0, EXIT_BY_SIGNAL)]

    def test_a_stop_works_on_the_bar_of_entry(self) -> None:
        found = ran(case([flat(100.0), (100.0, 101.0, 96.0, 99.0), flat(99.0)], [1, 0, 0]))
        assert rows_of(found) == [(1, 1, 35, 100.0, 97.0, -105_000_000, 0, 0, EXIT_BY_STOP)]

    def test_a_stop_fills_at_the_open_of_a_gap(self) -> None:
        found = ran(case([flat(100.0), flat(100.0), (90.0, 91.0, 89.0, 90.0)], [1, 0, 0]))
        assert rows_of(found) == [(1, 2, 35, 100.0, 90.0, -350_000_000, 0, 0, EXIT_BY_STOP)]

    def test_a_short_needs_permission_and_has_its_stop_above(self) -> None:
        rows = [flat(100.0), flat(100.0), (101.0, 104.0, 100.0, 102.0)]
        assert rows_of(ran(case(rows, [-1, 0, 0]))) == []
        found = ran(case(rows, [-1, 0, 0], allow_short=True))
        assert rows_of(found) == [(1, 2, -35, 100.0, 103.0, -105_000_000, 0, 0, EXIT_BY_STOP)]

    def test_a_dividend_is_paid_on_what_was_held_before_the_open(self) -> None:
        rows = [flat(100.0)] * 4
        found = ran(case(rows, [1, 0, 0, 0], dividends={1: 9.0, 2: 1.0}))
        assert (found.lots, found.cash_micro) == (35, OPENING - 3_500_000_000 + 35_000_000)
        short = ran(case(rows, [-1, 0, 1, 0], dividends={2: 1.0}, allow_short=True))
        assert rows_of(short) == [(1, 3, -35, 100.0, 100.0, 0, 0, -35_000_000, EXIT_BY_SIGNAL)]

    def test_coins_are_traded_in_lots(self) -> None:
        found = ran(case([flat(40_000.0)] * 3, [1, 0, 0], instrument=coin()))
        assert (found.lots, found.cash_micro) == (8_750_000, OPENING - 3_500_000_000)

    def test_entries_are_refused_by_confidence_and_by_a_price_beyond_the_size(self) -> None:
        assert ran(case([flat(100.0)] * 3, [1, 1, 1], confidence=0.59)).refused == 3
        assert ran(case([flat(10_000.0)] * 3, [1, 1, 1])).refused == 3

    def test_a_daily_loss_binds_to_the_end_of_the_session(self) -> None:
        limits = LIMITS._replace(
            position_size_base_usd=5_000.0, max_symbol_exposure=1.0, max_daily_loss=0.001
        )
        rows = [flat(100.0), flat(100.0), (90.0, 90.0, 90.0, 90.0), flat(90.0), flat(90.0), flat(90.0)]
        found = ran(case(rows, [1, 0, 1, 1, 1, 0], sessions=[1, 1, 1, 1, 2, 2], limits=limits))
        assert found.refused == 2
        assert found.lots > 0

    def test_a_drawdown_binds_to_the_end_of_the_run_unless_protection_is_off(self) -> None:
        limits = LIMITS._replace(max_symbol_exposure=1.0, max_total_drawdown=0.003)
        rows = [flat(100.0), flat(100.0), flat(90.0), flat(90.0), flat(90.0), flat(90.0)]
        found = ran(case(rows, [1, 0, 1, 1, 1, 1], limits=limits))
        assert (found.refused, found.lots) == (4, 0)
        free = ran(case(rows, [1, 0, 1, 0, 0, 0], limits=limits._replace(drawdown_protection=False)))
        assert (free.refused, free.lots > 0) == (0, True)

    def test_equity_is_kept_only_when_asked_for(self) -> None:
        bars, signals, paid, instrument, cash, limits, fees, short = case([flat(100.0)] * 3, [1, 0, 0])
        found = run_kernel(
            bars,
            signals,
            dividend=paid,
            max_lots=MOST_LOTS,
            instrument=instrument,
            cash_micro=cash,
            limits=limits,
            fees=fees,
            allow_short=short,
            keep_equity=False,
        )
        assert len(found.equity) == 0
        assert found.lots == 35


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="'direction': 2"):
        ran(case([flat(100.0)] * 3, [1, 0]))


def test_no_cash_is_refused() -> None:
    with pytest.raises(ValueError, match="cash_micro is 0"):
        ran(case([flat(100.0)], [0], cash_micro=0))


def test_a_perpetual_is_refused() -> None:
    fields = {name: getattr(coin(), name) for name in Instrument.__slots__}
    with pytest.raises(ValueError, match="perpetual"):
        traded_scalars(Instrument(**{**fields, "kind": AssetKind.PERPETUAL}), MOST_LOTS)


# --- against the machines' own portfolio and checks --------------------------------------------------------------


class Reference:
    """Trade a case bar by bar through `Portfolio`, `size_position` and the named checks, in the order documented."""

    def __init__(self, given_case: Case) -> None:
        self.case = given_case
        self.account = Portfolio([given_case.instrument], {"USD": given_case.cash_micro}, "USD")
        self.symbol = given_case.instrument.symbol
        self.seq = 0
        self.stop = 0.0
        self.order = 0
        self.refused = 0
        self.equity: list[float] = []

    def run(self) -> None:
        bars, signals, limits = self.case.bars, self.case.signals, self.case.limits
        equity = self.case.cash_micro / 1_000_000
        peak = day_start = equity
        day_lost = peak_lost = False
        for t in range(len(bars)):
            if t > 0 and bars.session[t] != bars.session[t - 1]:
                day_start, day_lost = equity, False
            self.trade(t)
            equity = self.account.equity({self.symbol: float(bars.close[t])})
            self.equity.append(equity)
            peak = raised_peak(peak, equity)
            lost, fallen = daily_loss(day_start, equity), drawdown(peak, equity)
            day_lost = day_lost or loss_binds(lost, limits.max_daily_loss)
            peak_lost = peak_lost or (
                limits.drawdown_protection and loss_binds(fallen, limits.max_total_drawdown)
            )
            self.decide(
                int(signals.direction[t]),
                float(signals.confidence[t]),
                float(bars.close[t]),
                AccountView(equity=equity, day_start_equity=day_start, peak_equity=peak, positions=()),
                blocked=day_lost or peak_lost,
            )

    @property
    def lots(self) -> int:
        return self.account.book_lots("main", self.symbol)

    def trade(self, t: int) -> None:
        bars = self.case.bars
        per_unit = float(self.case.dividend[t])
        if self.lots != 0 and per_unit != 0.0:
            self.seq += 1
            self.account.apply(dividend(per_unit, self.lots, seq=self.seq, instrument=self.case.instrument))
        open_, high, low = float(bars.open[t]), float(bars.high[t]), float(bars.low[t])
        if self.order != 0:
            kind = IntentKind.ENTRY if self.lots == 0 else IntentKind.EXIT
            self.fill(t, open_, self.order, kind)
            self.order = 0
        if self.lots != 0:
            side = -1 if self.lots > 0 else 1
            hit, price = stop_trigger(side, self.stop, open_, high, low)
            if hit:
                self.fill(t, price, -self.lots, IntentKind.STOP)

    def fill(self, t: int, raw: float, lots: int, kind: IntentKind) -> None:
        traded, fees = self.case.instrument, self.case.fees
        side = 1 if lots > 0 else -1
        price = market_fill_price(raw, side, fees.slippage_bps)
        paid = commission_micro(price, abs(lots), traded.lots_per_unit, traded.multiplier, fees)
        self.seq += 1
        entry = executed(
            lots, price, seq=self.seq, symbol=self.symbol, commission_micro=paid, kind=kind, bar=t
        )
        self.account.apply(entry)
        if kind is IntentKind.ENTRY:
            stop_pct = self.case.limits.stop_loss_percent
            self.stop = stop_price_for(price, side, stop_pct, traded.tick, traded.tick_at(0.0))

    def decide(
        self, direction: int, confidence: float, close: float, view: AccountView, *, blocked: bool
    ) -> None:
        if self.lots != 0:
            self.order = -self.lots if self.lots * direction < 0 else 0
            return
        if direction == 0 or (direction < 0 and not self.case.allow_short):
            return
        lots = 0 if blocked else self.entry(direction, confidence, close, view)
        self.order = direction * lots
        self.refused += lots == 0

    def entry(self, direction: int, confidence: float, close: float, view: AccountView) -> int:
        limits, traded = self.case.limits, self.case.instrument
        cash = self.account.cash_micro() / 1_000_000
        sized = size_position(
            confidence=confidence,
            equity=view.equity,
            heat=0.0,
            capital=free_capital(1.0, view.equity, 0.0, cash),
            room=symbol_room(view.equity, 0.0, limits),
            limits=limits,
        )
        if not sized.approved:
            return 0
        lots = lots_for(sized.size_usd, close, traded.lots_per_unit, traded.multiplier)
        if lots == 0:
            return 0
        value = self.account.value(self.symbol, close, direction * lots)
        after = ValuedPosition("main", self.symbol, traded.sector, value, limits.stop_loss_percent)
        order = ProposedOrder(
            lots=direction * lots,
            max_lots=MOST_LOTS,
            value_usd=abs(value),
            mark_age_bars=0,
            price_deviation=0.0,
            book_capital=1.0,
            buying_power_usd=cash,
            open_orders=0,
            reducible_lots=0,
            after=after,
        )
        return lots if first_denial(figures_for(order, view), limits) is None else 0

    def trades(self) -> list[tuple[float, ...]]:
        return [
            (
                trade.entry_bar,
                trade.exit_bar,
                trade.lots if trade.side is Side.BUY else -trade.lots,
                trade.entry_price,
                trade.exit_price,
                trade.pnl_micro,
                trade.commission_micro,
                trade.dividends_micro,
                EXIT_BY_STOP if trade.exit_kind is IntentKind.STOP else EXIT_BY_SIGNAL,
            )
            for trade in self.account.trades()
        ]


def random_case(
    seed: int, count: int, instrument: Instrument, scale: float, short: bool, fees: FeeSchedule
) -> Case:
    rng = np.random.default_rng(seed)
    close = scale * np.exp(np.cumsum(rng.normal(0.0, 0.02, count)))
    open_ = close * np.exp(rng.normal(0.0, 0.01, count))
    high = np.maximum(open_, close) * (1.0 + np.abs(rng.normal(0.0, 0.01, count)))
    low = np.minimum(open_, close) * (1.0 - np.abs(rng.normal(0.0, 0.01, count)))
    direction = rng.integers(-1, 2, count).tolist()
    rows = list(zip(open_.tolist(), high.tolist(), low.tolist(), close.tolist(), strict=True))
    dividends = {int(t): float(scale) * 0.01 for t in rng.integers(0, count, count // 20)}
    limits = LIMITS._replace(max_daily_loss=0.0015, max_total_drawdown=0.03, max_symbol_exposure=0.045)
    made = case(
        rows,
        direction,
        dividends=dividends,
        sessions=(np.arange(count) // 3).tolist(),
        instrument=instrument,
        limits=limits,
        fees=fees,
        allow_short=short,
    )
    return made._replace(signals=SignalArrays(made.signals.direction, rng.uniform(0.55, 1.0, count)))


@settings(deadline=None)
@given(
    st.integers(0, 2**32),
    st.integers(1, 400),
    st.sampled_from([(stock(), 0.9), (stock(), 155.0), (stock(), 2_850.0), (coin(), 40_000.0)]),
    st.booleans(),
    st.sampled_from([FREE, IB_FIXED]),
)
def test_the_kernel_equals_the_portfolio_to_the_last_digit(
    seed: int, count: int, traded: tuple[Instrument, float], short: bool, fees: FeeSchedule
) -> None:
    """Trades, cash and every equity figure, compared without tolerance; compiled and interpreted alike."""
    made = random_case(seed, count, traded[0], traded[1], short, fees)
    expected = Reference(made)
    expected.run()
    found = ran(made)
    assert rows_of(found) == expected.trades()
    assert found.equity.tolist() == expected.equity
    assert (found.cash_micro, found.lots, found.refused) == (
        expected.account.cash_micro(),
        expected.lots,
        expected.refused,
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_kernel_compiled_equals_the_kernel_interpreted(seed: int) -> None:
    made = random_case(seed, 2_000, stock(), 155.0, True, IB_FIXED)
    found = ran(made)
    trades, curve = empty_trades(2_000), np.empty(2_000)
    bars = made.bars
    columns = Columns(
        bars.open,
        bars.high,
        bars.low,
        bars.close,
        made.dividend,
        bars.session,
        made.signals.direction,
        made.signals.confidence,
    )
    scalars = traded_scalars(made.instrument, MOST_LOTS)
    end = simulate(columns, made.cash_micro, True, scalars, made.limits, made.fees, trades, curve)
    assert (end.cash_micro, end.lots, end.refused) == (found.cash_micro, found.lots, found.refused)
    assert curve.tolist() == found.equity.tolist()
    assert end.trades == len(found.trades.lots) > 50
    for kept, written in zip(found.trades, trades, strict=True):
        assert kept.tolist() == written[: end.trades].tolist()
