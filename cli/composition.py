"""Compose an engine: from a plan of its parts to the roles that run on Ray or inline.

This is the one place where the parts meet; nothing here decides anything about money.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.plan import EnginePlan
from cli.sharing import Speaker
from domain.alerts import ALERTED_ROLES
from domain.audit_machine import AuditPace
from domain.messages import AUDIT, COORDINATOR, FEED, GATEWAY, RISK, VENUE
from domain.ports import Supervisor
from storage.commit_group import CommitGroup
from supervisor.child import ChildPlan
from supervisor.child_spec import STOP_S, ChildSpec, RestartPolicy
from supervisor.control_parts import Commands
from supervisor.lifecycle import start_waves
from supervisor.phase import CoordinatorSettings
from supervisor.restart_policy import Intensity

INLINE_PACE = AuditPace(batch_events=20_000, batch_s=3_600.0, resync_s=0.0)
"""Inline, thousands of events share one write: a crash loses the tail of a backtest, which is run again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """Say what differs between runtimes: how each role is built, and what it is given besides its settings."""

    audit: str
    gateway: str
    feed: str
    strategies: str
    pace: AuditPace
    group: CommitGroup | None
    given: Mapping[str, Mapping[str, Any]]
    strategies_given: Mapping[str, Any]
    alerting: bool = True


def ray_specs(plan: EnginePlan) -> tuple[ChildSpec, ...]:
    """Return the roles of an engine on Ray; the venue is a process of its own and no role here."""
    plan = plan.supervised()
    wiring = Wiring(
        audit="actors.roles:audit",
        gateway="simulation.roles:gateway",
        feed="simulation.roles:feed",
        strategies="actors.strategy_roles:strategies",
        pace=plan.live_pace(),
        group=None,
        given={FEED: {"bars": str(plan.session.bars)}},
        strategies_given={},
    )
    others = _roles(plan, wiring)
    given = {"children": others, "commands": True}
    return (*others, coordinator_spec(plan, others, "supervisor.roles:ray_coordinator", wiring, given))


def inline_specs(
    plan: EnginePlan,
    broker: object,
    group: CommitGroup,
    supervise: Callable[[], Supervisor],
    commands: Commands | None = None,
    figures: Callable[[], Mapping[str, Any]] = dict,
) -> tuple[ChildSpec, ...]:
    """Return the roles of an inline engine: `broker` is the venue; journals commit in `group`, before the trail.

    People's commands come through `commands`; without it nobody is heard. `figures` returns the account's for alerts.
    At a pace there may be hours between two bars: what was decided is then kept as an engine that trades keeps it.
    """
    wiring = Wiring(
        audit="simulation.roles:inline_audit",
        gateway="simulation.roles:inline_gateway",
        feed="simulation.roles:inline_feed",
        strategies="simulation.roles:inline_strategies",
        pace=plan.live_pace() if plan.pace_s > 0.0 else INLINE_PACE,
        group=group,
        given={
            AUDIT: {"before_append": group.commit},
            GATEWAY: {"broker": broker, "latched": plan.pace_s > 0.0},
            FEED: {"table": plan.table},
        },
        strategies_given={"table": plan.table},
    )
    venue = ChildSpec(
        role=VENUE, factory="simulation.roles:inline_venue", arguments={"broker": broker}, queue=plan.queue
    )
    others = _roles(plan, wiring)
    given = {"supervise": supervise, "commands": commands, "figures": figures}
    return (
        venue,
        *others,
        coordinator_spec(plan, others, "supervisor.roles:inline_coordinator", wiring, given),
    )


def chaos_specs(plan: EnginePlan, given: Mapping[str, Mapping[str, Any]]) -> tuple[ChildSpec, ...]:
    """Return the roles of an engine for fault search: the parts of an engine on Ray, its ports those of `given`.

    What is given by role (journal, broker, table, trail) outlives the engine; `strategies` is for each of them.
    """
    wiring = Wiring(
        audit="simulation.chaos.roles:audit",
        gateway="simulation.chaos.roles:gateway",
        feed="simulation.roles:inline_feed",
        strategies="simulation.chaos.roles:strategies",
        pace=plan.live_pace(),
        group=None,
        given=given,
        alerting=False,
        strategies_given=given["strategies"],
    )
    others = _roles(plan, wiring)
    venue = ChildSpec(role=VENUE, factory="simulation.roles:inline_venue", arguments=given[GATEWAY])
    factory = "supervisor.roles:inline_coordinator"
    return (venue, *others, coordinator_spec(plan, others, factory, wiring, given[COORDINATOR]))


