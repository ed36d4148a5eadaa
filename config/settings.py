"""Hold the whole configuration in one frozen object, and turn it into the values that machines take."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, SecretStr

from config.alerts import Alerts
from config.books import Books, Strategies
from config.broker import Broker
from config.credentials import Credentials
from config.engine import Engine
from config.fields import CURRENCY, SYMBOL
from config.mode import TradingMode
from config.resilience import Breakers, Retry, Shutdown
from config.risk import RiskManagement
from config.rules import strategy_file
from config.universe import QUOTE, Listing, Profile, Universe
from domain.alerts import AlertTerms, SendingTerms
from domain.breakers import StrategyBreakerTerms
from domain.errors import ConfigurationError
from domain.instruments import AssetKind, Instrument
from domain.risk.limits import AccountTerms, BookSettings, FeeSchedule, HaltPolicy, HardLimits, RiskLimits
from domain.symbols import Symbol, parse_symbol

SECTIONS: dict[str, tuple[str, type[BaseModel]]] = {
    "engine": ("engine.yaml", Engine),
    "risk": ("risk_management.yaml", RiskManagement),
    "universe": ("universe.yaml", Universe),
    "books": ("books.yaml", Books),
    "strategies": ("strategies.yaml", Strategies),
    "broker": ("broker.yaml", Broker),
    "retry": ("retry.yaml", Retry),
    "breakers": ("breakers.yaml", Breakers),
    "shutdown": ("shutdown.yaml", Shutdown),
    "alerts": ("alerts.yaml", Alerts),
}
"""Each part of the settings, with its file and its model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Be the configuration of one run.

    `origins` says for each file where it came from (None: the shipped default); `directory` is the user's, if any.
    """

    mode: TradingMode
    engine: Engine
    risk: RiskManagement
    universe: Universe
    books: Books
    strategies: Strategies
    broker: Broker
    retry: Retry
    breakers: Breakers
    shutdown: Shutdown
    alerts: Alerts
    credentials: Credentials
    alert_urls: Mapping[str, SecretStr]
    directory: Path | None
    origins: Mapping[str, Path | None]

    def content(self) -> dict[str, object]:
        """Return all values as plain data, secrets not among them."""
        return {name: getattr(self, name).model_dump(mode="json") for name in SECTIONS}

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of all values that decide what is traded.

        Comments, layout, mode and secrets do not change it, nor does who is alerted, by which channels and how often it
        is tried: a channel may be added in the middle of a session.
        """
        content = self.content()
        retry = self.retry.model_dump(mode="json", exclude={"alerts"})
        return _digest({name: part for name, part in content.items() if name != "alerts"} | {"retry": retry})

    def risk_limits(self) -> RiskLimits:
        """Return the limits; `version` is drawn from the fingerprint of `risk_management.yaml`."""
        risk, size, exposure = self.risk, self.risk.position_size, self.risk.exposure
        return RiskLimits(
            max_daily_loss=risk.max_daily_loss,
            max_total_drawdown=risk.max_total_drawdown,
            max_portfolio_heat=risk.max_portfolio_heat,
            heat_warnings=risk.heat_warnings,
            max_single_position_risk=risk.max_single_position_risk,
            stop_loss_percent=risk.stop_loss_percent,
            position_size_min_usd=size.min,
            position_size_base_usd=size.base,
            position_size_max_usd=size.max,
            min_confidence=risk.min_confidence,
            order_value_min_usd=risk.order_value.min,
            order_value_max_usd=risk.order_value.max,
            price_collar=risk.orders.price_collar,
            max_open_orders_per_symbol=risk.orders.max_open_per_symbol,
            max_entries_without_fill=risk.orders.max_entries_without_fill,
            max_gross_exposure=exposure.gross,
            max_net_exposure=exposure.net,
            max_sector_exposure=exposure.sector,
            max_symbol_exposure=exposure.symbol,
            max_positions=exposure.max_positions,
            halt_daily_loss=risk.halt.daily_loss,
            halt_drawdown=risk.halt.drawdown,
            halt_heat=risk.halt.heat,
            drawdown_protection=risk.enable_drawdown_protection,
            mark_max_age_bars=risk.mark_max_age_bars,
            # 48 bits: exact as a float too, so that no reader of JSON changes it.
            version=int(_digest(risk.model_dump(mode="json"))[:12], 16),
        )

    def hard_limits(self, symbols: Iterable[str]) -> HardLimits:
        """Return the gateway's limits for a run of `symbols`; an order's lots are bounded by its symbol's kind."""
        hard = self.risk.hard_limits
        instruments = [self.instrument(symbol) for symbol in symbols]
        lots = {
            i.symbol: int(getattr(hard.max_order_units, i.kind.value) * i.lots_per_unit) for i in instruments
        }
        if not lots:
            raise ConfigurationError("hard limits: found no symbol; name at least one")
        return HardLimits(
            max_order_value_usd=hard.max_order_value,
            max_order_lots=lots,
            max_orders_per_bar=hard.max_orders_per_bar,
        )

    def account_terms(self, symbols: Iterable[str]) -> AccountTerms:
        """Return what the account and its books may hold, for a run of `symbols`."""
        return AccountTerms(
            leverage=self.engine.account.leverage,
            shares={book.id: book.share for book in self.books.books},
            max_order_lots=self.hard_limits(symbols).max_order_lots,
        )

    def halt_policy(self) -> HaltPolicy:
        """Return how halts end and which failures lead to one."""
        halt, failures = self.risk.halt, self.risk.halt.failures
        return HaltPolicy(
            cooldown_s=halt.cooldown_s,
            resume_after_sessions=halt.resume_after_sessions,
            max_consecutive_failures=failures.max_consecutive,
            failure_rate=failures.rate,
            failure_window=failures.window,
            failure_window_min=failures.window_min,
            flattening=self._flattening(),
            keep_protective_stops=halt.keep_protective_stops,
        )

    def strategy_breakers(self) -> StrategyBreakerTerms:
        """Return when a strategy that fails is left out, and when it stays out."""
        return StrategyBreakerTerms(self.breakers.strategy.terms(), self.breakers.quarantine_after_probes)

    def alert_terms(self) -> AlertTerms:
        """Return whom an engine alerts; in SIMULATION every bar is a replayed one."""
        alerts, retry = self.alerts, self.retry.alerts
        return AlertTerms(
            channels=alerts.terms(),
            sending=SendingTerms(**retry.model_dump()),
            queue=alerts.queue,
            closing_s=alerts.closing_s,
            replayed=alerts.replayed == "all" or self.mode is not TradingMode.SIMULATION,
        )

    def _flattening(self) -> frozenset[str]:
        emergency = self.risk.emergency
        if not (emergency.enable_kill_switch and emergency.flatten_on_kill):
            return frozenset()
        return frozenset(emergency.kill_switch_triggers)

    def book_settings(self) -> tuple[BookSettings, ...]:
        """Return the books in the order of their file."""
        return tuple(
            BookSettings(b.id, b.share, b.rule, b.min_votes, b.allow_short, b.strategies)
            for b in self.books.books
        )

    def strategy_files(self) -> tuple[Path, ...]:
        """Return the Python files that strategies come from, each once; a relative path starts at `directory`."""
        names = [item.file for item in self.strategies.strategies if item.file is not None]
        return tuple(dict.fromkeys(strategy_file(name, self.directory) for name in names))

    def fee_schedule(self, kind: AssetKind) -> FeeSchedule:
        """Return what the simulated venue charges for one kind of asset."""
        fees = getattr(self.broker.fees, kind.value)
        return FeeSchedule(
            per_unit_usd=fees.per_unit_usd,
            minimum_usd=fees.minimum_usd,
            maximum_fraction=fees.maximum_fraction,
            value_bps=fees.value_bps,
            slippage_bps=self.broker.slippage_bps,
        )

    def instrument(self, symbol: str) -> Instrument:
        """Return the instrument of any symbol: its profile's, changed by its own entry in `universe.yaml`.

        Raises ConfigurationError for a text that is no symbol, for one with an exchange's code that has no profile of
        its own (futures are not traded), or that lacks the quote currency its profile needs.
        """
        if re.fullmatch(SYMBOL, symbol) is None:
            raise ConfigurationError(
                f"symbol: found {symbol!r}; allowed: 1 to 40 letters, digits and . _ / : @ ^ = + -"
            )
        listing = self.universe.symbols.get(symbol)
        name = (listing.profile if listing else None) or kind_of(symbol).value
        profile: Profile = self.universe.profiles[name]
        values = profile.model_dump()
        if isinstance(listing, Listing):
            values |= listing.model_dump(exclude={"profile"}, exclude_none=True)
        if values["currency"] == QUOTE:
            values["currency"] = quote_currency(symbol)
        return Instrument(**(values | {"symbol": symbol, "kind": AssetKind(profile.kind)}))


