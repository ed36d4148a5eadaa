"""Hold the coverage of each area (F1): read coverage's JSON report, print a table, fail below a gate.

Usage: python tests/coverage_gates.py build/coverage.json
Statements count; branches are shown beside them. An area whose folder has no modules yet passes; one of whose modules
was renamed away does not, or a gate could be left by moving a file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Area(NamedTuple):
    """Be a part of the code with a gate: `paths` are files or folders, none of them means everything measured."""

    name: str
    floor_pct: float
    paths: tuple[str, ...]


class Reading(NamedTuple):
    """Be what was measured of an area; `fault` says why it fails, or is None."""

    area: Area
    files: int
    statements: int
    covered: int
    branches: int
    covered_branches: int
    fault: str | None

    @property
    def covered_pct(self) -> float:
        """Return the share of statements that ran, 100 where there is none."""
        return 100.0 * self.covered / self.statements if self.statements else 100.0


AREAS = (
    Area("risk", 90.0, ("domain/risk",)),
    Area("strategies", 85.0, ("domain/strategies",)),
    Area("sizing", 90.0, ("domain/risk/sizing.py",)),
    Area(
        "execution",
        80.0,
        (
            "domain/gateway.py",
            "domain/gateway_policy.py",
            "domain/latch_copy.py",
            "domain/order_commands.py",
            "domain/order_gate.py",
            "domain/venue_link.py",
            "domain/reconcile.py",
            "domain/execution_book.py",
            "domain/executions.py",
            "domain/orders.py",
            "domain/settling.py",
            "actors",
        ),
    ),
    Area("configuration", 95.0, ("config",)),
    Area("overall", 80.0, ()),
)


def _has_modules(root: Path, path: str) -> bool:
    """Return whether the folder of `path`, or `path` itself where it is one, holds more than `__init__.py`."""
    folder = root / path if not path.endswith(".py") else (root / path).parent
    return any(found.name != "__init__.py" for found in folder.rglob("*.py"))


def _within(file: str, area: Area) -> bool:
    return not area.paths or any(file == path or file.startswith(path + "/") for path in area.paths)


def read_area(report: dict[str, Any], area: Area, root: Path) -> Reading:
    """Add up the summaries of the area's files and say whether it passes its gate."""
    files = {name: data["summary"] for name, data in report["files"].items() if _within(name, area)}

    def total(key: str) -> int:
        return sum(int(summary.get(key, 0)) for summary in files.values())

    reading = Reading(
        area=area,
        files=len(files),
        statements=total("num_statements"),
        covered=total("covered_lines"),
        branches=total("num_branches"),
        covered_branches=total("covered_branches"),
        fault=None,
    )
    missing = [
        path
        for path in area.paths
        if _has_modules(root, path) and not any(name == path or name.startswith(path + "/") for name in files)
    ]
    if missing:
        return reading._replace(
            fault=f"{', '.join(missing)} was not measured: renamed, or no part of the report"
        )
    if not area.paths and not files:
        return reading._replace(fault="nothing was measured")
    if reading.covered_pct < area.floor_pct:
        return reading._replace(
            fault=f"{reading.covered_pct:.2f} % is below its gate of {area.floor_pct:.0f} %"
        )
    return reading


def table(readings: list[Reading]) -> str:
    """Return the readings as an aligned text."""
    lines = [f"{'area':<14} {'files':>5} {'statements':>10} {'covered':>9} {'branches':>9} {'gate':>6}"]
    for reading in readings:
        share = 100.0 * reading.covered_branches / reading.branches if reading.branches else 100.0
        lines.append(
            f"{reading.area.name:<14} {reading.files:>5} {reading.statements:>10} {reading.covered_pct:>7.2f} % "
            f"{share:>7.2f} % {reading.area.floor_pct:>4.0f} %  {'FAILS' if reading.fault else 'ok'}"
        )
    return "\n".join(lines)


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Print the table; return 0 where every gate is passed, 1 where one is not, 2 for a report that cannot be read."""
    if len(arguments) != 1:
        print("usage: python tests/coverage_gates.py REPORT.json", file=sys.stderr)
        return 2
    try:
        report = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        print(f"coverage report {arguments[0]} cannot be read ({error}): run `make test`", file=sys.stderr)
        return 2
    readings = [read_area(report, area, root) for area in AREAS]
    print(table(readings), flush=True)
    faults = [reading for reading in readings if reading.fault]
    for reading in faults:
        print(f"coverage gate '{reading.area.name}': {reading.fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
