"""Keep what holds a latch up: causes by trigger, each with its rung, and how long a person must leave them be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.records import HaltTrigger, Rung

_SECOND_NS = 1e9


@dataclass(slots=True)
class Cause:
    """Be one trigger that holds the latch up: its rung, the session that raised it, the sessions reviewed since.

    `wall_ns` is the wall time (UTC) at which it was recorded last; the cooldown counts from there.
    """

    rung: Rung
    session: int
    sessions_since: int
    detail: str
    wall_ns: int = 0


Causes = dict[HaltTrigger, Cause]


def highest(causes: Mapping[HaltTrigger, Cause]) -> Rung:
    """Return the highest rung of `causes`, ACTIVE where there are none."""
    return max((cause.rung for cause in causes.values()), default=Rung.ACTIVE)


def causes_from(values: Mapping[str, Any]) -> Causes:
    """Return the causes that `causes_to_values` wrote."""
    return {HaltTrigger(name): Cause(Rung(rung), *rest) for name, (rung, *rest) in values.items()}


def causes_to_values(causes: Causes) -> dict[str, Any]:
    """Return `causes` as JSON-able values, sorted by trigger."""
    return {
        trigger.value: (int(cause.rung), cause.session, cause.sessions_since, cause.detail, cause.wall_ns)
        for trigger, cause in sorted(causes.items())
    }


def cause_values(scope: str, trigger: HaltTrigger, cause: Cause) -> dict[str, Any]:
    """Return what a status tells of a cause that holds up the latch of `scope`, "" for the account's."""
    return {
        "scope": scope,
        "trigger": trigger.value,
        "rung": cause.rung.name,
        "detail": cause.detail,
        "since_ns": cause.wall_ns,
    }


def scope_words(scope: str) -> str:
    """Return how people read a scope: "book main" for book:main, "the account" for ""."""
    return scope.replace(":", " ", 1) or "the account"


def cooldown_left_s(causes: Mapping[HaltTrigger, Cause], wall_ns: int, cooldown_s: float) -> float:
    """Return the seconds from `wall_ns` to `cooldown_s` after the cause recorded last; 0 without a cause.

    A cause recorded later than `wall_ns` counts from there, from now on: a clock that was set back by a day must not
    bar a resume for as long.
    """
    for cause in causes.values():
        cause.wall_ns = min(cause.wall_ns, wall_ns)
    if not causes:
        return 0.0
    last_ns = max(cause.wall_ns for cause in causes.values())
    return max(0.0, cooldown_s - (wall_ns - last_ns) / _SECOND_NS)
