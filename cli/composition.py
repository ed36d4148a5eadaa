"""Compose an engine: from configuration, bars and session to the roles that make it up.

This is the one place where the parts meet; nothing here decides anything about money.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.settings import Settings
from domain.audit_machine import AuditPace
from domain.bars import BarTable
from domain.cash_book import CashTerms
from domain.errors import ConfigurationError
from domain.gateway_policy import GatewayLimits, GatewaySettings
from domain.instruments import MICRO, AssetKind, Instrument
from domain.market_data import MarketDataSettings
from domain.messages import AUDIT, COORDINATOR, FEED, GATEWAY, RISK, VENUE, strategy_role
from domain.risk.settings import RiskSettings
from domain.strategies.blocks import DAY_NS
from simulation.venue.settings import KindFees, VenueSettings
from storage.commit_group import CommitGroup
from storage.location import Databases
from supervisor.child_spec import ChildSpec
from supervisor.coordinator import CoordinatorSettings
from supervisor.lifecycle import start_waves

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
    """Hold what both runtimes build their roles from."""

    settings: Settings
    table: BarTable
    session: SessionPlan
    pace_s: float

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
    def queue(self) -> int:
        """Return how many messages may wait in a role's normal lane."""
        return self.settings.engine.runtime.mailbox_bound

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
            next_bar=self.session.first,
            ack_deadline_s=runtime.ack_deadline_s,
            absence_interval_s=runtime.absence_interval_s,
            broker_lost_s=runtime.broker_lost_s,
            reconnect_delays_s=tuple(delays),
        )

    def risk(self) -> RiskSettings:
        """Return the risk manager's settings."""
        settings = self.settings
        account = settings.engine.account
        return RiskSettings(
            limits=settings.risk_limits(),
            books=settings.book_settings(),
            strategies=self.strategy_ids,
            instruments=self.instruments,
            currency=account.currency,
            cash_micro=round(account.initial_cash * MICRO),
            leverage=account.leverage,
            session_number=self.session.number,
            opening_orders=self.table.bar_ns >= DAY_NS,
            lockstep=True,
            signal_deadline_s=settings.engine.runtime.signal_deadline_s,
            answer_deadline_s=settings.engine.runtime.answer_deadline_s,
            generation=GENERATION,
            epoch=GENERATION,
            flattening=settings.halt_policy().flattening,
        )

    def feed(self) -> MarketDataSettings:
        """Return the feed's settings."""
        strategies = (strategy_role(name) for name in self.strategy_ids)
        return MarketDataSettings(
            consumers=(VENUE, *strategies, RISK),
            symbols=frozenset(self.table.symbols),
            first=self.session.first,
            pace_s=self.pace_s,
            generation=GENERATION,
        )

    def strategy(self, strategy_id: str) -> dict[str, Any]:
        """Return what a strategy's factory is told."""
        instance = next(each for each in self.settings.strategies.strategies if each.id == strategy_id)
        directory = self.settings.directory or Path.cwd()
        return {
            "strategy_id": instance.id,
            "strategy": instance.strategy,
            "file": None if instance.file is None else str((directory / instance.file).resolve()),
            "parameters": dict(instance.parameters),
            "symbols": instance.symbols,
            "bar_ns": self.table.bar_ns,
            "continuous": self.table.continuous,
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
        }

    def live_pace(self) -> AuditPace:
        """Return how events gather before they are written while the engine trades."""
        audit = self.settings.engine.audit
        return AuditPace(batch_events=audit.fsync_records, batch_s=audit.fsync_interval_ms / 1000.0)


INLINE_PACE = AuditPace(batch_events=20_000, batch_s=3_600.0, resync_s=0.0)
"""Inline, thousands of events share one write: a crash loses the tail of a backtest, which is run again."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Say what differs between runtimes: how each role is built, and what it is given besides its settings."""

    audit: str
    gateway: str
    feed: str
    strategy: str
    pace: AuditPace
    group: CommitGroup | None
    given: Mapping[str, Mapping[str, Any]]
    strategies_given: Mapping[str, Any]


