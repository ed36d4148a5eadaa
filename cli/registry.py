"""Know every strategy that a configuration can use: built in, of installed packages, and of the user's files."""

from __future__ import annotations

from config.settings import Settings
from config.strategy_files import with_file
from domain.strategies.registry import StrategyRegistry, discover


def known_strategies(settings: Settings) -> StrategyRegistry:
    """Return the registry with the files that `settings` name; raises ConfigurationError for one that does not run."""
    registry = discover()
    for path in settings.strategy_files():
        registry = with_file(registry, path)
    return registry
