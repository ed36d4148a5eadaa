"""Build the parts of each role inside its process: `ChildSpec.factory` names these functions.

The ports that reach a venue or a feed come from elsewhere (`simulation/roles.py`), strategies, whose processes
load no database, are built in `actors/strategy_roles.py`; what else every runtime shares is here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from actors.parts import ActorContext, Parts, Spec
from domain.audit_machine import AuditMachine, AuditPace
from domain.breakers import BreakerFactory
from domain.gateway import LATCH, Gateway
from domain.gateway_policy import GatewaySettings
from domain.ports import Journal
from domain.risk.limits import HaltPolicy
from domain.risk.manager import BETWEEN, SNAPSHOT, TOLD, RiskManager
from domain.risk.settings import RiskSettings
from domain.venue_breaker import BROKER_BREAKER
from storage.audit.journal import AuditJournal
from storage.audit.keys import load_signer
from storage.audit.writer import TrailWriter
from storage.journal import SqlJournal
from storage.journal_reader import all_entries


def open_journal(spec: Spec) -> Journal:
    """Open the role's own journal at `arguments["url"]`, or return `arguments["journal"]`, which is kept in memory."""
    arguments = spec.arguments
    kept: Journal | None = arguments.get("journal")
    if kept is not None:
        return kept
    return SqlJournal(
        arguments["url"],
        spec.role,
        session=arguments["session"],
        group=arguments.get("group"),
    )


def audit(spec: Spec, context: ActorContext) -> Parts:
    """Build the audit writer on its trail."""
    return audit_parts(spec, context, before_append=None)


def audit_parts(spec: Spec, context: ActorContext, before_append: Callable[[], None] | None) -> Parts:
    """Build the audit writer; `before_append` runs before each write."""
    arguments = spec.arguments
    copy: str | None = arguments["checkpoint_copy"]
    writer = TrailWriter(
        Path(arguments["directory"]),
        load_signer(create=True),
        time.time_ns,
        checkpoint_copy=None if copy is None else Path(copy),
        checkpoint_records=arguments["checkpoint_records"],
    )
    pace: AuditPace = arguments["pace"]
    lease = arguments["lease"]
    machine = AuditMachine(arguments["sources"], writer.cursors, pace, spec.generation, lease)
    return Parts(machine=machine, journal=AuditJournal(writer, before_append))


def risk_parts(spec: Spec, build_breaker: BreakerFactory) -> Parts:
    """Build the risk manager from its last snapshots; each generation is an epoch of its own."""
    journal = open_journal(spec)
    # An approval of a former life is of an older epoch, which the gateway refuses.
    configured: RiskSettings = spec.arguments["settings"]
    settings = replace(configured, generation=spec.generation, epoch=spec.generation)
    policy: HaltPolicy = spec.arguments["policy"]
    saved, told, between = (journal.snapshot(name) for name in (SNAPSHOT, TOLD, BETWEEN))
    machine = RiskManager(
        settings,
        policy,
        None if saved is None else saved.values,
        0 if told is None else told.values["seq"],
        None if between is None else between.values,
        build_breaker,
    )
    return Parts(machine=machine, journal=journal, notices=spec.arguments.get("notices", False))


def gateway_machine(spec: Spec, journal: Journal, build_breaker: BreakerFactory) -> Gateway:
    """Build the gateway, and the circuit breaker of its venue, from its journal."""
    settings: GatewaySettings = replace(spec.arguments["settings"], generation=spec.generation)
    latch, breaker = (journal.snapshot(name) for name in (LATCH, BROKER_BREAKER))
    return Gateway(
        settings,
        list(all_entries(journal)),
        None if latch is None else latch.values,
        None if breaker is None else breaker.values,
        build_breaker,
    )
