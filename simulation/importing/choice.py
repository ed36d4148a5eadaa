"""Find the symbols asked for among those a file holds, and the one calendar they keep."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path

from domain.errors import ConfigurationError, DataError
from domain.symbols import normalise_symbol

Calendars = Callable[[str], str]
"""Names the calendar of a symbol."""

_SHOWN = 40


def choose_symbols(path: Path, held: Sequence[str], asked: Sequence[str] | None) -> tuple[str, ...]:
    """Return the symbols of `held` that are `asked` for (None: all), sorted.

    Raises DataError, naming the nearest and the available symbols, when one is not among them or is no symbol.
    """
    if asked is None:
        return tuple(sorted(held))
    if not asked:
        raise DataError(f"{path}: no symbol was asked for; available: {_listed(held)}")
    try:
        wanted = tuple(sorted({normalise_symbol(text) for text in asked}))
    except ValueError as error:
        raise DataError(f"{path}: {error}; available: {_listed(held)}") from error
    missing = [name for name in wanted if name not in held]
    if missing:
        near = sorted({hit for name in missing for hit in _near(name, held)})
        hint = f"; nearest: {', '.join(near)}" if near else ""
        raise DataError(f"{path}: holds no bars of {', '.join(missing)}{hint}; available: {_listed(held)}")
    return wanted


def _near(name: str, held: Sequence[str]) -> list[str]:
    begins = [other for other in held if other.startswith(name) or name.startswith(other)]
    return begins[:3] or difflib.get_close_matches(name, held, n=3, cutoff=0.5)


def _listed(held: Sequence[str]) -> str:
    more = f" and {len(held) - _SHOWN} more" if len(held) > _SHOWN else ""
    return (", ".join(sorted(held)[:_SHOWN]) or "none") + more


def one_calendar(path: Path, symbols: Sequence[str], calendars: Calendars) -> str:
    """Return the calendar that all `symbols` keep; raises DataError when they keep several, or one keeps none."""
    by_calendar: dict[str, list[str]] = {}
    for symbol in symbols:
        try:
            by_calendar.setdefault(calendars(symbol), []).append(symbol)
        except ConfigurationError as error:
            raise DataError(f"{path}: {error}") from error
    if len(by_calendar) > 1:
        found = "; ".join(f"{name}: {', '.join(held[:5])}" for name, held in sorted(by_calendar.items()))
        raise DataError(f"{path}: symbols of several calendars ({found}); ask for symbols of one")
    return next(iter(by_calendar))
