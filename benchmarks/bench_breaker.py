"""Measure how quickly a strategy's circuit breaker opens, on Ray: from its third failure told to the breaker open.

Ceiling: 100 ms (requirement B6). The failures are told by the strategy's process, the breaker stands in the risk
manager's, which waits at each bar for every strategy and for the venue.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from benchmarks.engine_runs import SYMBOLS, default_settings, planned
from benchmarks.probes import OPENED, SAID, probes
from benchmarks.report import Bound, Figure, report
from cli.drive import drive
from cli.ray_engine import RayEngine
from cli.registry import read_settings
from config.settings import Settings
from simulation.synthetic import MarketSpec, synthesise
from tests.sizes import prove_size

RUNS = prove_size(1, 5)
BARS = 120
MOST_MS = 100.0
NAME = "failing"


def settings_of(folder: Path) -> Settings:
    """Return the shipped configuration with a seventh strategy that fails at every bar."""
    shipped = default_settings()
    kept = [each.model_dump(mode="json", exclude_none=True) for each in shipped.strategies.strategies]
    failing = {"id": NAME, "strategy": NAME, "file": str(Path(__file__).with_name("failing.py"))}
    book = next(iter(shipped.books.books)).model_dump(mode="json")
    book["strategies"] = [*book["strategies"], NAME]
    documents = {
        "strategies.yaml": {"strategies": [*kept, failing]},
        "books.yaml": {"books": [book]},
    }
    for name, document in documents.items():
        (folder / name).write_text(yaml.safe_dump(document), encoding="utf-8")
    return read_settings(folder, dict(os.environ))


def reactions_ms() -> Iterator[float]:
    """Run an engine and yield, for each time the breaker changed, the ms since the strategy told its failure."""
    table = synthesise(MarketSpec(seed=7, symbols=SYMBOLS, first=date(2000, 1, 3), sessions=BARS))
    with TemporaryDirectory(prefix="breakwater-bench-") as name:
        folder = Path(name)
        with planned(settings_of(folder), table, 0) as plan, probes(folder):
            engine = RayEngine(plan)
            try:
                drive(engine, stop_requested=lambda: "", show=lambda states: None, stall_s=60.0, stop_s=30.0)
            finally:
                engine.close()
        told = times(folder / f"strategy.{NAME}.notes", SAID)
        for bar, at_ns in times(folder / "risk.notes", OPENED).items():
            if bar in told:
                yield (at_ns - told[bar]) / 1e6


def times(path: Path, what: str) -> dict[int, int]:
    """Return when each bar had its first note of that kind."""
    found: dict[int, int] = {}
    for line in path.read_text(encoding="ascii").splitlines():
        kind, bar, at_ns = line.split()
        if kind == what:
            found.setdefault(int(bar), int(at_ns))
    return found


def main() -> int:
    """Measure, show and keep the figures; return 1 when the ceiling is missed."""
    spent = sorted(ms for _ in range(RUNS) for ms in reactions_ms())
    if not spent:
        print("the breaker never opened", file=sys.stderr)
        return 1
    how = f"{len(spent)} changes of a breaker in {RUNS} runs, seven strategies"
    return report(
        "breaker",
        [
            Figure("failure told to breaker changed, middle", spent[len(spent) // 2], "ms", how),
            Figure("failure told to breaker changed, longest", spent[-1], "ms", how, MOST_MS, Bound.AT_MOST),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
