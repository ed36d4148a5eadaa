"""Read the configuration, and know every strategy it can use: built in, of packages, and of the user's files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from config.loader import load
from config.settings import Settings
from config.strategy_files import with_file
from domain.strategies.registry import StrategyRegistry, discover


def read_settings(config: Path | None, environ: dict[str, str], *, to_trade: bool = False) -> Settings:
    """Load the configuration with every strategy known; raises ConfigurationError with every violation.

    Commands that only look pass over what the mode demands of who trades, so that they work in LIVE as well.
    """
    return load(config, environ, discover().definitions, to_trade=to_trade)


def known_strategies(
    settings: Settings, before_each: Callable[[Path], None] = lambda path: None
) -> StrategyRegistry:
    """Return the registry with the files that `settings` name; raises ConfigurationError for one that does not run.

    The files are executed here: see `cli.own_strategies`, which tries them in a process of its own. `before_each` hears
    of each before it is.
    """
    registry = discover()
    for path in settings.strategy_files():
        before_each(path)
        registry = with_file(registry, path)
    return registry
