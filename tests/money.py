"""Make limits, instruments and journal entries for tests of money."""

from __future__ import annotations

from domain.broker import DividendPaid, Executed, Side
from domain.instruments import AssetKind, Instrument, notional_micro
from domain.records import CashEntry, ExecutionEntry, IntentKind
from domain.risk.limits import FeeSchedule, RiskLimits

LIMITS = RiskLimits(
    max_daily_loss=0.02,
    max_total_drawdown=0.10,
    max_portfolio_heat=0.25,
    heat_warnings=(0.15, 0.20, 0.25),
    max_single_position_risk=0.02,
    stop_loss_percent=0.03,
    position_size_min_usd=500.0,
    position_size_base_usd=2_000.0,
    position_size_max_usd=5_000.0,
    min_confidence=0.6,
    order_value_min_usd=100.0,
    order_value_max_usd=10_000.0,
    price_collar=0.05,
    max_open_orders_per_symbol=4,
    max_entries_without_fill=20,
    max_gross_exposure=1.0,
    max_net_exposure=1.0,
    max_sector_exposure=0.30,
    max_symbol_exposure=0.10,
    max_positions=10,
    halt_daily_loss=0.05,
    halt_drawdown=0.15,
    halt_heat=0.40,
    drawdown_protection=True,
    mark_max_age_bars=3,
    version=1,
)
IB_FIXED = FeeSchedule(
    per_unit_usd=0.005, minimum_usd=1.0, maximum_fraction=0.01, value_bps=0.0, slippage_bps=5.0
)
FREE = FeeSchedule(per_unit_usd=0.0, minimum_usd=0.0, maximum_fraction=0.0, value_bps=0.0, slippage_bps=0.0)


def stock(symbol: str = "AAPL", settlement_sessions: int = 1) -> Instrument:
    """Return a US share."""
    return Instrument(
        symbol=symbol,
        kind=AssetKind.EQUITY,
        currency="USD",
        tick=0.01,
        lots_per_unit=1,
        multiplier=1.0,
        calendar="XNYS",
        sector="technology",
        settlement_sessions=settlement_sessions,
        shortable=True,
    )


def coin(symbol: str = "BTC/USD", currency: str = "USD") -> Instrument:
    """Return a crypto spot pair, 100 million lots a coin."""
    return Instrument(
        symbol=symbol,
        kind=AssetKind.SPOT,
        currency=currency,
        tick=0.01,
        lots_per_unit=100_000_000,
        multiplier=1.0,
        calendar="24/7",
        sector="crypto",
        settlement_sessions=0,
        shortable=False,
    )


def executed(
    lots: int,
    price: float,
    *,
    seq: int,
    at_ns: int | None = None,
    symbol: str = "AAPL",
    book: str = "main",
    exec_id: str | None = None,
    corrects: str = "",
    commission_micro: int = 0,
    kind: IntentKind = IntentKind.ENTRY,
    bar: int | None = None,
) -> ExecutionEntry:
    """Return the journal entry of an execution; a sale has negative `lots`."""
    at_ns = seq * 10 if at_ns is None else at_ns
    return ExecutionEntry(
        seq=seq,
        at_ns=at_ns,
        book=book,
        kind=kind,
        bar=seq if bar is None else bar,
        execution=Executed(
            at_ns=at_ns,
            exec_id=exec_id or f"x{seq}",
            order_ref=f"o{seq}",
            symbol=symbol,
            side=Side.BUY if lots > 0 else Side.SELL,
            lots=abs(lots),
            price=price,
            commission_micro=commission_micro,
            corrects=corrects,
        ),
    )


def dividend(per_unit: float, lots: int, *, seq: int, instrument: Instrument | None = None) -> CashEntry:
    """Return the journal entry of a dividend on signed `lots`."""
    paid_on = instrument or stock()
    paid = DividendPaid(
        at_ns=seq * 10,
        payment_id=f"d{seq}",
        symbol=paid_on.symbol,
        per_unit=per_unit,
        lots=lots,
        amount_micro=notional_micro(per_unit, lots, paid_on.lots_per_unit, paid_on.multiplier),
    )
    return CashEntry(seq=seq, at_ns=seq * 10, dividend=paid)
