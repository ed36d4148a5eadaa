"""Compile pure functions with numba, callees included, from the very objects that the machines call.

`domain/` knows nothing of numba. A function is rebuilt here over a copy of its globals in which every function of the
engine that it names is replaced by its compiled twin; kernel and machines so share one source. Machine code is cached
on disk under a hash of the shared sources, for numba's own cache looks at a function's file but not at the files of the
functions it calls.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, ParamSpec, TypeVar, cast

import platformdirs

P = ParamSpec("P")
R = TypeVar("R")

_ROOT = Path(__file__).resolve().parent.parent
_SHARED = ("domain/**/*.py", "simulation/compiled.py", "simulation/kernel*.py")
_PREFIX = "kernel-"
_twins: dict[FunctionType, Any] = {}


def source_hash(root: Path = _ROOT) -> str:
    """Return a hash of every source file below `root` that compiled code may come from."""
    digest = hashlib.sha256()
    for pattern in _SHARED:
        for path in sorted(root.glob(pattern)):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def cache_directory() -> Path:
    """Return a writable directory for machine code, named after the sources.

    It lies under NUMBA_CACHE_DIR where that is set, else in the user's cache; under a new temporary directory when
    neither can be written.
    """
    configured = os.environ.get("NUMBA_CACHE_DIR", "")
    parent = Path(configured or platformdirs.user_cache_dir("breakwater", appauthor=False))
    if parent.name.startswith(_PREFIX):  # set by a parent process that came through here
        parent = parent.parent
    directory = parent / (_PREFIX + source_hash())
    if _is_writable(directory):
        return directory
    return Path(tempfile.mkdtemp(prefix=f"breakwater-{directory.name}-"))


def _is_writable(directory: Path) -> bool:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except OSError:
        return False
    return True


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function` as machine code (made on its first call); its engine callees are compiled with it.

    Call them by plain names: a call through a module (`loss.drawdown(...)`) stays uncompiled, and numba refuses it.
    """
    _prepare_cache()
    return cast(Callable[P, R], _twin(cast(FunctionType, function)))


def _prepare_cache() -> None:
    if _twins:
        return
    import numba

    directory = str(cache_directory())
    # Both: numba reads the variable on import and on changes, and child processes inherit it.
    os.environ["NUMBA_CACHE_DIR"] = directory
    setattr(numba.config, "CACHE_DIR", directory)  # noqa: B010 - numba makes its settings at run time


def _twin(function: FunctionType) -> Any:
    import numba

    if function not in _twins:
        scope = dict(function.__globals__)
        for name in _names(function.__code__):
            found = scope.get(name)
            if isinstance(found, FunctionType) and _is_ours(found):
                scope[name] = _twin(found)
        rebuilt = FunctionType(
            function.__code__, scope, function.__name__, function.__defaults__, function.__closure__
        )
        rebuilt.__qualname__ = function.__qualname__
        rebuilt.__module__ = function.__module__
        _twins[function] = numba.njit(cache=True, forceinline=True)(rebuilt)
    return _twins[function]


def _is_ours(function: FunctionType) -> bool:
    return function.__module__.split(".", 1)[0] in ("domain", "simulation")


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
