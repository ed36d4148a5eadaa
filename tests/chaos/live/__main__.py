"""Run a campaign: `python -m tests.chaos.live --roles risk,gateway --kills 100 --seed 1 --folder DIR`."""

from __future__ import annotations

import statistics
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated

import typer
from rich.progress import track

from tests.chaos.live.campaign import kills

EVERYTHING = "audit,gateway,risk,feed,strategy:momentum_fast,coordinator,driver"


def main(
    roles: Annotated[str, typer.Option(help="What to kill, by commas.")] = EVERYTHING,
    count: Annotated[int, typer.Option("--kills", help="How often.")] = 100,
    seed: Annotated[int, typer.Option(help="Draws moments and victims.")] = 1,
    folder: Annotated[Path | None, typer.Option(help="An empty or new directory for the sessions.")] = None,
) -> None:
    """Kill processes of a real engine and hold every session to the venue's journal."""
    place = folder or Path(mkdtemp(prefix="breakwater-live-"))
    place.mkdir(parents=True, exist_ok=True)
    names = tuple(roles.split(","))
    took: dict[str, list[float]] = {}
    for kill in track(kills(names, count, seed, place), total=count, description=f"kills (seed {seed})"):
        took.setdefault(kill.role, []).append(kill.recovery_s)
    for role, each in sorted(took.items()):
        p99 = sorted(each)[max(0, round(0.99 * len(each)) - 1)]
        typer.echo(
            f"{role}: {len(each)} kills, back after {statistics.median(each):.2f} s (p50), {p99:.2f} s (p99)"
        )
    typer.echo("0 orders doubled, 0 fills lost, every position and all cash as in the venue's journal")


if __name__ == "__main__":
    typer.run(main)
