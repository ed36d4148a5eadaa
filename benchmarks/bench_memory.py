"""Measure the memory of an engine on Ray, process by process: each strategy in an actor of its own, and packed.

Floors, in proportional set size without the driver, which is the user's own process: 1.2 GiB with eleven dedicated
actors, 0.9 GiB with all strategies in one. What is shared by several processes counts once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import psutil

from benchmarks.engine_runs import daily_bars, default_settings, planned
from benchmarks.report import Bound, Figure, report
from cli.drive import States, drive
from cli.ray_engine import RayEngine
from config.settings import Settings
from domain.messages import COORDINATOR, FEED
from supervisor.ray_runtime import SERVERS

MIB = 2**20
YEARS = 1.5
SETTLED = 150
"""Bars settled when memory is looked at: every module is loaded and every block begun."""
MOST_DEDICATED_MIB, MOST_PACKED_MIB = 1.2 * 1024, 0.9 * 1024
PACKED = 1_000
ACTOR = "actor"


class Look:
    """Look once, after `SETTLED` bars, at every process but this one; then nothing more is needed."""

    def __init__(self, first: int) -> None:
        """Count bars from `first`."""
        self._first = first
        self.found: dict[str, int] = {}

    def __call__(self, states: States) -> None:
        """Look if it is time."""
        if not self.found and int(states[FEED].get("next", 0)) - self._first >= SETTLED:
            roles = {int(told["pid"]): role for role, told in states[COORDINATOR]["roles"].items()}
            self.found = dict(sorted(_sizes(roles), key=lambda each: -each[1]))

    @property
    def done(self) -> str:
        """Return why the run may stop, "" before."""
        return "memory was looked at" if self.found else ""


def _sizes(roles: Mapping[int, str]) -> Iterator[tuple[str, int]]:
    """Yield what each process below this one is, and its proportional set size in bytes."""
    for process in psutil.Process().children(recursive=True):
        try:
            yield _name(process, roles), int(process.memory_full_info().pss)
        except psutil.NoSuchProcess:
            continue


def _name(process: psutil.Process, roles: Mapping[int, str]) -> str:
    line = " ".join(process.cmdline())
    if process.pid in roles:
        return f"{ACTOR} {roles[process.pid]}"
    if "CoordinatorHost" in line:
        return f"{ACTOR} {COORDINATOR}"
    if "simulation.venue" in line:
        return "venue"
    if process.name() in SERVERS:
        return f"Ray: {process.name()}"
    # Ray's own: by script, by what it calls itself, or by program.
    words = line.split()
    script = next((word for word in words[1:] if word.endswith(".py")), "")
    called = words[0].removeprefix("ray::") if line.startswith("ray::") else (script or process.name())
    return f"Ray: {called.rpartition('/')[2]} ({process.pid})"


def sizes(settings: Settings) -> dict[str, int]:
    """Run an engine until its memory was looked at."""
    table, first, _ = daily_bars(settings, YEARS)
    with planned(settings, table, first) as plan:
        look = Look(first)
        engine = RayEngine(plan)
        try:
            drive(engine, stop_requested=lambda: look.done, show=look, stall_s=60.0, stop_s=30.0)
        finally:
            engine.close()
    return look.found


def packed(settings: Settings) -> Settings:
    """Return the settings with all strategies in one actor."""
    supervision = settings.engine.supervision.model_copy(update={"strategies_per_actor": PACKED})
    engine = settings.engine.model_copy(update={"supervision": supervision})
    return replace(settings, engine=engine)


def figures(what: str, found: dict[str, int], most_mib: float) -> Iterator[Figure]:
    """Yield the sum beside its floor, then every process."""
    actors = sum(name.startswith(ACTOR) for name in found)
    how = f"proportional set size after {SETTLED} bars, without the driver"
    total = sum(found.values()) / MIB
    yield Figure(f"{what}: {actors} actors, Ray, venue", total, "MiB", how, most_mib, Bound.AT_MOST)
    for name, size in found.items():
        yield Figure(f"{what}: {name}", size / MIB, "MiB", how)


def main() -> int:
    """Measure, show and keep the figures; return 1 when a floor is missed."""
    settings = default_settings()
    dedicated = sizes(settings)
    time.sleep(1.0)
    together = sizes(packed(settings))
    return report(
        "memory",
        [*figures("dedicated", dedicated, MOST_DEDICATED_MIB), *figures("packed", together, MOST_PACKED_MIB)],
    )


if __name__ == "__main__":
    sys.exit(main())
