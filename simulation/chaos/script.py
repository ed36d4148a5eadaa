"""Write what a seed trades: a market that moves enough to reach stops, and strategies that change their mind often."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import numpy as np

from domain.bars import BarGroup, BarTable
from domain.signals import Signal, SignalFailure
from domain.strategies.evaluator import Evaluation
from simulation.chaos.faults import Fault, FaultKind, Schedule
from simulation.chaos.perils import Perils

SYMBOLS = ("AAA", "BBB", "CCC")
DAY_NS = 86_400_000_000_000
HOUR_NS = 3_600_000_000_000
BARS_A_SESSION = 4
FIRST_SESSION = 735_000
DEEP, THIN = 1e6, 150.0
"""Units traded at a bar that fills every order whole, and at one that fills some of it."""

MOVE, JUMP, JUMPS = 0.012, 0.045, 0.12
"""Size of a common move and of a jump from bar to bar, and the share of jumps: stops lie 3 % away."""

Votes = Mapping[str, Sequence[Mapping[str, int]]]
"""Direction by strategy, bar and symbol."""


def market(schedule: Schedule) -> BarTable:
    """Return the bars of `schedule`: daily ones of even seeds, four a session of odd ones."""
    chance = random.Random(f"market {schedule.seed}")
    daily = schedule.seed % 2 == 0
    bar_ns = DAY_NS if daily else HOUR_NS
    thin = {(fault.where, bar) for fault in schedule.faults for bar in _thin_bars(fault)}
    prices = dict.fromkeys(SYMBOLS, 100.0)
    rows: list[tuple[float, ...]] = []
    times: list[tuple[int, int, int]] = []
    for bar in range(schedule.bars):
        session = bar if daily else bar // BARS_A_SESSION
        open_ns = session * DAY_NS + (0 if daily else bar % BARS_A_SESSION * HOUR_NS)
        for number, symbol in enumerate(SYMBOLS):
            rows.append((number, *_bar(chance, prices, symbol), THIN if (symbol, bar) in thin else DEEP))
            times.append((open_ns, open_ns + bar_ns // 2, session + FIRST_SESSION))
    columns, moments = np.array(rows, np.float64), np.array(times, np.int64)
    return BarTable(
        symbols=SYMBOLS,
        bar_ns=bar_ns,
        continuous=False,
        fingerprint=f"fault search {schedule.seed}",
        starts=np.arange(0, len(rows) + 1, len(SYMBOLS), dtype=np.int64),
        symbol_id=columns[:, 0].astype(np.int16),
        open_ns=moments[:, 0].copy(),
        known_ns=moments[:, 1].copy(),
        session=moments[:, 2].astype(np.int32),
        open=columns[:, 1].copy(),
        high=columns[:, 2].copy(),
        low=columns[:, 3].copy(),
        close=columns[:, 4].copy(),
        volume=columns[:, 5].copy(),
        dividend=np.zeros(len(rows)),
    )


def _bar(chance: random.Random, prices: dict[str, float], symbol: str) -> tuple[float, float, float, float]:
    """Move `symbol` by one bar and return open, high, low, close."""
    size = JUMP if chance.random() < JUMPS else MOVE
    open_ = round(prices[symbol] * (1.0 + chance.gauss(0.0, size / 2.0)), 2)
    close = round(open_ * (1.0 + chance.gauss(0.0, size)), 2)
    prices[symbol] = close = min(max(close, 40.0), 250.0)
    high = round(max(open_, close) * (1.0 + chance.random() * size), 2)
    low = round(min(open_, close) * (1.0 - chance.random() * size), 2)
    return open_, high, low, close


def _thin_bars(fault: Fault) -> range:
    if fault.kind is not FaultKind.PARTIAL_FILL:
        return range(0)
    return range(fault.bar, fault.bar + fault.occasion)


def votes(schedule: Schedule, strategies: Sequence[str]) -> Votes:
    """Return what every strategy says: most follow a common mood that lasts a few bars."""
    chance = random.Random(f"votes {schedule.seed}")
    moods: list[dict[str, int]] = []
    mood = dict.fromkeys(SYMBOLS, 0)
    for _ in range(schedule.bars):
        for symbol in SYMBOLS:
            if chance.random() < 0.4:
                mood[symbol] = chance.choice((1, 1, -1, -1, 0))
        moods.append(dict(mood))
    return {
        name: [
            {
                symbol: said if chance.random() < 0.85 else chance.choice((-1, 0, 1))
                for symbol, said in at.items()
            }
            for at in moods
        ]
        for name in strategies
    }


class ScriptedEvaluator:
    """Say what is written, and fail where a fault strikes (port: `domain.strategies.evaluator.Evaluator`)."""

    def __init__(self, strategy_id: str, script: Votes, perils: Perils) -> None:
        """Speak for `strategy_id`."""
        self._strategy_id, self._script, self._perils = strategy_id, script[strategy_id], perils

    def observe(self, group: BarGroup) -> None:
        """Take in nothing: all is written."""

    def evaluate(self, group: BarGroup) -> list[Evaluation]:
        """Return what is said of each symbol; a fault makes it fail on all of them, or end its process."""
        fault = self._perils.strikes(FaultKind.STRATEGY_FAILS, self._strategy_id)
        if fault is not None and fault.value < 0.4:
            raise StrategyRaised(f"{self._strategy_id} raises at bar {group.index}")
        if fault is not None:
            return [
                SignalFailure(self._strategy_id, bar.symbol, "Chaos", "it fails", "") for bar in group.bars
            ]
        said = self._script[group.index]
        return [Signal(bar.symbol, said[bar.symbol], 0.9 if said[bar.symbol] else 0.0) for bar in group.bars]


class StrategyRaised(RuntimeError):
    """Be what a strategy's code raises."""
