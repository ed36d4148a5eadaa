"""Import TA-Lib without the data-frame libraries that its package would pull in.

Its package imports pandas and polars wherever they are installed, which costs each process 36 MiB and seconds
at start. Here they are hidden while it is imported, unless the process has them already, and can be imported
afterwards.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from domain.errors import EnvironmentFault

_UNWANTED = ("pandas", "polars")


@contextmanager
def _hidden(names: tuple[str, ...]) -> Iterator[None]:
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # None makes the import statement raise
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def load_talib() -> ModuleType:
    """Return the module `talib`.

    Raises EnvironmentFault when TA-Lib, or the C library it needs, is missing or does not fit.
    """
    try:
        with _hidden(_UNWANTED):
            return importlib.import_module("talib")
    except ImportError as error:
        raise EnvironmentFault(
            f"TA-Lib cannot be imported ({error}). Strategies need it. `pip install TA-Lib`: its "
            "wheels bring the C library. Where no wheel fits, install the C library first (on macOS "
            "`brew install ta-lib`, on Linux from https://ta-lib.org/install/), then TA-Lib again."
        ) from error
