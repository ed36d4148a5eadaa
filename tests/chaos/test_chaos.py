"""The engine under drawn faults keeps I1 to I6 and comes to its end; what is planted in it is found ("Shows" 5)."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import pytest

from actors.parts import Parts
from cli.chaos_progress import seeds_progress
from cli.chaos_site import ALONE, VOTING, chaos_site
from cli.console import ERR
from domain.messages import COORDINATOR, RISK, strategy_role
from simulation.chaos.faults import Fault, FaultKind, Schedule
from simulation.chaos.pool import Tally, run_seeds
from simulation.chaos.search import run_schedule, shrink
from simulation.chaos.world import Site
from tests.chaos.mutants import MUTANTS
from tests.sizes import PROVE, prove_size

SEEDS = prove_size(120, 20_000)
LEAST_RATE = 20.0
"""Seeds a second that two processors must come to under `make prove`."""

MOST_SEEDS = {
    "no_commit_before_wire": 10,
    "no_execution_id_check": 10,
    "no_ready_gate": 20,
    "no_latch_file": 80,
    "no_intensity_limit": 20,
    "sends_unknown_again": 20,
    "cancels_stops": 60,
    "keeps_no_latch": 60,
    "drops_corrections": 20,
    "loses_a_commit": 10,
    "meets_no_file": 20,
}
"""Seeds within which each mutant must be found: some three times what it took when this was written."""

DIRECTED = "no_epoch_check"
"""A mutant behind two other defences: an intent has one ref, and what was decided is decided again the same."""

TOLD_ONCE = "tells_no_halt_again"
"""A mutant that only a long outage and the loss of one word show, which drawn faults hardly bring together."""

VALUED_AGAIN = "values_a_bar_again"
"""A mutant that needs the engine dead between a bar's fills and its decision: one drawn seed in some 700."""


@pytest.fixture(scope="module")
def site() -> Site:
    return chaos_site()


@pytest.mark.timeout(7_200 if PROVE else 300)
def test_no_seed_breaks_a_rule() -> None:
    """I1 to I6 after every run, the ready gate, epochs, restarts within limits, and an end in bounded time."""
    tally = Tally()
    jobs = max(1, min(2, os.cpu_count() or 1))
    with seeds_progress(ERR, SEEDS) as show:
        for result in run_seeds(range(SEEDS), chaos_site, "", jobs):
            tally.add(result)
            show(tally.seeds, len(tally.failing))
    broken = {
        f"breakwater chaos --seeds {result.schedule.seed} --trace": result.violations[:3]
        for result in sorted(tally.failing, key=lambda result: result.schedule.seed)
    }
    assert broken == {}
    assert tally.under_five <= 0.05 * SEEDS, "five faults are to strike in nearly every seed"
    unseen = {kind.value for kind in FaultKind} - {FaultKind.PARTIAL_FILL.value} - set(tally.faults)
    assert unseen == set(), "every kind of fault must find its occasion"
    assert tally.orders > 10 * SEEDS
    assert tally.halts > SEEDS, "without halts I5 would be about nothing"


def found_after(site: Site, alter: Callable[[str, Parts], Parts], most: int) -> int:
    """Return how many seeds it took to find what `alter` plants, 0 when it was not found."""
    for seed in range(most):
        if run_schedule(site.schedule(seed), site, alter).violations:
            return seed + 1
    return 0


