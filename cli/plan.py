"""Plan an engine: what each role is told, worked out from configuration, bars and session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from cli.sharing import Speaker, speakers, strategy_roles
from config.settings import Settings
from domain.audit_machine import AuditPace
from domain.bars import BarTable
from domain.cash_book import CashTerms
from domain.errors import ConfigurationError
from domain.gateway_policy import GatewayLimits, GatewaySettings
from domain.instruments import MICRO, AssetKind, Instrument
from domain.lease import NO_PULSES, LeaseTerms
from domain.market_data import MarketDataSettings
from domain.messages import COORDINATOR, FEED, GATEWAY, RISK, VENUE
from domain.risk.entry_breakers import CALCULATION, DATA
from domain.risk.settings import RiskSettings
from domain.strategies.blocks import DAY_NS
from simulation.venue.settings import KindFees, VenueSettings
from storage.commit_group import CommitGroup
from storage.location import Databases
from supervisor.command_desk import DeskSettings

GENERATION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPlan:
    """Say which trading session runs: its number, the first bar group to publish, and where its state lies."""

    number: int
    first: int
    state_dir: Path
    bars: Path


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EnginePlan:
    """Hold what both runtimes build their roles from; `code` is that of `config.strategy_code`."""

    settings: Settings
    table: BarTable
    session: SessionPlan
    pace_s: float
    lease: LeaseTerms = NO_PULSES
    code: Mapping[str, str] = field(default_factory=dict)

    def supervised(self) -> EnginePlan:
        """Return the plan of an engine whose roles have processes of their own: they pulse, and need leases."""
        supervision = self.settings.engine.supervision
        return replace(self, lease=LeaseTerms(supervision.pulse_interval_s, supervision.lease_s))

    @property
    def instruments(self) -> dict[str, Instrument]:
        """Return the instruments of the run; raises ConfigurationError for those that cannot be traded."""
        found = {symbol: self.settings.instrument(symbol) for symbol in self.table.symbols}
        refuse_untradable(found, self.settings.engine.account.currency)
        return found

    @property
    def strategy_ids(self) -> tuple[str, ...]:
        """Return the ids of the strategies that run, sorted."""
        return tuple(sorted(instance.id for instance in self.settings.strategies.strategies))

    @property
    def strategy_roles(self) -> dict[str, tuple[Speaker, ...]]:
        """Return the strategies' roles and who speaks through each."""
        return strategy_roles(self.settings, self.table.symbols)

    @property
    def _shards(self) -> dict[str, tuple[frozenset[str], ...]]:
        shared = [each for each in speakers(self.settings, self.table.symbols) if each.parts > 1]
        return {
            name: tuple(frozenset(each.symbols or ()) for each in parts)
            for name, parts in groupby(shared, key=lambda each: each.instance.id)
        }

    @property
    def queue(self) -> int:
        """Return how many messages may wait in a role's normal lane."""
        return self.settings.engine.runtime.mailbox_bound

    def desk(self) -> DeskSettings:
        """Return what people's commands are judged by: the mode, and the books and symbols there are."""
        books = (f"book:{book.name}" for book in self.settings.book_settings())
        symbols = (f"symbol:{symbol}" for symbol in self.table.symbols)
        return DeskSettings(mode=self.settings.mode.value, scopes=frozenset((*books, *symbols)))

    def venue(self) -> VenueSettings:
        """Return what the simulated venue is made from."""
        settings, instruments = self.settings, self.instruments
        broker, account = settings.broker, settings.engine.account
        kinds = sorted({instrument.kind for instrument in instruments.values()})
        return VenueSettings(
            instruments=tuple(instruments.values()),
            fees=tuple(KindFees(kind, settings.fee_schedule(kind)) for kind in kinds),
            cash_micro=round(account.initial_cash * MICRO),
            leverage=account.leverage,
            participation=broker.participation if broker.partial_fills else 0.0,
            check_buying_power=broker.reject_beyond_buying_power,
        )

    def gateway(self) -> GatewaySettings:
        """Return the gateway's settings."""
        settings = self.settings
        runtime, account = settings.engine.runtime, settings.engine.account
        connection = settings.retry.broker_connection
        delays = [
            min(connection.max_delay_s, connection.first_delay_s * connection.base**attempt)
            for attempt in range(connection.attempts)
        ]
        return GatewaySettings(
            limits=GatewayLimits(hard=settings.hard_limits(self.table.symbols), instruments=self.instruments),
            cash=CashTerms(account.currency, tolerance_micro=0),  # a simulated venue counts as we do
            cash_micro=round(account.initial_cash * MICRO),
            generation=GENERATION,
            session=self.session.number,
            next_bar=self.session.first,
            ack_deadline_s=runtime.ack_deadline_s,
            absence_interval_s=runtime.absence_interval_s,
            broker_lost_s=runtime.broker_lost_s,
            reconnect_delays_s=tuple(delays),
            lease=self.lease,
            breaker=settings.breakers.broker.terms(),
        )

    def risk(self) -> RiskSettings:
        """Return the risk manager's settings."""
        settings = self.settings
        account = settings.engine.account
        return RiskSettings(
            limits=settings.risk_limits(),
            books=settings.book_settings(),
            strategies=self.strategy_ids,
            shards=self._shards,
            instruments=self.instruments,
            currency=account.currency,
            cash_micro=round(account.initial_cash * MICRO),
            terms=settings.account_terms(self.table.symbols),
            session_number=self.session.number,
            opening_orders=self.table.bar_ns >= DAY_NS,
            lockstep=True,
            signal_deadline_s=settings.engine.runtime.signal_deadline_s,
            answer_deadline_s=settings.engine.runtime.answer_deadline_s,
            generation=GENERATION,
            epoch=GENERATION,
            flattening=settings.halt_policy().flattening,
            lease=self.lease,
            breakers=settings.strategy_breakers(),
            entry_breakers={
                DATA: settings.breakers.market_data.terms(),
                CALCULATION: settings.breakers.risk_calculation.terms(),
            },
        )

    def feed(self) -> MarketDataSettings:
        """Return the feed's settings."""
        answer_s = self.settings.engine.runtime.answer_deadline_s
        return MarketDataSettings(
            # Strategies first: what they do takes longest, and a wide bar's text for the venue takes its time to write.
            consumers=(*self.strategy_roles, VENUE, RISK),
            symbols=frozenset(self.table.symbols),
            first=self.session.first,
            pace_s=self.pace_s,
            generation=GENERATION,
            lease=self.lease,
            pause_on_lapse=self.pace_s == 0.0,
            answer_deadline_s=answer_s if self.lease.interval_s > 0.0 else 0.0,
        )

    def strategies(self, speakers: Sequence[Speaker]) -> dict[str, Any]:
        """Return what the factory of the role through which `speakers` speak is told."""
        return {
            "instances": tuple(self._instance(each) for each in speakers),
            "bar_ns": self.table.bar_ns,
            "continuous": self.table.continuous,
            "lease": self.lease,
        }

    def _instance(self, speaker: Speaker) -> dict[str, Any]:
        instance = speaker.instance
        directory = self.settings.directory or Path.cwd()
        return {
            "strategy_id": instance.id,
            "strategy": instance.strategy,
            "file": None if instance.file is None else str((directory / instance.file).resolve()),
            "digest": None if instance.file is None else self.code.get(instance.file),
            "parameters": dict(instance.parameters),
            "symbols": speaker.symbols,
            "part": speaker.part,
            "parts": speaker.parts,
        }

    def journal(self, role: str, group: CommitGroup | None) -> dict[str, Any]:
        """Return what a role's journal is opened with; in a `group` it commits with others."""
        session, template = self.session, self.settings.engine.storage.url
        databases = Databases(template=template, state=session.state_dir, session=session.number)
        return {"url": databases.url(role), "session": session.number, "group": group}

    def audit(self, pace: AuditPace) -> dict[str, Any]:
        """Return what the audit writer's factory is told."""
        return {
            "directory": str(self.session.state_dir / "audit"),
            "sources": (COORDINATOR, GATEWAY, RISK, FEED),
            "checkpoint_copy": self.settings.engine.audit.checkpoint_copy,
            "checkpoint_records": self.settings.engine.audit.checkpoint_records,
            "pace": pace,
            "lease": self.lease,
        }

    def live_pace(self) -> AuditPace:
        """Return how events gather before they are written while the engine trades."""
        audit = self.settings.engine.audit
        return AuditPace(batch_events=audit.fsync_records, batch_s=audit.fsync_interval_ms / 1000.0)


def refuse_untradable(instruments: Mapping[str, Instrument], currency: str) -> None:
    """Raise ConfigurationError that lists the symbols this engine cannot trade, and why."""
    found = []
    for symbol, instrument in instruments.items():
        if instrument.kind is AssetKind.PERPETUAL:
            found.append(f"{symbol}: a perpetual; perpetuals are not traded yet: leave it out of --symbols")
        elif instrument.currency != currency:
            found.append(
                f"{symbol}: trades in {instrument.currency}, the account is kept in {currency}: "
                f"leave it out of --symbols, or set account.currency in engine.yaml"
            )
    if found:
        raise ConfigurationError("symbols that cannot be traded:\n  " + "\n  ".join(found))
