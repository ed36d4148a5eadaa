"""Replay stored bars as a feed: one group when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from domain.bars import BarGroup, BarTable
from domain.errors import DataError
from domain.messages import BarsArrived, DataEnded
from domain.ports import Mailbox
from domain.strategies.blocks import block_start, slice_start

_AHEAD = 256
"""Groups made at a time: making them one by one costs more than all the rest of a bar."""


class ReplayFeed:
    """Deliver the groups of a bar table in order (port: `domain.ports.FeedPort`)."""

    def __init__(self, table: BarTable) -> None:
        """Replay `table`."""
        self._table = table
        self._mailbox: Mailbox | None = None
        self._ready: dict[int, BarGroup] = {}

    def open(self, mailbox: Mailbox) -> None:
        """Deliver to `mailbox`; raises DataError when there are no bars."""
        if len(self._table) == 0:
            raise DataError("the replay has no bars; choose another file, symbols or dates")
        self._mailbox = mailbox

    def pull(self, index: int) -> None:
        """Deliver group `index`, or `DataEnded` past the last."""
        if self._mailbox is None:
            return
        if index >= len(self._table):
            self._mailbox.put(DataEnded(bars=len(self._table)))
            return
        if index not in self._ready:
            stop = min(index + _AHEAD, len(self._table))
            self._ready = {group.index: group for group in self._table.groups(index, stop)}
        self._mailbox.put(BarsArrived(group=self._ready[index]))

    def history(self, before: int, block_ns: int, warmup: int) -> Iterator[BarGroup]:
        """Yield the groups before `before` from where the earliest slice of any symbol's present block begins."""
        if not 0 < before <= len(self._table):
            return
        yield from self._table.groups(self._first_needed(before, block_ns, warmup), before)

    def _first_needed(self, before: int, block_ns: int, warmup: int) -> int:
        table = self._table
        row = int(table.starts[min(before, len(table) - 1)])
        begin = block_start(int(table.open_ns[row]), block_ns)
        first = before
        for symbol_id in range(len(table.symbols)):
            rows = np.flatnonzero(table.symbol_id == symbol_id)
            position = int(np.searchsorted(table.open_ns[rows], begin))
            start = slice_start(table.session[rows[: position + 1]], min(position, len(rows) - 1), warmup)
            group = int(np.searchsorted(table.starts, rows[start], side="right")) - 1
            first = min(first, group)
        return first

    def close(self) -> None:
        """Deliver nothing more."""
        self._mailbox = None
        self._ready = {}
