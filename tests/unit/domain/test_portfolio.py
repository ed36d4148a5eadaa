from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.broker import Side
from domain.errors import InvariantViolation
from domain.instruments import AssetKind, Instrument, notional_micro
from domain.portfolio import Portfolio
from domain.records import CashEntry, ExecutionEntry, IntentKind
from tests.money import coin, dividend, executed, stock

OPENING = 100_000_000_000


def portfolio(*entries: ExecutionEntry | CashEntry) -> Portfolio:
    account = Portfolio([stock(), stock("GOOGL"), coin()], {"USD": OPENING}, "USD")
    for entry in entries:
        account.apply(entry)
    return account


def state(account: Portfolio) -> object:
    books = [account.position(book, "AAPL") for book in ("main", "other")]
    money = (
        account.cash_micro(),
        account.pending_micro(),
        account.residual_micro(),
        account.realised_micro(),
    )
    return books, account.positions(), account.trades(), account.lots(), money


class TestOneBook:
    def test_a_purchase_costs_cash_and_gives_lots_at_its_price(self) -> None:
        account = portfolio(executed(10, 155.0, seq=1, commission_micro=1_000_000))
        held = account.position("main", "AAPL")
        assert (held.lots, held.average_price, held.cost_micro) == (10, 155.0, 1_550_000_000)
        assert held.realised_micro == -1_000_000
        assert account.cash_micro() == OPENING - 1_550_000_000 - 1_000_000

    def test_a_partial_close_releases_average_cost(self) -> None:
        account = portfolio(
            executed(10, 100.0, seq=1), executed(10, 110.0, seq=2), executed(-5, 120.0, seq=3)
        )
        held = account.position("main", "AAPL")
        assert (held.lots, held.average_price) == (15, 105.0)
        assert held.realised_micro == 75_000_000
        assert held.cost_micro == 1_575_000_000
        assert account.trades() == ()

    def test_a_round_trip_records_one_trade_net_of_commissions(self) -> None:
        account = portfolio(
            executed(10, 100.0, seq=1, bar=4, commission_micro=1_000_000),
            executed(-4, 110.0, seq=2, bar=6, commission_micro=1_000_000, kind=IntentKind.EXIT),
            executed(-6, 97.0, seq=3, bar=9, commission_micro=1_000_000, kind=IntentKind.STOP),
        )
        (trade,) = account.trades()
        assert trade.pnl_micro == 40_000_000 - 18_000_000 - 3_000_000
        assert (trade.lots, trade.side, trade.bars_held) == (10, Side.BUY, 5)
        assert trade.entry_price == 100.0
        assert trade.exit_price == pytest.approx(102.2)
        assert trade.exit_kind is IntentKind.STOP
        assert account.realised_micro() == trade.pnl_micro
        assert account.position("main", "AAPL").average_price == 0.0
        assert account.positions() == ()
        assert account.holdings() == []

    def test_a_flip_closes_at_zero_and_opens_the_other_way(self) -> None:
        account = portfolio(
            executed(10, 100.0, seq=1), executed(-15, 110.0, seq=2, bar=5, commission_micro=1_500_000)
        )
        (trade,) = account.trades()
        held = account.position("main", "AAPL")
        assert (trade.pnl_micro, trade.commission_micro) == (99_000_000, 1_000_000)
        assert (held.lots, held.average_price, held.cost_micro) == (-5, 110.0, -550_000_000)
        assert (held.commission_micro, held.opened_bar) == (1_500_000, 5)

    def test_a_short_gains_when_the_price_falls_and_pays_dividends(self) -> None:
        account = portfolio(
            executed(-10, 100.0, seq=1),
            dividend(0.5, -10, seq=2),
            executed(10, 90.0, seq=3, kind=IntentKind.EXIT),
        )
        (trade,) = account.trades()
        assert (trade.side, trade.pnl_micro, trade.dividends_micro) == (Side.SELL, 100_000_000, -5_000_000)
        assert trade.total_micro == 95_000_000
        assert account.cash_micro() == OPENING + 95_000_000

    def test_crypto_lots_are_fractions_of_a_coin(self) -> None:
        account = portfolio(executed(5_000_000, 40_000.0, seq=1, symbol="BTC/USD"))
        assert account.cash_micro() == OPENING - 2_000_000_000
        assert account.value("BTC/USD", 42_000.0) == pytest.approx(2_100.0)
        assert account.unrealised({"BTC/USD": 42_000.0})["BTC/USD"] == pytest.approx(100.0)


