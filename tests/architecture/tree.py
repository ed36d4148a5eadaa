"""Find the production sources."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
FORBIDDEN_NAMES = {"base", "bases", "common", "commons", "helper", "helpers", "misc", "util", "utils"}


def project() -> dict[str, Any]:
    """Return `pyproject.toml`."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def packages() -> list[str]:
    """Return the production packages: the top-level folders with an `__init__.py`, less tests and benchmarks."""
    found = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
    return [name for name in found if name not in ("tests", "benchmarks")]


def sources(*folders: str) -> Iterator[Path]:
    """Yield every Python file under `folders` (all production packages by default), relative to the root."""
    for folder in folders or packages():
        yield from (path.relative_to(ROOT) for path in sorted((ROOT / folder).rglob("*.py")))


def ill_named(path: Path) -> bool:
    """Return whether a module or package says nothing of what it holds."""
    return bool(FORBIDDEN_NAMES & {*path.with_suffix("").parts})