def _roles(plan: EnginePlan, wiring: Wiring) -> tuple[ChildSpec, ...]:
    """Return every role but the coordinator and the venue, each after what it needs."""
    hung_s = plan.settings.engine.runtime.lockstep_stall_s / 2.0

    def role(name: str, factory: str, arguments: Mapping[str, Any], after: tuple[str, ...]) -> ChildSpec:
        given = {**arguments, **wiring.given.get(name, {})}
        return ChildSpec(
            role=name, factory=factory, arguments=given, after=after, queue=plan.queue, most_busy_s=hung_s
        )

    def keeping(name: str, settings: object) -> dict[str, Any]:
        notices = wiring.alerting and name in ALERTED_ROLES
        return {"settings": settings, "notices": notices, **plan.journal(name, wiring.group)}

    policy = {"policy": plan.settings.halt_policy()}
    return (
        role(AUDIT, wiring.audit, plan.audit(wiring.pace), ()),
        role(GATEWAY, wiring.gateway, keeping(GATEWAY, plan.gateway()), (AUDIT,)),
        role(RISK, "supervisor.roles:risk", {**keeping(RISK, plan.risk()), **policy}, (GATEWAY,)),
        role(FEED, wiring.feed, keeping(FEED, plan.feed()), (RISK,)),
        *(_strategies(plan, wiring, *each) for each in plan.strategy_roles.items()),
    )


def _strategies(plan: EnginePlan, wiring: Wiring, role: str, speakers: Sequence[Speaker]) -> ChildSpec:
    """Return the role of `speakers`: bounded in time and memory, and quarantined alone when it ends too often."""
    engine = plan.settings.engine
    return ChildSpec(
        role=role,
        factory=wiring.strategies,
        arguments={**plan.strategies(speakers), **wiring.strategies_given},
        after=(FEED,),
        restart=RestartPolicy.QUARANTINE,
        queue=plan.queue,
        strategies=tuple(each.name for each in speakers),
        most_busy_s=engine.runtime.signal_deadline_s,
        most_rss_bytes=len(speakers) * engine.supervision.strategy_memory_mib * 2**20,
    )


def _child_plan(spec: ChildSpec, group: CommitGroup | None) -> ChildPlan:
    return ChildPlan(
        role=spec.role,
        after=spec.after,
        restart=spec.restart,
        strategies=spec.strategies,
        most_busy_s=spec.most_busy_s,
        most_rss_bytes=spec.most_rss_bytes,
        # A strategy keeps nothing; who commits with the others cannot be let go of alone.
        replaceable=group is None or bool(spec.strategies),
    )


def coordinator_spec(
    plan: EnginePlan,
    others: tuple[ChildSpec, ...],
    factory: str,
    wiring: Wiring,
    given: Mapping[str, Any],
) -> ChildSpec:
    """Return the coordinator of `others`: each begins after those it needs, and they stop data first, audit last."""
    start_waves(others)  # a circle is found here, before anything starts
    arguments = {
        "settings": _coordinator(plan, others, wiring),
        "policy": plan.settings.halt_policy(),
        "alerts": plan.settings.alert_terms() if wiring.alerting else None,
        **plan.journal(COORDINATOR, wiring.group),
        **given,
    }
    stop_s = STOP_S + plan.settings.alerts.closing_s
    return ChildSpec(role=COORDINATOR, factory=factory, arguments=arguments, queue=plan.queue, stop_s=stop_s)


def _coordinator(plan: EnginePlan, others: tuple[ChildSpec, ...], wiring: Wiring) -> CoordinatorSettings:
    settings = plan.settings
    supervision = settings.engine.supervision
    return CoordinatorSettings(
        run=f"{os.getpid()}.{time.monotonic_ns()}",
        children=tuple(_child_plan(spec, wiring.group) for spec in others),
        stop_order=(FEED, GATEWAY, *plan.strategy_roles, RISK, AUDIT),
        intensity=Intensity(supervision.restarts, supervision.restart_window_s),
        cancel_entries=settings.shutdown.cancels_entries(lockstep=True),
        answer_deadline_s=settings.engine.runtime.answer_deadline_s,
        flattening=settings.halt_policy().flattening,
        desk=plan.desk(),
        alerting=wiring.alerting,
        started=_started(plan),
    )


def _started(plan: EnginePlan) -> dict[str, Any]:
    """Return what the audit trail says of the engine's start."""
    return {
        "session": plan.session.number,
        "first": plan.session.first,
        "mode": plan.settings.mode.value,
        "configuration": plan.settings.fingerprint,
        "strategy_code": dict(plan.code),
        "bars": plan.table.fingerprint,
        "symbols": list(plan.table.symbols),
    }
