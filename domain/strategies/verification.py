"""Prove on data that a strategy is fit: live and backtest agree on every bar, and its warm-up suffices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from domain.bars import Bar, BarGroup, SymbolBars
from domain.signals import Signal, SignalFailure
from domain.strategies.blocks import block_ns
from domain.strategies.evaluator import Evaluation, LiveEvaluator, SymbolBlocks
from domain.strategies.protocol import StrategyInstance

CONFIDENCE_TOLERANCE = 1e-6
"""Difference of confidence that the start of a slice may make: TA-Lib's running sums round differently."""


class Disagreement(NamedTuple):
    """Say at which bar, counted from 0, two evaluations of a strategy differ; `first` is as it should be."""

    position: int
    first: Evaluation
    second: Evaluation


def live_disagreement(instance: StrategyInstance, bars: SymbolBars, continuous: bool) -> Disagreement | None:
    """Return the first bar at which evaluating to now (live) and whole blocks (backtest) differ, or None.

    Traces of exceptions are not compared, only kind and text. It takes one evaluation a bar.
    """
    live = LiveEvaluator(instance, bars.bar_ns, continuous)
    blocks = SymbolBlocks(instance, bars, block_ns(bars.bar_ns, continuous))
    for position, group in enumerate(_groups(bars)):
        (now,), whole = live.evaluate(group), blocks.entry(position)
        if not _same(now, whole, 0.0):
            return Disagreement(position, now, whole)
    return None


def warmup_disagreement(
    instance: StrategyInstance, bars: SymbolBars, continuous: bool
) -> Disagreement | None:
    """Return the first bar whose evaluation changes when a block is preceded by far more bars, or None.

    Confidences within `CONFIDENCE_TOLERANCE` count as equal. A finding means that the definition's warm-up is
    too short for what its rule remembers.
    """
    longer = 4 * instance.warmup + 256
    definition = replace(instance.definition, warmup=lambda _: longer)
    length = block_ns(bars.bar_ns, continuous)
    short = SymbolBlocks(instance, bars, length)
    long = SymbolBlocks(replace(instance, definition=definition), bars, length)
    for position in range(longer, len(bars)):
        wanted, given = long.entry(position), short.entry(position)
        if not _same(wanted, given, CONFIDENCE_TOLERANCE):
            return Disagreement(position, wanted, given)
    return None


def _same(a: Evaluation, b: Evaluation, tolerance: float) -> bool:
    if isinstance(a, Signal) and isinstance(b, Signal):
        near = math.isclose(a.confidence, b.confidence, rel_tol=0.0, abs_tol=tolerance)
        return a.direction == b.direction and near
    if isinstance(a, SignalFailure) and isinstance(b, SignalFailure):
        return (a.kind, a.error) == (b.kind, b.error)
    return False


def _groups(bars: SymbolBars) -> Iterator[BarGroup]:
    columns = (bars.open_ns, bars.session, bars.open, bars.high, bars.low, bars.close, bars.volume)
    for index, row in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        open_ns, session, o, high, low, close, volume = row
        bar = Bar(bars.symbol, o, high, low, close, volume, 0.0)
        yield BarGroup(index, open_ns, open_ns + bars.bar_ns, session, (bar,))