@pytest.mark.parametrize("name", MOST_SEEDS)
def test_what_is_planted_is_found(name: str, site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    seeds = found_after(site, MUTANTS[name], MOST_SEEDS[name])
    with capsys.disabled():
        print(f" {name}: found after {seeds} seeds", end="")
    assert seeds > 0


def former_lives() -> Iterator[Schedule]:
    """Yield schedules in which a dead risk manager's decision arrives after its successor decided otherwise.

    Who had spoken of the bar dies after it and stays away, so that nobody votes when it is decided again.
    """
    for seed, bar, occasion in itertools.product((35, 20, 2, 5, 8, 11, 14), range(4, 14), range(4, 12)):
        late = Fault(FaultKind.MESSAGE_LATE, bar, 1, "OrdersApproved", 1.6)
        dies = Fault(FaultKind.ROLE_CRASH, bar, occasion, RISK, 0.9)
        silent = [Fault(FaultKind.CRASH_LOOP, bar, 6, strategy_role(name), 1.0) for name in (*VOTING, *ALONE)]
        yield Schedule(seed, bar + 5, (late, dies, *silent))


def test_a_former_lifes_decision_goes_out_where_nobody_checks_the_epoch(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    alter = MUTANTS[DIRECTED]
    tried = itertools.count(1)
    breaking = next(
        schedule
        for schedule, _ in zip(former_lives(), tried, strict=False)
        if any(found.startswith("epoch") for found in run_schedule(schedule, site, alter).violations)
    )
    with capsys.disabled():
        print(f" {DIRECTED}: found after {next(tried) - 1} directed schedules", end="")
    assert run_schedule(breaking, site).violations == ()


def test_every_mutant_is_looked_for() -> None:
    assert set(MUTANTS) == {*MOST_SEEDS, DIRECTED, TOLD_ONCE, VALUED_AGAIN}


@pytest.mark.parametrize("seed", range(5))
def test_a_seed_replays_to_the_same_digest(seed: int, site: Site) -> None:
    first, second = (run_schedule(site.schedule(seed), site) for _ in range(2))
    assert first.digest == second.digest
    assert first == second


def test_other_seeds_are_other_runs(site: Site) -> None:
    assert len({run_schedule(site.schedule(seed), site).digest for seed in range(5)}) == 5


def test_shrinking_leaves_what_the_violation_needs(site: Site) -> None:
    """A commit after the wire breaks I4 without any fault, so none stays."""
    alter = MUTANTS["no_commit_before_wire"]
    failing = run_schedule(site.schedule(0), site, alter)
    shrunk = shrink(failing, site, alter)
    assert shrunk.violations
    assert shrunk.schedule.faults == ()
    assert shrunk.schedule.bars < failing.schedule.bars
    kept = failing.schedule.reduced(failing.schedule.places(shrunk.schedule.faults), shrunk.schedule.bars)
    assert run_schedule(kept, site, alter) == shrunk, "the places and bars that are printed replay it"


def lost_halts() -> Iterator[Schedule]:
    """Yield schedules in which the venue is away until the gateway halts, and the word of a halt is lost."""
    for seed, bar in itertools.product((20, 2, 5, 8), (4, 8, 12)):
        down = Fault(FaultKind.VENUE_DOWN, bar, 1, value=70.0)
        lost = Fault(FaultKind.MESSAGE_LOST, bar, 1, "RaiseHalt")
        yield Schedule(seed, bar + 8, (down, lost))


def test_a_halt_of_the_gateways_that_is_told_once_alone_is_missed(site: Site) -> None:
    """Drawn, an outage that long and the loss of just that word hardly ever meet."""
    found = [run_schedule(schedule, site, MUTANTS[TOLD_ONCE]).violations for schedule in lost_halts()]
    assert sum(any("on record" in words for words in each) for each in found) > len(found) // 2
    assert [run_schedule(schedule, site).violations for schedule in lost_halts()] == [()] * len(found)


def crashes() -> Iterator[Schedule]:
    """Yield schedules in which everything dies once, at other moments of other bars."""
    for occasion, seed, bar in itertools.product(range(1, 40, 3), (2, 5, 8, 20), (5, 9, 13)):
        yield Schedule(seed, bar + 6, (Fault(FaultKind.ENGINE_CRASH, bar, occasion, COORDINATOR, 0.1),))


def test_a_decided_bar_is_not_valued_on_the_fills_that_came_after_it(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """A8: equity that never was would move the day's start or the peak, and with them the loss limits."""
    alter = MUTANTS[VALUED_AGAIN]
    tried, breaking = next(
        (number, schedule)
        for number, schedule in enumerate(crashes(), 1)
        if any(found.startswith("figures") for found in run_schedule(schedule, site, alter).violations)
    )
    with capsys.disabled():
        print(f" {VALUED_AGAIN}: found after {tried} directed schedules", end="")
    assert run_schedule(breaking, site).violations == ()
