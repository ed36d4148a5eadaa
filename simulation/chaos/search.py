"""Search seed after seed, replay one, and shrink what fails to what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simulation.chaos.faults import Fault, Schedule
from simulation.chaos.oracle import judge, judge_run
from simulation.chaos.runtime import Alter
from simulation.chaos.world import Site, World, unaltered


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Be what became of one schedule; picklable."""

    schedule: Schedule
    digest: str
    violations: tuple[str, ...]
    runs: tuple[str, ...]
    struck: tuple[Fault, ...]
    delivered: int
    orders: int
    executions: int
    halts: int


def run_schedule(schedule: Schedule, site: Site, alter: Alter = unaltered) -> Result:
    """Run `schedule` and judge what it left."""
    world = World(schedule, site, alter)
    world.run(judge_run)
    return result_of(world)


def result_of(world: World) -> Result:
    """Return what became of a world that has run."""
    return Result(
        schedule=world.schedule,
        digest=world.timeline.digest,
        violations=tuple(judge(world)),
        runs=tuple(world.runs),
        struck=tuple(strike.fault for strike in world.timeline.struck),
        delivered=world.timeline.delivered,
        orders=len(world.venue.book),
        executions=len(world.venue.executions),
        halts=sum(1 for event in world.journals["coordinator"].events if event.kind.value == "halt"),
    )


def shrink(failing: Result, site: Site, alter: Alter = unaltered) -> Result:
    """Return the smallest failing schedule that taking faults away, and then bars, leads to.

    What still breaks one of the same rules counts; it may break it elsewhere.
    """
    rules = _rules(failing)
    smallest = failing
    while (smaller := _first_failing(_without_one(smallest.schedule), rules, site, alter)) is not None:
        smallest = smaller
    while (smaller := _first_failing(_shorter(smallest.schedule), rules, site, alter)) is not None:
        smallest = smaller
    return smallest


def _rules(result: Result) -> frozenset[str]:
    return frozenset(violation.partition(":")[0] for violation in result.violations)


def _first_failing(
    schedules: Iterator[Schedule], rules: frozenset[str], site: Site, alter: Alter
) -> Result | None:
    for schedule in schedules:
        result = run_schedule(schedule, site, alter)
        if not rules.isdisjoint(_rules(result)):
            return result
    return None


def _without_one(schedule: Schedule) -> Iterator[Schedule]:
    for place in range(len(schedule.faults)):
        yield schedule._replace(faults=schedule.faults[:place] + schedule.faults[place + 1 :])


def _shorter(schedule: Schedule) -> Iterator[Schedule]:
    """Yield the same with fewer bars: the prices of those left stay what they were."""
    for bars in (schedule.bars // 2, schedule.bars * 3 // 4, schedule.bars - 1):
        if 2 <= bars < schedule.bars:
            yield schedule._replace(bars=bars)
