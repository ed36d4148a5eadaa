"""Keep each symbol's last price and its age, counted in bar groups, never in wall time (requirements A4, C5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from domain.bars import BarGroup

NO_MARK = -1
"""The age of a mark that does not exist."""


class Marks:
    """Hold the last close of every symbol and the bar group it came from.

    A symbol without a bar grows older with each group of the others: one that ended, or was halted, goes stale by
    itself, while its last price still values what is held of it.
    """

    __slots__ = ("_bars", "prices")

    def __init__(self, saved: Mapping[str, Sequence[Any]] | None = None) -> None:
        """Start without marks, or with `saved` (what `to_values` returned)."""
        known = saved or {}
        self.prices: dict[str, float] = {symbol: float(price) for symbol, (price, _) in known.items()}
        self._bars: dict[str, int] = {symbol: int(bar) for symbol, (_, bar) in known.items()}

    def take(self, group: BarGroup) -> None:
        """Mark every symbol of `group` at its close."""
        prices, bars, index = self.prices, self._bars, group.index
        for bar in group.bars:
            prices[bar.symbol] = bar.close
            bars[bar.symbol] = index

    def age_bars(self, symbol: str, bar: int) -> int:
        """Return the groups from the mark of `symbol` to group `bar`: 0 for its own, NO_MARK when it has none."""
        known = self._bars.get(symbol)
        return NO_MARK if known is None else bar - known

    def to_values(self) -> dict[str, tuple[float, int]]:
        """Return the marks as (price, bar) by symbol, JSON-able."""
        return {symbol: (price, self._bars[symbol]) for symbol, price in self.prices.items()}
