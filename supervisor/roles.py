"""Build the coordinator inside its process."""

from __future__ import annotations

from actors.parts import ActorContext, Parts
from actors.roles import Spec, open_journal
from domain.halts import HaltLadder
from supervisor.coordinator import Coordinator
from supervisor.latch_keeper import LADDER


def coordinator(spec: Spec, context: ActorContext) -> Parts:
    """Build the coordinator with the halt ladder as it was left."""
    del context
    journal = open_journal(spec)
    saved = journal.snapshot(LADDER)
    ladder = HaltLadder(spec.arguments["policy"], None if saved is None else saved.values)
    return Parts(machine=Coordinator(spec.arguments["settings"], ladder), journal=journal)
