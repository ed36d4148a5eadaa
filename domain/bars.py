"""Hold bars: one row, one timestamp's group, a columnar table; and say which bars are refused."""

from __future__ import annotations

import math
import pickle
from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from itertools import chain, repeat
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

_GROUPS_AT_A_TIME = 256

LARGEST_VOLUME = 2.0**53
"""Up to here a float64 holds every whole number; a larger volume is an error of its source, and would drown others."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Bar(NamedTuple):
    """Be one closed bar of one symbol.

    Prices in the instrument's currency per unit, `volume` in units (NaN where the source has none), `dividend` the
    cash per unit that went ex at this bar's open (0 for none).
    """

    symbol: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    dividend: float


class BarFault(StrEnum):
    """Name why a bar is refused."""

    NOT_FINITE = "not_finite"
    NOT_POSITIVE = "not_positive"
    CROSSED = "crossed"
    NEGATIVE_VOLUME = "negative_volume"
    EXCESSIVE_VOLUME = "excessive_volume"
    DUPLICATE = "duplicate"
    LATE = "late"
    OUT_OF_ORDER = "out_of_order"
    UNKNOWN_SYMBOL = "unknown_symbol"


def bar_fault(bar: Bar) -> BarFault | None:
    """Return what is wrong with the values of `bar`, or None; order and duplicates are for who sees the sequence."""
    _, o, h, low, c, volume, dividend = bar
    # What nearly every bar is found to be, at a fraction of the cost; NaN fails every comparison, as a price should.
    prices_sound = 0.0 < low <= o <= h < math.inf and low <= c <= h
    if prices_sound and 0.0 <= dividend < math.inf and not (volume < 0.0 or volume > LARGEST_VOLUME):
        return None
    if not (math.isfinite(o) and math.isfinite(h) and math.isfinite(low) and math.isfinite(c)):
        return BarFault.NOT_FINITE
    if o <= 0.0 or h <= 0.0 or low <= 0.0 or c <= 0.0:
        return BarFault.NOT_POSITIVE
    if h < low or h < o or h < c or low > o or low > c:
        return BarFault.CROSSED
    if math.isinf(volume) or not math.isfinite(dividend):
        return BarFault.NOT_FINITE
    if volume < 0.0 or dividend < 0.0:
        return BarFault.NEGATIVE_VOLUME
    return BarFault.EXCESSIVE_VOLUME if volume > LARGEST_VOLUME else None


@lru_cache(maxsize=16)
def _names(pickled: bytes) -> tuple[str, ...]:
    """Return a group's symbols, which are the same bar after bar."""
    names: tuple[str, ...] = pickle.loads(pickled)
    return names


class PackedBars(Sequence[Bar]):
    """Be a group's bars as they came from another process: columns, of which bars are made when somebody looks.

    Who looks at one symbol of hundreds makes one bar; to make them all takes longer than all else on their way.
    """

    __slots__ = ("_bars", "_symbols", "_values")

    def __init__(self, symbols: bytes, values: bytes) -> None:
        """Hold the bars of the pickled `symbols`; `values` are the float64 of each field in turn, one a symbol."""
        self._symbols, self._values = symbols, values
        self._bars: tuple[Bar, ...] | None = None

    @classmethod
    def of(cls, bars: Sequence[Bar]) -> PackedBars:
        """Return `bars` packed."""
        if isinstance(bars, PackedBars):
            return bars
        symbols, *columns = zip(*bars, strict=True) if bars else ((),)
        return cls(pickle.dumps(symbols), array("d", chain.from_iterable(columns)).tobytes())

    def only(self, symbols: Collection[str]) -> tuple[Bar, ...]:
        """Return the bars of `symbols`, in the group's order."""
        values, names = memoryview(self._values).cast("d"), _names(self._symbols)
        return tuple(
            Bar(symbol, *values[place :: len(names)].tolist())
            for place, symbol in enumerate(names)
            if symbol in symbols
        )

    def __len__(self) -> int:
        """Return how many bars there are."""
        return len(_names(self._symbols))

    def __iter__(self) -> Iterator[Bar]:
        """Yield the bars."""
        return iter(self._made())

    @overload
    def __getitem__(self, place: int) -> Bar: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Bar, ...]: ...

    def __getitem__(self, place: int | slice) -> Bar | tuple[Bar, ...]:
        """Return one bar, or some."""
        return self._made()[place]

    def __eq__(self, other: object) -> bool:
        """Equal the same bars, packed or in a tuple."""
        return self._made() == (other._made() if isinstance(other, PackedBars) else other)

    def __hash__(self) -> int:
        """Return the hash that the same bars have in a tuple."""
        return hash(self._made())

    def __reduce__(self) -> tuple[type[PackedBars], tuple[bytes, bytes]]:
        """Return how pickle makes this anew."""
        return PackedBars, (self._symbols, self._values)

    def __repr__(self) -> str:
        """Show the bars."""
        return repr(self._made())

    def _made(self) -> tuple[Bar, ...]:
        if self._bars is None:
            values, names = memoryview(self._values).cast("d"), _names(self._symbols)
            count = max(len(names), 1)
            columns = (values[start : start + count].tolist() for start in range(0, len(values), count))
            self._bars = tuple(map(Bar._make, zip(names, *columns, strict=True)))
        return self._bars


