"""Search for faults: `breakwater chaos`."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.console import ERR, OUT
from cli.interrupts import INTERRUPTED
from cli.modes import refuse_other_modes
from cli.options import JsonOption, UsageError
from cli.output import command, print_json

if TYPE_CHECKING:
    from simulation.chaos.pool import Tally
    from simulation.chaos.search import Result
    from supervisor.signals import StopSignals

NAMED = 10
"""Failing seeds that are named on standard error as they are found."""

SHRUNK = 3
"""Failing seeds that are shrunk: each takes as long as some dozens of seeds."""

_MOST_JOBS = 256

SeedsOption = Annotated[
    str,
    typer.Option("--seeds", metavar="A-B", help="Seeds to run, both included; one seed: a single number."),
]
JobsOption = Annotated[int, typer.Option("--jobs", metavar="N", help="Processes to run them in.")]
KeepOption = Annotated[
    str | None,
    typer.Option("--keep", metavar="I,J", help="Of one seed, only the faults at these places (from 0)."),
]
BarsOption = Annotated[
    int | None, typer.Option("--bars", metavar="N", help="Of one seed, only so many bars.")
]
MutantOption = Annotated[
    str,
    typer.Option("--mutant", metavar="MODULE:NAME", help="Plant a fault in the engine that should be found."),
]
TraceOption = Annotated[bool, typer.Option("--trace", help="Of one seed, print all that happened, in order.")]


@command
def chaos(
    seeds: SeedsOption = "0-199",
    jobs: JobsOption = 2,
    keep: KeepOption = None,
    bars: BarsOption = None,
    mutant: MutantOption = "",
    trace: TraceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run the engine under drawn faults and hold it to its invariants.

    Each seed draws a market, votes and at least five faults: deaths of roles between any two outputs, lost, late,
    doubled and reordered messages, failures of the venue, its link, clocks and disks. The venue's own record is then
    compared with what the engine made of it. Exit code 1 when a rule was broken, 130 when it was interrupted: what was
    found until then is told.
    """
    first, last = _range(seeds)
    if not 1 <= jobs <= _MOST_JOBS:
        raise UsageError(f"--jobs: found {jobs}; allowed: 1 to {_MOST_JOBS}")
    alone = keep is not None or bars is not None or trace
    if alone and first != last:
        raise UsageError(f"--keep, --bars and --trace replay one seed; found --seeds {seeds}")
    refuse_other_modes(os.environ)
    if alone:
        code = int(_replay(first, keep, bars, mutant, trace=trace, as_json=as_json))
    else:
        code = _search(range(first, last + 1), mutant, jobs, as_json=as_json)
    if code:
        raise typer.Exit(code)


def _range(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(last) < int(first)):
        raise UsageError(
            f"--seeds: found {text!r}; allowed: a number, or two like 0-199, the first not above the last"
        )
    return int(first), int(last if dash else first)


def _places(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() for part in parts):
        raise UsageError(f"--keep: found {text!r}; allowed: places of faults like 0,3 (none: an empty text)")
    return tuple(sorted({int(part) for part in parts}))


def _replay(
    seed: int, keep: str | None, bars: int | None, mutant: str, *, trace: bool, as_json: bool
) -> bool:
    """Run one schedule and say what happened; return whether it broke a rule."""
    from cli.chaos_site import chaos_site
    from simulation.chaos.oracle import judge_run
    from simulation.chaos.pool import load_mutant
    from simulation.chaos.search import result_of
    from simulation.chaos.world import World

    site = chaos_site()
    drawn = site.schedule(seed)
    places = _places(keep)
    if places is not None and any(place >= len(drawn.faults) for place in places):
        raise UsageError(f"--keep: found {keep}; seed {seed} draws faults 0 to {len(drawn.faults) - 1}")
    if bars is not None and not 2 <= bars <= drawn.bars:
        raise UsageError(f"--bars: found {bars}; allowed for seed {seed}: 2 to {drawn.bars}")
    world = World(drawn.reduced(places, bars), site, load_mutant(mutant))
    if trace:
        world.timeline.texts = []
    world.run(judge_run)
    result = result_of(world)
    if as_json:
        print_json(
            {**_said(result, mutant, shrunk=None), "digest": result.digest, "trace": world.timeline.texts}
        )
    else:
        for line in world.timeline.texts or ():
            OUT.print(line, markup=False, highlight=False, soft_wrap=True)
        OUT.print(str(result.schedule), markup=False, highlight=False)
        OUT.print(f"runs: {', '.join(result.runs)}; digest {result.digest}", markup=False, highlight=False)
        OUT.print("\n".join(result.violations) or "No rule was broken.", markup=False, highlight=False)
    return bool(result.violations)


