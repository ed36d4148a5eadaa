"""Share the strategies out among roles: a role each, or several that share the process of one."""

from __future__ import annotations

import math
from typing import NamedTuple

from config.books import StrategyInstance
from config.settings import Settings
from domain.messages import pack_role, strategy_role


class Speaker(NamedTuple):
    """Be one who speaks of every bar: a configured instance, and the symbols it watches (None: all that come)."""

    name: str
    instance: StrategyInstance
    symbols: tuple[str, ...] | None


def speakers(settings: Settings) -> tuple[Speaker, ...]:
    """Return all who speak, sorted by id."""
    instances = sorted(settings.strategies.strategies, key=lambda instance: instance.id)
    return tuple(Speaker(instance.id, instance, instance.symbols) for instance in instances)


def strategy_roles(settings: Settings) -> dict[str, tuple[Speaker, ...]]:
    """Return the strategies' roles and who speaks through each, in order."""
    found, most = speakers(settings), settings.engine.supervision.strategies_per_actor
    if most == 1:
        return {strategy_role(each.name): (each,) for each in found}
    packs = (found[at : at + most] for at in range(0, len(found), most))
    return {pack_role(number): pack for number, pack in enumerate(packs, start=1)}


def most_strategy_roles(settings: Settings) -> int:
    """Return how many roles the strategies have at most."""
    return math.ceil(len(settings.strategies.strategies) / settings.engine.supervision.strategies_per_actor)
