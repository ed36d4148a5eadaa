"""Build the roles whose parts are of the fault search's own: trail and latch in memory, strategies that are written."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from actors.latched_broker import LatchedBroker
from actors.parts import ActorContext, Parts, Spec
from actors.roles import gateway_machine, open_journal
from actors.strategy_roles import strategies_parts, strategy_instance
from domain.audit_machine import AuditMachine
from domain.strategies.protocol import StrategyInstance
from supervisor.breakers import build_breaker


def gateway(spec: Spec, context: ActorContext) -> Parts:
    """Build the gateway round the link at `arguments["broker"]`, guarded by the latch at `arguments["latch"]`."""
    del context
    journal, latch = open_journal(spec), spec.arguments["latch"]
    broker = LatchedBroker(spec.arguments["broker"], latch)
    return Parts(
        machine=gateway_machine(spec, journal, build_breaker), journal=journal, broker=broker, latch=latch
    )


def audit(spec: Spec, context: ActorContext) -> Parts:
    """Build the audit writer on the trail at `arguments["trail"]`."""
    del context
    arguments = spec.arguments
    trail = arguments["trail"]
    machine = AuditMachine(
        arguments["sources"], trail.cursors, arguments["pace"], spec.generation, arguments["lease"]
    )
    return Parts(machine=machine, journal=trail)


def strategies(spec: Spec, context: ActorContext) -> Parts:
    """Build strategies round what `arguments["evaluator"]`, a function of the id, returns."""
    del context
    evaluator = spec.arguments["evaluator"]
    return strategies_parts(spec, lambda instance: evaluator(instance.strategy_id), _instance)


def _instance(told: Mapping[str, Any]) -> StrategyInstance:
    return _known(told["strategy_id"], told["strategy"], tuple(sorted(told["parameters"].items())))


@cache
def _known(strategy_id: str, strategy: str, parameters: tuple[tuple[str, object], ...]) -> StrategyInstance:
    """Return the instance whose place an evaluator takes; finding one costs more than a run."""
    return strategy_instance(
        {"strategy_id": strategy_id, "strategy": strategy, "file": None, "parameters": dict(parameters)}
    )
