"""Keep simulation code out of LIVE and production brokers out of SIMULATION, at the import itself (requirement C1).

`actors/__init__.py` and `simulation/__init__.py` call `install()`. Python imports a package before anything inside it,
so no module of either can be loaded before the guard stands, whatever the module itself remembers to do.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from config.mode import MODE_VARIABLE, TradingMode, trading_mode
from config.violations import InvalidConfiguration, Violation

FORBIDDEN: dict[TradingMode, tuple[str, ...]] = {
    TradingMode.LIVE: ("simulation",),
    TradingMode.PAPER: (),
    TradingMode.SIMULATION: ("actors.brokers.ib",),
}
"""Modules, with all that lies inside them, that each mode must not load."""


def refuse_forbidden(module: str, mode: TradingMode) -> None:
    """Raise InvalidConfiguration when `module` must not be loaded in `mode`."""
    for name in FORBIDDEN[mode]:
        if module == name or module.startswith(name + "."):
            modes = ", ".join(other for other in TradingMode if name not in FORBIDDEN[other])
            found = f"{mode}, in which {module} cannot be loaded"
            allowed = f"allowed: {modes}; set it to one of these in a process of its own"
            raise InvalidConfiguration([Violation("environment", MODE_VARIABLE, found, allowed)])


class ImportGuard(MetaPathFinder):
    """Stand first among the finders: refuse what the mode forbids, leave all else to the finders that follow."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return None for a module that may load; raise InvalidConfiguration for one that may not.

        The mode is read at each import: a process cannot outlive a change of it.
        """
        if any(fullname == name or fullname.startswith(name + ".") for name in GUARDED):
            refuse_forbidden(fullname, trading_mode(os.environ))
        return None


GUARDED = tuple(name for names in FORBIDDEN.values() for name in names)


def install(package: str) -> None:
    """Put the guard before all other finders, once, and judge `package`, which is being loaded as this is called."""
    if not any(isinstance(finder, ImportGuard) for finder in sys.meta_path):
        sys.meta_path.insert(0, ImportGuard())
    refuse_forbidden(package, trading_mode(os.environ))