class TestBooks:
    def test_the_account_is_the_sum_of_its_books(self) -> None:
        account = portfolio(executed(10, 100.0, seq=1), executed(-4, 100.0, seq=2, book="other"))
        assert account.lots() == {"AAPL": 6}
        assert (account.book_lots("main", "AAPL"), account.book_lots("other", "AAPL")) == (10, -4)
        assert account.book_lots("none", "AAPL") == 0
        assert account.holdings() == [("AAPL", "main", 10), ("AAPL", "other", -4)]

    def test_costs_and_profit_are_told_per_book(self) -> None:
        account = portfolio(
            executed(10, 100.0, seq=1, commission_micro=1_000_000),
            executed(-10, 101.0, seq=2, commission_micro=1_000_000),
            executed(5, 100.0, seq=3, book="other", commission_micro=500_000),
        )
        assert (account.commission_micro("main"), account.commission_micro()) == (2_000_000, 2_500_000)
        assert (account.realised_micro("main"), account.realised_micro()) == (8_000_000, 7_500_000)

    def test_books_that_offset_keep_their_profit(self) -> None:
        account = portfolio(executed(10, 100.0, seq=1), executed(-10, 104.0, seq=2, book="other"))
        assert account.lots() == {}
        assert account.unrealised({"AAPL": 90.0}) == {"AAPL": pytest.approx(40.0)}
        assert account.equity({"AAPL": 90.0}) == pytest.approx(100_040.0)

    def test_dividends_go_to_books_by_lots_and_the_rest_is_shown(self) -> None:
        account = portfolio(
            executed(10, 100.0, seq=1), executed(5, 100.0, seq=2, book="other"), dividend(0.1, 18, seq=3)
        )
        assert account.dividends_micro("main") == 1_000_000
        assert account.dividends_micro("other") == 500_000
        assert account.residual_micro() == 300_000
        assert account.dividends_micro() + account.residual_micro() == 1_800_000

    def test_a_dividend_is_shared_by_what_was_held_when_it_was_paid(self) -> None:
        entries: list[ExecutionEntry | CashEntry] = [
            executed(10, 100.0, seq=1),
            dividend(1.0, 10, seq=2),
            executed(30, 100.0, seq=3, book="other"),
        ]
        assert state(portfolio(*entries)) == state(portfolio(*reversed(entries)))
        assert portfolio(*reversed(entries)).dividends_micro("main") == 10_000_000


class TestCash:
    def test_proceeds_settle_with_the_next_session(self) -> None:
        account = portfolio()
        account.begin_session(0)
        account.apply(executed(10, 100.0, seq=1, bar=0))
        account.begin_session(1)
        account.apply(executed(-10, 110.0, seq=2, bar=1))
        assert account.pending_micro() == 1_100_000_000
        assert account.settled_micro() == OPENING - 1_000_000_000
        account.begin_session(2)
        assert account.pending_micro() == 0
        assert account.settled_micro() == account.cash_micro() == OPENING + 100_000_000

    def test_two_sessions_to_settle_need_two_sessions(self) -> None:
        account = Portfolio([stock(settlement_sessions=2)], {"USD": OPENING}, "USD")
        account.begin_session(0)
        account.apply(executed(-10, 110.0, seq=1, bar=0))
        account.begin_session(1)
        assert account.pending_micro() == 1_100_000_000
        account.begin_session(2)
        assert account.pending_micro() == 0

    def test_crypto_settles_at_once(self) -> None:
        account = portfolio(executed(-5_000_000, 40_000.0, seq=1, symbol="BTC/USD"))
        assert account.pending_micro() == 0

    def test_a_session_never_goes_back(self) -> None:
        account = portfolio()
        account.begin_session(5)
        with pytest.raises(InvariantViolation, match="does not follow"):
            account.begin_session(5)

    def test_cash_is_kept_per_currency_and_equity_needs_a_rate(self) -> None:
        account = Portfolio([stock(), coin("BTC/EUR", "EUR")], {"USD": OPENING, "EUR": 10_000_000}, "USD")
        account.apply(executed(5_000, 40_000.0, seq=1, symbol="BTC/EUR"))
        assert (account.cash_micro(), account.cash_micro("EUR")) == (OPENING, 8_000_000)
        assert account.equity({"BTC/EUR": 50_000.0}, {"EUR": 1.1}) == pytest.approx(100_000 + 10.5 * 1.1)
        with pytest.raises(InvariantViolation, match="no rate"):
            account.equity({"BTC/EUR": 50_000.0})


