"""Hold the risk limits: one typed value, made from `config/risk_management.yaml`, read by machines and kernel alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class RiskLimits(NamedTuple):
    """Bound what the account may do (requirement A5).

    Fractions are of current equity unless their name says otherwise, `price_collar` of the last mark; `_usd` are in the
    account's currency.
    `version` names the configuration the limits came from, so that an approval can be traced to it. Limits on heat and
    exposure deny when exceeded (>), limits on loss and drawdown bind when reached (>=). `heat_warnings` rise and deny
    nothing: heat that reaches one is recorded.
    """

    max_daily_loss: float
    max_total_drawdown: float
    max_portfolio_heat: float
    heat_warnings: tuple[float, ...]
    max_single_position_risk: float
    stop_loss_percent: float
    position_size_min_usd: float
    position_size_base_usd: float
    position_size_max_usd: float
    min_confidence: float
    order_value_min_usd: float
    order_value_max_usd: float
    price_collar: float
    max_open_orders_per_symbol: int
    max_entries_without_fill: int
    max_gross_exposure: float
    max_net_exposure: float
    max_sector_exposure: float
    max_symbol_exposure: float
    max_positions: int
    halt_daily_loss: float
    halt_drawdown: float
    halt_heat: float
    drawdown_protection: bool
    mark_max_age_bars: int
    version: int


class HardLimits(NamedTuple):
    """Bound what the gateway lets onto the wire, checked once more, whatever the risk manager approved.

    `max_order_lots` is by symbol. Lots and numbers are counted by the gateway itself; the value of an order is taken at
    the reference price it came with.
    """

    max_order_value_usd: float
    max_order_lots: Mapping[str, int]
    max_orders_per_bar: int


class HaltPolicy(NamedTuple):
    """Say how halts end and how often failures may happen before one (requirements B1, B4).

    `cooldown_s` is wall seconds; `resume_after_sessions` is for replay and backtest only (0: never by itself);
    `flattening` names the triggers that close every position.
    """

    cooldown_s: float
    resume_after_sessions: int
    max_consecutive_failures: int
    failure_rate: float
    failure_window: int
    failure_window_min: int
    flattening: frozenset[str]
    keep_protective_stops: bool


class FeeSchedule(NamedTuple):
    """Say what a simulated execution costs.

    Per-lot commission with a floor and a cap as a fraction of trade value (IB Fixed for US equities: $0.005 a share,
    at least $1.00, at most 1 %), plus a fraction of the value in basis points (crypto venues). `slippage_bps` worsens
    market and stop fills.
    """

    per_unit_usd: float
    minimum_usd: float
    maximum_fraction: float
    value_bps: float
    slippage_bps: float


class BookSettings(NamedTuple):
    """Describe a book: strategies that trade one share of the equity under one rule.

    `rule` is "vote" (an entry needs `min_votes` strategies with the same direction on the same symbol and bar) or
    "independent" (each strategy trades alone; `min_votes` is 1). `share` is the book's fraction of current equity times
    the account's leverage.
    """

    name: str
    share: float
    rule: str
    min_votes: int
    allow_short: bool
    strategies: tuple[str, ...]


class AccountTerms(NamedTuple):
    """Say what the account and its books may hold.

    `leverage` is buying power as a multiple of equity, `shares` each book's fraction of it, `max_order_lots` the
    largest order of each symbol that the gateway lets onto the wire.
    """

    leverage: float
    shares: Mapping[str, float]
    max_order_lots: Mapping[str, int]
