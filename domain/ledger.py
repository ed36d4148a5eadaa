"""Keep one symbol's executions and dividends, each once, and derive its positions from them.

The state is a function of the *set* of entries, not of their arrival: entries are folded in order of event time, then
journal sequence, whatever order they came in. What comes last in that order is folded at once; a late or corrected
entry folds the symbol anew. A correction stands in its original's place, even when it arrives first.
"""

from __future__ import annotations

from typing import NamedTuple

from domain.broker import Side
from domain.errors import InvariantViolation
from domain.instruments import Instrument
from domain.positions import Fill, Position, PositionFold
from domain.records import CashEntry, ExecutionEntry


class _Event(NamedTuple):
    """Be an entry in its place: (time, sequence) decide the order, and no two share a sequence."""

    at_ns: int
    seq: int
    bar: int
    entry: ExecutionEntry | CashEntry


class SymbolLedger:
    """Hold what happened in one symbol, over all books.

    `folds` are the books' positions, by name; `lots` their sum; `flow_micro` is all cash that came (positive) or went;
    `inflows` are (bar, micro-units) of sales, in order, for settlement; `residual_micro` is what dividends paid on
    lots that no book holds, and what rounding left.
    """

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self._executions: dict[str, ExecutionEntry] = {}
        self._payments: dict[str, CashEntry] = {}
        self._superseded: set[str] = set()
        self._events: list[_Event] = []
        self._clear()

    def _clear(self) -> None:
        self.folds: dict[str, PositionFold] = {}
        self.lots = 0
        self.flow_micro = 0
        self.inflows: list[tuple[int, int]] = []
        self.residual_micro = 0

    def add(self, entry: ExecutionEntry | CashEntry) -> bool:
        """Take `entry`; return False when its id was taken before."""
        if isinstance(entry, CashEntry):
            known: dict[str, CashEntry] | dict[str, ExecutionEntry] = self._payments
            key, linked = entry.dividend.payment_id, False
        else:
            known, key = self._executions, entry.execution.exec_id
            linked = bool(entry.execution.corrects) or key in self._superseded
        if key in known:
            return False
        if isinstance(entry, CashEntry):
            self._payments[key] = entry
            event = _Event(entry.dividend.at_ns, entry.seq, 0, entry)
        else:
            self._executions[key] = entry
            if entry.execution.corrects:
                self._superseded.add(entry.execution.corrects)
            event = _Event(entry.execution.at_ns, entry.seq, entry.bar, entry)
        if linked or (self._events and event[:2] < self._events[-1][:2]):
            self._fold_anew()
        else:
            self._events.append(event)
            self._fold(event)
        return True

    def _fold_anew(self) -> None:
        self._clear()
        self._events = []
        for group in self._corrected_groups():
            at_ns, seq, bar = min((entry.execution.at_ns, entry.seq, entry.bar) for entry in group)
            standing = [entry for entry in group if entry.execution.exec_id not in self._superseded]
            if not standing:
                names = ", ".join(sorted(entry.execution.exec_id for entry in group))
                raise InvariantViolation(f"executions {names} correct one another in a circle")
            newest = max(standing, key=lambda entry: entry.seq)
            self._events.append(_Event(at_ns, seq, bar, newest))
        for payment in self._payments.values():
            self._events.append(_Event(payment.dividend.at_ns, payment.seq, 0, payment))
        self._events.sort(key=lambda event: event[:2])
        for event in self._events:
            self._fold(event)

    @property
    def is_open(self) -> bool:
        """Return whether any book holds lots, even where books offset one another."""
        return any(fold.lots != 0 for fold in self.folds.values())

    def position(self, book: str) -> Position:
        """Return the position of `book`, flat when it never traded."""
        return (self.folds.get(book) or PositionFold(book, self.instrument)).position()

    def _corrected_groups(self) -> list[list[ExecutionEntry]]:
        """Return the executions grouped with their corrections, corrections of corrections included."""
        groups: dict[str, list[ExecutionEntry]] = {}
        for entry in self._executions.values():
            groups.setdefault(self._root(entry), []).append(entry)
        return list(groups.values())

    def _root(self, entry: ExecutionEntry) -> str:
        seen = {entry.execution.exec_id}
        root = entry.execution.exec_id
        original = entry.execution.corrects
        while original and original not in seen:
            seen.add(original)
            root = original
            earlier = self._executions.get(original)
            original = "" if earlier is None else earlier.execution.corrects
        return root

    def _fold(self, event: _Event) -> None:
        entry = event.entry
        if isinstance(entry, CashEntry):
            self._fold_dividend(entry)
            return
        done = entry.execution
        signed = done.lots if done.side is Side.BUY else -done.lots
        fold = self.folds.get(entry.book)
        if fold is None:
            fold = PositionFold(entry.book, self.instrument)
            self.folds = dict(sorted([*self.folds.items(), (entry.book, fold)]))
        fill = Fill(event.at_ns, event.bar, entry.kind, signed, done.price, done.commission_micro)
        flow = fold.take(fill)
        self.lots += signed
        self.flow_micro += flow
        if flow > 0:
            self.inflows.append((event.bar, flow))

    def _fold_dividend(self, entry: CashEntry) -> None:
        paid = entry.dividend
        self.flow_micro += paid.amount_micro
        left = paid.amount_micro
        for book in self.folds:
            fold = self.folds[book]
            if paid.lots != 0 and fold.lots != 0:
                share = paid.amount_micro * fold.lots // paid.lots
                fold.receive(share)
                left -= share
        self.residual_micro += left