def kind_of(symbol: str) -> AssetKind:
    """Return the kind that a symbol's form implies: perpetual, pair (spot), else equity.

    Raises ConfigurationError for a text that is no symbol, and for one with an exchange's code (6EH4.XCME): that is how
    futures are written, which are not traded.
    """
    parts = _parsed(symbol)
    if parts.mic:
        raise ConfigurationError(
            f"symbol: found {symbol!r}, with the exchange's code {parts.mic}; futures are not traded: leave it out, "
            f"or, if it is a share, give it a profile in universe.yaml: {symbol}: {{sector: other, profile: equity}}"
        )
    if parts.perpetual:
        return AssetKind.PERPETUAL
    return AssetKind.SPOT if parts.is_pair else AssetKind.EQUITY


def quote_currency(symbol: str) -> str:
    """Return the currency after a symbol's slash (BTC/USDT:USDT@dydx -> USDT).

    Raises ConfigurationError for a text that is no symbol, or has no such currency (BTC-PERP).
    """
    quote = _parsed(symbol).quote
    if re.fullmatch(CURRENCY, quote) is None:
        raise ConfigurationError(
            f"symbol: found {symbol!r} without a quote currency; allowed: BASE/QUOTE or "
            "BASE/QUOTE:SETTLE, or a currency of its own in universe.yaml"
        )
    return quote


def _parsed(symbol: str) -> Symbol:
    try:
        return parse_symbol(symbol)
    except ValueError as error:
        raise ConfigurationError(
            f"symbol: found {symbol!r}: {error}; write it so, or give it a profile in universe.yaml"
        ) from error


def _digest(content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
