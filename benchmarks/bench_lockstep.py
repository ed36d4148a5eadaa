"""Measure the engine on Ray in lockstep: bars a second with six strategies, start, stop, and memory by process.

Floor: 50 bars a second (a bar here is one moment of five symbols). Every bar waits for strategies, risk manager,
gateway and venue in turn, so the rate is what the hops between processes cost; the machine should be idle.
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from contextlib import suppress

import psutil

from benchmarks.engine_runs import daily_bars, default_settings, planned
from benchmarks.report import Bound, Figure, report
from cli.drive import States, drive
from cli.plan import EnginePlan
from cli.ray_engine import RayEngine
from domain.messages import FEED

YEARS = 2.4
FLOOR_BARS_PER_S = 50.0
MOST_START_S = 30.0
MOST_STOP_S = 30.0
MIB = 2**20
FIRST_LOOK, LAST_LOOK = 100, 500
"""Bars settled when memory and processor time are looked at."""


class Watch:
    """Look at a running engine: when which bar had settled, and once, part of the way, at its memory."""

    def __init__(self, first: int) -> None:
        """Count bars from `first`."""
        self._first = first
        self.seen: list[tuple[float, int]] = []
        self.memory: dict[str, list[int]] = {}
        self._busy: list[tuple[dict[str, float], int]] = []

    def look(self, states: States) -> None:
        """Take in the states of a moment."""
        settled = int(states[FEED].get("next", self._first)) - self._first
        if settled > 0 and (not self.seen or settled > self.seen[-1][1]):
            self.seen.append((time.monotonic(), settled))
        due = (FIRST_LOOK, LAST_LOOK)[len(self._busy) :][:1]
        if due and settled >= due[0]:
            self.memory = memory_by_process()
            self._busy.append((busy_s(), settled))

    def bars_per_s(self) -> float:
        """Return the rate between the first look at a settled bar and the last."""
        (begun, first), (ended, last) = self.seen[0], self.seen[-1]
        return (last - first) / (ended - begun)

    def busy_s_per_bar(self) -> dict[str, float]:
        """Return the processor seconds spent on a bar, by what the processes are."""
        (before, first), (after, last) = self._busy
        return {kind: (after[kind] - before[kind]) / (last - first) for kind in after}


def processes() -> list[psutil.Process]:
    """Return this process and all below it."""
    own = psutil.Process(os.getpid())
    return [own, *own.children(recursive=True)]


def memory_by_process() -> dict[str, list[int]]:
    """Return the proportional set sizes in bytes of this process and all below it, by what they are."""
    sizes: dict[str, list[int]] = {}
    for process in processes():
        with suppress(psutil.NoSuchProcess):
            size, words = int(process.memory_full_info().pss), process.cmdline()
            sizes.setdefault(_kind(process.pid == os.getpid(), words), []).append(size)
    return sizes


def busy_s() -> dict[str, float]:
    """Return the processor seconds that this process and all below it have used, by what they are."""
    totals: defaultdict[str, float] = defaultdict(float)
    for process in processes():
        with suppress(psutil.NoSuchProcess):
            times, words = process.cpu_times(), process.cmdline()
            totals[_kind(process.pid == os.getpid(), words)] += times.user + times.system
    return totals


def _kind(own: bool, words: list[str]) -> str:
    line = " ".join(words)
    if own:
        return "driver"
    if line.startswith("ray::"):
        return "roles"
    return "venue" if "simulation.venue" in line else "Ray"


def main() -> int:
    """Run, show and keep the figures; return 1 when a floor is missed."""
    settings = default_settings()
    table, first, source = daily_bars(settings, YEARS)
    with planned(settings, table, first) as plan:
        return report("lockstep", figures(plan, source))


def figures(plan: EnginePlan, source: str) -> list[Figure]:
    """Run `plan` on Ray and return what was measured."""
    watch = Watch(plan.session.first)
    begun = time.monotonic()
    engine = RayEngine(plan)
    created = time.monotonic()
    try:
        drive(engine, stop_requested=lambda: "", show=watch.look, stall_s=30.0, stop_s=30.0)
    finally:
        ended = time.monotonic()
        engine.close()
    stop_s = time.monotonic() - ended
    rate = watch.bars_per_s()
    how = f"{watch.seen[-1][1] - watch.seen[0][1]} bars of 5 symbols, six strategies, {source}"
    busy = watch.busy_s_per_bar()
    shares = ", ".join(f"{kind} {spent * 1e3:.1f}" for kind, spent in sorted(busy.items()))
    measured = "proportional set size during the run"
    memory = [
        Figure(
            f"memory, {kind}: {len(sizes)}",
            sum(sizes) / MIB,
            "MiB",
            f"{measured}; largest {max(sizes) // MIB} MiB",
        )
        for kind, sizes in sorted(watch.memory.items())
    ]
    memory_mib = sum(map(sum, watch.memory.values())) / MIB
    return [
        Figure("lockstep", rate, "bars/s", how, FLOOR_BARS_PER_S),
        Figure("a bar", 1e3 / rate, "ms", how),
        Figure("a bar, processor time of all", sum(busy.values()) * 1e3, "ms", shares),
        Figure("start: Ray, venue and roles", created - begun, "s", "one start", MOST_START_S, Bound.AT_MOST),
        Figure(
            "first bar settled after", watch.seen[0][0] - begun, "s", "one start", MOST_START_S, Bound.AT_MOST
        ),
        Figure("stop: roles, Ray and venue", stop_s, "s", "one stop", MOST_STOP_S, Bound.AT_MOST),
        *memory,
        Figure("memory, all", memory_mib, "MiB", "sum of the above"),
    ]


if __name__ == "__main__":
    sys.exit(main())