def _search(seeds: range, mutant: str, jobs: int, *, as_json: bool) -> int:
    """Run all seeds, until a signal asks to stop, and print what they came to; return the command's exit code."""
    from cli.chaos_site import chaos_site
    from simulation.chaos.pool import Tally, load_mutant
    from simulation.chaos.search import shrink
    from supervisor.signals import StopSignals

    alter = load_mutant(mutant)
    tally, begun = Tally(), time.monotonic()
    with StopSignals() as stop:
        _run(seeds, mutant, jobs, tally, stop)
        elapsed_s = time.monotonic() - begun
        failing = sorted(tally.failing, key=lambda result: result.schedule.seed)
        told: list[dict[str, Any]] = []
        for place, result in enumerate(failing):
            shrinks = place < SHRUNK and not stop.requested
            told.append(_said(result, mutant, shrink(result, chaos_site(), alter) if shrinks else None))
    summary = {
        **_figures(tally, elapsed_s),
        "interrupted": stop.requested,
        "mutant": mutant,
        "failing": told,
    }
    if as_json:
        print_json(summary)
    else:
        _print(summary, told)
    return INTERRUPTED if stop.requested else int(bool(failing))


def _run(seeds: range, mutant: str, jobs: int, tally: Tally, stop: StopSignals) -> None:
    """Add up the results as they come, naming the first seeds that break a rule at once."""
    from cli.chaos_progress import seeds_progress
    from cli.chaos_site import chaos_site
    from simulation.chaos.pool import run_seeds

    with (
        seeds_progress(ERR, len(seeds)) as show,
        closing(run_seeds(seeds, chaos_site, mutant, jobs)) as results,
    ):
        for result in results:
            tally.add(result)
            if result.violations and len(tally.failing) <= NAMED:
                text = f"seed {result.schedule.seed} broke a rule: {result.violations[0]}"
                ERR.print(text, markup=False, highlight=False, soft_wrap=True)
            show(tally.seeds, len(tally.failing))
            if stop.requested:
                return


def _figures(tally: Tally, elapsed_s: float) -> dict[str, Any]:
    return {
        "seeds": tally.seeds,
        "elapsed_s": round(elapsed_s, 3),
        "seeds_per_s": round(tally.seeds / elapsed_s, 2),
        "faults": sum(tally.faults.values()),
        "fewest_faults": tally.fewest_faults,
        "seeds_under_five_faults": tally.under_five,
        "faults_by_kind": dict(tally.faults.most_common()),
        "runs": dict(tally.runs.most_common()),
        "messages": tally.delivered,
        "orders": tally.orders,
        "executions": tally.executions,
        "halts": tally.halts,
        "digest": tally.digest,
    }


def _said(result: Result, mutant: str, shrunk: Result | None) -> dict[str, Any]:
    """Return what to say of one result; of a shrunk one, how to replay that."""
    planted = f" --mutant {mutant}" if mutant else ""
    said: dict[str, Any] = {
        "seed": result.schedule.seed,
        "violations": list(result.violations),
        "runs": list(result.runs),
        "schedule": str(result.schedule).splitlines(),
        "replay": f"breakwater chaos --seeds {result.schedule.seed}{planted} --trace",
    }
    if shrunk is not None:
        places = ",".join(map(str, result.schedule.places(shrunk.schedule.faults)))
        said["shrunk"] = str(shrunk.schedule).splitlines()
        said["shrunk_violations"] = list(shrunk.violations)
        said["replay"] = (
            f'breakwater chaos --seeds {result.schedule.seed} --keep "{places}" '
            f"--bars {shrunk.schedule.bars}{planted} --trace"
        )
    return said


def _print(summary: dict[str, Any], failing: Sequence[dict[str, Any]]) -> None:
    for said in failing:
        lines = [f"seed {said['seed']} broke a rule:", *said["violations"][:5]]
        lines += (
            ["needed for it:", *said["shrunk"], *said["shrunk_violations"][:5]] if "shrunk" in said else []
        )
        OUT.print(
            "\n".join([*lines, f"replay: {said['replay']}", ""]),
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    OUT.print(
        f"{summary['seeds']} seeds, {summary['faults']} faults, {summary['orders']} orders, "
        f"{summary['executions']} executions, {summary['halts']} halts in {summary['elapsed_s']:.1f} s "
        f"({summary['seeds_per_s']:.1f} seeds/s): {len(failing)} broke a rule. Digest {summary['digest']}."
        f"{' Interrupted.' if summary['interrupted'] else ''}",
        markup=False,
        highlight=False,
    )
