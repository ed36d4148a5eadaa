"""Compose an engine: from a plan of its parts to the roles that run on Ray or inline.

This is the one place where the parts meet; nothing here decides anything about money.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cli.plan import EnginePlan
from domain.audit_machine import AuditPace
from domain.messages import AUDIT, COORDINATOR, FEED, GATEWAY, RISK, VENUE, strategy_role
from storage.commit_group import CommitGroup
from supervisor.child_spec import ChildSpec
from supervisor.coordinator import CoordinatorSettings
from supervisor.lifecycle import start_waves

INLINE_PACE = AuditPace(batch_events=20_000, batch_s=3_600.0, resync_s=0.0)
"""Inline, thousands of events share one write: a crash loses the tail of a backtest, which is run again."""


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
    """Return the roles of an inline engine: `broker` is the venue; journals commit in `group`, before the trail.

    At a pace there may be hours between two bars: what was decided is then kept as an engine that trades keeps it.
    """
    site = Site(
        audit="simulation.roles:inline_audit",
        gateway="simulation.roles:inline_gateway",
        feed="simulation.roles:inline_feed",
        strategy="simulation.roles:inline_strategy",
        pace=plan.live_pace() if plan.pace_s > 0.0 else INLINE_PACE,
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


def chaos_specs(plan: EnginePlan, given: Mapping[str, Mapping[str, Any]]) -> tuple[ChildSpec, ...]:
    """Return the roles of an engine for fault search: the parts of an engine on Ray, its ports those of `given`.

    What is given by role (journal, broker, table, trail) outlives the engine; `strategies` is for each of them.
    """
    site = Site(
        audit="simulation.chaos.roles:audit",
        gateway="simulation.roles:inline_gateway",
        feed="simulation.roles:inline_feed",
        strategy="simulation.chaos.roles:strategy",
        pace=plan.live_pace(),
        group=None,
        given=given,
        strategies_given=given["strategies"],
    )
    others = _roles(plan, site)
    coordinator = coordinator_spec(plan, others, site.group)
    coordinator = replace(coordinator, arguments={**coordinator.arguments, **given[COORDINATOR]})
    venue = ChildSpec(role=VENUE, factory="simulation.roles:inline_venue", arguments=given[GATEWAY])
    return (venue, *others, coordinator)


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
