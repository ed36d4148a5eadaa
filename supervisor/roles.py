"""Build the coordinator, and the risk manager with its breakers, inside their processes."""

from __future__ import annotations

from collections.abc import Callable

from actors.parts import ActorContext, Parts, Spec
from actors.roles import open_journal, risk_parts
from domain.halts import HaltLadder
from domain.ports import Journal, Supervisor
from domain.records import MachineSnapshot
from supervisor.breakers import build_breaker
from supervisor.control_parts import control_parts
from supervisor.coordinator import ENGINE, Coordinator
from supervisor.latch_keeper import LADDER
from supervisor.phase import CoordinatorSettings
from supervisor.ray_runtime import import_ray
from supervisor.ray_supervisor import RaySupervisor
from supervisor.restart_policy import bears_another, recent

STARTS = "starts"
"""Name of the snapshot that keeps when the coordinator itself was started within this run."""


def risk(spec: Spec, context: ActorContext) -> Parts:
    """Build the risk manager with the circuit breakers of its strategies."""
    del context
    return risk_parts(spec, build_breaker)


def ray_coordinator(spec: Spec, context: ActorContext) -> Parts:
    """Build the coordinator whose children are Ray actors; after its own restart it finds them by name."""
    children = {child.role: child for child in spec.arguments["children"]}
    supervisor = RaySupervisor(
        import_ray(), children, context.state_dir, context.clock, context.log, context.peers
    )
    return _coordinator(spec, context, supervisor)


def inline_coordinator(spec: Spec, context: ActorContext) -> Parts:
    """Build the coordinator whose children share its process."""
    supervise: Callable[[], Supervisor] = spec.arguments["supervise"]
    return _coordinator(spec, context, supervise())


def _coordinator(spec: Spec, context: ActorContext, supervisor: Supervisor) -> Parts:
    """Build the coordinator with the halt ladder, and within one run the engine, as they were left."""
    journal = open_journal(spec)
    settings: CoordinatorSettings = spec.arguments["settings"]
    ladder, engine = journal.snapshot(LADDER), journal.snapshot(ENGINE)
    parts = control_parts(spec, context, journal)
    machine = Coordinator(
        settings,
        HaltLadder(spec.arguments["policy"], None if ladder is None else ladder.values),
        None if engine is None else engine.values,
        worn_out=_worn_out(journal, settings, context.clock.monotonic_s()),
        wall_ns=parts.wall_ns,
        found=parts.found,
        answers=parts.answers,
    )
    return Parts(
        machine=machine,
        journal=journal,
        supervisor=supervisor,
        latch=parts.latch,
        control=parts.control,
        alerts=parts.alerts,
    )


def _worn_out(journal: Journal, settings: CoordinatorSettings, now_s: float) -> str:
    """Count this start; return why it is one too many, "" where it is not."""
    kept, intensity = journal.snapshot(STARTS), settings.intensity
    before = kept.values["starts_s"] if kept is not None and kept.values["run"] == settings.run else ()
    # The first start is no restart.
    values = {"run": settings.run, "starts_s": [*before[:1], *recent(before[1:], now_s, intensity), now_s]}
    journal.append((MachineSnapshot(name=STARTS, bar=-1, at_ns=0, values=values),))
    restarts = values["starts_s"][1:]
    if bears_another(restarts, now_s, intensity):
        return ""
    return f"the coordinator ended more than {intensity.most} times in {intensity.within_s:g} s"
