"""Run a schedule to its end: the engine is started, dies, and is started again from what its journals hold.

A start resumes as `breakwater run` does. The venue, the journals and the trail outlive every run; nothing else does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from actors.parts import Parts
from domain.bars import BarTable
from domain.errors import BreakwaterError, DurabilityError, InvariantViolation
from domain.gateway import LATCH
from domain.messages import AUDIT, COORDINATOR, FEED, GATEWAY, RISK
from domain.resuming import bar_to_resume
from domain.risk.manager import SNAPSHOT
from domain.risk.settings import RiskSettings
from simulation.chaos.context import ChaosClock
from simulation.chaos.faults import FaultKind, Schedule, draw
from simulation.chaos.journals import MemoryJournal
from simulation.chaos.latch import MemoryLatch
from simulation.chaos.link import ChaosLink
from simulation.chaos.perils import Perils
from simulation.chaos.runtime import Alter, ChaosRuntime
from simulation.chaos.script import SYMBOLS, ScriptedEvaluator, market, votes
from simulation.chaos.timeline import Timeline
from simulation.chaos.trail import MemoryTrail
from simulation.chaos.venue import ChaosVenue
from simulation.venue.settings import VenueSettings
from supervisor.child_spec import ChildSpec
from supervisor.coordinator import Coordinator
from supervisor.phase import ENDED, Phase
from supervisor.restart_policy import Intensity

KEEPERS = (COORDINATOR, GATEWAY, RISK, FEED)
"""Roles that keep a journal."""

MOST_RUNS = 14
MOST_DELIVERED = 60_000
STALL_S = 480.0
"""Virtual seconds without a settled bar after which a run counts as stuck.

