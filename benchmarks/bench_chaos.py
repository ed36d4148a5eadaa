"""Measure how many seeds of the fault search are run a second, over two processes.

Floors: 20 seeds a second, each with at least five faults, none of which breaks a rule. The same command as any person
gives: what starting its processes costs counts.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from benchmarks.report import Bound, Figure, report
from tests.scenario.engine import command_line, environment
from tests.sizes import prove_size

SEEDS = prove_size(400, 4_000)
JOBS = 2
LEAST_SEEDS_PER_S = 20.0
LEAST_FAULTS = 5


def search() -> dict[str, Any]:
    """Run the search and return what it says of itself."""
    line = command_line("chaos", "--seeds", f"0-{SEEDS - 1}", "--jobs", str(JOBS), "--json")
    ended = subprocess.run(line, env=environment(), stdout=subprocess.PIPE, check=False, text=True)
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def main() -> int:
    """Measure, show and keep the figures; return 1 when a floor is missed."""
    found = search()
    how = f"{found['seeds']:,} seeds, {found['messages']:,} messages, {found['orders']:,} orders"
    return report(
        "chaos",
        [
            Figure("fault search", found["seeds_per_s"], "seeds/s", how, LEAST_SEEDS_PER_S),
            Figure("faults a seed", found["faults"] / found["seeds"], "", how),
            Figure("fewest faults of a seed", found["fewest_faults"], "", how, LEAST_FAULTS),
            Figure("seeds that broke a rule", len(found["failing"]), "", how, 0, Bound.AT_MOST),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
