"""Write configuration directories for whole-engine tests."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml

from config.loader import SHIPPED

TIGHT = {
    "max_daily_loss": 0.0008,
    "max_total_drawdown": 0.0015,
    "halt.daily_loss": 0.0015,
    "halt.drawdown": 0.003,
    "halt.resume_after_sessions": 7,
}
"""Limits so tight that a quiet market halts again and again, at every rung, and is resumed by the rule."""


def write_config(directory: Path, file: str, values: Mapping[str, object]) -> Path:
    """Copy the shipped `file` into `directory` with `values`, keyed by dotted path, and return the directory."""
    directory.mkdir(exist_ok=True)
    document = yaml.safe_load((SHIPPED / file).read_text(encoding="utf-8"))
    for key, value in values.items():
        *above, last = key.split(".")
        part = document
        for name in above:
            part = part[name]
        part[last] = value
    (directory / file).write_text(yaml.safe_dump(document), encoding="utf-8")
    return directory


def tight(directory: Path) -> Path:
    """Write the tight limits into `directory` and return it."""
    return write_config(directory, "risk_management.yaml", TIGHT)


def shipped(directory: Path) -> Path:
    """Copy every shipped file into `directory` and return it."""
    directory.mkdir()
    for file in SHIPPED.glob("*.yaml"):
        shutil.copy(file, directory)
    return directory
