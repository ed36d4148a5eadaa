"""Keep a strategy's bars whole: in order, each once, and what it missed fetched from the feed.

A bar that comes before the one due waits until the feed has given what lies between. The answer to a request comes in
numbered parts; where one was lost, the rest is let pass and the history asked for again.
"""

from __future__ import annotations

from collections.abc import Iterator

from domain.bars import BarGroup
from domain.messages import BarHistory

HELD_BACK = 4
"""Bars that may wait for what came before them; more than one does only where the feed restarted meanwhile."""

PATIENCE = 2
"""Lease answers that may say that bars are missing, or pass without a part of the history, before it is asked for."""

MOST_PATIENCE = 64
"""Patience doubles with every asking in vain, up to this, so that a slow feed is not flooded with requests."""


class CatchingUp:
    """Know which bar is due, hold back what comes too early, and say when history must be asked for."""

    def __init__(self) -> None:
        """Expect any bar: none has come."""
        self.newest = -1
        self._placed = self._asked = False
        self._part = self._follows = 0
        self._waited = 0
        self._patience = PATIENCE
        self._held_back: dict[int, BarGroup] = {}

    def ask(self) -> None:
        """Note that the history was asked for."""
        self._placed = self._asked = True
        self._part = self._waited = 0

    def is_due(self, group: BarGroup) -> bool:
        """Say whether `group` follows what has come; where history was never asked for, the first does."""
        return group.index == self.newest + 1 or (self.newest < 0 and not self._placed)

    def came_before(self, group: BarGroup) -> bool:
        """Say whether `group` is one that was counted."""
        return group.index <= self.newest

    def count(self, group: BarGroup) -> None:
        """Note that `group`, whose turn it was, is evaluated."""
        self.newest, self._waited = group.index, 0

    def hold_back(self, group: BarGroup) -> bool:
        """Keep `group` until what lies before it came; return whether that must be asked for."""
        self._held_back[group.index] = group
        if len(self._held_back) > HELD_BACK:
            del self._held_back[min(self._held_back)]
        return not self._asked

    @property
    def holds_back(self) -> bool:
        """Say whether any bar waits for what came before it."""
        return bool(self._held_back)

    def take(self, part: BarHistory) -> Iterator[BarGroup]:
        """Yield the groups of `part` that are new, each counted; none where a part before it was lost."""
        groups = part.groups
        if part.number and (part.number != self._part or (groups and groups[0].index != self._follows)):
            return
        self._part, self._waited = part.number + 1, 0
        self._follows = groups[-1].index + 1 if groups else self._follows
        for group in groups:
            if group.index > self.newest:
                self.newest = group.index
                yield group
        if part.last:
            self.newest = max(self.newest, part.before - 1)
            self._asked, self._part, self._patience = False, 0, PATIENCE

    @property
    def complete(self) -> bool:
        """Say whether nothing that was asked for is still to come."""
        return not self._asked

    def due(self) -> Iterator[BarGroup]:
        """Yield, each counted, the bars held back whose turn has come, and forget those that are past."""
        for index in sorted(self._held_back):
            group = self._held_back[index]
            if self.is_due(group):
                self.count(group)
                yield group
            if index <= self.newest:
                del self._held_back[index]

    def must_ask(self, bars_head: int) -> bool:
        """Say, at each lease answer, whether to ask for history: bars have been missing, or an answer, for too long."""
        if not self._asked and bars_head <= self.newest:
            self._waited = 0
            return False
        self._waited += 1
        if self._waited < self._patience:
            return False
        self._patience = min(2 * self._patience, MOST_PATIENCE) if self._asked else PATIENCE
        return True
