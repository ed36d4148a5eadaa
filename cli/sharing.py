"""Share the strategies out among roles: a role each, several in one, or one whose symbols are shared among several."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from config.books import StrategyInstance
from config.settings import Settings
from domain.messages import pack_role, strategy_role
from domain.signals import speaker_name

ROLES_BESIDE_STRATEGIES = 5
"""Roles of an engine on Ray that are no strategies: audit, gateway, risk, feed, coordinator."""


class Speaker(NamedTuple):
    """Be one who speaks of every bar: a configured instance, or `part` (from 1) of the `parts` of one.

    `symbols` are those it watches; None: all that come.
    """

    name: str
    instance: StrategyInstance
    symbols: tuple[str, ...] | None
    part: int = 1
    parts: int = 1


def speakers(settings: Settings, symbols: Sequence[str]) -> tuple[Speaker, ...]:
    """Return all who speak in a run of `symbols`, sorted by id and part."""
    instances = sorted(settings.strategies.strategies, key=lambda instance: instance.id)
    return tuple(each for instance in instances for each in _shared_out(instance, symbols))


def _shared_out(instance: StrategyInstance, symbols: Sequence[str]) -> Iterator[Speaker]:
    """Yield who speaks for `instance`: its symbols in order, dealt out one after another."""
    watched = sorted(set(symbols) & set(symbols if instance.symbols is None else instance.symbols))
    parts = min(instance.parts, len(watched))
    if parts <= 1:
        yield Speaker(instance.id, instance, instance.symbols)
        return
    for part in range(1, parts + 1):
        mine = tuple(watched[part - 1 :: parts])
        yield Speaker(speaker_name(instance.id, part, parts), instance, mine, part, parts)


def strategy_roles(settings: Settings, symbols: Sequence[str]) -> dict[str, tuple[Speaker, ...]]:
    """Return the strategies' roles and who speaks through each, in order."""
    found, most = speakers(settings, symbols), settings.engine.supervision.strategies_per_actor
    if most == 1:
        return {strategy_role(each.name): (each,) for each in found}
    packs = (found[at : at + most] for at in range(0, len(found), most))
    return {pack_role(number): pack for number, pack in enumerate(packs, start=1)}


def most_strategy_roles(settings: Settings) -> int:
    """Return how many roles the strategies have at most: fewer where one has less symbols than parts."""
    speaking = sum(instance.parts for instance in settings.strategies.strategies)
    return math.ceil(speaking / settings.engine.supervision.strategies_per_actor)


def most_roles(settings: Settings) -> int:
    """Return how many roles an engine on Ray has at most, each a process."""
    return ROLES_BESIDE_STRATEGIES + most_strategy_roles(settings)