class TestOnce:
    def test_an_execution_is_booked_once_per_id(self) -> None:
        account = portfolio()
        assert account.apply(executed(10, 100.0, seq=1))
        assert not account.apply(executed(10, 100.0, seq=1))
        assert account.lots() == {"AAPL": 10}

    def test_a_dividend_is_booked_once_per_id(self) -> None:
        account = portfolio(executed(10, 100.0, seq=1), dividend(1.0, 10, seq=2))
        assert not account.apply(dividend(1.0, 10, seq=2))
        assert account.dividends_micro() == 10_000_000

    def test_a_correction_replaces_its_original_also_when_it_comes_first(self) -> None:
        first = executed(10, 100.0, seq=1, exec_id="a")
        close = executed(-10, 110.0, seq=2)
        better = executed(10, 99.0, seq=3, exec_id="b", corrects="a")
        best = executed(10, 98.0, seq=4, exec_id="c", corrects="b")
        after = portfolio(first, close, better, best)
        assert [trade.pnl_micro for trade in after.trades()] == [120_000_000]
        assert (after.trades()[0].entry_at_ns, after.trades()[0].entry_bar) == (10, 1)
        assert state(portfolio(best, better, close, first)) == state(after)

    def test_a_correction_to_nothing_busts_the_execution(self) -> None:
        account = portfolio(
            executed(10, 100.0, seq=1, exec_id="a"), executed(0, 100.0, seq=2, exec_id="b", corrects="a")
        )
        assert account.lots() == {}
        assert account.cash_micro() == OPENING

    def test_corrections_in_a_circle_are_refused(self) -> None:
        account = portfolio(executed(1, 100.0, seq=1, exec_id="a", corrects="b"))
        with pytest.raises(InvariantViolation, match="circle"):
            account.apply(executed(1, 100.0, seq=2, exec_id="b", corrects="a"))

    def test_a_symbol_it_was_not_given_is_refused(self) -> None:
        with pytest.raises(InvariantViolation, match="NONE is not among"):
            portfolio().apply(executed(1, 1.0, seq=2, symbol="NONE"))

    def test_equity_without_a_mark_is_refused(self) -> None:
        """A4: no price is made up."""
        account = portfolio(executed(10, 100.0, seq=1))
        with pytest.raises(InvariantViolation, match="no mark"):
            account.equity({"GOOGL": 1.0})

    def test_a_perpetual_is_refused(self) -> None:
        fields = {name: getattr(stock(), name) for name in Instrument.__slots__}
        perpetual = Instrument(**{**fields, "kind": AssetKind.PERPETUAL})
        with pytest.raises(InvariantViolation, match="margin"):
            Portfolio([perpetual], {}, "USD")


def test_equity_adds_cash_and_values_in_order_of_symbols() -> None:
    """A4, A6: AAPL 10 @ 155 and GOOGL 5 @ 2,850, whatever came first."""
    account = portfolio(executed(5, 2_850.0, seq=1, symbol="GOOGL"), executed(10, 155.0, seq=2))
    marks = {"GOOGL": 2_900.1, "AAPL": 150.3}
    expected = account.cash_micro() / 1_000_000
    expected = expected + 150.3 * 10 / 1 * 1.0
    expected = expected + 2_900.1 * 5 / 1 * 1.0
    assert account.equity(marks) == expected


# --- invariants --------------------------------------------------------------------------------------------------

cents = st.integers(1, 500_000).map(lambda value: value / 100)
lots = st.integers(-50, 50).filter(bool)


@st.composite
def histories(draw: st.DrawFn) -> list[ExecutionEntry | CashEntry]:
    """Draw executions in two books, dividends between them and corrections of some, numbered as a journal does."""
    count = draw(st.integers(1, 12))
    entries: list[ExecutionEntry | CashEntry] = []
    for seq in range(1, count + 1):
        if draw(st.integers(0, 5)) == 0:
            entries.append(dividend(draw(cents), draw(st.integers(1, 40)), seq=seq))
            continue
        book = draw(st.sampled_from(["main", "other"]))
        paid = draw(st.integers(0, 5_000_000))
        late = draw(st.integers(-25, 0))
        entries.append(
            executed(
                draw(lots), draw(cents), seq=seq, at_ns=seq * 10 + late, book=book, commission_micro=paid
            )
        )
    originals = [entry for entry in entries if isinstance(entry, ExecutionEntry)]
    seq = count
    for original in originals:
        corrects = original.execution.exec_id
        for depth in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
            seq += 1
            name = f"{original.execution.exec_id}.{depth}"
            entries.append(
                executed(
                    draw(lots), draw(cents), seq=seq, book=original.book, exec_id=name, corrects=corrects
                )
            )
            corrects = name
    return entries


