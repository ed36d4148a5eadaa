"""Find strategies: built in, from installed packages by entry point, and from a user's Python file."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from types import ModuleType

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

    def with_file(self, path: Path) -> StrategyRegistry:
        """Return a registry with the strategies of file `path` too. Raises as `from_file`, and on a clash."""
        added = from_file(path)
        clashes = [d for d in added if self.definitions.get(d.name) not in (None, d)]
        if clashes:
            taken = [f"strategy {d.name!r} exists ({self.origins[d.name]}); rename yours" for d in clashes]
            raise ConfigurationError("\n".join(f"{path}: {line}" for line in taken))
        return StrategyRegistry(
            definitions=self.definitions | {d.name: d for d in added},
            origins=self.origins | {d.name: str(path) for d in added},
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


def from_file(path: Path) -> tuple[StrategyDefinition, ...]:
    """Return the strategies that the Python file `path` defines at its top level, sorted by name.

    The file is executed. Raises ConfigurationError when it is missing, does not run, defines none,
    defines one that cannot be used, or two of one name.
    """
    module = _execute(path)
    own = {id(d): d for d in vars(module).values() if isinstance(d, StrategyDefinition) and d not in BUILT_IN}
    if not own:
        raise ConfigurationError(
            f"{path}: no strategy found; the file must hold a StrategyDefinition at its top level, such as "
            "MINE = StrategyDefinition(name=..., ...)"
        )
    faults = [f"{path}: {d.name}: {fault}" for d in own.values() for fault in problems(d)]
    names = [d.name for d in own.values()]
    faults += [
        f"{path}: two strategies are named {n!r}; rename one"
        for n in sorted({n for n in names if names.count(n) > 1})
    ]
    if faults:
        raise ConfigurationError("\n".join(faults))
    return tuple(sorted(own.values(), key=lambda d: d.name))


def _execute(path: Path) -> ModuleType:
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "does not exist"
        raise ConfigurationError(f"{path}: {what}; name a Python file that defines strategies")
    # A name of its own: a user's file may be called like a package of the engine. Dataclasses look it up.
    name = f"breakwater_file_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{path}: not a Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        line = error.lineno if isinstance(error, SyntaxError) else _line(error, path)
        at = f", line {line}" if line else ""
        raise ConfigurationError(
            f"{path}{at}: {type(error).__name__}: {error}; the file must run by itself"
        ) from error
    return module


def _line(error: BaseException, path: Path) -> int | None:
    frames = traceback.extract_tb(error.__traceback__)
    return next((f.lineno for f in reversed(frames) if f.filename == str(path)), None)
