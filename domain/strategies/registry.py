"""Know strategies by name: built in and from installed packages by entry point.

Those of a user's Python file come from `config/strategy_files.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import metadata

from domain.errors import ConfigurationError
from domain.strategies.mean_reversion import MEAN_REVERSION
from domain.strategies.momentum import MOMENTUM
from domain.strategies.protocol import StrategyDefinition
from domain.strategies.validation import problems
from domain.strategies.vwap import VWAP

ENTRY_POINT_GROUP = "breakwater.strategies"
BUILT_IN = (MEAN_REVERSION, MOMENTUM, VWAP)
_ORIGIN_BUILT_IN = "built in"


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyRegistry:
    """Hold the strategies found by name, where each came from, and what could not be used and why."""

    definitions: dict[str, StrategyDefinition] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def get(self, name: str) -> StrategyDefinition:
        """Return the strategy `name`. Raises ConfigurationError that lists the names there are."""
        if name in self.definitions:
            return self.definitions[name]
        lines = [
            f"strategy {name!r} is unknown; there are {', '.join(sorted(self.definitions))}. "
            f"A package adds one by the entry point group {ENTRY_POINT_GROUP!r}, "
            "a Python file by being named in the configuration."
        ]
        raise ConfigurationError("\n".join([*lines, *self.problems]))

    def adding(self, added: Iterable[StrategyDefinition], origin: str) -> StrategyRegistry:
        """Return a registry with the strategies `added` from `origin` too. Raises ConfigurationError on a clash."""
        new = {definition.name: definition for definition in added}
        clashes = [d for d in new.values() if self.definitions.get(d.name) not in (None, d)]
        if clashes:
            taken = [f"strategy {d.name!r} exists ({self.origins[d.name]}); rename yours" for d in clashes]
            raise ConfigurationError("\n".join(f"{origin}: {line}" for line in taken))
        return StrategyRegistry(
            definitions=self.definitions | new,
            origins=self.origins | dict.fromkeys(new, origin),
            problems=self.problems,
        )


def discover(entry_points: Iterable[metadata.EntryPoint] | None = None) -> StrategyRegistry:
    """Return the built-in strategies and those of installed packages.

    `entry_points` defaults to the group "breakwater.strategies". One that does not load, is no usable
    definition or takes a name in use is left out and listed in `problems`.
    """
    definitions = {d.name: d for d in BUILT_IN}
    origins = dict.fromkeys(definitions, _ORIGIN_BUILT_IN)
    found: list[str] = []
    points = metadata.entry_points(group=ENTRY_POINT_GROUP) if entry_points is None else entry_points
    for point in sorted(points, key=lambda p: (p.name, p.value)):
        where = f"entry point {point.name} = {point.value}" + (f" of {point.dist.name}" if point.dist else "")
        try:
            loaded = point.load()
        except Exception as error:  # a stranger's module; the engine starts without it and says so
            found.append(
                f"{where} does not load: {type(error).__name__}: {error}; repair or uninstall its package"
            )
            continue
        faults = _faults(loaded)
        if not faults and definitions.get(loaded.name, loaded) is not loaded:
            faults = [
                f"the name {loaded.name!r} is taken: {origins[loaded.name]}; one of them must be renamed"
            ]
        if faults:
            found += [f"{where}: {fault}" for fault in faults]
        elif loaded.name not in definitions:
            definitions[loaded.name], origins[loaded.name] = loaded, where
    return StrategyRegistry(definitions=definitions, origins=origins, problems=tuple(found))


def _faults(loaded: object) -> list[str]:
    if isinstance(loaded, StrategyDefinition):
        return problems(loaded)
    return [f"it is a {type(loaded).__name__}; a StrategyDefinition is needed"]
