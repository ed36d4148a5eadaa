"""Describe a role's process as data: what to start, after whom, how to restart it, how to stop it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from importlib import import_module
from typing import Any, TypeAlias

from actors.mailbox import NORMAL_CAPACITY
from actors.parts import ActorContext, Parts
from domain.errors import ConfigurationError


class RestartPolicy(StrEnum):
    """Say what the death of a child leads to, once its restart intensity is used up."""

    QUARANTINE = "quarantine"
    HALT = "halt"


STOP_S = 5.0
"""Seconds that a role may take to stop, unless it has more to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """Describe one role's process; picklable, so that it can be sent to where the process starts.

    `factory` names a function "package.module:function" that is called in the process with (spec, context) and
    returns its `Parts`. `arguments` are what it needs, picklable. `after` names the roles that must be at work
    before this one begins; it is stopped before them. `generation` counts starts of the role from 1. `stop_s` is how
    long, in seconds, it may take to stop before it is killed, `queue` how many messages may wait in its normal lane.
    `strategies` are the names of those that speak through it. A role that is at one message for more than `most_busy_s`
    seconds hangs; `most_rss_bytes` bounds the memory of its process (0: no bound).
    """

    role: str
    factory: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    generation: int = 1
    restart: RestartPolicy = RestartPolicy.HALT
    stop_s: float = STOP_S
    queue: int = NORMAL_CAPACITY
    strategies: tuple[str, ...] = ()
    most_busy_s: float = math.inf
    most_rss_bytes: int = 0

    def of_generation(self, generation: int) -> ChildSpec:
        """Return the same for another start of the role."""
        return replace(self, generation=generation)


Factory: TypeAlias = Callable[[ChildSpec, ActorContext], Parts]


def load_factory(path: str) -> Factory:
    """Import and return the factory named `path`; raises ConfigurationError when there is no such function."""
    module_name, _, name = path.partition(":")
    if not module_name or not name:
        raise ConfigurationError(f'factory {path!r}: expected "package.module:function"')
    try:
        factory: Factory = getattr(import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"factory {path!r} cannot be loaded: {error}") from error
    return factory
