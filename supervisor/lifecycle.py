"""Plan the order in which roles start and stop, from what each says it comes after."""

from __future__ import annotations

from collections.abc import Sequence

from domain.errors import ConfigurationError
from supervisor.child_spec import ChildSpec

Waves = tuple[tuple[str, ...], ...]
"""Roles in waves: those of one wave need nothing of each other and may go together; names are sorted in a wave."""


def start_waves(specs: Sequence[ChildSpec]) -> Waves:
    """Return the waves to start: each role in the first wave after all those it comes after.

    Raises ConfigurationError for a role described twice, for an unknown name in `after` and for a cycle.
    """
    waiting = _dependencies(specs)
    waves: list[tuple[str, ...]] = []
    started: set[str] = set()
    while waiting:
        wave = tuple(sorted(role for role, after in waiting.items() if after <= started))
        if not wave:
            raise ConfigurationError(f"roles wait for each other in a circle: {_circle(waiting)}")
        waves.append(wave)
        started.update(wave)
        for role in wave:
            del waiting[role]
    return tuple(waves)


def stop_waves(specs: Sequence[ChildSpec]) -> Waves:
    """Return the waves to stop: the reverse, so that a role outlives all that come after it."""
    return tuple(reversed(start_waves(specs)))


def _dependencies(specs: Sequence[ChildSpec]) -> dict[str, set[str]]:
    roles = [spec.role for spec in specs]
    twice = sorted({role for role in roles if roles.count(role) > 1})
    if twice:
        raise ConfigurationError(f"roles described more than once: {', '.join(twice)}")
    unknown = [f"{spec.role} after {name}" for spec in specs for name in spec.after if name not in roles]
    if unknown:
        raise ConfigurationError(
            f"roles that nobody describes: {'; '.join(unknown)}; known: {', '.join(sorted(roles))}"
        )
    return {spec.role: set(spec.after) for spec in specs}


def _circle(waiting: dict[str, set[str]]) -> str:
    """Walk from one waiting role to what it waits for until a name comes back."""
    path = [min(waiting)]
    while True:
        step = min(name for name in waiting[path[-1]] if name in waiting)
        if step in path:
            return " -> ".join([*path[path.index(step) :], step])
        path.append(step)
