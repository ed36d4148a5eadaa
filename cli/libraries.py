"""Say in words that a library the engine needs cannot be loaded: it is missing, damaged, or lacks one of its own.

Nothing here needs a library itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import TracebackType

from domain.errors import EnvironmentFault

_IMPORT_SYSTEM = "<frozen importlib._bootstrap"
_ROOT = Path(__file__).resolve().parents[1]


def library_fault(error: ImportError | OSError) -> EnvironmentFault | None:
    """Return the refusal of `error` when it comes of loading a library; None for any other, and for faults of ours.

    An OSError counts when the import system is on its way: a library may load its own by hand.
    """
    root = _root(error)
    if (stranger := _in_our_place(root)) is not None:
        return stranger
    if isinstance(root, OSError) and not any(name.startswith(_IMPORT_SYSTEM) for name, _ in _frames(root)):
        return None
    package = _package(root)
    if not package:
        return None
    words = " ".join(str(root).split()) or type(root).__name__
    if package in sys.stdlib_module_names:
        return EnvironmentFault(
            f"Python's own module {package} cannot be loaded ({words}): this Python lacks it; make the environment "
            f"anew with another one: `make clean setup PYTHON=/path/to/python3.12`"
        )
    from importlib import metadata  # only now: it takes a fifth of the start of a command

    distribution = next(iter(metadata.packages_distributions().get(package, ())), package)
    return EnvironmentFault(
        f"the library {distribution} cannot be loaded ({words}); install it again: `make clean setup`, or "
        f"`pip install --force-reinstall {distribution}`"
    )


def _in_our_place(error: ImportError | OSError) -> EnvironmentFault | None:
    """Return the refusal where a module of the same name was found before a package of ours, None otherwise."""
    top = (getattr(error, "name", None) or "").partition(".")[0]
    found = getattr(sys.modules.get(top), "__file__", None)
    ours = _ROOT / top
    if not found or not (ours / "__init__.py").exists() or Path(found).resolve().is_relative_to(ours):
        return None
    return EnvironmentFault(
        f"{found} is found before Breakwater's own package {top!r}; take its folder out of PYTHONPATH, or give it "
        f"another name"
    )


def _root(error: ImportError | OSError) -> ImportError | OSError:
    """Return the first cause that is of the same sort: libraries wrap it in advice of their own."""
    found: ImportError | OSError = error
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ImportError | OSError):
            found = cause
        cause = cause.__cause__ or cause.__context__
    return found


def _package(error: ImportError | OSError) -> str:
    """Return the top package that could not be loaded, "" for one of ours.

    The error names it, but for what the system's linker says: then the name is the last part only, and the package is
    the one whose code asked for it.
    """
    name = getattr(error, "name", None) or ""
    asking = [name for _, name in _frames(error) if name.partition(".")[0] not in sys.stdlib_module_names]
    linked = str(getattr(error, "path", None) or "").endswith(tuple(EXTENSION_SUFFIXES))
    candidates = (*asking[-1:], name) if linked or not name else (name,)
    tops = (candidate.partition(".")[0] for candidate in candidates)
    return next((top for top in tops if top and not (_ROOT / top / "__init__.py").exists()), "")


def _frames(error: BaseException) -> Iterator[tuple[str, str]]:
    """Yield the file and the module of each frame that `error` went through, outermost first."""
    at: TracebackType | None = error.__traceback__
    while at is not None:
        yield at.tb_frame.f_code.co_filename, str(at.tb_frame.f_globals.get("__name__", ""))
        at = at.tb_next