def effective(entries: list[ExecutionEntry | CashEntry]) -> list[ExecutionEntry]:
    """Return the executions that stand, in order, by brute force: the last of each chain in its first one's place."""
    executions = [entry for entry in entries if isinstance(entry, ExecutionEntry)]
    result = []
    for first in executions:
        if first.execution.corrects:
            continue
        chain = [first]
        while True:
            later = [e for e in executions if e.execution.corrects == chain[-1].execution.exec_id]
            if not later:
                break
            chain.append(later[0])
        place = min((entry.execution.at_ns, entry.seq) for entry in chain)
        result.append((place, chain[-1]))
    return [entry for _, entry in sorted(result, key=lambda item: item[0])]


def signed(entry: ExecutionEntry) -> int:
    return entry.execution.lots if entry.execution.side is Side.BUY else -entry.execution.lots


@given(histories(), st.randoms(use_true_random=False))
def test_any_order_and_any_doubling_of_entries_gives_the_same_state(
    entries: list[ExecutionEntry | CashEntry], random: object
) -> None:
    shuffled = entries + entries[::2]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert state(portfolio(*shuffled)) == state(portfolio(*entries))


@given(histories())
def test_cash_equals_a_brute_force_oracle(entries: list[ExecutionEntry | CashEntry]) -> None:
    cash = OPENING
    for entry in effective(entries):
        done = entry.execution
        value = notional_micro(done.price, done.lots, 1, 1.0)
        cash -= done.commission_micro + (value if done.side is Side.BUY else -value)
    cash += sum(entry.dividend.amount_micro for entry in entries if isinstance(entry, CashEntry))
    account = portfolio(*entries)
    assert account.cash_micro() == cash
    for book in ("main", "other"):
        expected = sum(signed(entry) for entry in effective(entries) if entry.book == book)
        assert account.book_lots(book, "AAPL") == expected


@given(histories())
def test_average_cost_equals_a_lot_by_lot_oracle(entries: list[ExecutionEntry | CashEntry]) -> None:
    """One lot at a time, in exact fractions: what a lot opens costs its price, what it closes costs the average."""
    for book in ("main", "other"):
        held, cost, realised, trips = 0, Fraction(0), Fraction(0), 0
        for entry in effective(entries):
            if entry.book != book:
                continue
            realised -= entry.execution.commission_micro
            step = 1 if entry.execution.side is Side.BUY else -1
            price = Fraction(round(entry.execution.price * 100), 100) * 1_000_000
            for _ in range(entry.execution.lots):
                if held * step >= 0:
                    cost += price * step
                else:
                    average = cost / held
                    realised += (price - average) * -step
                    cost += average * step
                    trips += held + step == 0
                held += step
        account = portfolio(*entries)
        position = account.position(book, "AAPL")
        slack = 2 * len(entries)  # each closing rounds one release of cost to a micro-unit
        assert position.lots == held
        assert abs(position.cost_micro - cost) <= slack
        assert abs(position.realised_micro - realised) <= slack
        assert sum(trade.book == book for trade in account.trades()) == trips
        if held:
            assert position.average_price == pytest.approx(float(cost / held) / 1e6)


@given(histories(), cents)
def test_cash_and_positions_conserve_value(entries: list[ExecutionEntry | CashEntry], mark: float) -> None:
    account = portfolio(*entries)
    cost = sum(position.cost_micro for position in account.positions())
    earned = account.realised_micro() + account.dividends_micro() + account.residual_micro()
    assert account.cash_micro() + cost == OPENING + earned
    value = account.equity({"AAPL": mark})
    assert value == pytest.approx((OPENING + earned) / 1e6 + sum(account.unrealised({"AAPL": mark}).values()))


@given(histories())
def test_trades_and_open_positions_make_up_what_was_realised(
    entries: list[ExecutionEntry | CashEntry],
) -> None:
    account = portfolio(*entries)
    for book in ("main", "other"):
        if account.book_lots(book, "AAPL") == 0:
            closed = sum(trade.pnl_micro for trade in account.trades() if trade.book == book)
            assert account.realised_micro(book) == closed
