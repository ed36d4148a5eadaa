"""Load the strategies that a user's Python file defines: the file is executed."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from domain.errors import ConfigurationError
from domain.strategies.protocol import StrategyDefinition
from domain.strategies.registry import BUILT_IN, StrategyRegistry
from domain.strategies.validation import problems


def with_file(registry: StrategyRegistry, path: Path, digest: str | None = None) -> StrategyRegistry:
    """Return `registry` with the strategies of file `path` too. Raises as `from_file`, and on a clash of names.

    A file that has not the SHA-256 `digest` any more is not executed: raises ConfigurationError.
    """
    if digest is not None and digest_of(path) != digest:
        raise ConfigurationError(
            f"{path}: changed since this session was begun; put it back, or begin a new one with --fresh"
        )
    return registry.adding(from_file(path), str(path))


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


def digest_of(file: Path) -> str:
    """Return the SHA-256 of a strategy's file; raises ConfigurationError when it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigurationError(
            f"{file}: cannot be read: {error.strerror or error}; name a Python file that defines strategies"
        ) from error


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
