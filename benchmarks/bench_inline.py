"""Measure the backtest of record: the whole engine inline, audit trail on, five symbols, three strategies and all six.

Floor: 20,000 bar-symbols a second with three strategies, on a core of its own. Processor time is held to it, since wall
time changes with other work on the machine; the wall figure beside it includes waiting for the disk.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import NamedTuple

from benchmarks.engine_runs import daily_bars, default_settings, planned, three_strategies
from benchmarks.report import Figure, report
from cli.drive import drive
from cli.inline_engine import InlineEngine
from cli.plan import EnginePlan
from config.settings import Settings
from domain.bars import BarTable

RUNS = 9
FLOOR_BARS_PER_S = 20_000.0


class Run(NamedTuple):
    """Be one run's seconds: processor time to start it, and processor and wall time from there to the last commit."""

    start_cpu_s: float
    cpu_s: float
    wall_s: float


def main() -> int:
    """Run, show and keep the figures; return 1 when the floor is missed."""
    three, six = three_strategies(), default_settings()
    table, first, source = daily_bars(three)
    bars = table.rows - int(table.starts[first])
    groups = len(table) - first
    with planned(three, table, first) as plan:
        timed(plan)  # imports and compiled code are there from the second run on
    small, large = (measured(settings, table, first) for settings in (three, six))
    how = f"median of {RUNS}, {groups:,} bars of 5 symbols, {source}"
    return report(
        "inline",
        [
            Figure("three strategies, processor time", bars / small.cpu_s, "bars/s", how, FLOOR_BARS_PER_S),
            Figure("three strategies, wall time", bars / small.wall_s, "bars/s", how),
            Figure("three strategies, a group of 5", small.cpu_s / groups * 1e6, "us", how),
            Figure("six strategies, processor time", bars / large.cpu_s, "bars/s", how),
            Figure("six strategies, wall time", bars / large.wall_s, "bars/s", how),
            Figure("start of an engine, processor time", small.start_cpu_s * 1e3, "ms", "median, warm"),
        ],
    )


def measured(settings: Settings, table: BarTable, first: int) -> Run:
    """Return the medians of `RUNS` runs."""
    runs = []
    for _ in range(RUNS):
        with planned(settings, table, first) as plan:
            runs.append(timed(plan))
    return Run(*(statistics.median(column) for column in zip(*runs, strict=True)))


def timed(plan: EnginePlan) -> Run:
    """Run `plan` to its end, everything committed and the trail signed."""
    begun = time.process_time()
    engine = InlineEngine(plan)
    cpu, wall = time.process_time(), time.perf_counter()
    try:
        drive(engine, stop_requested=lambda: "", show=lambda states: None, stall_s=60.0, stop_s=60.0)
    finally:
        engine.close()
    return Run(cpu - begun, time.process_time() - cpu, time.perf_counter() - wall)


if __name__ == "__main__":
    sys.exit(main())