@dataclass(frozen=True, slots=True)
class BarGroup:
    """Be all symbols' bars that become known at one moment.

    `index` counts groups from 0 in a data set, `open_ns` and `known_ns` are UTC nanoseconds, `session` is the
    proleptic Gregorian ordinal of the session's date. `bars` are sorted by symbol; they travel packed.
    """

    index: int
    open_ns: int
    known_ns: int
    session: int
    bars: Sequence[Bar]

    def only(self, symbols: Collection[str]) -> BarGroup:
        """Return the group with the bars of `symbols` alone."""
        bars = self.bars
        if isinstance(bars, PackedBars):
            return replace(self, bars=bars.only(symbols))
        return replace(self, bars=tuple(bar for bar in bars if bar.symbol in symbols))

    def __reduce__(self) -> tuple[type[BarGroup], tuple[Any, ...]]:
        """Return how pickle makes this anew."""
        return BarGroup, (self.index, self.open_ns, self.known_ns, self.session, PackedBars.of(self.bars))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BarTable:
    """Hold bars of several symbols in columns, rows sorted by (known_ns, symbol).

    `starts[i]:starts[i+1]` are the rows of group i (`len(starts) == groups + 1`). `symbol_id` indexes `symbols`
    (sorted). `bar_ns` is the nominal length of a bar (86,400e9 for daily). `continuous` says that the market trades
    round the clock. `fingerprint` is the SHA-256 of the bars and their meaning, by which a session knows its data.
    """

    symbols: tuple[str, ...]
    bar_ns: int
    continuous: bool
    fingerprint: str
    starts: Ints
    symbol_id: NDArray[np.int16]
    open_ns: Ints
    known_ns: Ints
    session: NDArray[np.int32]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    dividend: Floats

    def __len__(self) -> int:
        """Return the number of groups (moments)."""
        return len(self.starts) - 1

    @property
    def rows(self) -> int:
        """Return the number of bars over all symbols."""
        return len(self.open)

    def group(self, index: int) -> BarGroup:
        """Return group `index` (0-based) as messages carry it."""
        return next(self.groups(index, index + 1))

    def groups(self, start: int = 0, stop: int | None = None) -> Iterator[BarGroup]:
        """Yield the groups from `start` up to, not including, `stop` (default: the end)."""
        last = len(self) if stop is None else stop
        for first in range(start, last, _GROUPS_AT_A_TIME):
            yield from self._some_groups(first, min(first + _GROUPS_AT_A_TIME, last))

    def _some_groups(self, start: int, stop: int) -> Iterator[BarGroup]:
        """Yield groups whose rows are taken out of the columns together: one by one costs three times as much."""
        starts = self.starts[start : stop + 1]
        a, b = int(starts[0]), int(starts[-1])
        columns = (self.open, self.high, self.low, self.close, self.volume, self.dividend)
        names = map(self.symbols.__getitem__, self.symbol_id[a:b].tolist())
        rows = zip(names, *(column[a:b].tolist() for column in columns), strict=True)
        bars = tuple(map(tuple.__new__, repeat(Bar), rows))  # as Bar._make, thrice as fast
        times = (self.open_ns, self.known_ns, self.session)
        moments = zip(*(column[starts[:-1]].tolist() for column in times), strict=True)
        edges = (starts - a).tolist()
        for i, (open_ns, known_ns, session) in enumerate(moments):
            yield BarGroup(start + i, open_ns, known_ns, session, bars[edges[i] : edges[i + 1]])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SymbolBars:
    """Hold one symbol's present bars, oldest first, compacted: only bars that exist, never NaN prices.

    All arrays have the same length; `volume` is NaN throughout where the source has none.
    """

    symbol: str
    bar_ns: int
    open_ns: Ints
    session: NDArray[np.int32]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        """Return the number of bars."""
        return len(self.open)
