"""Run every benchmark of this folder, each in a process of its own, and fail if one does.

Usage: python -m benchmarks [NAME...]        (`python -m benchmarks audit` runs `bench_audit.py`)
A benchmark is a module `bench_NAME.py` that prints its table when run and exits other than 0 when it misses a floor.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def available(folder: Path = FOLDER) -> list[str]:
    """Return the names of the benchmarks, sorted."""
    return sorted(path.stem.removeprefix("bench_") for path in folder.glob("bench_*.py"))


def main(arguments: list[str], folder: Path = FOLDER) -> int:
    """Run the named benchmarks, or all; return 0 when all hold their floors, 1 when one misses, 2 for a wrong name."""
    known = available(folder)
    unknown = [name for name in arguments if name not in known]
    if unknown or not known:
        print(
            f"no benchmark {', '.join(unknown) or 'is here'}; there are: {', '.join(known) or 'none'}",
            file=sys.stderr,
        )
        return 2
    missed = []
    for name in arguments or known:
        print(f"== {name}", flush=True)
        run = subprocess.run(
            [sys.executable, "-m", f"{folder.name}.bench_{name}"], cwd=folder.parent, check=False
        )
        if run.returncode != 0:
            missed.append(f"{name} (exit {run.returncode})")
    if missed:
        print(f"missed: {', '.join(missed)}", file=sys.stderr)
        return 1
    print(f"{len(arguments or known)} benchmarks hold their floors")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