def ray_specs(plan: EnginePlan) -> tuple[ChildSpec, ...]:
    """Return the roles of an engine on Ray; the venue is a process of its own and no role here."""
    site = Site(
        audit="actors.roles:audit",
        gateway="simulation.roles:gateway",
        feed="simulation.roles:feed",
        strategy="actors.roles:strategy",
        pace=plan.live_pace(),
        group=None,
        given={FEED: {"bars": str(plan.session.bars)}},
        strategies_given={},
    )
    others = _roles(plan, site)
    return (*others, coordinator_spec(plan, others, site.group))


def inline_specs(plan: EnginePlan, broker: object, group: CommitGroup) -> tuple[ChildSpec, ...]:
    """Return the roles of an inline engine: `broker` is the venue; journals commit in `group`, before the trail."""
    site = Site(
        audit="simulation.roles:inline_audit",
        gateway="simulation.roles:inline_gateway",
        feed="simulation.roles:inline_feed",
        strategy="simulation.roles:inline_strategy",
        pace=INLINE_PACE,
        group=group,
        given={
            AUDIT: {"before_append": group.commit},
            GATEWAY: {"broker": broker},
            FEED: {"table": plan.table},
        },
        strategies_given={"table": plan.table},
    )
    venue = ChildSpec(
        role=VENUE, factory="simulation.roles:inline_venue", arguments={"broker": broker}, queue=plan.queue
    )
    others = _roles(plan, site)
    return (venue, *others, coordinator_spec(plan, others, site.group))


def _roles(plan: EnginePlan, site: Site) -> tuple[ChildSpec, ...]:
    """Return every role but the coordinator and the venue, each after what it needs."""

    def role(name: str, factory: str, arguments: Mapping[str, Any], after: tuple[str, ...]) -> ChildSpec:
        given = {**arguments, **site.given.get(name, {})}
        return ChildSpec(role=name, factory=factory, arguments=given, after=after, queue=plan.queue)

    def keeping(name: str, settings: object) -> dict[str, Any]:
        return {"settings": settings, **plan.journal(name, site.group)}

    policy = {"policy": plan.settings.halt_policy()}
    return (
        role(AUDIT, site.audit, plan.audit(site.pace), ()),
        role(GATEWAY, site.gateway, keeping(GATEWAY, plan.gateway()), (AUDIT,)),
        role(RISK, "actors.roles:risk", {**keeping(RISK, plan.risk()), **policy}, (GATEWAY,)),
        role(FEED, site.feed, keeping(FEED, plan.feed()), (RISK,)),
        *(
            role(
                strategy_role(name), site.strategy, {**plan.strategy(name), **site.strategies_given}, (FEED,)
            )
            for name in plan.strategy_ids
        ),
    )


def coordinator_spec(plan: EnginePlan, others: tuple[ChildSpec, ...], group: CommitGroup | None) -> ChildSpec:
    """Return the coordinator of `others`: they start in waves, and stop data first, audit last."""
    stages = start_waves(others)
    strategies = tuple(strategy_role(name) for name in plan.strategy_ids)
    settings = plan.settings
    coordinator = CoordinatorSettings(
        stages=stages,
        stop_order=(FEED, GATEWAY, *strategies, RISK, AUDIT),
        cancel_entries=settings.shutdown.cancels_entries(lockstep=True),
        answer_deadline_s=settings.engine.runtime.answer_deadline_s,
        flattening=settings.halt_policy().flattening,
        started={
            "session": plan.session.number,
            "first": plan.session.first,
            "mode": settings.mode.value,
            "configuration": settings.fingerprint,
            "bars": plan.table.fingerprint,
            "symbols": list(plan.table.symbols),
        },
    )
    return ChildSpec(
        role=COORDINATOR,
        factory="supervisor.roles:coordinator",
        arguments={
            "settings": coordinator,
            "policy": settings.halt_policy(),
            **plan.journal(COORDINATOR, group),
        },
        queue=plan.queue,
    )
