"""Keep each symbol's last price and its age, counted in bars and sessions, never in wall time (requirements A4, C5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from domain.bars import BarGroup
from domain.errors import InvariantViolation

NO_MARK = -1
"""The age of a mark that does not exist."""


class Mark(NamedTuple):
    """Be a symbol's last close, with the bar group and the count of sessions at which it came."""

    price: float
    bar: int
    session_count: int


class Marks:
    """Hold the last price of every symbol.

    A bar's age is counted in bar groups: a symbol without a bar grows older with each group of the others. A symbol
    that ended, or was halted, so goes stale by itself; its last price still values what is held of it.
    """

    def __init__(self) -> None:
        self._marks: dict[str, Mark] = {}
        self._prices: dict[str, float] = {}
        self._bar = -1
        self._session = -1
        self._session_count = 0

    @property
    def bar(self) -> int:
        """Return the index of the last group taken; -1 before the first."""
        return self._bar

    @property
    def session_count(self) -> int:
        """Return how many sessions have begun."""
        return self._session_count

    def take(self, group: BarGroup) -> bool:
        """Mark every symbol of `group` at its close; return whether a session began with it.

        Raises InvariantViolation when the group, or its session, does not come after the last.
        """
        if group.index <= self._bar or group.session < self._session:
            raise InvariantViolation(
                f"bar group {group.index} of session {group.session} came after group {self._bar} of {self._session}"
            )
        began = group.session != self._session
        self._session_count += began
        self._bar, self._session = group.index, group.session
        for bar in group.bars:
            self._marks[bar.symbol] = Mark(bar.close, group.index, self._session_count)
            self._prices[bar.symbol] = bar.close
        return began

    def prices(self) -> Mapping[str, float]:
        """Return the last price of every symbol that has one, however old."""
        return self._prices

    def get(self, symbol: str) -> Mark | None:
        """Return the mark of `symbol`, or None."""
        return self._marks.get(symbol)

    def age_bars(self, symbol: str) -> int:
        """Return the groups since the mark of `symbol`: 0 for the present group, NO_MARK when it has none."""
        mark = self._marks.get(symbol)
        return NO_MARK if mark is None else self._bar - mark.bar

    def age_sessions(self, symbol: str) -> int:
        """Return the sessions begun since the mark of `symbol`, NO_MARK when it has none."""
        mark = self._marks.get(symbol)
        return NO_MARK if mark is None else self._session_count - mark.session_count

    def is_fresh(self, symbol: str, max_age_bars: int) -> bool:
        """Return whether `symbol` has a mark no older than `max_age_bars`."""
        return 0 <= self.age_bars(symbol) <= max_age_bars

    def dead(self, symbols: Iterable[str], after_sessions: int) -> tuple[str, ...]:
        """Return those of `symbols`, sorted, whose mark is at least `after_sessions` sessions old.

        A symbol that has not begun to trade is not dead.
        """
        return tuple(sorted(symbol for symbol in symbols if self.age_sessions(symbol) >= after_sessions > 0))
