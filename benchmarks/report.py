"""Show a benchmark's figures beside their floors and keep them: one JSON line a run, outside the repository."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table


class Bound(StrEnum):
    """Say on which side of its floor a figure must lie."""

    AT_LEAST = ">="
    AT_MOST = "<="


class Figure(NamedTuple):
    """Be one measured figure; without a floor it is only shown. `beside` compares it with a peer of the same run."""

    what: str
    value: float
    unit: str
    how: str
    floor: float | None = None
    bound: Bound = Bound.AT_LEAST
    beside: str = ""

    @property
    def holds(self) -> bool:
        """Return whether the floor is held; a figure that is not a number holds none."""
        if self.floor is None:
            return True
        return self.value >= self.floor if self.bound is Bound.AT_LEAST else self.value <= self.floor


def report(name: str, figures: Sequence[Figure]) -> int:
    """Print the figures of benchmark `name`, keep them in the results, and return 0 when every floor holds, else 1."""
    table = Table(
        "figure",
        "value",
        "floor",
        "times its floor",
        "beside",
        "how measured",
        title=f"{name}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}",
    )
    for figure in figures:
        floor = "" if figure.floor is None else f"{figure.bound.value} {_number(figure.floor)}"
        times = (
            ""
            if not figure.floor
            else f"{figure.value / figure.floor:.2f}{'' if figure.holds else ' MISSED'}"
        )
        value = f"{_number(figure.value)} {figure.unit}".rstrip()
        table.add_row(figure.what, value, floor, times, figure.beside, figure.how)
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    path = results_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(_line(name, figures)) + "\n")
    print(f"kept in {path}")
    return 0 if all(figure.holds for figure in figures) else 1


def results_path() -> Path:
    """Return the file of results: `BREAKWATER_BENCHMARKS`, else benchmarks.jsonl in the user's cache directory."""
    named = os.environ.get("BREAKWATER_BENCHMARKS")
    if named:
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "breakwater" / "benchmarks.jsonl"


def _line(name: str, figures: Sequence[Figure]) -> dict[str, Any]:
    return {
        "benchmark": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "load": round(os.getloadavg()[0], 2),
        "figures": [
            {"what": f.what, "value": f.value, "unit": f.unit, "floor": f.floor, "holds": f.holds}
            for f in figures
        ],
    }


def _number(value: float) -> str:
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"
