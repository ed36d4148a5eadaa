"""Evaluate one strategy bar by bar: from the bars that have come (live), or from all bars at once (backtest).

Both compute on the same slices (see `blocks`), so both give the same signals and failures, bar by bar, to the
last bit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np

from domain.bars import BarGroup, SymbolBars
from domain.errors import InvariantViolation
from domain.signals import Signal, SignalFailure
from domain.strategies.blocks import block_ns, block_start, slice_start
from domain.strategies.checking import Failed, answer
from domain.strategies.history import SymbolHistory, window
from domain.strategies.protocol import StrategyInstance

Evaluation = Signal | SignalFailure
"""What a strategy says about one symbol at one bar; a direction of 0 abstains."""


class Evaluator(Protocol):
    """Turn bar groups into one evaluation per bar."""

    def observe(self, group: BarGroup) -> None:
        """Take in a past group without evaluating it."""
        ...

    def evaluate(self, group: BarGroup) -> list[Evaluation]:
        """Take in the next group and return one evaluation per bar of it, in its order."""
        ...


class _LiveSymbol:
    """Hold one symbol's history and where the slice of its present block begins."""

    __slots__ = ("_start", "block", "history")

    def __init__(self, symbol: str, bar_ns: int) -> None:
        self.history = SymbolHistory(symbol, bar_ns)
        self.block: int | None = None
        self._start = 0

    def enter(self, block: int, warmup: int) -> None:
        """Note that the last bar appended is the first of `block`."""
        self.block = block
        self._start = self.history.slice_start(len(self.history) - 1, warmup)
        self.history.forget(self._start)

    def slice(self) -> SymbolBars:
        return self.history.view(self._start)


class LiveEvaluator:
    """Evaluate the present block up to now after each group, and take the last entry."""

    def __init__(self, instance: StrategyInstance, bar_ns: int, continuous: bool) -> None:
        self._instance = instance
        self._warmup = instance.warmup
        self._bar_ns = bar_ns
        self._block_ns = block_ns(bar_ns, continuous)
        self._symbols: dict[str, _LiveSymbol] = {}

    def observe(self, group: BarGroup) -> None:
        """Take in a past group without evaluating it. Raises InvariantViolation when a bar is not later."""
        self._take(group)

    def evaluate(self, group: BarGroup) -> list[Evaluation]:
        """Take in the next group and return one evaluation per bar. Raises as `observe` does."""
        return [self._last(symbol) for symbol in self._take(group)]

    def _take(self, group: BarGroup) -> list[_LiveSymbol]:
        block, open_ns, session = block_start(group.open_ns, self._block_ns), group.open_ns, group.session
        symbols, taken = self._symbols, []
        for bar in group.bars:
            symbol = symbols.get(bar.symbol)
            if symbol is None:
                symbol = symbols[bar.symbol] = _LiveSymbol(bar.symbol, self._bar_ns)
            symbol.history.append(open_ns, session, bar)
            if symbol.block != block:
                symbol.enter(block, self._warmup)
            taken.append(symbol)
        return taken

    def _last(self, symbol: _LiveSymbol) -> Evaluation:
        history = symbol.history
        if len(history) <= self._warmup:
            return _abstention(history.symbol)
        return _evaluate_last(self._instance, symbol.slice())


class BlockEvaluator:
    """Evaluate each block of each symbol once, from all its bars, and serve entries as their groups come."""

    def __init__(
        self, instance: StrategyInstance, bars: Iterable[SymbolBars], bar_ns: int, continuous: bool
    ) -> None:
        length = block_ns(bar_ns, continuous)
        self._symbols = {each.symbol: SymbolBlocks(instance, each, length) for each in bars}

    def observe(self, group: BarGroup) -> None:
        """Do nothing: all bars are known from the start."""

    def evaluate(self, group: BarGroup) -> list[Evaluation]:
        """Return one evaluation per bar. Raises InvariantViolation when a bar is not among those given."""
        symbols, open_ns = self._symbols, group.open_ns
        try:
            return [
                (symbol := symbols[bar.symbol]).served.get(open_ns) or symbol.at(open_ns)
                for bar in group.bars
            ]
        except KeyError as error:
            raise InvariantViolation(f"a bar of {error} came, whose history was not given") from error


class SymbolBlocks:
    """Hold one symbol's bars and, by when each opens, the evaluations of the block last asked for.

    `served`, for reading, holds None for a bar of a block that failed as a whole until it is asked for by `at`.
    """

    __slots__ = ("_bars", "_block_ns", "_instance", "_opens", "_start", "_warmup", "served")

    def __init__(self, instance: StrategyInstance, bars: SymbolBars, block_ns: int) -> None:
        self._instance = instance
        self._warmup = instance.warmup
        self._bars = bars
        self._opens: list[int] = bars.open_ns.tolist()
        self._block_ns = block_ns
        self._start = 0
        self.served: dict[int, Evaluation | None] = {}

    def at(self, open_ns: int) -> Evaluation:
        """Return the evaluation of the bar that opens at `open_ns`."""
        found = self.served.get(open_ns)
        return self._evaluated(self._position(open_ns)) if found is None else found

    def entry(self, position: int) -> Evaluation:
        """Return the evaluation of bar `position`, counted from 0."""
        return self.at(self._opens[position])

    def _position(self, open_ns: int) -> int:
        position = int(np.searchsorted(self._bars.open_ns, open_ns))
        if position == len(self._opens) or self._opens[position] != open_ns:
            raise InvariantViolation(
                f"{self._bars.symbol}: no bar opens at {open_ns} ns among the bars given"
            )
        return position

    def _evaluated(self, position: int) -> Evaluation:
        """Return the evaluation of a bar of another block, or of one whose block failed as a whole."""
        open_ns = self._opens[position]
        if open_ns not in self.served:
            self._load(position)
        found = self.served[open_ns]
        if found is None:
            found = self.served[open_ns] = _evaluate_last(
                self._instance, window(self._bars, self._start, position + 1)
            )
        return found

    def _load(self, position: int) -> None:
        """Evaluate the block of bar `position`; where that fails as a whole, leave each bar to its prefix."""
        begin = block_start(self._opens[position], self._block_ns)
        first, stop = (int(i) for i in np.searchsorted(self._bars.open_ns, (begin, begin + self._block_ns)))
        start = slice_start(self._bars.session, first, self._warmup)
        self._start = start
        symbol = self._bars.symbol
        early = min(max(self._warmup - first, 0), stop - first)
        served: list[Evaluation | None] = [_abstention(symbol)] * early
        if early < stop - first:
            answered = answer(self._instance, window(self._bars, start, stop))
            if isinstance(answered, Failed):
                served += [None] * (stop - first - early)
            else:
                strategy = self._instance.strategy_id
                verdicts = answered.verdicts(first + early - start, symbol)
                served += [v.of(strategy, symbol) if isinstance(v, Failed) else v for v in verdicts]
        self.served = dict(zip(self._opens[first:stop], served, strict=True))


def _evaluate_last(instance: StrategyInstance, bars: SymbolBars) -> Evaluation:
    answered = answer(instance, bars)
    verdict = answered if isinstance(answered, Failed) else answered.verdict(-1, bars.symbol)
    return verdict.of(instance.strategy_id, bars.symbol) if isinstance(verdict, Failed) else verdict


def _abstention(symbol: str) -> Signal:
    return Signal(symbol, 0, 0.0)
