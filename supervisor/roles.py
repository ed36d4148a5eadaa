"""Build the coordinator inside its process."""

from __future__ import annotations

from actors.parts import ActorContext, Parts
from actors.roles import Spec, open_journal
from domain.halts import HaltLadder
from supervisor.control_parts import control_parts
from supervisor.coordinator import Coordinator
from supervisor.latch_keeper import LADDER


def coordinator(spec: Spec, context: ActorContext) -> Parts:
    """Build the coordinator with the halt ladder as it was left."""
    journal = open_journal(spec)
    parts = control_parts(spec, context, journal)
    saved = journal.snapshot(LADDER)
    ladder = HaltLadder(spec.arguments["policy"], None if saved is None else saved.values)
    machine = Coordinator(
        spec.arguments["settings"], ladder, wall_ns=parts.wall_ns, found=parts.found, answers=parts.answers
    )
    return Parts(machine=machine, journal=journal, latch=parts.latch, control=parts.control)
