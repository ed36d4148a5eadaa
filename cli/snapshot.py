"""Put together what an engine tells of itself: the mapping that the display reads (`cli.display.view`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cli.drive import States
from cli.plan import EnginePlan
from domain.messages import COORDINATOR

_FROM_COORDINATOR = ("phase", "reason", "completed", "rung", "causes", "scoped", "halts")


def opening_snapshot(plan: EnginePlan) -> dict[str, Any]:
    """Return what is known before the engine says anything."""
    return {"mode": plan.settings.mode.value, "session": plan.session.number}


def snapshot_of(plan: EnginePlan, states: States, roles: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the snapshot of an engine whose machines say `states` and whose `roles` look so from outside."""
    coordinator = states.get(COORDINATOR, {})
    told = {name: coordinator[name] for name in _FROM_COORDINATOR if name in coordinator}
    return {**opening_snapshot(plan), **told, "roles": roles, "views": states}