What may rightly keep one bar: a venue that is down for 70 s, twice or more, each time behind a breaker that waits 30 s
before its next try, an acknowledgement that does not come for 10 s, downloads given up after 30 s and an absence
proven over 30 s. Seed 100022 needs 260 s.
"""

_SLICE = 64
DELIVERIES_S = (0.0005, 0.002, 0.02)
"""Virtual seconds that a delivery takes, one of these for a seed: in the last, timers run out amid the work."""

Given = Mapping[str, Mapping[str, Any]]
Compose = Callable[[BarTable, int, Given], Sequence[ChildSpec]]
"""Return an engine's roles for these bars from this bar on (`cli.composition.chaos_specs`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Be what every world of a search shares.

    That is how an engine is composed, its strategies and their roles, its venue, and how often a role may restart.
    """

    compose: Compose
    strategies: tuple[str, ...]
    roles: tuple[str, ...]
    venue: Callable[[BarTable], VenueSettings]
    intensity: Intensity

    def schedule(self, seed: int) -> Schedule:
        """Return the schedule of `seed`."""
        return draw(seed, self.strategies, self.roles, SYMBOLS)


def unaltered(role: str, parts: Parts) -> Parts:
    """Return the parts as they are."""
    del role
    return parts


class World:
    """Hold what outlives the engine, and run the engine until its bars are done."""

    def __init__(self, schedule: Schedule, site: Site, alter: Alter = unaltered) -> None:
        """Stand before the first run; `alter` plants a mutant."""
        self.schedule, self._site, self._alter = schedule, site, alter
        self.timeline = Timeline()
        self.perils = Perils(schedule, self.timeline)
        self.clock = ChaosClock()
        self.table = market(schedule)
        self.venue = ChaosVenue(site.venue(self.table))
        self.link = ChaosLink(self.venue, self.perils, lambda: self.clock)
        self.journals = {role: self._journal(role) for role in KEEPERS}
        self.trail = MemoryTrail(
            partial(self._before, AUDIT), lambda line: self._chained(line), lambda: self.clock.wall_ns()
        )
        self.latch = MemoryLatch(self._before, self.timeline.latch)
        self._script = votes(schedule, site.strategies)
        self._settled = -1
        self.runs: list[str] = []
        self.risk_state: Mapping[str, Any] = {}
        self.risk_settings: RiskSettings | None = None
        self.violations: list[str] = []
        self.intensity = site.intensity

    @property
    def completed(self) -> bool:
        """Say whether the last run settled every bar and stopped in order."""
        return bool(self.runs) and self.runs[-1] == "completed"

    def run(self, after_run: Callable[[World], None] = lambda world: None) -> None:
        """Start the engine again and again until every bar has settled; `after_run` looks at what each run left."""
        while not self.completed and len(self.runs) < MOST_RUNS and self.timeline.delivered < MOST_DELIVERED:
            self.timeline.run += 1
            self.runs.append(self._one_run())
            self.timeline.note(f"run ended: {self.runs[-1]}")
            after_run(self)

    # --- one run ----------------------------------------------------------------------------------------------------

    def _one_run(self) -> str:
        self.risk_state = {}
        self.clock.wall_offset_s += self.clock.now_s
        self.clock.now_s = 0.0
        delivery_s = DELIVERIES_S[self.schedule.seed % len(DELIVERIES_S)]
        runtime = ChaosRuntime(self.perils, self.link, self.clock, delivery_s, self._alter)
        runtime.occasions.by_hand = self.latch.by_hand
        try:
            specs = self._site.compose(self.table, self._first(), self._given(runtime))
            self.risk_settings = next(spec.arguments["settings"] for spec in specs if spec.role == RISK)
            runtime.supervise(specs)
        except BreakwaterError as error:
            self.timeline.failed("start", error)
            return "cannot start"
        how = self._drive(runtime)
        if runtime.ended_by:
            runtime.settle_wire(runtime.flushes)
            runtime.abandon()
        else:
            self._close(runtime, how)
        return how

    def _drive(self, runtime: ChaosRuntime) -> str:
        """Let the engine work until it ends, or has not settled a bar for too long; return how it ended."""
        position, moved_s, phase = -1, 0.0, Phase.STARTING
        while phase not in ENDED:
            goes_on = runtime.advance(_SLICE)
            phase = _coordinator(runtime).phase if runtime.alive(COORDINATOR) else phase
            if not goes_on and (runtime.ended_by or phase not in ENDED):
                return runtime.ended_by or "idle"
            settled = self._position(runtime)
            if settled not in (position, -1):
                position, moved_s = settled, self.clock.now_s - runtime.occasions.jumped_s
            if self.clock.now_s - runtime.occasions.jumped_s - moved_s > STALL_S:
                return "stalled"
        if phase is Phase.FAILED:
            return "failed"
        return "completed" if _coordinator(runtime).state()["completed"] else "stopped"

    def _position(self, runtime: ChaosRuntime) -> int:
        return int(runtime.machine(FEED).state()["next"]) if runtime.alive(FEED) else -1

    def _close(self, runtime: ChaosRuntime, how: str) -> None:
        """Close every role as the command does, and keep what it keeps."""
        if how in ("completed", "stopped") and runtime.alive(RISK) and runtime.alive(FEED):
            self.risk_state = runtime.machine(RISK).state()
            self._settled = self._position(runtime) - 1
        runtime.settle_wire(arrives=True)
        runtime.shutdown()

    def _first(self) -> int:
        risk, gateway = self.journals[RISK], self.journals[GATEWAY]
        return bar_to_resume(
            settled=self._settled,
            first=0,
            decided=risk.snapshot(SNAPSHOT),
            at_gateway=lambda: (gateway.orders(), gateway.snapshot(LATCH)),
        )

    def _given(self, runtime: ChaosRuntime) -> Given:
        given: dict[str, dict[str, Any]] = {
            role: {"journal": journal} for role, journal in self.journals.items()
        }
        given[GATEWAY] |= {"broker": self.link, "latch": self.latch.of(GATEWAY)}
        given[COORDINATOR] |= {"supervise": runtime.supervisor, "latch": self.latch.of(COORDINATOR)}
        given[FEED]["table"] = self.table
        given[AUDIT] = {"trail": self.trail}
        given["strategies"] = {"evaluator": partial(_evaluator, self._script, self.perils)}
        return given

    # --- what lasts -------------------------------------------------------------------------------------------------

    def _journal(self, role: str) -> MemoryJournal:
        return MemoryJournal(partial(self._before, role), partial(self.timeline.committed, role))

    def _before(self, role: str) -> None:
        """Stand before a commit of `role`: it may die, and its disk may fail."""
        self.perils.effect(role)
        if self.perils.strikes(FaultKind.DISK_FAILS, role) is not None:
            raise DurabilityError(f"{role}: the disk is full, says the fault search")

    def _chained(self, line: bytes) -> None:
        self.timeline.note(line[-67:-3].decode("ascii"))


def _coordinator(runtime: ChaosRuntime) -> Coordinator:
    machine = runtime.machine(COORDINATOR)
    if not isinstance(machine, Coordinator):
        raise InvariantViolation(f"the coordinator's role runs {type(machine).__name__}")
    return machine


def _evaluator(script: Any, perils: Perils, strategy_id: str) -> ScriptedEvaluator:
    return ScriptedEvaluator(strategy_id, script, perils)
