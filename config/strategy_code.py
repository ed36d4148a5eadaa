"""Tell which code the strategies of a configuration are: what a session is held to besides its values.

Covered are the content of each file that `strategies.yaml` names and the version of each package that adds a strategy
by entry point. What such a file imports is not, nor are the built-in strategies, which are of the engine's own version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from config.rules import strategy_file
from config.settings import Settings
from config.strategy_files import digest_of
from domain.strategies.registry import ENTRY_POINT_GROUP, StrategyRegistry

PACKAGE = "package "
"""Before a package's name, which tells it from a file's."""


def strategy_code(
    settings: Settings,
    registry: StrategyRegistry,
    entry_points: Iterable[metadata.EntryPoint] | None = None,
) -> dict[str, str]:
    """Return the SHA-256 of each strategy file by its name in `strategies.yaml`, and packages' versions by their names.

    `registry` holds the strategies of installed packages; `entry_points` defaults to those of the installed packages.
    Raises ConfigurationError when a file cannot be read.
    """
    code: dict[str, str] = {}
    points = list(metadata.entry_points(group=ENTRY_POINT_GROUP) if entry_points is None else entry_points)
    for item in settings.strategies.strategies:
        if item.file is not None:
            code[item.file] = digest_of(strategy_file(item.file, settings.directory))
            continue
        origin = registry.origins.get(item.strategy, "")
        for point in points:
            if point.dist is not None and origin.startswith(f"entry point {point.name} = {point.value} of "):
                code[PACKAGE + point.dist.name] = point.dist.version
    return code


def code_changes(begun: Mapping[str, str], now: Mapping[str, str], directory: Path | None) -> list[str]:
    """Return, in words, each piece of code that differs between the session's beginning and now."""
    changes = []
    for name in sorted(begun.keys() | now.keys()):
        before, after = begun.get(name), now.get(name)
        if before == after:
            continue
        if name.startswith(PACKAGE):
            changes.append(f"the {name} (version {before or 'none'} then, {after or 'none'} now)")
        else:
            changes.append(f"the strategy file {strategy_file(name, directory)}")
    return changes
